/* SPDX-License-Identifier: BSD-3-Clause
 * SIP messages (RFC 3261). The lines, lists and bodies are read and written here, strictly and in bounded memory; what
 * stands inside Via, From, To, Contact, Route and Record-Route is libosip2's, which is lenient and is shown only what
 * has been looked at. Everybody else in postern uses osip_message_t through here. Owner: whoever decoded or created it.
 *
 * Where things are in an osip_message_t: |vias|, |record_routes|, |routes|, |contacts| value by value; |from|, |to|,
 * |call_id|, |cseq|, |content_type|; everything else in |headers|, a line each, as it came: Authorization and its like
 * too, since libosip2 forgets parameters that it does not know. Content-Length is nowhere: it is counted when a message
 * is encoded. */
#ifndef SIP_MESSAGE_H
#define SIP_MESSAGE_H

#include <osipparser2/osip_message.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define SIP_MESSAGE_MAX    65535 /* bytes in all */
#define SIP_HEAD_MAX       32768 /* from the start line to the empty line */
#define SIP_FIELDS_MAX     128   /* lines of fields */
#define SIP_FIELD_MAX      12288 /* bytes of one value: an access token fits */
#define SIP_VALUES_MAX     64    /* values of a list that has a place of its own, whatever the lines */
#define SIP_PARAMETERS_MAX 32    /* of one value; headers of one URI */

/* Once, before any thread. */
void sip_init(void);

/* Decodes one whole message: all of |bytes|, as a datagram, a WebSocket message or sip_frame_length() gave it. Returns
 * 0 with |*out| the caller's, or ERR_MALFORMED (|*status_out|: what to answer, 400 or 505; 0: nothing is answered, as
 * for responses, for ACK, and where lines cannot be told apart), ERR_TOO_LARGE or ERR_MEMORY. Whatever passes has
 * exactly one From, To, Call-ID and CSeq, tags that are tokens, at least one Via, the topmost with a branch, a method
 * that fits CSeq, and at least as many bytes of body as Content-Length says; those beyond it are no part of the message
 * (RFC 3261 §18.3). No field stands twice that may not, and before the body there are no control bytes but tabs, no
 * bare CR or LF, and no %00 in a URI. */
int sip_message_decode(const void *bytes, size_t length, osip_message_t **out, unsigned *status_out);
/* Serializes. Returns the length, ERR_TOO_LARGE or ERR_MEMORY. |*text_out| has a NUL behind it, for those who know that
 * no body has one, and is freed with sip_text_free(). */
int sip_message_encode(osip_message_t *message, char **text_out);
void sip_text_free(char *text);
/* Accepts NULL in |*message|. */
void sip_message_destroy(osip_message_t **message);
/* A deep copy, or NULL where memory is short. */
osip_message_t *sip_message_clone(const osip_message_t *message);

/* The body, byte for byte as it came, multipart or not; borrowed. */
struct span sip_message_body(const osip_message_t *message);
/* Copies. An empty one takes body and Content-Type away; |content_type| NULL leaves that as it is. Returns 0,
 * ERR_MALFORMED (the type) or ERR_MEMORY. */
int sip_message_set_body(osip_message_t *message, const char *content_type, const void *bytes, size_t length);

/* The answer |status| to |request|: Via, From, To (with |to_tag| where it has none; may be NULL for 100), Call-ID,
 * CSeq, Record-Route for 18x and 2xx (RFC 3261 §8.2.6, §12.1.1). |reason| NULL: the table's. NULL where memory is
 * short. */
osip_message_t *sip_response_create(const osip_message_t *request, unsigned status, const char *reason,
                                    const char *to_tag);
/* A request without fields but Max-Forwards: 70, to be filled. NULL where memory is short or |uri| is none. */
osip_message_t *sip_request_create(const char *method, const char *uri);
/* The ACK for |response|, not 2xx, to the INVITE |request| as it was sent (RFC 3261 §17.1.1.3), and its CANCEL (§9.1).
 * NULL where memory is short. */
osip_message_t *sip_ack_create(const osip_message_t *request, const osip_message_t *response);
osip_message_t *sip_cancel_create(const osip_message_t *request);
/* The reason phrase of RFC 3261 §21 and its extensions, static; that of the class for others. */
const char *sip_status_reason(unsigned status);

/* Fields by name, compact or full, without regard to case, whichever list holds them. */

/* The whole value of the first line of that name in |headers| (so not of those in lists of their own: see above), or
 * NULL. Borrowed. */
const char *sip_field_find(const osip_message_t *message, const char *name);
/* The n-th value of that name, from 0; fields with comma lists are counted value by value. Returns NULL behind the
 * last; else |buffer| filled. One that does not fit ends it too. Authentication fields are counted line by line. */
const char *sip_field_value(const osip_message_t *message, const char *name, unsigned index, char *buffer, size_t size);
/* Removes all of that name. Returns how many values (lines, in |headers|). */
unsigned sip_field_remove(osip_message_t *message, const char *name);
/* Removes the first value of a comma list: the topmost Via, Route, Path. Returns 0, ERR_NOT_FOUND or ERR_MEMORY. */
int sip_field_remove_first(osip_message_t *message, const char *name);
/* Adds behind (or, for _first, before) the others of that name. Via, Contact, Route and Record-Route take one value at
 * a time; From, To, Call-ID, CSeq and Content-Type are replaced. Return 0, ERR_MEMORY, ERR_TOO_LARGE, or ERR_MALFORMED
 * (a line break, a value that is none). */
int sip_field_add(osip_message_t *message, const char *name, const char *value);
int sip_field_add_first(osip_message_t *message, const char *name, const char *value);
/* Whether a comma list of tokens (Require, Supported, Proxy-Require) has |token|, without regard to case. */
bool sip_field_lists(const osip_message_t *message, const char *name, const char *token);
/* The value of a field that is a number of seconds or hops. Returns ERR_NOT_FOUND or ERR_MALFORMED; too large a number
 * becomes UINT32_MAX. */
int sip_field_number(const osip_message_t *message, const char *name, uint32_t *out);
/* One hop less (RFC 3261 §16.6 step 3); 70 where there was none. Returns 0, ERR_EXPIRED -> 483, or ERR_MEMORY. */
int sip_max_forwards_decrement(osip_message_t *message);

/* Parameters, for the lists |via_params|, |gen_params| and |url_params| of libosip2's structs: the value as it stands,
 * quotes and all; "" for one without a value; NULL where it is not there. */
const char *sip_parameter_find(const osip_list_t *parameters, const char *name);
/* Sets or adds; |value| NULL for none. Returns 0 or ERR_MEMORY. */
int sip_parameter_set(osip_list_t *parameters, const char *name, const char *value);
/* What a Contact asks for: its expires parameter, or the message's Expires, or |otherwise| (RFC 3261 §10.2.1.1). */
uint32_t sip_contact_expires(const osip_message_t *message, const osip_contact_t *contact, uint32_t otherwise);
/* `Contact: *` */
bool sip_contact_is_star(const osip_contact_t *contact);

#endif
