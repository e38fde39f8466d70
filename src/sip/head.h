/* SPDX-License-Identifier: BSD-3-Clause
 * The lines of a SIP message's head (RFC 3261 §7.3), read strictly: what could be understood in two ways is refused
 * before a more lenient parser sees it. Everything borrows. */
#ifndef SIP_HEAD_H
#define SIP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct sip_head_field {
    struct span name;
    struct span value; /* without white space at either end; folded ones keep their line ends */
};

struct sip_head_reader {
    const char *at, *end;
    bool failed; /* a line that is no field: no colon, a name that is no token, control characters, a bare CR or LF */
    struct span start_line;
};

/* |length| bytes up to and with the empty line. */
struct sip_head_reader sip_head_read(const void *bytes, size_t length);
/* False at the empty line, or where the reader has failed. */
bool sip_head_next(struct sip_head_reader *reader, struct sip_head_field *out);
/* Whether |name| is |full| or its compact form (RFC 3261 §7.3.3), without regard to case. */
bool sip_head_name_is(struct span name, const char *full);
/* Reads decimal digits; values above |most| count as |most|. False where it is no number. */
bool sip_head_number(struct span value, unsigned most, unsigned *out);
/* Whether |text| is a token (RFC 3261 §25.1) of at least one byte. */
bool sip_head_is_token(struct span text);

#endif
