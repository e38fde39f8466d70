/* SPDX-License-Identifier: BSD-3-Clause */
#include "http/head.h"

#include <string.h>

#include "base/cursor.h"
#include "base/error.h"

enum {
    BAD_REQUEST = 400,
    URI_TOO_LONG = 414,
    FIELDS_TOO_LARGE = 431,
    NOT_IMPLEMENTED = 501,
    VERSION_NOT_SUPPORTED = 505,
};

/* RFC 3986 §3.2.2, §3.2.3, without userinfo, which has no place in HTTP (RFC 9110 §4.2.4). */
static bool is_host_byte(uint8_t c)
{
    return http_is_alphanumeric(c) || (c != '\0' && strchr("-._~!$&'()*+,;=%[]:", c));
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

/* "http://host/path?query": a server has to take it although only proxies are sent it (RFC 9112 §3.2.2). */
static unsigned read_absolute_form(struct http_head *head)
{
    struct span rest = head->target;
    struct span scheme = http_span_split(&rest, ':');
    if (!http_span_equals_any_case(scheme, span_of_text("http")) &&
        !http_span_equals_any_case(scheme, span_of_text("https")))
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
    head->path = http_span_split(&head->query, '?');
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
    head->path = http_span_split(&head->query, '?');
    return 0;
}

static unsigned read_version(struct http_head *head, struct span version)
{
    const uint8_t *text = version.bytes;
    if (version.length != 8 || memcmp(text, "HTTP/", 5) != 0 || !http_is_digit(text[5]) || text[6] != '.' ||
        !http_is_digit(text[7]))
        return BAD_REQUEST;
    if (text[5] != '1')
        return VERSION_NOT_SUPPORTED;
    head->minor_version = text[7] - '0';
    return 0;
}

static unsigned read_request_line(struct http_head *head, struct span line)
{
    head->method = http_span_split(&line, ' ');
    head->target = http_span_split(&line, ' ');
    if (!http_is_token(head->method))
        return BAD_REQUEST;
    /* The version first: what the rest means is for it to say. */
    unsigned status = read_version(head, line);
    return status ? status : read_target(head);
}

const struct http_field *http_head_find(const struct http_head *head, const char *name)
{
    return http_fields_find(&head->fields, name);
}

const struct http_field *http_head_find_next(const struct http_head *head, const struct http_field *previous)
{
    return http_fields_find_next(&head->fields, previous);
}

bool http_head_lists(const struct http_head *head, const char *name, const char *token)
{
    return http_fields_list(&head->fields, name, span_of_text(token));
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

/* RFC 9112 §6.3: where the body ends. */
static unsigned check_body(struct http_head *head)
{
    struct http_framing framing;
    int result = http_fields_framing(&head->fields, head->minor_version, &framing);
    head->chunked = framing.chunked;
    head->content_length = framing.content_length;
    return result == 0 ? 0 : result == ERR_FORBIDDEN ? NOT_IMPLEMENTED : BAD_REQUEST;
}

static unsigned read_field(struct http_head *head, struct span line)
{
    int result = http_fields_add(&head->fields, line);
    return result == 0 ? 0 : result == ERR_FULL ? FIELDS_TOO_LARGE : BAD_REQUEST;
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
    int failure = http_line_take(reader, &line);
    if (!failure)
        *status_out = read_request_line(head, line);
    while (!failure && !*status_out) {
        failure = http_line_take(reader, &line);
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
    head->minor_version = head->fields.count = 0;
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
