/* SPDX-License-Identifier: BSD-3-Clause
 * The head of an HTTP/1.1 response (RFC 9112 §4), decoded in place and as strictly as that of a request: what a
 * client could read otherwise than we do is refused. */
#ifndef HTTP_RESPONSE_HEAD_H
#define HTTP_RESPONSE_HEAD_H

#include "http/fields.h"

/* All spans borrow from the bytes it was decoded from. */
struct http_response_head {
    unsigned minor_version; /* HTTP/1.x */
    unsigned status;        /* 100 to 599 */
    struct span reason;     /* may be empty */
    struct http_fields fields;
    struct http_framing framing; /* as the fields say; whether there is a body is for the request to say, too */
    bool keep_alive;             /* the server takes a further request */
};

/* Decodes the head that starts at |bytes|. Returns the number of bytes up to and with the empty line that ends it, at
 * most HTTP_HEAD_MAX. Or
 *   ERR_SHORT      the head is not complete and right so far -> call again with all of its bytes and more
 *   ERR_MALFORMED  no response, or a wrong or too long one
 * |out| is only meaningful after success. */
int http_response_head_decode(const void *bytes, size_t length, struct http_response_head *out);

#endif
