/* SPDX-License-Identifier: BSD-3-Clause */
#include "edge/raw.h"

#include <limits.h>
#include <strings.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span between(const char *start, const char *end)
{
    return (struct span){start, (size_t)(end - start)};
}

struct span span_trimmed(struct span span)
{
    const char *start = span.bytes, *end = start + span.length;
    while (start < end && is_blank(*start))
        start++;
    while (start < end && is_blank(end[-1]))
        end--;
    return between(start, end);
}

bool span_same(struct span a, struct span b)
{
    return a.length == b.length && (a.length == 0 || strncasecmp(a.bytes, b.bytes, a.length) == 0);
}

bool span_is(struct span span, const char *text)
{
    return span_same(span, span_of_text(text));
}

struct span span_unquoted(struct span span)
{
    const char *text = span.bytes;
    bool quoted = span.length >= 2 && text[0] == '"' && text[span.length - 1] == '"';
    return quoted ? between(text + 1, text + span.length - 1) : span;
}

bool span_number(struct span span, unsigned *out)
{
    const char *digits = span.bytes;
    unsigned number = 0;
    for (size_t i = 0; i < span.length; i++) {
        unsigned digit = (unsigned)(digits[i] - '0');
        if (digits[i] < '0' || digits[i] > '9' || number > (UINT_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *out = number;
    return span.length > 0;
}

/* Lines */

static struct span line_next(struct raw_reader *reader)
{
    const char *start = reader->at;
    const char *end = start < reader->end ? memchr(start, '\n', (size_t)(reader->end - start)) : NULL;
    reader->at = end ? end + 1 : reader->end;
    if (!end)
        end = reader->end;
    if (end > start && end[-1] == '\r')
        end--;
    return between(start, end);
}

struct span raw_start_line(struct span message)
{
    struct raw_reader reader = {message.bytes, (const char *)message.bytes + message.length};
    return line_next(&reader);
}

struct span raw_word(struct span line, unsigned index)
{
    const char *at = line.bytes, *end = at + line.length;
    for (;; index--) {
        while (at < end && *at == ' ')
            at++;
        const char *start = at;
        while (at < end && *at != ' ')
            at++;
        if (index == 0 || start == end)
            return between(start, at);
    }
}

struct raw_reader raw_fields(struct span message)
{
    struct raw_reader reader = {message.bytes, (const char *)message.bytes + message.length};
    line_next(&reader);
    return reader;
}

bool raw_field_next(struct raw_reader *reader, struct raw_field *out)
{
    struct span line;
    const char *colon;
    do {
        line = line_next(reader);
        if (line.length == 0)
            return false;
        while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t')) {
            struct span more = line_next(reader);
            line = between(line.bytes, (const char *)more.bytes + more.length);
        }
        colon = memchr(line.bytes, ':', line.length);
    } while (!colon);
    out->name = span_trimmed(between(line.bytes, colon));
    out->value = span_trimmed(between(colon + 1, (const char *)line.bytes + line.length));
    return true;
}

bool raw_name_is(struct span name, const char *full)
{
    static const struct {
        char compact;
        const char *full;
    } forms[] = {{'v', "Via"},         {'f', "From"},           {'t', "To"},           {'i', "Call-ID"},
                 {'m', "Contact"},     {'l', "Content-Length"}, {'c', "Content-Type"}, {'e', "Content-Encoding"},
                 {'k', "Supported"},   {'s', "Subject"},        {'o', "Event"},        {'r', "Refer-To"},
                 {'u', "Allow-Events"}};
    if (name.length != 1)
        return span_is(name, full);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if ((*(const char *)name.bytes | 0x20) == forms[i].compact)
            return strcasecmp(forms[i].full, full) == 0;
    return false;
}

struct span raw_find(struct span message, const char *name)
{
    struct raw_reader reader = raw_fields(message);
    struct raw_field field;
    while (raw_field_next(&reader, &field))
        if (raw_name_is(field.name, name))
            return field.value;
    return (struct span){message.bytes, 0};
}

/* Values */

/* The first of |stops| in |text| outside quotes and, with |angle|, outside <>; or the end. */
static const char *scan_to(struct span text, const char *stops, bool angle)
{
    const char *at = text.bytes, *end = at + text.length;
    bool quoted = false, bracketed = false;
    for (; at < end; at++) {
        if (quoted && *at == '\\' && at + 1 < end)
            at++;
        else if (*at == '"' && !bracketed)
            quoted = !quoted;
        else if (!quoted && !bracketed && *at && strchr(stops, *at))
            return at;
        else if (!quoted && angle && *at == '<')
            bracketed = true;
        else if (!quoted && *at == '>')
            bracketed = false;
    }
    return end;
}

bool raw_list_next(struct span *list, struct span *value_out)
{
    while (list->length > 0) {
        const char *end = (const char *)list->bytes + list->length, *comma = scan_to(*list, ",", true);
        *value_out = span_trimmed(between(list->bytes, comma));
        *list = comma < end ? between(comma + 1, end) : between(end, end);
        if (value_out->length > 0)
            return true;
    }
    return false;
}

struct span value_uri(struct span value)
{
    const char *end = (const char *)value.bytes + value.length, *open = scan_to(value, "<", false);
    if (open == end)
        return span_trimmed(between(value.bytes, scan_to(value, ";", false)));
    const char *close = memchr(open, '>', (size_t)(end - open));
    return span_trimmed(between(open + 1, close ? close : end));
}

/* In `a;b=c;d="e"`. |whole_out| may be NULL: name and value as they stand. */
static bool parameter_find(struct span parameters, const char *name, struct span *out, struct span *whole_out)
{
    const char *end = (const char *)parameters.bytes + parameters.length;
    while (parameters.length > 0) {
        const char *stop = scan_to(parameters, ";", false);
        struct span parameter = between(parameters.bytes, stop);
        const char *equals = scan_to(parameter, "=", false);
        if (span_is(span_trimmed(between(parameter.bytes, equals)), name)) {
            *out = span_unquoted(span_trimmed(between(equals < stop ? equals + 1 : stop, stop)));
            if (whole_out)
                *whole_out = parameter;
            return true;
        }
        parameters = stop < end ? between(stop + 1, end) : between(end, end);
    }
    return false;
}

/* What follows the first semicolon behind the URI. */
static struct span value_parameters(struct span value)
{
    const char *end = (const char *)value.bytes + value.length, *open = scan_to(value, "<", false);
    const char *start = open < end ? memchr(open, '>', (size_t)(end - open)) : value.bytes;
    if (!start)
        return between(end, end);
    start = scan_to(between(start, end), ";", false);
    return start < end ? between(start + 1, end) : between(end, end);
}

bool value_parameter(struct span value, const char *name, struct span *out)
{
    return parameter_find(value_parameters(value), name, out, NULL);
}

bool value_parameter_whole(struct span value, const char *name, struct span *out)
{
    struct span ignored;
    return parameter_find(value_parameters(value), name, &ignored, out);
}

/* Behind `scheme:`, up to the parameters and headers. */
static struct span uri_middle(struct span uri)
{
    const char *start = uri.bytes, *end = start + uri.length, *colon = memchr(start, ':', uri.length);
    if (!colon)
        return between(end, end);
    const char *at = memchr(colon, '@', (size_t)(end - colon));
    for (const char *stop = at ? at : colon; stop < end; stop++)
        if (*stop == ';' || *stop == '?')
            return between(colon + 1, stop);
    return between(colon + 1, end);
}

struct span uri_user(struct span uri)
{
    struct span middle = uri_middle(uri);
    const char *at = memchr(middle.bytes, '@', middle.length);
    return at ? between(middle.bytes, at) : between(middle.bytes, middle.bytes);
}

struct span uri_host(struct span uri)
{
    struct span middle = uri_middle(uri);
    const char *at = memchr(middle.bytes, '@', middle.length), *end = (const char *)middle.bytes + middle.length;
    return at ? between(at + 1, end) : middle;
}

static struct span uri_scheme(struct span uri)
{
    const char *colon = memchr(uri.bytes, ':', uri.length);
    return colon ? between(uri.bytes, colon) : between(uri.bytes, uri.bytes);
}

bool uri_same(struct span a, struct span b)
{
    return span_same(uri_scheme(a), uri_scheme(b)) && span_equal(uri_user(a), uri_user(b)) &&
           span_same(uri_host(a), uri_host(b));
}
