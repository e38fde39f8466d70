/* SPDX-License-Identifier: BSD-3-Clause */
#include "turn/allocation.h"

#include <assert.h>

#include "base/error.h"
#include "base/memory.h"
#include "turn/channel.h"
#include "turn/core.h"
#include "turn/peer_connection.h"
#include "turn/permission.h"
#include "turn/request.h"

/* The 5-tuple without padding or pointers. */
struct flow_key {
    struct address client, server;
    uint8_t transport;
} __attribute__((packed));

static uint64_t flow_hash(const struct turn_server *server, const struct turn_flow *flow)
{
    struct flow_key key = {flow->client, flow->server, (uint8_t)flow->transport};
    return siphash(&server->hash_key, &key, sizeof key);
}

/* A connection may be gone and another come from the same port before its end has been told: they are two flows. */
static bool same_flow(const struct turn_flow *a, const struct turn_flow *b)
{
    return address_equal(&a->client, &b->client) && address_equal(&a->server, &b->server) &&
           a->transport == b->transport && (a->transport == TURN_UDP || a->link == b->link);
}

struct turn_allocation *turn_allocation_find(struct turn_server *server, const struct turn_flow *flow)
{
    if (server->latest && same_flow(&server->latest->flow, flow))
        return server->latest;
    for (struct hash_entry *e = hash_first(&server->by_flow, flow_hash(server, flow)); e; e = hash_next(e)) {
        struct turn_allocation *allocation = container_of(e, struct turn_allocation, by_flow);
        if (same_flow(&allocation->flow, flow)) {
            server->latest = allocation;
            return allocation;
        }
    }
    return NULL;
}

static void expire(struct timer *timer, struct now now)
{
    (void)now;
    turn_allocation_end(container_of(timer, struct turn_allocation, expiry), TURN_END_EXPIRED);
}

struct turn_allocation *turn_allocation_create(struct turn_server *server, const struct turn_flow *flow)
{
    struct turn_allocation *allocation = pool_take(&server->allocations);
    if (!allocation)
        return NULL;
    *allocation = (struct turn_allocation){
        .server = server,
        .flow = *flow,
        .expiry.callback = expire,
        .permission_capacity = PERMISSIONS_INLINE,
        .channel_capacity = CHANNELS_INLINE,
    };
    allocation->permissions = allocation->permissions_inline;
    allocation->channels = allocation->channels_inline;
    for (unsigned i = 0; i < TURN_RELAYS_MAX; i++)
        allocation->relays[i].socket = -1;
    list_init(&allocation->peer_connections);
    return allocation;
}

int turn_allocation_set_username(struct turn_allocation *allocation, const struct turn_request *request)
{
    struct span username = request->username, user_part = request->user_part;
    char *copy = memory_zeroed(1, username.length);
    if (!copy)
        return ERR_MEMORY;
    memcpy(copy, username.bytes, username.length);
    memory_free(allocation->username);
    allocation->username = copy;
    allocation->username_length = (uint16_t)username.length;
    allocation->user_part_at = (uint16_t)((const char *)user_part.bytes - (const char *)username.bytes);
    allocation->user_part_length = (uint16_t)user_part.length;
    allocation->registration_length = (uint16_t)request->registration.length;
    return 0;
}

int turn_allocation_begin(struct turn_allocation *allocation, uint32_t lifetime_s, struct now now)
{
    struct turn_server *server = allocation->server;
    if (timers_set(&server->timers, &allocation->expiry, now.monotonic_ns + lifetime_s * NS_PER_S) != 0)
        return ERR_MEMORY;
    allocation->began_ns = now.monotonic_ns;
    hash_insert(&server->by_flow, &allocation->by_flow, flow_hash(server, &allocation->flow));
    counter_add(&server->counters.allocations[allocation->flow.transport], 1);
    if (server->host.client_allocation)
        server->host.client_allocation(server->host.context, &allocation->flow, allocation);
    if (server->host.allocation_began)
        server->host.allocation_began(server->host.context, allocation);
    turn_revocations_watch(server, now);
    return 0;
}

