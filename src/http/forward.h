/* SPDX-License-Identifier: BSD-3-Clause
 * Heads as a gateway passes them on (RFC 9110 §7.6): written anew from what was decoded, so that the next reader is
 * given nothing that could be read in two ways; without what is meant for one hop only; and with what a server behind
 * has to know about the client. */
#ifndef HTTP_FORWARD_H
#define HTTP_FORWARD_H

#include "base/address.h"
#include "http/head.h"
#include "http/response_head.h"

/* What the head of a request may grow by, but for its X-Forwarded-For. */
#define HTTP_FORWARD_MAX (2 * HTTP_HEAD_MAX + 1024)

/* On whose behalf a request is passed on. */
struct http_client {
    const struct address *address;
    bool secure;  /* came by TLS */
    bool proxied; /* through a proxy of the operator's, whose X-Forwarded-For is believed and added to */
};

/* Writes the head of a request that is no CONNECT. Fields that tell who the client is are written by us alone, whatever
 * the client says: X-Forwarded-For, -Proto and -Host are set; others of that kind, X-Real-IP and Forwarded (RFC 7239)
 * are left out. |upgrade|: to a WebSocket, which was asked for rightly; no other one is passed on. Returns the length,
 * or ERR_FULL where it does not fit. */
int http_forward_request(const struct http_head *head, const struct http_client *client, bool upgrade, void *memory,
                         size_t size);
/* Writes the head of a response. A 101 is one to a WebSocket. |keep_alive|: the client may ask on. Returns as above. */
int http_forward_response(const struct http_response_head *head, bool keep_alive, void *memory, size_t size);

#endif
