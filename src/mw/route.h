/* SPDX-License-Identifier: BSD-3-Clause
 * From a SIP URI to the places to send to (RFC 3263 §4), over the cache of dns.h: the way is walked from its beginning
 * each time, with what is known by then. One thread. */
#ifndef MW_ROUTE_H
#define MW_ROUTE_H

#include <string.h>

#include "edge/edge.h"
#include "mw/dns.h"

#define SIP_PORT  5060 /* RFC 3261 §19.1.2 */
#define SIPS_PORT 5061

#define ROUTE_TARGETS_MAX 32
/* Names of TLS servers that are ever told apart. They are never forgotten: a target that is still under way must not
 * come to mean another one. */
#define ROUTE_NAMES_MAX 1024

/* Targets are compared as their bytes, so all are set. */
static inline struct edge_target mw_target(const struct address *address, enum edge_transport transport)
{
    struct edge_target target;
    memset(&target, 0, sizeof target);
    target.address = *address;
    target.transport = (uint8_t)transport;
    return target;
}

struct router {
    struct dns *dns;
    bool speaks[EDGE_TRANSPORTS][2]; /* whether a transport is there for IPv4, for IPv6 */
    char *names[ROUTE_NAMES_MAX];    /* |edge_target.name| is the index + 1 */
    unsigned name_count;
};

struct route {
    struct edge_target targets[ROUTE_TARGETS_MAX]; /* in the order in which to try them */
    unsigned count;
    uint64_t expires_ns; /* of the first answer it rests on; TIME_NEVER: it rests on none */
};

/* Frees the names. */
void router_fini(struct router *router);
/* What a certificate has to be good for; NULL: nothing is known by that number. */
const char *router_name(const struct router *router, uint32_t name);

/* |since_ns|: when this walk began (see dns_find()). Returns 0 with at least one target, ERR_WOULD_BLOCK where answers
 * are missing that are under way now, or ERR_NOT_FOUND. */
int route_find(struct router *router, const struct mw_uri *uri, uint64_t since_ns, struct now now, struct route *out);

#endif
