/* SPDX-License-Identifier: BSD-3-Clause
 * Who answers HTTP requests that are neither a page nor the backend's: an API such as /v1/turn. Answers are made at
 * once, on the worker's thread. */
#ifndef FRONT_HTTP_SERVICE_H
#define FRONT_HTTP_SERVICE_H

#include <stdbool.h>

#include "base/address.h"
#include "base/now.h"
#include "http/head.h"
#include "http/response.h"

struct front_http_request {
    const struct http_head *head;
    const struct address *client;
    bool secure; /* TLS, here or at a listed balancer */
    struct now now;
};

/* Bytes that an answer may have, head and all. */
#define FRONT_HTTP_ANSWER_MAX 16384

/* One row of the table of paths. */
struct front_http_service {
    const char *path;    /* exact, such as "/v1/turn" */
    const char *methods; /* for Allow, such as "GET, OPTIONS"; others get 405 before answer() is asked */
    bool secure_only;    /* 403 without TLS */
    void *context;
    /* Writes a whole response to |memory| with http_response_init() and so on. Returns its length, or a negative error:
     * 500 is sent. May be called from every worker's thread. */
    int (*answer)(void *context, const struct front_http_request *request, bool keep_alive, void *memory, size_t size);
};

#endif
