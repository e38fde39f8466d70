/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/wic_service.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

struct wic_service {
    char *json; /* jansson's */
};

int wic_service_create(const char *domain, const char *const *uris, size_t uri_count, struct wic_service **out)
{
    struct wic_service *service = memory_zeroed(1, sizeof *service);
    json_t *list = json_array();
    for (size_t i = 0; list && i < uri_count; i++)
        json_array_append_new(list, json_string(uris[i]));
    json_t *page = json_pack("{s:s, s:o, s:s}", "domain", domain, "uris", list, "version", POSTERN_VERSION);
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
    http_response_add(&response, "Cache-Control", "no-cache");
    http_response_add(&response, "X-Content-Type-Options", "nosniff");
    bool with_body = !http_span_equals(request->head->method, "HEAD");
    return http_response_finish(&response, service->json, strlen(service->json), with_body);
}

struct front_http_service wic_service_row(struct wic_service *service)
{
    return (struct front_http_service){
        .path = WIC_SERVICE_PATH, .methods = "GET, HEAD", .context = service, .answer = answer};
}
