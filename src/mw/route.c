/* SPDX-License-Identifier: BSD-3-Clause */
#include "mw/route.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/memory.h"
#include "crypto/digest.h"

struct walk {
    struct router *router;
    const struct mw_uri *uri;
    uint64_t since_ns;
    struct now now;
    struct route *route;
    bool blocked; /* an answer is missing */
};

void router_fini(struct router *router)
{
    for (unsigned i = 0; i < router->name_count; i++)
        memory_free(router->names[i]);
    router->name_count = 0;
}

const char *router_name(const struct router *router, uint32_t name)
{
    return name >= 1 && name <= router->name_count ? router->names[name - 1] : NULL;
}

/* The number of |name|, 0 where there is no more room. */
static uint32_t name_number(struct router *router, const char *name)
{
    for (unsigned i = 0; i < router->name_count; i++)
        if (strcmp(router->names[i], name) == 0)
            return i + 1;
    if (router->name_count == ROUTE_NAMES_MAX)
        return 0;
    char *copy = memory_string(name);
    if (!copy)
        return 0;
    router->names[router->name_count++] = copy;
    return router->name_count;
}

static bool speaks(const struct router *router, enum edge_transport transport)
{
    return router->speaks[transport][0] || router->speaks[transport][1];
}

static const struct dns_answer *look_up(struct walk *walk, const char *name, enum dns_type type)
{
    const struct dns_answer *answer;
    int result = dns_find(walk->router->dns, name, type, walk->since_ns, walk->now, &answer);
    if (result == ERR_WOULD_BLOCK)
        walk->blocked = true;
    if (result != 0)
        return NULL;
    if (answer->expires_ns < walk->route->expires_ns)
        walk->route->expires_ns = answer->expires_ns;
    return answer;
}

static void target_add(struct walk *walk, const struct address *address, uint16_t port, enum edge_transport transport)
{
    struct route *route = walk->route;
    struct edge_target target = mw_target(address, transport);
    target.address.port = port;
    if (route->count == ROUTE_TARGETS_MAX || !walk->router->speaks[transport][address->family == ADDRESS_IPV6])
        return;
    /* RFC 5922 §4: the certificate is for the domain that was asked for, not for where SRV led to. */
    if (transport == EDGE_TLS && (target.name = name_number(walk->router, walk->uri->host)) == 0)
        return;
    route->targets[route->count++] = target;
}

static void addresses_add(struct walk *walk, const char *name, uint16_t port, enum edge_transport transport)
{
    struct address literal;
    if (address_parse(name, &literal) == 0) {
        target_add(walk, &literal, port, transport);
        return;
    }
    const struct dns_answer *answer = look_up(walk, name, DNS_ADDRESSES);
    for (unsigned i = 0; answer && i < answer->count; i++)
        target_add(walk, &answer->addresses[i], port, transport);
}

static void swap(struct dns_service *a, struct dns_service *b)
{
    struct dns_service kept = *a;
    *a = *b;
    *b = kept;
}

/* Brings one of the first |count|, which have one priority, to the front: each as often as its weight says
 * (RFC 2782). */
static void draw_by_weight(struct dns_service *services, unsigned count)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < count; i++)
        sum += services[i].weight;
    uint32_t drawn = crypto_random_below(sum + 1);
    for (unsigned i = 0; i < count; i++) {
        if (drawn <= services[i].weight) {
            swap(&services[0], &services[i]);
            return;
        }
        drawn -= services[i].weight;
    }
}

static void order_services(struct dns_service *services, unsigned count)
{
    for (unsigned at = 0; at < count; at++) {
        unsigned same = at;
        for (unsigned i = at; i < count; i++)
            if (services[i].priority < services[at].priority)
                swap(&services[at], &services[i]);
        for (unsigned i = at; i < count; i++)
            if (services[i].priority == services[at].priority)
                swap(&services[same++], &services[i]);
        draw_by_weight(services + at, same - at);
    }
}

/* Returns whether |name| has SRV records, even if they lead nowhere. */
static bool services_add(struct walk *walk, const char *name, enum edge_transport transport)
{
    struct dns_service services[DNS_RECORDS_MAX];
    const struct dns_answer *answer = look_up(walk, name, DNS_SERVICES);
    if (!answer || answer->count == 0)
        return false;
    unsigned count = answer->count;
    memcpy(services, answer->services, count * sizeof *services);
    order_services(services, count);
    for (unsigned i = 0; i < count; i++)
        if (services[i].target[0] != '\0' && services[i].port != 0)
            addresses_add(walk, services[i].target, services[i].port, transport);
    return true;
}

