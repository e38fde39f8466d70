/* SPDX-License-Identifier: BSD-3-Clause
 * Where the body of a message ends (RFC 9112 §6 and §7.1). Its bytes are only looked at: whoever passes them on passes
 * them on as they are, and so must be sure that the next reader finds the same end. */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "http/head.h"
#include "http/response_head.h"

#define HTTP_CHUNK_LINE_MAX 256  /* bytes of a chunk's size and its extensions */
#define HTTP_TRAILERS_MAX   4096 /* bytes of fields behind the last chunk */

struct http_body {
    uint8_t state;     /* private */
    bool trailers;     /* fields may stand behind the last chunk */
    uint16_t gathered; /* bytes of the line or the trailers at hand */
    uint64_t left;     /* bytes of the body, or of the chunk at hand */
};

/* The body that follows a request. Trailers are refused: a server that adds them to the fields of the head (RFC 9110
 * §6.5.1 warns of it) would let a client write what only a proxy may write. */
struct http_body http_body_of_request(const struct http_head *head);
/* The body that follows a response. |to_head|: the request was HEAD. */
struct http_body http_body_of_response(const struct http_response_head *head, bool to_head);

/* Goes on with |length| bytes, at most INT_MAX. Returns how many of them belong to the body: fewer than |length| only
 * where it ends among them. Or ERR_MALFORMED, which it stays: the end cannot be told. */
int http_body_take(struct http_body *body, const void *bytes, size_t length);

/* Nothing more belongs to it. */
bool http_body_ended(const struct http_body *body);
/* It ends with the connection, and only so. */
bool http_body_until_close(const struct http_body *body);

#endif
