/* SPDX-License-Identifier: BSD-3-Clause
 * Values of fields, read into libosip2's structs. Its own parsers are not shown bytes from the network: they look for
 * separators inside quoted strings and take what the grammar forbids. Inside src/sip only. */
#ifndef SIP_VALUE_H
#define SIP_VALUE_H

#include <osipparser2/osip_message.h>

#include "base/span.h"
#include "sip/grammar.h"

/* Each returns 0 with |*out| the caller's, ERR_MALFORMED, ERR_TOO_LARGE (SIP_PARAMETERS_MAX) or ERR_MEMORY. */

/* A URI of any scheme (RFC 3261 §19.1.1, RFC 3986 §2). Its escapes are undone, as libosip2 expects it. */
int sip_value_read_uri(struct span text, osip_uri_t **out);
/* name-addr or addr-spec with parameters (§20.10). |star|: `*` too, as libosip2 has it: a display name, no URI. */
int sip_value_read_address(struct span text, bool star, osip_from_t **out);
int sip_value_read_via(struct span text, osip_via_t **out);
int sip_value_read_cseq(struct span text, osip_cseq_t **out);
int sip_value_read_call_id(struct span text, osip_call_id_t **out);
int sip_value_read_content_type(struct span text, osip_content_type_t **out);

/* Takes host[:port] into texts that are the caller's, after errors too; |blanks|: white space may stand
 * around the colon. Returns 0, ERR_MALFORMED or ERR_MEMORY. */
int sip_value_read_host(struct sip_cursor *cursor, bool blanks, char **host_out, char **port_out);

/* Adds a parameter behind the others; |value| may be NULL. Takes them, or leaves them to the
 * caller and returns ERR_MALFORMED (there is one of that name: which of two counts, two readers may see differently),
 * ERR_TOO_LARGE or ERR_MEMORY. */
int sip_parameter_add(osip_list_t *list, char *name, char *value);

/* A copy; NULL where memory is short. libosip2 frees what it is given as we do: sip_init(). */
char *sip_text_of(struct span text);

#endif
