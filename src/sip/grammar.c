/* SPDX-License-Identifier: BSD-3-Clause */
#include "sip/grammar.h"

#include <strings.h>

bool sip_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool sip_is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || sip_is_digit(c);
}

bool sip_is_token_byte(char c)
{
    return sip_is_alphanumeric(c) || (c != '\0' && strchr("-.!%*_+`'~", c));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

void sip_skip_blanks(struct sip_cursor *cursor)
{
    while (cursor->at < cursor->end && is_blank(*cursor->at))
        cursor->at++;
}

bool sip_take_separator(struct sip_cursor *cursor, char c)
{
    struct sip_cursor ahead = *cursor;
    sip_skip_blanks(&ahead);
    if (sip_cursor_done(&ahead) || *ahead.at != c)
        return false;
    ahead.at++;
    sip_skip_blanks(&ahead);
    *cursor = ahead;
    return true;
}

struct span sip_take_while(struct sip_cursor *cursor, bool (*is)(char c))
{
    const char *first = cursor->at;
    while (cursor->at < cursor->end && is(*cursor->at))
        cursor->at++;
    return (struct span){first, (size_t)(cursor->at - first)};
}

struct span sip_take_token(struct sip_cursor *cursor)
{
    return sip_take_while(cursor, sip_is_token_byte);
}

struct span sip_take_quoted(struct sip_cursor *cursor)
{
    const char *first = cursor->at;
    if (sip_cursor_done(cursor) || *first != '"')
        return (struct span){first, 0};
    for (const char *at = first + 1; at < cursor->end; at++) {
        if (*at == '"') {
            cursor->at = at + 1;
            return (struct span){first, (size_t)(cursor->at - first)};
        }
        if (*at == '\\')
            at++;
    }
    return (struct span){first, 0};
}

struct span sip_trimmed(struct span span)
{
    const char *first = span.bytes, *end = first + span.length;
    while (first < end && is_blank(*first))
        first++;
    while (end > first && is_blank(end[-1]))
        end--;
    return (struct span){first, (size_t)(end - first)};
}

bool sip_list_next(struct sip_cursor *list, struct span *value_out)
{
    if (!list->at)
        return false;
    const char *first = list->at;
    bool in_brackets = false;
    while (list->at < list->end && (in_brackets || *list->at != ',')) {
        struct span quoted = in_brackets ? (struct span){NULL, 0} : sip_take_quoted(list);
        if (quoted.length > 0)
            continue;
        if (*list->at == '<')
            in_brackets = true;
        if (*list->at == '>')
            in_brackets = false;
        list->at++;
    }
    *value_out = sip_trimmed((struct span){first, (size_t)(list->at - first)});
    /* NULL says that no comma, so no further value, follows. */
    list->at = list->at < list->end ? list->at + 1 : NULL;
    return true;
}

bool sip_same_name(struct span a, const char *b)
{
    return a.length == strlen(b) && strncasecmp(a.bytes, b, a.length) == 0;
}

bool sip_read_number(struct span span, uint32_t largest, uint32_t *out)
{
    const char *digits = span.bytes;
    uint64_t number = 0;
    for (size_t i = 0; i < span.length; i++) {
        if (!sip_is_digit(digits[i]))
            return false;
        number = number * 10 + (uint64_t)(digits[i] - '0');
        if (number > largest)
            number = largest;
    }
    *out = (uint32_t)number;
    return span.length > 0;
}
