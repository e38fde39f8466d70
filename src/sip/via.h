/* SPDX-License-Identifier: BSD-3-Clause
 * Via (RFC 3261 §18): where a response goes. */
#ifndef SIP_VIA_H
#define SIP_VIA_H

#include "sip/message.h"

#define SIP_SENT_BY_SIZE 264 /* host:port and a NUL */

/* The topmost Via; NULL where the last one was removed. Borrowed. */
osip_via_t *sip_via_top(const osip_message_t *message);
/* Its branch; borrowed. "" where there is no Via. */
const char *sip_via_branch(const osip_message_t *message);
/* Its host[:port], lower case, as transactions are matched by. ERR_TOO_LARGE leaves |out| empty. */
int sip_via_sent_by(const osip_message_t *message, char out[SIP_SENT_BY_SIZE]);
/* Puts one on top: |transport| as in Via ("WSS", "TCP"). Returns 0, ERR_MEMORY or ERR_MALFORMED. */
int sip_via_push(osip_message_t *message, const char *transport, const char *sent_by, const char *branch);
/* Takes the topmost off. Returns 0 or ERR_NOT_FOUND. */
int sip_via_pop(osip_message_t *message);

/* Looks at undecoded bytes: nothing is promised of what else is there. */
bool sip_peek_is_response(const void *bytes, size_t length);

#endif
