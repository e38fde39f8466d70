/* SPDX-License-Identifier: BSD-3-Clause */
#include "edge/registration.h"

#include "base/error.h"
#include "base/memory.h"
#include "edge/reg_event.h"

static void expired(struct timer *timer, struct now now)
{
    edge_registration_end(container_of(timer, struct edge_registration, expiry), "expired", now);
}

struct edge_registration *edge_registration_find(const struct edge_flow *flow, struct span aor, struct span binding)
{
    struct list *link;
    list_each (link, &flow->registrations) {
        struct edge_registration *registration = container_of(link, struct edge_registration, link);
        if (uri_same(registration->aor, aor) && span_equal(registration->binding, binding))
            return registration;
    }
    return NULL;
}

struct span edge_registration_default(const struct edge_registration *registration)
{
    struct span list = registration->associated, value = registration->associated;
    raw_list_next(&list, &value);
    return value;
}

static struct edge_registration *create(struct edge_flow *flow)
{
    if (flow->registration_count >= EDGE_REGISTRATIONS_MAX)
        return NULL;
    struct edge_registration *registration = memory_zeroed(1, sizeof *registration);
    if (!registration)
        return NULL;
    registration->flow = flow;
    registration->expiry.callback = expired;
    edge_subscription_init(registration);
    list_append(&flow->registrations, &registration->link);
    flow->registration_count++;
    flow->edge->totals.registrations++;
    return registration;
}

static void destroy(struct edge_registration *registration)
{
    struct edge_flow *flow = registration->flow;
    edge_subscription_fini(registration);
    timers_cancel(flow->edge->host.timers, &registration->expiry);
    list_remove(&registration->link);
    flow->registration_count--;
    flow->edge->totals.registrations--;
    memory_free(registration->texts);
    memory_free(registration);
}

/* False where memory is short; the old texts stand then. */
static bool set_texts(struct edge_registration *registration, const struct edge_registration_facts *facts)
{
    struct edge_registration_facts kept = *facts;
    char *texts = edge_spans_keep(
        (struct span *[]){&kept.impi, &kept.aor, &kept.contact, &kept.binding, &kept.routes, &kept.associated}, 6);
    if (!texts)
        return false;
    memory_free(registration->texts);
    registration->texts = texts;
    registration->impi = kept.impi;
    registration->aor = kept.aor;
    registration->contact = kept.contact;
    registration->binding = kept.binding;
    registration->routes = kept.routes;
    registration->associated = kept.associated;
    return true;
}

static void supersede(struct edge *edge, struct sip_flow_name name, struct now now)
{
    if (name.worker == edge->worker)
        edge_flow_supersede(edge, name, now);
    else
        edge->host.supersede(edge->host.context, name);
}

struct edge_registration *edge_registration_install(struct edge_flow *flow, const struct edge_registration_facts *facts,
                                                    bool *fresh_out, struct now now)
{
    struct edge *edge = flow->edge;
    struct edge_registrations *table = edge->settings->registrations;
    struct edge_registration_key key;
    struct sip_flow_name previous;
    struct edge_registration *registration = edge_registration_find(flow, facts->aor, facts->binding);
    if (registration && !span_equal(registration->impi, facts->impi)) {
        edge_registration_end(registration, "another private identity took its place", now);
        registration = NULL;
    }
    *fresh_out = !registration;
    if (registration)
        key = registration->key; /* of the first spelling, whatever this one is */
    else
        edge_registration_key_make(facts->impi, facts->aor, facts->binding, &key);
    if (!registration)
        registration = create(flow);
    if (!registration)
        return NULL;
    uint64_t expires_s = now.wall_s + facts->lifetime_s;
    int claimed = ERR_MEMORY;
    if (set_texts(registration, facts) &&
        timers_set(edge->host.timers, &registration->expiry, now.monotonic_ns + facts->lifetime_s * NS_PER_S) == 0)
        claimed = edge_registrations_claim(table, &key, edge_flow_name(flow), expires_s, registration->id, &previous);
    if (claimed < 0) {
        if (*fresh_out)
            destroy(registration);
        return NULL;
    }
    registration->key = key;
    registration->expires_s = expires_s;
    if (edge->host.client_registered)
        edge->host.client_registered(edge->host.context, flow);
    if (claimed > 0)
        supersede(edge, previous, now);
    return registration;
}

/* Refreshes ask for the revocation, not for the expiry: it is kept until the last allocation has had to ask. */
static void revoke(const struct edge *edge, const struct edge_registration_rest *rest, struct now now)
{
    const struct edge_settings *settings = edge->settings;
    uint64_t until_s = now.wall_s + settings->allocation_lifetime_s;
    if (!settings->revocations || rest->credentials_until_s == 0)
        return;
    if (until_s < rest->credentials_until_s)
        until_s = rest->credentials_until_s;
    int result = revocations_add(settings->revocations, rest->id, until_s, now.wall_s);
    if (result != 0)
        edge_say(edge, true, "the TURN credentials of registration %s are not revoked: %s", rest->id,
                 error_text(result));
}

void edge_registration_end(struct edge_registration *registration, const char *why, struct now now)
{
    struct edge *edge = registration->flow->edge;
    struct sip_flow_name flow = edge_flow_name(registration->flow);
    struct edge_registration_rest rest;
    if (edge_registrations_end(edge->settings->registrations, &registration->key, &flow, &rest))
        revoke(edge, &rest, now);
    edge_say(edge, false, "registration %s of %.*s is over: %s", registration->id, (int)registration->aor.length,
             (const char *)registration->aor.bytes, why);
    destroy(registration);
}

void edge_registration_end_elsewhere(struct edge *edge, const struct edge_registration_key *key, struct now now)
{
    struct edge_registration_rest rest;
    if (!edge_registrations_end(edge->settings->registrations, key, NULL, &rest))
        return;
    revoke(edge, &rest, now);
    edge_say(edge, false, "registration %s is over: the client took it back over another flow", rest.id);
    if (!rest.lost)
        supersede(edge, rest.flow, now);
}

struct lost_ones {
    struct edge *edge;
    struct now now;
};

static void lost_one_is_over(void *context, const struct edge_registration_rest *rest)
{
    const struct lost_ones *lost = context;
    revoke(lost->edge, rest, lost->now);
}

void edge_registration_watch_lost(struct edge *edge, uint64_t expires_s, struct now now)
{
    uint64_t left_s = expires_s > now.wall_s ? expires_s - now.wall_s : 1;
    uint64_t at_ns = now.monotonic_ns + left_s * NS_PER_S;
    if (edge->lost.position == 0 || at_ns < edge->lost.deadline_ns)
        timers_set(edge->host.timers, &edge->lost, at_ns); /* without memory: with the next one that is lost */
}

void edge_registration_lost_expired(struct timer *timer, struct now now)
{
    struct edge *edge = container_of(timer, struct edge, lost);
    struct lost_ones lost = {edge, now};
    uint64_t next_s = edge_registrations_expire(edge->settings->registrations, now.wall_s, lost_one_is_over, &lost);
    if (next_s != UINT64_MAX)
        edge_registration_watch_lost(edge, next_s, now);
}

void edge_registration_leave(struct edge_registration *registration)
{
    struct edge_flow *flow = registration->flow;
    edge_registrations_leave(flow->edge->settings->registrations, &registration->key, edge_flow_name(flow));
    destroy(registration);
}
