/* SPDX-License-Identifier: BSD-3-Clause
 * The smallest pieces of RFC 3261 §25.1: bytes, tokens, quoted strings, comma lists. Inside src/sip only. */
#ifndef SIP_GRAMMAR_H
#define SIP_GRAMMAR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* What is left of a value that is being read. */
struct sip_cursor {
    const char *at, *end;
};
static inline struct sip_cursor sip_cursor_over(struct span span)
{
    const char *first = span.bytes;
    return (struct sip_cursor){first, first + span.length};
}
static inline bool sip_cursor_done(const struct sip_cursor *cursor)
{
    return cursor->at == cursor->end;
}

bool sip_is_alphanumeric(char c);
bool sip_is_digit(char c);
bool sip_is_token_byte(char c);
/* Skips blanks and tabs; a fold has become blanks before. */
void sip_skip_blanks(struct sip_cursor *cursor);
/* Takes |c|, with the white space before and behind it. False, and nothing taken, where something else stands there. */
bool sip_take_separator(struct sip_cursor *cursor, char c);
/* Take the longest run of such bytes; empty where there is none. */
struct span sip_take_while(struct sip_cursor *cursor, bool (*is)(char c));
struct span sip_take_token(struct sip_cursor *cursor);
/* Takes a quoted-string, quotes and all; empty where none begins here or it does not end. */
struct span sip_take_quoted(struct sip_cursor *cursor);
struct span sip_trimmed(struct span span);

/* Takes the next value off a comma list: commas in quotes and in <> separate nothing. False at the end of the list. A
 * value may be empty. */
bool sip_list_next(struct sip_cursor *list, struct span *value_out);

/* Without regard to case. */
bool sip_same_name(struct span a, const char *b);
/* Decimal digits only; what is too large becomes |largest|. False for anything else. */
bool sip_read_number(struct span span, uint32_t largest, uint32_t *out);

#endif
