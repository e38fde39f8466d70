/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/wic_service.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "daemon/shared.h"

struct wic_service {
    char *json; /* jansson's */
};

/* The TURN servers that clients are given, as provisioning names them. */
static json_t *uris_of(const struct settings *settings)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < settings->edge_turn_uris.count; i++)
        json_array_append_new(list, json_string(settings->edge_turn_uris.items[i]));
    if (!list || settings->edge_turn_uris.count > 0)
        return list;
    struct shared_ways_in ways;
    struct ways_in_url own[WAYS_IN_MAX];
    shared_ways_in(settings, &ways);
    size_t count = ways_in_urls(&ways.ways, own);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(own[i].text));
    return list;
}

int wic_service_create(const struct settings *settings, struct wic_service **out)
{
    struct wic_service *service = memory_zeroed(1, sizeof *service);
    json_t *page = json_pack("{s:s, s:o, s:s}", "domain", settings->edge_domain, "uris", uris_of(settings), "version",
                             POSTERN_VERSION);
    if (service && page)
        service->json = json_dumps(page, JSON_COMPACT | JSON_PRESERVE_ORDER);
    json_decref(page);
    *out = service;
    if (service && service->json)
        return 0;
    wic_service_destroy(out);
    return ERR_MEMORY;
}

void wic_service_destroy(struct wic_service **service)
{
    if (*service)
        free((*service)->json);
    memory_free(*service);
    *service = NULL;
}

static int answer(void *context, const struct front_http_request *request, bool keep_alive, void *memory, size_t size)
{
    const struct wic_service *service = context;
    struct http_response response;
    http_response_init(&response, memory, size, 200, request->now.wall_s, keep_alive);
    http_response_add(&response, "Content-Type", "application/json");
    http_response_add(&response, "Cache-Control", "no-store");
    http_response_add(&response, "X-Content-Type-Options", "nosniff");
    bool with_body = !http_span_equals(request->head->method, "HEAD");
    return http_response_finish(&response, service->json, strlen(service->json), with_body);
}

struct front_http_service wic_service_row(struct wic_service *service)
{
    return (struct front_http_service){.path = "/v1/wic", .methods = "GET, HEAD", .context = service, .answer = answer};
}
