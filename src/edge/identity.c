/* SPDX-License-Identifier: BSD-3-Clause */
#include "edge/identity.h"

#include "crypto/digest.h"

/* Route and Record-Route too: the edge writes its own. */
const char *const edge_fields_not_asserted[] = {
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "P-Asserted-Service",
    "P-Charging-Vector",
    "P-Charging-Function-Addresses",
    "P-Access-Network-Info",
    "P-Visited-Network-ID",
    "P-Associated-URI",
    "P-Called-Party-ID",
    "P-Served-User",
    "P-Profile-Key",
    "P-User-Database",
    "P-Private-Network-Indication",
    "P-Media-Authorization",
    "P-DCS-Billing-Info",
    "P-DCS-LAES",
    "P-DCS-OSPS",
    "Path",
    "Service-Route",
    "Route",
    "Record-Route",
    "Max-Forwards",
    "Restoration-Info",
    "Relayed-Charge",
    "Cellular-Network-Info",
    "Resource-Share",
    "Priority-Share",
    NULL,
};

/* Via because the edge writes its own. */
#define HIDDEN                                                                                                     \
    "Via", "P-Charging-Vector", "P-Charging-Function-Addresses", "P-Access-Network-Info", "P-Visited-Network-ID",  \
        "P-Served-User", "P-Profile-Key", "P-User-Database", "P-Private-Network-Indication", "P-DCS-Billing-Info", \
        "P-DCS-LAES", "Restoration-Info", "Relayed-Charge", "Cellular-Network-Info", "Max-Forwards"

static const char *const hidden[] = {HIDDEN, NULL};
static const char *const hidden_with_identity[] = {HIDDEN, "P-Asserted-Identity", NULL};

static bool wants_privacy(const struct edge_message *message)
{
    struct span privacy = edge_message_find(message, "Privacy"); /* tokens between semicolons, RFC 3323 §4.2 */
    const char *at = privacy.bytes, *end = at + privacy.length;
    while (at < end) {
        const char *semicolon = memchr(at, ';', (size_t)(end - at));
        const char *stop = semicolon ? semicolon : end;
        if (span_is(span_trimmed((struct span){at, (size_t)(stop - at)}), "id"))
            return true;
        at = stop + (semicolon != NULL);
    }
    return false;
}

const char *const *edge_fields_to_hide(const struct edge_message *message)
{
    return wants_privacy(message) ? hidden_with_identity : hidden;
}

/* The value of |registration|'s P-Associated-URI that names |uri|, or an empty one. */
static struct span associated(const struct edge_registration *registration, struct span uri)
{
    struct span list = registration->associated, value;
    while (raw_list_next(&list, &value))
        if (uri_same(value_uri(value), uri))
            return value;
    return span_none();
}

static const struct edge_registration *find(const struct edge_flow *flow, struct span uri, struct span *value_out)
{
    struct list *link;
    list_each (link, &flow->registrations) {
        const struct edge_registration *registration = container_of(link, struct edge_registration, link);
        *value_out = associated(registration, uri);
        if (value_out->length > 0)
            return registration;
    }
    return NULL;
}

static const struct edge_registration *choose(const struct edge_flow *flow, const struct edge_message *message,
                                              struct span *value_out)
{
    struct edge_walk walk = {0};
    struct span preferred, who = message->status == 0 ? message->from : message->to;
    while (edge_message_next(message, "P-Preferred-Identity", &walk, &preferred)) {
        const struct edge_registration *registration = find(flow, value_uri(preferred), value_out);
        if (registration)
            return registration;
    }
    const struct edge_registration *registration = find(flow, value_uri(who), value_out);
    if (!registration && !list_empty(&flow->registrations))
        registration = container_of(flow->registrations.next, struct edge_registration, link);
    *value_out = registration ? edge_registration_default(registration) : span_none();
    return registration;
}

const struct edge_registration *edge_identity_find(const struct edge_flow *flow, const struct edge_message *message)
{
    struct span value;
    return choose(flow, message, &value);
}

void edge_identity_write(const struct edge_flow *flow, const struct edge_message *message, struct text *text)
{
    struct span value;
    choose(flow, message, &value);
    if (value.length > 0)
        text_add_field(text, "P-Asserted-Identity", value);
}

void edge_charging_write(const struct edge *edge, struct text *text)
{
    uint64_t icid[2];
    crypto_random(icid, sizeof icid);
    struct span host = span_of_text(edge_sent_by_default(edge));
    const char *colon = memrchr(host.bytes, ':', host.length);
    if (colon && !memchr(colon, ']', host.length - (size_t)(colon - (const char *)host.bytes)))
        host.length = (size_t)(colon - (const char *)host.bytes);
    text_add(text, "P-Charging-Vector: icid-value=\"%016llx%016llx\";icid-generated-at=", (unsigned long long)icid[0],
             (unsigned long long)icid[1]);
    text_add_span(text, host);
    text_add(text, ";orig-ioi=\"%s\"\r\n", edge->settings->visited_network);
}

void edge_access_network_write(const struct edge_message *message, struct text *text)
{
    struct edge_walk walk = {0};
    struct span value, parameter;
    while (edge_message_next(message, "P-Access-Network-Info", &walk, &value))
        if (!value_parameter(value, "network-provided", &parameter))
            text_add_field(text, "P-Access-Network-Info", value);
}