static bool services_of(struct walk *walk, enum edge_transport transport)
{
    static const char *const prefixes[EDGE_TRANSPORTS] = {
        [EDGE_UDP] = "_sip._udp.", [EDGE_TCP] = "_sip._tcp.", [EDGE_TLS] = "_sips._tcp."};
    char name[MW_HOST_SIZE + 16];
    int length = snprintf(name, sizeof name, "%s%s", prefixes[transport], walk->uri->target);
    return length < MW_HOST_SIZE && services_add(walk, name, transport);
}

static int pointer_transport(const struct walk *walk, const struct dns_pointer *pointer)
{
    static const struct {
        const char *service;
        enum edge_transport transport;
    } services[] = {{"SIP+D2U", EDGE_UDP}, {"SIP+D2T", EDGE_TCP}, {"SIPS+D2T", EDGE_TLS}};
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (strcasecmp(pointer->service, services[i].service) == 0 && speaks(walk->router, services[i].transport) &&
            (!walk->uri->secure || services[i].transport == EDGE_TLS))
            return (int)services[i].transport;
    return ERR_NOT_FOUND;
}

static bool comes_first(const struct dns_pointer *a, const struct dns_pointer *b)
{
    return a->order != b->order ? a->order < b->order : a->preference < b->preference;
}

/* RFC 3263 §4.1. What comes behind the first pointer that is understood serves when that one's places are dead. Returns
 * whether there was one. */
static bool pointers_add(struct walk *walk)
{
    struct dns_pointer pointers[DNS_RECORDS_MAX];
    const struct dns_answer *answer = look_up(walk, walk->uri->target, DNS_POINTERS);
    unsigned count = answer ? answer->count : 0;
    if (count == 0)
        return false;
    memcpy(pointers, answer->pointers, count * sizeof *pointers);
    bool understood = false;
    for (unsigned at = 0; at < count; at++) {
        unsigned best = at;
        for (unsigned i = at + 1; i < count; i++)
            if (comes_first(&pointers[i], &pointers[best]))
                best = i;
        struct dns_pointer pointer = pointers[best];
        pointers[best] = pointers[at];
        int transport = pointer_transport(walk, &pointer);
        if (transport >= 0 && pointer.replacement[0] != '\0')
            understood =
                services_add(walk, pointer.replacement, (enum edge_transport)transport) || walk->blocked || understood;
    }
    return understood;
}

/* No transport is stated and no pointer says one. TCP goes before UDP: an INVITE of a browser is several times the
 * 1300 bytes for which RFC 3261 §18.1.1 wants it. */
static bool services_of_any(struct walk *walk)
{
    if (walk->uri->secure)
        return services_of(walk, EDGE_TLS);
    bool found = speaks(walk->router, EDGE_TCP) && services_of(walk, EDGE_TCP);
    return (speaks(walk->router, EDGE_UDP) && services_of(walk, EDGE_UDP)) || found;
}

static enum edge_transport transport_of(const struct walk *walk)
{
    const struct mw_uri *uri = walk->uri;
    if (uri->secure || uri->transport == MW_URI_TLS)
        return EDGE_TLS;
    if (uri->transport == MW_URI_TCP)
        return EDGE_TCP;
    /* UDP where nothing is said; without a socket for it TCP, which everybody has to speak, too. */
    return uri->transport == MW_URI_UDP || speaks(walk->router, EDGE_UDP) ? EDGE_UDP : EDGE_TCP;
}

static void walk_all(struct walk *walk)
{
    const struct mw_uri *uri = walk->uri;
    struct address literal;
    enum edge_transport transport = transport_of(walk);
    bool direct = uri->port != 0 || address_parse(uri->target, &literal) == 0;
    bool found = false;
    if (!direct && uri->transport != MW_URI_ANY)
        found = services_of(walk, transport);
    else if (!direct)
        found = pointers_add(walk) || (!walk->blocked && services_of_any(walk));
    if (!found && !walk->blocked)
        addresses_add(walk, uri->target,
                      uri->port               ? uri->port
                      : transport == EDGE_TLS ? SIPS_PORT
                                              : SIP_PORT,
                      transport);
}

int route_find(struct router *router, const struct mw_uri *uri, uint64_t since_ns, struct now now, struct route *out)
{
    out->count = 0;
    out->expires_ns = TIME_NEVER;
    struct walk walk = {.router = router, .uri = uri, .since_ns = since_ns, .now = now, .route = out};
    if (!speaks(router, transport_of(&walk)))
        return ERR_NOT_FOUND;
    walk_all(&walk);
    if (walk.blocked)
        return ERR_WOULD_BLOCK;
    return out->count > 0 ? 0 : ERR_NOT_FOUND;
}
