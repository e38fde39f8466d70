/* SPDX-License-Identifier: BSD-3-Clause
 * SIP messages on a byte stream (RFC 3261 §18.3), and the keep-alives between them (RFC 5626 §4.4.1). */
#ifndef SIP_FRAMING_H
#define SIP_FRAMING_H

#include <stddef.h>

/* Length of the CR LFs that stand before a message: whoever reads takes them off first. |*pings_out|: how many times
 * CR LF CR LF was among them, each to be answered with one CR LF. A lone CR LF, the answer to a ping or an empty line
 * that a sloppy sender left behind, is none. The half of a ping at the end of |bytes| is left to the next call. */
size_t sip_keep_alive_length(const void *bytes, size_t length, unsigned *pings_out);

/* Length of the message that starts at |bytes|, in bytes: up to its empty line and as many more as Content-Length says.
 * It may be more than |length|. Or
 *   ERR_SHORT      the head is not complete and right so far -> call again with all of its bytes and more
 *   ERR_MALFORMED  no Content-Length, or none that is one: where the next message begins is anybody's guess -> close
 *   ERR_TOO_LARGE  more than SIP_HEAD_MAX or SIP_MESSAGE_MAX -> close */
int sip_frame_length(const void *bytes, size_t length);

#endif
