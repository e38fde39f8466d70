/* SPDX-License-Identifier: BSD-3-Clause */
#include "world.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/error.h"
#include "fake_dns.h"
#include "net/socket.h"

#define PATIENCE_S 10

struct edge {
    unsigned worker;
};

struct world world;

static struct worker *workers[WORLD_WORKERS];
static struct edge edges[WORLD_WORKERS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct world_event *events;
static char log_text[16384];

static void note(struct world_event *event)
{
    pthread_mutex_lock(&lock);
    struct world_event **end = &events;
    while (*end)
        end = &(*end)->next;
    *end = event;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static struct world_event *event_create(enum world_event_kind kind, const struct edge *edge,
                                        const struct edge_target *target, const void *bytes, size_t length)
{
    struct world_event *event = calloc(1, sizeof *event + length + 1);
    event->kind = kind;
    event->worker = edge->worker;
    if (target)
        event->target = *target;
    event->length = length;
    if (length > 0)
        memcpy(event->text, bytes, length);
    return event;
}

/* The edge's double */

void edge_receive_core(struct edge *edge, const struct edge_target *source, const void *bytes, size_t length,
                       struct now now)
{
    (void)now;
    note(event_create(WORLD_RECEIVED, edge, source, bytes, length));
}

/* A field says it. */
int edge_worker_of(const struct sip_flow_key *key, const void *bytes, size_t length)
{
    (void)key;
    const char *field = memmem(bytes, length, "X-Worker: ", 10);
    return field ? atoi(field + 10) : ERR_FORBIDDEN;
}

void edge_looked_up(struct edge *edge, struct edge_lookup *lookup, const struct edge_target *targets, int count,
                    struct now now)
{
    (void)now;
    struct world_event *event = event_create(WORLD_LOOKED_UP, edge, count > 0 ? targets : NULL, NULL, 0);
    event->lookup = lookup;
    event->count = count;
    for (int i = 0; i < count; i++)
        event->targets[i] = targets[i];
    note(event);
}

void edge_target_failed(struct edge *edge, const struct edge_target *target, struct now now)
{
    (void)now;
    note(event_create(WORLD_FAILED, edge, target, NULL, 0));
}

/* The world */

static struct timespec patience(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    return until;
}

struct world_event *world_expect(enum world_event_kind kind)
{
    struct timespec until = patience();
    struct world_event *found = NULL;
    pthread_mutex_lock(&lock);
    for (int result = 0; !found && result == 0;) {
        for (struct world_event **slot = &events; *slot && !found; slot = *slot ? &(*slot)->next : slot)
            if ((*slot)->kind == kind) {
                found = *slot;
                *slot = found->next;
                break;
            }
        if (!found)
            result = pthread_cond_timedwait(&changed, &lock, &until);
    }
    pthread_mutex_unlock(&lock);
    if (!found)
        fail_msg("an edge was not told what it had to be told (%d)", (int)kind);
    return found;
}

unsigned world_events(void)
{
    unsigned count = 0;
    pthread_mutex_lock(&lock);
    for (struct world_event *event = events; event; event = event->next)
        count++;
    pthread_mutex_unlock(&lock);
    return count;
}

struct errand {
    struct mail mail;
    void (*function)(void *argument);
    void *argument;
    bool done;
};

static void errand_open(struct mail *mail, struct now now)
{
    (void)now;
    struct errand *errand = container_of(mail, struct errand, mail);
    errand->function(errand->argument);
    pthread_mutex_lock(&lock);
    errand->done = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

void world_run(unsigned worker, void (*function)(void *argument), void *argument)
{
    struct errand errand = {.mail.open = errand_open, .function = function, .argument = argument};
    struct timespec until = patience();
    mailbox_send(&workers[worker]->mailbox, &errand.mail);
    pthread_mutex_lock(&lock);
    for (int result = 0; !errand.done; result = pthread_cond_timedwait(&changed, &lock, &until))
        if (result != 0)
            abort(); /* |errand| is on this stack */
    pthread_mutex_unlock(&lock);
}

static void nothing(void *argument)
{
    (void)argument;
}

void world_settle(void)
{
    for (int round = 0; round < 3; round++)
        for (unsigned i = 0; i < world.worker_count; i++)
            world_run(i, nothing, NULL);
}

struct lookup_errand {
    unsigned worker;
    const char *uri;
    struct edge_lookup lookup;
    struct edge_target *targets;
    int result;
};

static void lookup_run(void *argument)
{
    struct lookup_errand *errand = argument;
    errand->result = mw_core_lookup(world.core, errand->worker, &errand->lookup, errand->uri, errand->targets);
    assert(errand->lookup.pending == (errand->result == ERR_WOULD_BLOCK));
}

int world_lookup(unsigned worker, const char *uri, struct edge_target targets[EDGE_TARGETS_MAX])
{
    struct lookup_errand errand = {.worker = worker, .uri = uri, .targets = targets};
    world_run(worker, lookup_run, &errand);
    if (errand.result != ERR_WOULD_BLOCK)
        return errand.result;
    struct world_event *event = world_expect(WORLD_LOOKED_UP);
    assert_ptr_equal(event->lookup, &errand.lookup);
    assert_int_equal(event->worker, worker);
    memcpy(targets, event->targets, sizeof event->targets);
    int count = event->count;
    free(event);
    return count;
}

struct send_errand {
    unsigned worker;
    const struct edge_target *target;
    const char *text;
};

static void send_run(void *argument)
{
    struct send_errand *errand = argument;
    if (errand->text)
        mw_core_send(world.core, errand->worker, errand->target, errand->text, strlen(errand->text));
    else
        mw_core_silent(world.core, errand->worker, errand->target);
}

void world_send(unsigned worker, const struct edge_target *target, const char *text)
{
    struct send_errand errand = {worker, target, text};
    world_run(worker, send_run, &errand);
}

void world_silent(unsigned worker, const struct edge_target *target)
{
    world_send(worker, target, NULL);
}

static void pass_run(void *argument)
{
    struct now now = loop_now(world.core->loop);
    now.monotonic_ns += *(unsigned *)argument * NS_PER_S;
    timers_expire(loop_timers(world.core->loop), now);
}

void world_pass(unsigned seconds)
{
    world_run(0, pass_run, &seconds);
}

static void log_line(void *context, bool important, const char *text)
{
    (void)context, (void)important;
    pthread_mutex_lock(&lock);
    size_t used = strlen(log_text);
    snprintf(log_text + used, sizeof log_text - used, "%s\n", text);
    pthread_mutex_unlock(&lock);
}

unsigned world_logged(const char *text)
{
    unsigned count = 0;
    pthread_mutex_lock(&lock);
    for (const char *at = log_text; (at = strstr(at, text)); at++)
        count++;
    pthread_mutex_unlock(&lock);
    return count;
}

void world_wait_count(_Atomic uint64_t *counter, uint64_t value)
{
    uint64_t until_ns = net_now().monotonic_ns + PATIENCE_S * NS_PER_S;
    while (atomic_load(counter) < value) {
        sched_yield();
        assert_true(net_now().monotonic_ns < until_ns);
    }
    assert_int_equal(atomic_load(counter), value);
}

struct address world_listener(enum edge_transport transport)
{
    for (unsigned i = 0; i < world.core->listener_count; i++)
        if (world.core->listeners[i].transport == transport)
            return world.core->listeners[i].udp.local;
    fail_msg("no such listener");
    return (struct address){0};
}

void world_init(void)
{
    world = (struct world){.ip = "127.0.0.1", .worker_count = 1, .entries = {"sip:127.0.0.9:9"}};
    world.dns = fake_dns_start();
    log_text[0] = '\0';
}

void world_start(void)
{
    static struct mw_core_listener listeners[3];
    struct mw_core_error error;
    address_prefix_parse(world.ip, &world.trusted);
    struct mw_core_settings settings = {.entries = world.entries,
                                        .listeners = listeners,
                                        .trusted = &world.trusted,
                                        .trusted_count = 1,
                                        .dns_servers = &world.dns,
                                        .dns_server_count = 1,
                                        .tls_server = world.tls_server,
                                        .tls_client = world.tls_client,
                                        .log = log_line};
    while (settings.entry_count < 4 && world.entries[settings.entry_count])
        settings.entry_count++;
    for (unsigned i = 0; i < 3; i++) {
        if ((i == EDGE_TLS && !world.tls_server) || (world.no_listeners_but_tcp && i != EDGE_TCP))
            continue;
        listeners[settings.listener_count].transport = (enum edge_transport)i;
        address_parse(world.ip, &listeners[settings.listener_count++].address);
    }
    for (unsigned i = 0; i < world.worker_count; i++)
        assert_int_equal(worker_create(i, &workers[i]), 0);
    assert_int_equal(mw_core_create(&settings, workers, world.worker_count, &world.core, &error), 0);
    for (unsigned i = 0; i < world.worker_count; i++) {
        edges[i].worker = i;
        mw_core_attach(world.core, i, &edges[i]);
    }
    for (unsigned i = 0; i < world.worker_count; i++)
        assert_int_equal(worker_start(workers[i]), 0);
}

void world_stop(void)
{
    for (unsigned i = 0; i < world.worker_count; i++)
        worker_stop(workers[i]);
    for (unsigned i = 0; i < world.worker_count; i++)
        mailbox_fini(&workers[i]->mailbox);
    mw_core_destroy(&world.core);
    for (unsigned i = 0; i < world.worker_count; i++)
        worker_destroy(&workers[i]);
    fake_dns_stop();
    while (events) {
        struct world_event *event = events;
        events = event->next;
        free(event);
    }
}
