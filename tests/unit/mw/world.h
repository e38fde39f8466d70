/* SPDX-License-Identifier: BSD-3-Clause
 * The way to the core between a test and edges that only take notes. Workers run in their threads; the test stands for
 * the core, on sockets of its own, and for whoever calls. */
#ifndef MW_WORLD_H
#define MW_WORLD_H

#include "mw/core_state.h"

#define WORLD_WORKERS 3

/* Set before world_start(), which fills in the rest. Listeners: UDP, TCP, TLS (with |tls_server|) on |ip|, in this
 * order. */
struct world {
    const char *ip;
    unsigned worker_count;
    const char *entries[4];
    struct address_prefix trusted;
    struct tls_context *tls_server, *tls_client;
    bool no_listeners_but_tcp;
    struct address dns;
    struct mw_core *core;
};
extern struct world world;

enum world_event_kind { WORLD_RECEIVED, WORLD_LOOKED_UP, WORLD_FAILED };

/* What an edge was told. */
struct world_event {
    struct world_event *next;
    enum world_event_kind kind;
    unsigned worker;
    struct edge_target target; /* WORLD_LOOKED_UP: the first */
    struct edge_target targets[EDGE_TARGETS_MAX];
    struct edge_lookup *lookup;
    int count;
    size_t length;
    char text[]; /* with a NUL */
};

/* One worker, no entries that matter, on 127.0.0.1, which is trusted; fake DNS started. */
void world_init(void);
/* Creates what |world| says and starts it. */
void world_start(void);
void world_stop(void);

/* The oldest event of that kind, waited for; the caller frees it. */
struct world_event *world_expect(enum world_event_kind kind);
/* The number of events that wait to be expected. */
unsigned world_events(void);
/* Waits until all workers have done what they were told before, and their mail from each other. */
void world_settle(void);

/* On the thread of |worker|. */
void world_run(unsigned worker, void (*function)(void *argument), void *argument);
int world_lookup(unsigned worker, const char *uri, struct edge_target targets[EDGE_TARGETS_MAX]);
void world_send(unsigned worker, const struct edge_target *target, const char *text);
void world_silent(unsigned worker, const struct edge_target *target);
/* What is due within |seconds| from now happens now. */
void world_pass(unsigned seconds);
/* Lines of the log that hold |text|. */
unsigned world_logged(const char *text);
/* Waits until |*counter| of the core is |value|. */
void world_wait_count(_Atomic uint64_t *counter, uint64_t value);

struct address world_listener(enum edge_transport transport);

#endif
