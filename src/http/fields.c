/* SPDX-License-Identifier: BSD-3-Clause */
#include "http/fields.h"

#include <string.h>
#include <strings.h>

#include "base/error.h"

bool http_is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

bool http_is_alphanumeric(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || http_is_digit(c);
}

static bool is_token_byte(uint8_t c)
{
    return http_is_alphanumeric(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

bool http_is_token(struct span span)
{
    const uint8_t *bytes = span.bytes;
    for (size_t i = 0; i < span.length; i++) {
        if (!is_token_byte(bytes[i]))
            return false;
    }
    return span.length > 0;
}

bool http_span_equals(struct span span, const char *text)
{
    return span_equal(span, span_of_text(text));
}

bool http_span_equals_any_case(struct span a, struct span b)
{
    return a.length == b.length && (a.length == 0 || strncasecmp(a.bytes, b.bytes, a.length) == 0);
}

struct span http_span_trimmed(struct span span)
{
    const uint8_t *first = span.bytes, *end = first + span.length;
    while (first < end && (*first == ' ' || *first == '\t'))
        first++;
    while (end > first && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (struct span){first, (size_t)(end - first)};
}

struct span http_span_split(struct span *span, char separator)
{
    struct span before = *span;
    const uint8_t *at = span->length > 0 ? memchr(span->bytes, separator, span->length) : NULL;
    if (!at) {
        *span = (struct span){(const uint8_t *)span->bytes + span->length, 0};
        return before;
    }
    before.length = (size_t)(at - (const uint8_t *)span->bytes);
    *span = (struct span){at + 1, span->length - before.length - 1};
    return before;
}

int http_line_take(struct reader *reader, struct span *line_out)
{
    for (const uint8_t *at = reader->at; at < reader->end; at++) {
        if (*at == '\r') {
            if (at + 1 == reader->end)
                return ERR_SHORT;
            if (at[1] != '\n')
                return ERR_MALFORMED;
            *line_out = (struct span){reader->at, (size_t)(at - reader->at)};
            reader->at = at + 2;
            return 0;
        }
        if ((*at < ' ' && *at != '\t') || *at == 0x7f)
            return ERR_MALFORMED;
    }
    return ERR_SHORT;
}

int http_fields_add(struct http_fields *fields, struct span line)
{
    if (!memchr(line.bytes, ':', line.length))
        return ERR_MALFORMED;
    struct http_field field;
    field.value = line;
    /* A line that starts with white space (obs-fold), or white space before the colon, is no token either. */
    field.name = http_span_split(&field.value, ':');
    if (!http_is_token(field.name))
        return ERR_MALFORMED;
    field.value = http_span_trimmed(field.value);
    if (fields->count == HTTP_FIELDS_MAX)
        return ERR_FULL;
    fields->items[fields->count++] = field;
    return 0;
}

static const struct http_field *find_from(const struct http_fields *fields, unsigned index, struct span name)
{
    for (; index < fields->count; index++) {
        if (http_span_equals_any_case(fields->items[index].name, name))
            return &fields->items[index];
    }
    return NULL;
}

const struct http_field *http_fields_find(const struct http_fields *fields, const char *name)
{
    return find_from(fields, 0, span_of_text(name));
}

const struct http_field *http_fields_find_next(const struct http_fields *fields, const struct http_field *previous)
{
    return find_from(fields, (unsigned)(previous - fields->items) + 1, previous->name);
}

bool http_fields_list(const struct http_fields *fields, const char *name, struct span token)
{
    const struct http_field *field = http_fields_find(fields, name);
    for (; field; field = http_fields_find_next(fields, field)) {
        struct span rest = field->value;
        while (rest.length > 0) {
            if (http_span_equals_any_case(http_span_trimmed(http_span_split(&rest, ',')), token))
                return true;
        }
    }
    return false;
}

/* Reads 1*DIGIT. Returns false for anything else, a sign, a list or an overflow included. */
static bool read_decimal(struct span text, uint64_t *out)
{
    const uint8_t *bytes = text.bytes;
    uint64_t value = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (!http_is_digit(bytes[i]) || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(bytes[i] - '0'), &value))
            return false;
    }
    *out = value;
    return text.length > 0;
}

int http_fields_framing(const struct http_fields *fields, unsigned minor_version, struct http_framing *out)
{
    const struct http_field *encoding = http_fields_find(fields, "Transfer-Encoding");
    const struct http_field *length = http_fields_find(fields, "Content-Length");
    *out = (struct http_framing){.chunked = encoding != NULL, .has_length = length != NULL};
    if (encoding && (length || minor_version == 0 || http_fields_find_next(fields, encoding)))
        return ERR_MALFORMED;
    if (encoding && !http_span_equals_any_case(encoding->value, span_of_text("chunked")))
        return ERR_FORBIDDEN;
    if (length && (http_fields_find_next(fields, length) || !read_decimal(length->value, &out->content_length)))
        return ERR_MALFORMED;
    return 0;
}
