/* SPDX-License-Identifier: BSD-3-Clause
 * Where a SIP message ends in a byte stream (RFC 3261 §18.3): behind the empty line and as many bytes as Content-Length
 * says. Two line ends in front of a message are a keep-alive (RFC 5626 §4.4.1). */
#ifndef SIP_FRAMING_H
#define SIP_FRAMING_H

#include <stddef.h>

#define SIP_HEAD_MAX 32768 /* bytes up to and with the empty line */

/* Line ends at the beginning of |bytes|, to be skipped: 4 bytes are a ping, which is answered with CRLF, 2 are its pong
 * or decoration. Returns how many bytes, 0 where a message begins; ERR_SHORT where more has to come to tell. */
int sip_frame_keepalive(const void *bytes, size_t length);
/* Returns the length of the message that |bytes| begins with, which may be more than |length|; or
 *   ERR_SHORT      its head is not complete
 *   ERR_MALFORMED  no or more than one Content-Length, or none that is a number: close
 *   ERR_TOO_LARGE  longer than SIP_HEAD_MAX or SIP_MESSAGE_MAX: close */
int sip_frame_length(const void *bytes, size_t length);

#endif
