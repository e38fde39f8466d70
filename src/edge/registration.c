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
    edge_registration_key_make(facts->impi, facts->aor, facts->binding, &key);
    struct edge_registration *registration = edge_registration_find(flow, facts->aor, facts->binding);
    if (registration && memcmp(&registration->key, &key, sizeof key) != 0) {
        edge_registration_end(registration, "another private identity took its place", now);
        registration = NULL;
    }
    *fresh_out = !registration;
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
static int revoke(const struct edge_settings *settings, const char *id, uint64_t credentials_until_s, uint64_t wall_s)
{
    uint64_t until_s = wall_s + settings->allocation_lifetime_s;
    if (!settings->revocations || credentials_until_s == 0)
        return 0;
    if (until_s < credentials_until_s)
        until_s = credentials_until_s;
    return revocations_add(settings->revocations, id, until_s, wall_s);
}

int edge_registrations_tend(const struct edge_settings *settings, uint64_t wall_s)
{
    char id[REGISTRATION_ID_SIZE];
    uint64_t credentials_until_s;
    int result = 0;
    while (edge_registrations_expire(settings->registrations, wall_s, id, &credentials_until_s)) {
        int one = revoke(settings, id, credentials_until_s, wall_s);
        result = one != 0 ? one : result;
    }
    return result;
}

void edge_registration_end(struct edge_registration *registration, const char *why, struct now now)
{
    struct edge *edge = registration->flow->edge;
    const struct edge_settings *settings = edge->settings;
    uint64_t credentials_until_s;
    bool here = edge_registrations_end(settings->registrations, &registration->key, edge_flow_name(registration->flow),
                                       &credentials_until_s);
    int result = here ? revoke(settings, registration->id, credentials_until_s, now.wall_s) : 0;
    if (result != 0)
        edge_say(edge, true, "the TURN credentials of registration %s are not revoked: %s", registration->id,
                 error_text(result));
    edge_say(edge, false, "registration %s of %.*s is over: %s", registration->id, (int)registration->aor.length,
             (const char *)registration->aor.bytes, why);
    destroy(registration);
}

void edge_registration_leave(struct edge_registration *registration)
{
    struct edge_flow *flow = registration->flow;
    edge_registrations_leave(flow->edge->settings->registrations, &registration->key, edge_flow_name(flow));
    destroy(registration);
}
