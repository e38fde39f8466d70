/* SPDX-License-Identifier: BSD-3-Clause */
#include "registrar/hop.h"

#include <osipparser2/osip_port.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "crypto/digest.h"

void hop_tag_make(char out[HOP_TAG_SIZE])
{
    uint8_t bytes[12];
    crypto_random(bytes, sizeof bytes);
    crypto_base64url(bytes, sizeof bytes, out);
}

void hop_branch_make(char out[HOP_BRANCH_SIZE])
{
    char tag[HOP_TAG_SIZE];
    hop_tag_make(tag);
    snprintf(out, HOP_BRANCH_SIZE, "z9hG4bK%s", tag);
}

bool hop_is_at(const osip_uri_t *uri, const char *sent_by)
{
    if (!uri || !uri->scheme || !uri->host ||
        (strcasecmp(uri->scheme, "sip") != 0 && strcasecmp(uri->scheme, "sips") != 0))
        return false;
    char text[512];
    snprintf(text, sizeof text, strchr(uri->host, ':') ? "[%s]%s%s" : "%s%s%s", uri->host, uri->port ? ":" : "",
             uri->port ? uri->port : "");
    return strcasecmp(text, sent_by) == 0;
}

bool hop_pop_routes(osip_message_t *message, const char *sent_by)
{
    bool popped = false;
    osip_route_t *route;
    while ((route = osip_list_get(&message->routes, 0)) && hop_is_at(route->url, sent_by)) {
        osip_list_remove(&message->routes, 0);
        osip_route_free(route);
        popped = true;
    }
    return popped;
}

bool hop_has_route(const osip_message_t *message)
{
    return osip_list_size(&message->routes) > 0;
}

/* Where a value of a comma list ends: neither in quotes nor in angle brackets. */
static size_t value_length(const char *text)
{
    bool quoted = false, bracketed = false;
    size_t i;
    for (i = 0; text[i] && (quoted || bracketed || text[i] != ','); i++) {
        if (quoted && text[i] == '\\' && text[i + 1])
            i++;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted)
            bracketed = text[i] == '<' ? true : text[i] == '>' ? false : bracketed;
    }
    return i;
}

int hop_push_routes(osip_message_t *message, const char *path)
{
    /* From the last to the first, since each is put in front. */
    const char *starts[SIP_VALUES_MAX];
    size_t lengths[SIP_VALUES_MAX], count = 0;
    while (path && *path) {
        if (count == SIP_VALUES_MAX)
            return ERR_TOO_LARGE;
        starts[count] = path;
        lengths[count] = value_length(path);
        path += lengths[count++];
        path += strspn(path, ", \t");
    }
    int status = 0;
    while (count-- > 0 && status == 0) {
        char text[HOP_URI_MAX];
        if (lengths[count] >= sizeof text)
            return ERR_TOO_LARGE;
        memcpy(text, starts[count], lengths[count]);
        text[lengths[count]] = '\0';
        status = sip_field_add_first(message, "Route", text);
    }
    return status;
}

int hop_set_target(osip_message_t *message, const char *uri)
{
    osip_uri_t *parsed;
    if (osip_uri_init(&parsed) != 0)
        return ERR_MEMORY;
    if (osip_uri_parse(parsed, uri) != 0) {
        osip_uri_free(parsed);
        return ERR_MALFORMED;
    }
    osip_uri_free(message->req_uri);
    message->req_uri = parsed;
    return 0;
}

int hop_uri_text(const osip_uri_t *uri, char *out, size_t size)
{
    char *text = NULL;
    if (!uri || osip_uri_to_str(uri, &text) != 0)
        return ERR_MEMORY;
    size_t length = strlen(text);
    if (length < size)
        memcpy(out, text, length + 1);
    osip_free(text);
    return length < size ? (int)length : ERR_TOO_LARGE;
}
