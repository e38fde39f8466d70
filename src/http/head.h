/* SPDX-License-Identifier: BSD-3-Clause
 * The head of an HTTP/1.1 request (RFC 9112), decoded in place and in bounded memory. Strict where a lenient reader
 * would let two programs see two different requests: line ends, white space, lengths of bodies. */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "http/fields.h"

#define HTTP_TARGET_MAX 4096 /* bytes of the request target */

/* A decoded head. All spans borrow from the bytes it was decoded from. */
struct http_head {
    struct span method;     /* a token; case counts */
    struct span target;     /* as sent */
    struct span path;       /* "/..." up to the query; empty for CONNECT and for `*` */
    struct span query;      /* after the question mark; empty where there is none */
    struct span host;       /* host[:port] from the target or the Host field; only bytes that a URI allows there */
    unsigned minor_version; /* HTTP/1.x */
    struct http_fields fields;
    bool chunked;            /* a chunked body follows */
    uint64_t content_length; /* bytes of body that follow where it is not chunked */
    bool keep_alive;         /* the client takes a further response. Close all the same unless the body has been read */
};

/* Decodes the head that starts at |bytes|. One empty line before it is skipped (RFC 9112 §2.2). Returns the number of
 * bytes up to and with the empty line that ends the head, at most HTTP_HEAD_MAX + 2: the body or the next request
 * starts there. Or
 *   ERR_SHORT      the head is not complete and right so far -> call again with all of its bytes and more
 *   ERR_MALFORMED  refused: answer with |*status_out|, one of 400, 414, 431, 501 or 505, and close
 * |out| is only meaningful after success, |*status_out| only after ERR_MALFORMED. */
int http_head_decode(const void *bytes, size_t length, struct http_head *out, unsigned *status_out);

/* The first field of that name, or NULL; the first one after |previous| of the same name, or NULL. */
const struct http_field *http_head_find(const struct http_head *head, const char *name);
const struct http_field *http_head_find_next(const struct http_head *head, const struct http_field *previous);

/* True if one of the fields of that name lists |token| among its comma-separated ones, without regard to case:
 *     http_head_lists(head, "Connection", "upgrade") */
bool http_head_lists(const struct http_head *head, const char *name, const char *token);

#endif
