/* SPDX-License-Identifier: BSD-3-Clause
 * One WebSocket of a WIC, from its coming to its going. */
#include <assert.h>

#include "base/memory.h"
#include "edge/registration.h"

static uint64_t hash_of(const struct edge *edge, uint64_t number)
{
    return siphash(&edge->key, &number, sizeof number);
}

struct edge_flow *edge_flow_find(struct edge *edge, uint64_t number)
{
    struct hash_entry *entry;
    for (entry = hash_first(&edge->flows, hash_of(edge, number)); entry; entry = hash_next(entry)) {
        struct edge_flow *flow = container_of(entry, struct edge_flow, entry);
        if (flow->number == number)
            return flow;
    }
    return NULL;
}

struct edge_flow *edge_flow_open(struct edge *edge, const struct address *client, void *user, struct now now)
{
    (void)now;
    struct edge_flow *flow = memory_zeroed(1, sizeof *flow);
    if (!flow)
        return NULL;
    flow->edge = edge;
    flow->number = ++edge->flows_opened;
    flow->user = user;
    flow->client = *client;
    list_init(&flow->registrations);
    list_init(&flow->exchanges);
    list_init(&flow->dialogs);
    sip_flow_token_make(edge->settings->flow_key, edge_flow_name(flow), flow->token);
    hash_insert(&edge->flows, &flow->entry, hash_of(edge, flow->number));
    edge->totals.flows++;
    return flow;
}

void *edge_flow_user(const struct edge_flow *flow)
{
    return flow->user;
}

void edge_flow_close(struct edge *edge, struct edge_flow **flow, struct now now)
{
    struct edge_flow *gone = *flow;
    struct list *link, *following;
    if (!gone)
        return;
    hash_remove(&edge->flows, &gone->entry); /* nothing finds it any more */
    list_each_safe (link, following, &gone->dialogs) {
        struct edge_dialog *dialog = container_of(link, struct edge_dialog, link);
        edge_dialog_hang_up(edge, dialog, now);
        edge_dialog_remove(gone, dialog);
    }
    while (!list_empty(&gone->exchanges))
        edge_exchange_orphan(container_of(gone->exchanges.next, struct edge_exchange, in_flow), now);
    list_each_safe (link, following, &gone->registrations) {
        struct edge_registration *registration = container_of(link, struct edge_registration, link);
        edge_registration_watch_lost(edge, registration->expires_s, now);
        edge_registration_leave(registration);
    }
    assert(gone->exchange_count == 0 && gone->dialog_count == 0 && gone->registration_count == 0);
    edge->totals.flows--;
    memory_free(gone);
    *flow = NULL;
}

void edge_flow_supersede(struct edge *edge, struct sip_flow_name name, struct now now)
{
    (void)now;
    struct edge_flow *flow = name.worker == edge->worker ? edge_flow_find(edge, name.flow) : NULL;
    struct list *link, *following;
    if (!flow)
        return;
    list_each_safe (link, following, &flow->registrations) {
        struct edge_registration *registration = container_of(link, struct edge_registration, link);
        if (!edge_registrations_has(edge->settings->registrations, &registration->key, name))
            edge_registration_leave(registration);
    }
}
