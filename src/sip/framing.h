/* SPDX-License-Identifier: BSD-3-Clause
 * SIP messages on a byte stream (RFC 3261 §18.3). */
#ifndef SIP_FRAMING_H
#define SIP_FRAMING_H

#include <stddef.h>

/* Length of the message that starts at |bytes|, in bytes: up to its empty line and as many more as Content-Length says.
 * It may be more than |length|. Or
 *   ERR_SHORT      the head is not complete and right so far -> call again with all of its bytes and more
 *   ERR_MALFORMED  no Content-Length, or none that is one: where the next message begins is anybody's guess -> close
 *   ERR_TOO_LARGE  more than SIP_HEAD_MAX or SIP_MESSAGE_MAX -> close */
int sip_frame_length(const void *bytes, size_t length);

#endif
