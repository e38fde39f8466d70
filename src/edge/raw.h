/* SPDX-License-Identifier: BSD-3-Clause
 * Messages as text: their lines, and the parts of a value that names an address (RFC 3261 §7.3, §20). For texts that
 * are not worth a decoder: our own, and what only has to be told apart. Everything borrows. */
#ifndef EDGE_RAW_H
#define EDGE_RAW_H

#include <stdbool.h>

#include "base/span.h"

struct raw_field {
    struct span name;
    struct span value; /* without white space at either end; may be folded */
};
struct raw_reader {
    const char *at, *end;
};

/* The line without its end. */
struct span raw_start_line(struct span message);
/* The |index|-th word of |line|, from 0; empty behind the last. */
struct span raw_word(struct span line, unsigned index);
struct raw_reader raw_fields(struct span message);
/* False at the empty line or the end; the reader stands behind it then, at the body. */
bool raw_field_next(struct raw_reader *reader, struct raw_field *out);
/* Whether |name| is |full| or its compact form, without regard to case. */
bool raw_name_is(struct span name, const char *full);
/* The value of the first field |name|; empty where there is none. */
struct span raw_find(struct span message, const char *name);

/* Takes the next value off a comma list: commas in quotes and in <> separate nothing. False at the end. */
bool raw_list_next(struct span *list, struct span *value_out);
static inline struct span span_none(void)
{
    return (struct span){"", 0};
}
bool span_is(struct span span, const char *text);  /* without regard to case */
bool span_same(struct span a, struct span b);      /* the same */
bool span_number(struct span span, unsigned *out); /* decimal digits only, no overflow */
struct span span_trimmed(struct span span);
struct span span_unquoted(struct span span);

/* `"name" <sip:user@host>;parameter=value` or `sip:user@host;parameter=value`: */
struct span value_uri(struct span value);
/* The parameter behind the URI, without its quotes. Returns whether it is there. */
bool value_parameter(struct span value, const char *name, struct span *out);
/* The same with its name, as it stands. */
bool value_parameter_whole(struct span value, const char *name, struct span *out);
/* The parts of a SIP URI; empty where there are none. |host| includes the port. */
struct span uri_user(struct span uri);
struct span uri_host(struct span uri);
/* Whether both name the same user (RFC 3261 §10.3): scheme, user part and host; parameters do not count. */
bool uri_same(struct span a, struct span b);

#endif
