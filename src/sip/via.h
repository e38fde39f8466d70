/* SPDX-License-Identifier: BSD-3-Clause
 * Via (RFC 3261 §18, RFC 3581): where a response goes. And a look at a message's first lines without decoding it, to
 * tell which worker it belongs to. */
#ifndef SIP_VIA_H
#define SIP_VIA_H

#include "base/address.h"
#include "sip/message.h"

#define SIP_SENT_BY_SIZE 264 /* host:port and a NUL */

/* The topmost Via; NULL where the last one was removed. Borrowed. */
osip_via_t *sip_via_top(const osip_message_t *message);
/* Its branch; borrowed. "" where there is no Via. */
const char *sip_via_branch(const osip_message_t *message);
/* Its host[:port], lower case, as transactions are matched by. ERR_TOO_LARGE leaves |out| empty. */
int sip_via_sent_by(const osip_message_t *message, char out[SIP_SENT_BY_SIZE]);
/* Writes where the request came from into its topmost Via: `received` always where the host differs, `rport` where the
 * client asked for it (RFC 3261 §18.2.1, RFC 3581 §4); what the client put there itself is replaced. Returns 0 or
 * ERR_MEMORY. */
int sip_via_mark_source(osip_message_t *message, const struct address *source);
/* Puts one on top: |transport| as in Via ("WSS", "TCP"). Returns 0, ERR_MEMORY or ERR_MALFORMED. */
int sip_via_push(osip_message_t *message, const char *transport, const char *sent_by, const char *branch);
/* Takes the topmost off. Returns 0 or ERR_NOT_FOUND. */
int sip_via_pop(osip_message_t *message);

/* Looks at undecoded bytes; |*out| borrows. Return 0 or ERR_NOT_FOUND. Nothing is promised of what else is there. */
bool sip_peek_is_response(const void *bytes, size_t length);
int sip_peek_top_branch(const void *bytes, size_t length, struct span *out);
/* The user part of the topmost Route's URI, or of the Request-URI where there is no Route. */
int sip_peek_top_route_user(const void *bytes, size_t length, struct span *out);

#endif