void turn_allocation_refresh(struct turn_allocation *allocation, uint32_t lifetime_s, struct now now)
{
    int result = timers_set(&allocation->server->timers, &allocation->expiry, now.monotonic_ns + lifetime_s * NS_PER_S);
    assert(result == 0); /* it is on already: moving cannot fail */
}

void turn_relay_close(struct turn_relay *relay)
{
    struct turn_allocation *allocation = relay->allocation;
    struct turn_server *server = allocation->server;
    uint8_t family = relay->port.public_address.family;
    turn_permissions_forget(allocation, family);
    turn_channels_forget(allocation, family);
    turn_peer_connections_close(allocation, family);
    server->host.relay_close(server->host.context, relay);
    relay_ports_give(server->settings->ports, &relay->port);
    relay->allocation = NULL;
    relay->socket = -1;
}

void turn_allocation_destroy(struct turn_allocation *allocation)
{
    struct turn_server *server = allocation->server;
    for (unsigned i = 0; i < TURN_RELAYS_MAX; i++)
        if (allocation->relays[i].allocation)
            turn_relay_close(&allocation->relays[i]);
    if (allocation->user)
        ledger_allocation_end(server->settings->ledger, &allocation->user, &allocation->source);
    if (allocation->permissions != allocation->permissions_inline)
        memory_free(allocation->permissions);
    if (allocation->channels != allocation->channels_inline)
        memory_free(allocation->channels);
    memory_free(allocation->username);
    timers_cancel(&server->timers, &allocation->expiry);
    pool_give(&server->allocations, allocation);
}

void turn_allocation_end(struct turn_allocation *allocation, enum turn_end end)
{
    struct turn_server *server = allocation->server;
    if (server->host.allocation_ended)
        server->host.allocation_ended(server->host.context, allocation, end);
    hash_remove(&server->by_flow, &allocation->by_flow);
    if (server->latest == allocation)
        server->latest = NULL;
    counter_add(&server->counters.allocations[allocation->flow.transport], (uint64_t)-1);
    struct turn_flow flow = allocation->flow;
    turn_allocation_destroy(allocation);
    if (server->host.client_allocation)
        server->host.client_allocation(server->host.context, &flow, NULL);
}

void *turn_array_grow(void *array, void *fixed, size_t element_size, uint16_t count, uint16_t *capacity, size_t wanted,
                      size_t limit)
{
    if (limit > UINT16_MAX)
        limit = UINT16_MAX;
    if (wanted > limit)
        return NULL;
    if (wanted <= *capacity)
        return array;
    size_t larger = (size_t)*capacity * 2 > wanted ? (size_t)*capacity * 2 : wanted;
    if (larger > limit)
        larger = limit;
    void *memory = memory_zeroed(larger, element_size);
    if (!memory)
        return NULL;
    memcpy(memory, array, count * element_size);
    if (array != fixed)
        memory_free(array);
    *capacity = (uint16_t)larger;
    return memory;
}

void turn_allocation_view(const struct turn_allocation *allocation, struct turn_allocation_view *out)
{
    *out = (struct turn_allocation_view){
        .flow = &allocation->flow,
        .username = turn_allocation_username(allocation),
        .user_part = turn_allocation_user_part(allocation),
        .began_ns = allocation->began_ns,
        .expires_ns = allocation->expiry.deadline_ns,
        .packets_in = allocation->packets_in,
        .bytes_in = allocation->bytes_in,
        .packets_out = allocation->packets_out,
        .bytes_out = allocation->bytes_out,
    };
    unsigned count = 0;
    for (unsigned i = 0; i < TURN_RELAYS_MAX; i++)
        if (allocation->relays[i].allocation)
            out->relayed[count++] = allocation->relays[i].port.public_address;
}
