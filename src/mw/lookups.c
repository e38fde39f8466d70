/* SPDX-License-Identifier: BSD-3-Clause
 * Look-ups of the edges, and the core's own entries, which are kept fresh: they also say whom to take SIP from. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "mw/core_state.h"

/* A name that cannot be looked up is asked for anew after that. */
#define RETRY_NS (10 * NS_PER_S)
/* While its DNS fails, the core stays where it was for so long. */
#define STALE_NS (3600 * NS_PER_S)

/* Goes from the worker that asks to the first one, waits there, and comes back. */
struct question {
    struct mail mail;
    struct mw_core *core;
    struct list asker;   /* the edge_lookup, on its worker's thread only; empty: cancelled */
    struct list waiting; /* in core->questions */
    unsigned worker;
    bool entry; /* the core's entry is asked for */
    struct mw_uri uri;
    uint64_t since_ns;
    struct edge_target targets[EDGE_TARGETS_MAX];
    int count;
};

/* Entries */

static void sources_rebuild(struct mw_core *core)
{
    sources_entries_clear(&core->sources);
    for (unsigned i = 0; i < core->entry_count; i++)
        for (unsigned j = 0; j < core->entries[i].route.count; j++)
            sources_entries_add(&core->sources, &core->entries[i].route.targets[j].address);
}

static void entry_failed(struct mw_core *core, struct mw_entry *entry, struct now now)
{
    /* Told apart by their numbers: they have no address. */
    struct address none = {.ip = {(uint8_t)(entry - core->entries)}};
    mw_remark(core, true, &none, "edge.core cannot be looked up and is tried again every 10 s", entry->uri.target);
    entry->refresh_ns = now.monotonic_ns + RETRY_NS;
    if (now.monotonic_ns - entry->worked_ns > STALE_NS)
        entry->route.count = 0;
}

static void entry_look_up(struct mw_core *core, struct mw_entry *entry, struct now now)
{
    struct route route;
    if (!entry->pending)
        entry->since_ns = now.monotonic_ns;
    int result = route_find(&core->router, &entry->uri, entry->since_ns, now, &route);
    entry->pending = result == ERR_WOULD_BLOCK;
    if (entry->pending)
        return;
    entry->settled = true;
    if (result != 0) {
        entry_failed(core, entry, now);
        return;
    }
    entry->route = route;
    entry->worked_ns = now.monotonic_ns;
    entry->refresh_ns = route.expires_ns;
}

/* Looks up what is due, and what is under way. */
static void entries_look_up(struct mw_core *core, struct now now)
{
    uint64_t next_ns = TIME_NEVER;
    for (unsigned i = 0; i < core->entry_count; i++) {
        struct mw_entry *entry = &core->entries[i];
        if (entry->pending || entry->refresh_ns <= now.monotonic_ns)
            entry_look_up(core, entry, now);
        if (!entry->pending && entry->refresh_ns < next_ns)
            next_ns = entry->refresh_ns;
    }
    sources_rebuild(core);
    /* Without memory for the timer, the next answer of any kind brings us here again. */
    (void)timers_update(loop_timers(core->loop), &core->refresh, next_ns);
}

void mw_entries_begin(struct mw_core *core)
{
    entries_look_up(core, loop_now(core->loop));
}

void mw_refresh_due(struct timer *timer, struct now now)
{
    entries_look_up(container_of(timer, struct mw_core, refresh), now);
}

/* Look-ups of the edges */

/* At most EDGE_TARGETS_MAX of |from|, those that live first; the order is kept otherwise. */
static int targets_choose(struct mw_core *core, const struct edge_target *from, unsigned count,
                          struct edge_target targets[EDGE_TARGETS_MAX], struct now now)
{
    unsigned chosen = 0;
    for (int dead = 0; dead <= 1; dead++)
        for (unsigned i = 0; i < count && chosen < EDGE_TARGETS_MAX; i++)
            if (health_is_dead(&core->health, &from[i].address, from[i].transport, now) == (dead == 1))
                targets[chosen++] = from[i];
    return chosen > 0 ? (int)chosen : ERR_NOT_FOUND;
}

/* Walked anew each time, as the weights of SRV records want it. */
static int entries_targets(struct mw_core *core, struct edge_target targets[EDGE_TARGETS_MAX], struct now now)
{
    struct edge_target all[MW_CORE_ENTRIES_MAX * EDGE_TARGETS_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < core->entry_count; i++) {
        struct mw_entry *entry = &core->entries[i];
        struct route route;
        if (!entry->settled)
            return ERR_WOULD_BLOCK;
        if (route_find(&core->router, &entry->uri, entry->since_ns, now, &route) != 0)
            route = entry->route;
        for (unsigned j = 0; j < route.count && j < EDGE_TARGETS_MAX; j++)
            all[count++] = route.targets[j];
    }
    return targets_choose(core, all, count, targets, now);
}

/* Returns as mw_core_lookup(). */
static int resolve(struct mw_core *core, bool entry, const struct mw_uri *uri, uint64_t since_ns,
                   struct edge_target targets[EDGE_TARGETS_MAX], struct now now)
{
    struct route route;
    if (entry)
        return entries_targets(core, targets, now);
    int result = route_find(&core->router, uri, since_ns, now, &route);
    return result == 0 ? targets_choose(core, route.targets, route.count, targets, now) : result;
}

