/* SPDX-License-Identifier: BSD-3-Clause
 * The header fields of a request or a response (RFC 9110 §5, RFC 9112 §5), and what reading either has in common. */
#ifndef HTTP_FIELDS_H
#define HTTP_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"
#include "base/span.h"

#define HTTP_HEAD_MAX   8192 /* bytes, from the first line to the empty line */
#define HTTP_FIELDS_MAX 64

struct http_field {
    struct span name;  /* a token; compare without regard to case */
    struct span value; /* without white space at either end; no control bytes but tabs */
};

/* Spans borrow from the bytes that were read. */
struct http_fields {
    struct http_field items[HTTP_FIELDS_MAX];
    unsigned count;
};

/* The first field of that name, or NULL; the first one after |previous| of the same name, or NULL. */
const struct http_field *http_fields_find(const struct http_fields *fields, const char *name);
const struct http_field *http_fields_find_next(const struct http_fields *fields, const struct http_field *previous);
/* True if one of the fields of that name lists |token| among its comma-separated ones, without regard to case. */
bool http_fields_list(const struct http_fields *fields, const char *name, struct span token);

/* Takes a line and its CR LF. Returns 0, ERR_SHORT, or ERR_MALFORMED at the first control byte that is no tab: a CR or
 * LF alone and NUL among them. */
int http_line_take(struct reader *reader, struct span *line_out);
/* Adds the field that |line| is. Returns 0, ERR_MALFORMED, or ERR_FULL. */
int http_fields_add(struct http_fields *fields, struct span line);

/* Where the fields say that the body ends (RFC 9112 §6). */
struct http_framing {
    bool chunked;
    bool has_length;
    uint64_t content_length; /* 0 without one */
};

/* Reads Transfer-Encoding and Content-Length. Returns 0, or
 *   ERR_MALFORMED  two readers could read that in two ways
 *   ERR_FORBIDDEN  an encoding other than `chunked` alone */
int http_fields_framing(const struct http_fields *fields, unsigned minor_version, struct http_framing *out);

bool http_is_digit(uint8_t c);
bool http_is_alphanumeric(uint8_t c);
/* RFC 9110 §5.6.2: at least one byte, and only such. */
bool http_is_token(struct span span);
/* Whether |span| is exactly |text|; the same without regard to case. */
bool http_span_equals(struct span span, const char *text);
bool http_span_equals_any_case(struct span a, struct span b);
/* Splits |span| at the first |separator|: returns what stands before it and leaves what stands after it; all and
 * nothing where it is not there. */
struct span http_span_split(struct span *span, char separator);
struct span http_span_trimmed(struct span span);

#endif
