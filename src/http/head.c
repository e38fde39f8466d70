/* SPDX-License-Identifier: BSD-3-Clause */
#include "http/head.h"

#include <string.h>
#include <strings.h>

#include "base/cursor.h"
#include "base/error.h"

enum {
    BAD_REQUEST = 400,
    URI_TOO_LONG = 414,
    FIELDS_TOO_LARGE = 431,
    NOT_IMPLEMENTED = 501,
    VERSION_NOT_SUPPORTED = 505,
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_alphanumeric(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

/* RFC 9110 §5.6.2 */
static bool is_token_byte(uint8_t c)
{
    return is_alphanumeric(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

/* RFC 3986 §3.2.2, §3.2.3, without userinfo, which has no place in HTTP (RFC 9110 §4.2.4). */
static bool is_host_byte(uint8_t c)
{
    return is_alphanumeric(c) || (c != '\0' && strchr("-._~!$&'()*+,;=%[]:", c));
}

/* Visible ASCII but the fragment's mark, which no target carries (RFC 9112 §3.2). */
static bool is_target_byte(uint8_t c)
{
    return c > ' ' && c < 0x7f && c != '#';
}

static bool all_bytes(struct span span, bool (*is)(uint8_t c))
{
    const uint8_t *bytes = span.bytes;
    for (size_t i = 0; i < span.length; i++) {
        if (!is(bytes[i]))
            return false;
    }
    return true;
}

bool http_span_equals(struct span span, const char *text)
{
    return span_equal(span, span_of_text(text));
}

static bool equals_ignoring_case(struct span span, const char *text)
{
    return span.length == strlen(text) && strncasecmp(span.bytes, text, span.length) == 0;
}

static struct span trimmed(struct span span)
{
    const uint8_t *first = span.bytes, *end = first + span.length;
    while (first < end && (*first == ' ' || *first == '\t'))
        first++;
    while (end > first && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return (struct span){first, (size_t)(end - first)};
}

/* Splits |span| at the first |separator|: returns what stands before it and leaves what stands after it; all and
 * nothing where it is not there. */
static struct span split(struct span *span, char separator)
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

/* Takes a line and its CR LF. Returns 0, ERR_SHORT, or ERR_MALFORMED at the first control byte that is no tab: a CR or
 * LF alone and NUL among them. */
static int take_line(struct reader *reader, struct span *line_out)
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

/* "http://host/path?query": a server has to take it although only proxies are sent it (RFC 9112 §3.2.2). */
static unsigned read_absolute_form(struct http_head *head)
{
    struct span rest = head->target;
    struct span scheme = split(&rest, ':');
    if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https"))
        return BAD_REQUEST;
    if (rest.length < 2 || memcmp(rest.bytes, "//", 2) != 0)
        return BAD_REQUEST;
    const uint8_t *authority = (const uint8_t *)rest.bytes + 2, *end = authority + rest.length - 2, *at = authority;
    while (at < end && *at != '/' && *at != '?')
        at++;
    head->host = (struct span){authority, (size_t)(at - authority)};
    if (head->host.length == 0)
        return BAD_REQUEST;
    head->query = (struct span){at, (size_t)(end - at)};
    head->path = split(&head->query, '?');
    if (head->path.length == 0)
        head->path = (struct span){"/", 1};
    return 0;
}

/* RFC 9112 §3.2: the form of the target goes with the method. */
static unsigned read_target(struct http_head *head)
{
    if (head->target.length > HTTP_TARGET_MAX)
        return URI_TOO_LONG;
    if (head->target.length == 0 || !all_bytes(head->target, is_target_byte))
        return BAD_REQUEST;
    if (http_span_equals(head->method, "CONNECT")) {
        head->host = head->target;
        return memchr(head->target.bytes, ':', head->target.length) ? 0 : BAD_REQUEST;
    }
    if (http_span_equals(head->target, "*"))
        return http_span_equals(head->method, "OPTIONS") ? 0 : BAD_REQUEST;
    if (*(const uint8_t *)head->target.bytes != '/')
        return read_absolute_form(head);
    head->query = head->target;
    head->path = split(&head->query, '?');
    return 0;
}

static unsigned read_version(struct http_head *head, struct span version)
{
    const uint8_t *text = version.bytes;
    if (version.length != 8 || memcmp(text, "HTTP/", 5) != 0 || !is_digit(text[5]) || text[6] != '.' ||
        !is_digit(text[7]))
        return BAD_REQUEST;
    if (text[5] != '1')
        return VERSION_NOT_SUPPORTED;
    head->minor_version = text[7] - '0';
    return 0;
}

static unsigned read_request_line(struct http_head *head, struct span line)
{
    head->method = split(&line, ' ');
    head->target = split(&line, ' ');
    if (head->method.length == 0 || !all_bytes(head->method, is_token_byte))
        return BAD_REQUEST;
    /* The version first: what the rest means is for it to say. */
    unsigned status = read_version(head, line);
    return status ? status : read_target(head);
}

static unsigned read_field(struct http_head *head, struct span line)
{
    if (!memchr(line.bytes, ':', line.length))
        return BAD_REQUEST;
    struct http_field field;
    field.value = line;
    /* A line that starts with white space (obs-fold), or white space before the colon, is no token either. */
    field.name = split(&field.value, ':');
    if (field.name.length == 0 || !all_bytes(field.name, is_token_byte))
        return BAD_REQUEST;
    field.value = trimmed(field.value);
    if (head->field_count == HTTP_FIELDS_MAX)
        return FIELDS_TOO_LARGE;
    head->fields[head->field_count++] = field;
    return 0;
}

static const struct http_field *find_from(const struct http_head *head, unsigned index, struct span name)
{
    for (; index < head->field_count; index++) {
        const struct http_field *field = &head->fields[index];
        if (field->name.length == name.length && strncasecmp(field->name.bytes, name.bytes, name.length) == 0)
            return field;
    }
    return NULL;
}

const struct http_field *http_head_find(const struct http_head *head, const char *name)
{
    return find_from(head, 0, span_of_text(name));
}

const struct http_field *http_head_find_next(const struct http_head *head, const struct http_field *previous)
{
    return find_from(head, (unsigned)(previous - head->fields) + 1, previous->name);
}

bool http_head_lists(const struct http_head *head, const char *name, const char *token)
{
    const struct http_field *field = http_head_find(head, name);
    for (; field; field = http_head_find_next(head, field)) {
        struct span rest = field->value;
        while (rest.length > 0) {
            if (equals_ignoring_case(trimmed(split(&rest, ',')), token))
                return true;
        }
    }
    return false;
}

/* RFC 9112 §3.2: exactly one Host (HTTP/1.0 may have none), and only what can be one. */
static unsigned check_host(struct http_head *head)
{
    const struct http_field *field = http_head_find(head, "Host");
    if (!field && head->minor_version > 0)
        return BAD_REQUEST;
    if (field && (http_head_find_next(head, field) || !all_bytes(field->value, is_host_byte)))
        return BAD_REQUEST;
    if (head->host.length == 0 && field)
        head->host = field->value;
    return all_bytes(head->host, is_host_byte) ? 0 : BAD_REQUEST;
}

/* Reads 1*DIGIT. Returns false for anything else, a sign, a list or an overflow included. */
static bool read_decimal(struct span text, uint64_t *out)
{
    const uint8_t *bytes = text.bytes;
    uint64_t value = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (!is_digit(bytes[i]) || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(bytes[i] - '0'), &value))
            return false;
    }
    *out = value;
    return text.length > 0;
}

/* RFC 9112 §6.3: where the body ends. Whatever two readers could read in two ways is refused. */
static unsigned check_body(struct http_head *head)
{
    const struct http_field *encoding = http_head_find(head, "Transfer-Encoding");
    const struct http_field *length = http_head_find(head, "Content-Length");
    if (encoding && (length || head->minor_version == 0 || http_head_find_next(head, encoding)))
        return BAD_REQUEST;
    if (encoding && !equals_ignoring_case(encoding->value, "chunked"))
        return NOT_IMPLEMENTED;
    if (length && (http_head_find_next(head, length) || !read_decimal(length->value, &head->content_length)))
        return BAD_REQUEST;
    head->chunked = encoding != NULL;
    return 0;
}

static unsigned check_fields(struct http_head *head)
{
    unsigned status = check_host(head);
    if (!status)
        status = check_body(head);
    head->keep_alive = head->minor_version > 0 && !http_head_lists(head, "Connection", "close");
    return status;
}

/* Reads the lines of a head. Returns 0, ERR_SHORT, or ERR_MALFORMED with |*status_out|. */
static int read_lines(struct reader *reader, struct http_head *head, unsigned *status_out)
{
    struct span line;
    int failure = take_line(reader, &line);
    if (!failure)
        *status_out = read_request_line(head, line);
    while (!failure && !*status_out) {
        failure = take_line(reader, &line);
        if (!failure && line.length == 0) {
            *status_out = check_fields(head);
            break;
        }
        if (!failure)
            *status_out = read_field(head, line);
    }
    if (failure == ERR_MALFORMED)
        *status_out = BAD_REQUEST;
    return *status_out ? ERR_MALFORMED : failure;
}

static void head_init(struct http_head *head)
{
    static const struct span empty = {"", 0};
    head->method = head->target = head->path = head->query = head->host = empty;
    head->minor_version = head->field_count = 0;
    head->chunked = head->keep_alive = false;
    head->content_length = 0;
}

int http_head_decode(const void *bytes, size_t length, struct http_head *out, unsigned *status_out)
{
    const uint8_t *start = bytes, *first = start;
    *status_out = 0;
    head_init(out);
    if (length >= 2 && first[0] == '\r' && first[1] == '\n')
        first += 2;

    size_t left = length - (size_t)(first - start);
    struct reader reader = reader_over(first, left < HTTP_HEAD_MAX ? left : HTTP_HEAD_MAX);
    int failure = read_lines(&reader, out, status_out);
    if (failure == ERR_SHORT && left >= HTTP_HEAD_MAX) {
        /* A target was found if the request line ended. */
        *status_out = out->target.length > 0 ? FIELDS_TOO_LARGE : URI_TOO_LONG;
        return ERR_MALFORMED;
    }
    return failure ? failure : (int)(reader.at - start);
}