static void question_free(struct question *question)
{
    atomic_fetch_sub_explicit(&question->core->questions_open, 1, memory_order_relaxed);
    memory_free(question);
}

/* The asker is told, if it still is one; on its thread. */
static void question_answer(struct question *question, struct now now)
{
    struct edge *edge = question->core->edges[question->worker];
    if (!list_empty(&question->asker)) {
        struct edge_lookup *lookup = container_of(question->asker.next, struct edge_lookup, link);
        list_remove(&lookup->link);
        lookup->pending = false;
        edge_looked_up(edge, lookup, question->targets, question->count, now);
    }
    question_free(question);
}

static void question_return_open(struct mail *mail, struct now now)
{
    question_answer(container_of(mail, struct question, mail), now);
}

/* Nobody will answer any more. */
static void question_drop(struct question *question)
{
    while (!list_empty(&question->asker)) {
        struct edge_lookup *lookup = container_of(question->asker.next, struct edge_lookup, link);
        list_remove(&lookup->link);
        lookup->pending = false;
    }
    question_free(question);
}

static void question_return(struct question *question, struct now now)
{
    struct mailbox *mailbox = &question->core->workers[question->worker]->mailbox;
    if (question->worker == 0) {
        question_answer(question, now);
    } else if (mailbox_is_open(mailbox)) {
        question->mail.open = question_return_open;
        mailbox_send(mailbox, &question->mail);
    } else {
        question_drop(question); /* the end: one thread is left */
    }
}

static void question_arrive(struct mail *mail, struct now now)
{
    struct question *question = container_of(mail, struct question, mail);
    struct mw_core *core = question->core;
    question->since_ns = now.monotonic_ns;
    question->count = resolve(core, question->entry, &question->uri, question->since_ns, question->targets, now);
    if (question->count == ERR_WOULD_BLOCK)
        list_append(&core->questions, &question->waiting);
    else
        question_return(question, now);
}

void mw_dns_answered(void *context, struct now now)
{
    struct mw_core *core = context;
    struct list answered, *link, *following;
    entries_look_up(core, now);
    list_init(&answered);
    list_each_safe (link, following, &core->questions) {
        struct question *question = container_of(link, struct question, waiting);
        question->count = resolve(core, question->entry, &question->uri, question->since_ns, question->targets, now);
        if (question->count == ERR_WOULD_BLOCK)
            continue;
        list_remove(link);
        list_append(&answered, link);
    }
    /* Only now: whoever is told may ask for the next one. */
    while (!list_empty(&answered)) {
        struct question *question = container_of(answered.next, struct question, waiting);
        list_remove(&question->waiting);
        question_return(question, now);
    }
}

void mw_questions_drop(struct mw_core *core)
{
    while (!list_empty(&core->questions)) {
        struct question *question = container_of(core->questions.next, struct question, waiting);
        list_remove(&question->waiting);
        question_drop(question);
    }
}

static struct question *question_create(struct mw_core *core)
{
    unsigned open = atomic_fetch_add_explicit(&core->questions_open, 1, memory_order_relaxed);
    struct question *question = open < MW_QUESTIONS_MAX ? memory_zeroed(1, sizeof *question) : NULL;
    if (!question) {
        atomic_fetch_sub_explicit(&core->questions_open, 1, memory_order_relaxed);
        return NULL;
    }
    question->core = core;
    list_init(&question->asker);
    list_init(&question->waiting);
    return question;
}

int mw_core_lookup(struct mw_core *core, unsigned index, struct edge_lookup *lookup, const char *text,
                   struct edge_target targets[EDGE_TARGETS_MAX])
{
    struct mw_uri uri = {0};
    lookup->pending = false;
    if (text && mw_uri_decode(text, &uri) != 0)
        return ERR_NOT_FOUND;
    /* A number has no host: it is for the core to find out where it is (RFC 3966). */
    bool entry = !text || uri.telephone;
    struct now now = loop_now(core->workers[index]->loop);
    if (index == 0) {
        int result = resolve(core, entry, &uri, now.monotonic_ns, targets, now);
        if (result != ERR_WOULD_BLOCK)
            return result;
    } else if (!mailbox_is_open(&core->workers[0]->mailbox)) {
        return ERR_NOT_FOUND;
    }
    struct question *question = question_create(core);
    if (!question)
        return ERR_NOT_FOUND;
    question->worker = index;
    question->entry = entry;
    question->uri = uri;
    question->since_ns = now.monotonic_ns;
    question->mail.open = question_arrive;
    list_append(&question->asker, &lookup->link);
    lookup->pending = true;
    if (index == 0)
        list_append(&core->questions, &question->waiting);
    else
        mailbox_send(&core->workers[0]->mailbox, &question->mail);
    return ERR_WOULD_BLOCK;
}

void mw_core_lookup_cancel(struct mw_core *core, unsigned index, struct edge_lookup *lookup)
{
    (void)core, (void)index;
    if (lookup->pending)
        list_remove(&lookup->link);
    lookup->pending = false;
}
