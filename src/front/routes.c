/* SPDX-License-Identifier: BSD-3-Clause */
#include "front/routes.h"

#include <string.h>
#include <strings.h>

#include "ws/upgrade.h"

#define CHALLENGES "/.well-known/acme-challenge/"

static const struct front_page *page_find(struct span path)
{
    for (size_t i = 0; i < front_page_count; i++)
        if (http_span_equals(path, front_pages[i].path))
            return &front_pages[i];
    return NULL;
}

static const struct front_http_service *service_find(const struct front_settings *settings, struct span path)
{
    for (size_t i = 0; i < settings->service_count; i++)
        if (http_span_equals(path, settings->services[i].path))
            return &settings->services[i];
    return NULL;
}

/* At `/` a page lives as well, and WebSockets of the backend may. */
static bool is_sip(const struct front_settings *settings, const struct http_head *head)
{
    if (http_span_equals(head->path, "/sip"))
        return true;
    return http_span_equals(head->path, "/") && ws_upgrade_asked(head) &&
           (http_head_lists(head, WS_PROTOCOLS, "sip") || settings->backend.family == ADDRESS_NONE);
}

struct front_route front_route_find(const struct front_settings *settings, bool sip, const struct http_head *head)
{
    struct front_route route = {.kind = ROUTE_NOBODY};
    struct span path = head->path;
    size_t prefix = strlen(CHALLENGES);
    if (settings->acme_directory && path.length > prefix && memcmp(path.bytes, CHALLENGES, prefix) == 0) {
        route.kind = ROUTE_CHALLENGE;
        route.token = (struct span){(const char *)path.bytes + prefix, path.length - prefix};
    } else if (http_span_equals(path, "/turn")) {
        route.kind = ROUTE_TURN;
    } else if (sip && is_sip(settings, head)) {
        route.kind = ROUTE_SIP;
    } else if ((route.service = service_find(settings, path))) {
        route.kind = ROUTE_SERVICE;
    } else if (settings->pages && !ws_upgrade_asked(head) && (route.page = page_find(path))) {
        route.kind = ROUTE_PAGE;
    } else if (settings->backend.family != ADDRESS_NONE) {
        route.kind = ROUTE_BACKEND;
    }
    return route;
}

static bool is_listed(const struct front_settings *settings, struct span origin)
{
    for (size_t i = 0; i < settings->origin_count; i++) {
        const char *listed = settings->origins[i];
        if (strcmp(listed, "*") == 0 ||
            (strlen(listed) == origin.length && strncasecmp(listed, origin.bytes, origin.length) == 0))
            return true;
    }
    return false;
}

/* Browsers leave the port 443 out of both. */
static bool is_ours(struct span host, struct span origin)
{
    static const char scheme[] = "https://";
    size_t length = sizeof scheme - 1;
    return host.length > 0 && origin.length == length + host.length && strncasecmp(origin.bytes, scheme, length) == 0 &&
           strncasecmp((const char *)origin.bytes + length, host.bytes, host.length) == 0;
}

bool front_origin_allowed(const struct front_settings *settings, const struct http_head *head)
{
    const struct http_field *origin = http_head_find(head, "Origin");
    if (!origin)
        return true;
    if (http_head_find_next(head, origin))
        return false;
    return is_ours(head->host, origin->value) || is_listed(settings, origin->value);
}
