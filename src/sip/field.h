/* SPDX-License-Identifier: BSD-3-Clause
 * Which fields have a place of their own in an osip_message_t, and how their values get there. Inside src/sip only. */
#ifndef SIP_FIELD_H
#define SIP_FIELD_H

#include "sip/message.h"

enum sip_field_kind {
    FIELD_OTHER, /* a line in |headers| */
    FIELD_VIA,
    FIELD_RECORD_ROUTE,
    FIELD_ROUTE,
    FIELD_CONTACT,
    FIELD_FROM,
    FIELD_TO,
    FIELD_CALL_ID,
    FIELD_CSEQ,
    FIELD_CONTENT_TYPE,
    FIELD_CONTENT_LENGTH,
};
enum sip_field_kind sip_field_kind(const char *name);
/* The list of |kind|; NULL for what has none. */
osip_list_t *sip_field_list(osip_message_t *message, enum sip_field_kind kind);
/* The text of the |index|-th value of |kind|, from 0 (not of FIELD_OTHER), for sip_text_free(). Returns 0,
 * ERR_NOT_FOUND behind the last, or ERR_MEMORY. */
int sip_field_text(const osip_message_t *message, enum sip_field_kind kind, unsigned index, char **text_out);
/* Puts one value, not a list, in; |position| as osip_list_add() has it, 0 for the front, -1 for the end. A single one
 * that is there already makes ERR_EXISTS. Returns 0, ERR_EXISTS, ERR_MALFORMED, ERR_TOO_LARGE or ERR_MEMORY. */
int sip_field_put(osip_message_t *message, const char *name, struct span value, int position);
/* Whether |name| may stand in one line and with one value only; those with a place of their own say so themselves. */
bool sip_field_is_single(const char *name);

#endif
