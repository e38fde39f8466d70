/* SPDX-License-Identifier: BSD-3-Clause
 * Writing an HTTP/1.1 response (RFC 9112) into the caller's memory. The error is sticky, as a writer's: ask once, at
 * the end. */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cursor.h"

/* Number and reason phrase. */
#define HTTP_STATUS_TABLE(X)                  \
    X(101, "Switching Protocols")             \
    X(200, "OK")                              \
    X(204, "No Content")                      \
    X(301, "Moved Permanently")               \
    X(304, "Not Modified")                    \
    X(308, "Permanent Redirect")              \
    X(400, "Bad Request")                     \
    X(401, "Unauthorized")                    \
    X(403, "Forbidden")                       \
    X(404, "Not Found")                       \
    X(405, "Method Not Allowed")              \
    X(408, "Request Timeout")                 \
    X(411, "Length Required")                 \
    X(413, "Content Too Large")               \
    X(414, "URI Too Long")                    \
    X(426, "Upgrade Required")                \
    X(429, "Too Many Requests")               \
    X(431, "Request Header Fields Too Large") \
    X(500, "Internal Server Error")           \
    X(501, "Not Implemented")                 \
    X(502, "Bad Gateway")                     \
    X(503, "Service Unavailable")             \
    X(504, "Gateway Timeout")                 \
    X(505, "HTTP Version Not Supported")

/* The reason phrase, static; "Unknown" where the number is not in the table. */
const char *http_status_reason(unsigned status);

struct http_response {
    struct writer writer;
    unsigned status;
};

/* Writes the status line, Date (|wall_s|: seconds since 1970) and, unless |keep_alive|, `Connection: close`. */
void http_response_init(struct http_response *response, void *memory, size_t size, unsigned status, uint64_t wall_s,
                        bool keep_alive);
/* A |value| with control bytes in it makes the response fail: nobody's input becomes a further field. */
void http_response_add(struct http_response *response, const char *name, const char *value);
/* Ends the head and writes |body|, with Content-Length where the status allows a body. For HEAD |with_body| is false:
 * the length is told, the bytes are left out. Returns the size of the response, or ERR_FULL where it did not fit or a
 * field was refused. */
int http_response_finish(struct http_response *response, const void *body, size_t length, bool with_body);

#endif
