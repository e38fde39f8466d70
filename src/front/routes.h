/* SPDX-License-Identifier: BSD-3-Clause
 * Whose a request is, by its path. No sockets, no clock. */
#ifndef FRONT_ROUTES_H
#define FRONT_ROUTES_H

#include "front/front.h"
#include "front/pages.h"
#include "http/head.h"

enum front_route_kind {
    ROUTE_NOBODY,    /* 404 */
    ROUTE_PAGE,      /* |page| */
    ROUTE_SERVICE,   /* |service| */
    ROUTE_CHALLENGE, /* |token| of an ACME challenge (RFC 8555 §8.3), not checked yet */
    ROUTE_SIP,       /* a WebSocket, or one that should have been asked for */
    ROUTE_TURN,      /* the same */
    ROUTE_BACKEND,
};

struct front_route {
    enum front_route_kind kind;
    const struct front_page *page;
    const struct front_http_service *service;
    struct span token;
};

/* |sip|: WebSockets for SIP are served. */
struct front_route front_route_find(const struct front_settings *settings, bool sip, const struct http_head *head);

/* Whether a page from where the request says it is (Origin, RFC 6454) may use what is served here: one of ours or one
 * that is listed; and whoever is no page, which sends no Origin. */
bool front_origin_allowed(const struct front_settings *settings, const struct http_head *head);

#endif
