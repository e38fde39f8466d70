/* SPDX-License-Identifier: BSD-3-Clause
 * SIP messages (RFC 3261): libosip2 parses and serializes, this file bounds it and adds what a proxy needs. Everybody
 * else in postern uses osip_message_t through here. Owner: whoever decoded or created it. */
#ifndef SIP_MESSAGE_H
#define SIP_MESSAGE_H

#include <osipparser2/osip_message.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

#define SIP_MESSAGE_MAX 65535
#define SIP_FIELDS_MAX  128

/* Once, before any thread. */
void sip_init(void);

/* Decodes one whole message. Returns 0 with |*out| the caller's, or ERR_MALFORMED (|*status_out|: what to answer, 400
 * or 505, 0: nothing can be answered), ERR_TOO_LARGE or ERR_MEMORY. Whatever passes has From, To, Call-ID, CSeq, at
 * least one Via with a branch, a method that fits CSeq, and a Content-Length that fits the body. */
int sip_message_decode(const void *bytes, size_t length, osip_message_t **out, unsigned *status_out);
/* Serializes. Returns the length, ERR_TOO_LARGE or ERR_MEMORY. |*text_out| is freed with sip_text_free(). */
int sip_message_encode(osip_message_t *message, char **text_out);
void sip_text_free(char *text);
void sip_message_destroy(osip_message_t **message);

/* The answer |status| to |request|: Via, From, To (with |to_tag| where it has none), Call-ID, CSeq, Record-Route for
 * dialogs. |reason| NULL: the table's. NULL where memory is short. */
osip_message_t *sip_response_create(const osip_message_t *request, unsigned status, const char *reason,
                                    const char *to_tag);
/* The reason phrase of RFC 3261 §21 and its extensions, static. */
const char *sip_status_reason(unsigned status);

/* Fields that libosip2 has no list of its own for (Path, Service-Route, P-Asserted-Identity, Require, ...). Names are
 * compared without regard to case. */
const char *sip_field_find(const osip_message_t *message, const char *name);
/* The n-th value of that name, from 0; fields with comma lists are counted value by value. Returns NULL behind the
 * last; else |buffer| filled. ERR_TOO_LARGE ends it too. */
const char *sip_field_value(const osip_message_t *message, const char *name, unsigned index, char *buffer, size_t size);
/* Removes all of that name, whichever list holds them. Returns how many. */
unsigned sip_field_remove(osip_message_t *message, const char *name);
/* Adds behind (or, for _first, before) the others of that name. Return 0 or ERR_MEMORY or ERR_MALFORMED. */
int sip_field_add(osip_message_t *message, const char *name, const char *value);
int sip_field_add_first(osip_message_t *message, const char *name, const char *value);
/* Whether a comma list of tokens (Require, Supported, Proxy-Require) has |token|. */
bool sip_field_lists(const osip_message_t *message, const char *name, const char *token);

#endif
