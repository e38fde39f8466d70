/* SPDX-License-Identifier: BSD-3-Clause
 * The way to the core (reference point Mw, TS 23.228): SIP over UDP, TCP and TLS, next hops by RFC 3263. One for the
 * process; its sockets and look-ups belong to the first worker, the edges of the others reach it by mail. */
#ifndef MW_CORE_H
#define MW_CORE_H

#include "crypto/tls.h"
#include "edge/edge.h"
#include "worker/worker.h"

struct mw_core;

struct mw_core_listener {
    struct address address;
    enum edge_transport transport;
};
struct mw_core_settings {
    const char *const *entries; /* SIP URIs of the core's entry */
    size_t entry_count;
    const struct mw_core_listener *listeners;
    size_t listener_count;
    const struct address_prefix *trusted;
    size_t trusted_count;
    struct tls_context *tls_server, *tls_client; /* NULL: no TLS */
    const struct sip_flow_key *flow_key;
    void (*log)(void *context, bool important, const char *text);
    void *log_context;
};
/* |workers|[i] is worker i; |edges|[i] is set by mw_core_attach(). Opens the listeners. Returns 0, ERR_MEMORY, or
 * ERR_SYSTEM with errno of |*failed_out| (index of the listener). Before the threads start. */
int mw_core_create(const struct mw_core_settings *settings, struct worker *const *workers, unsigned worker_count,
                   struct mw_core **out, size_t *failed_out);
/* After the threads have stopped and their mailboxes are closed. */
void mw_core_destroy(struct mw_core **core);
/* The edge of worker |index|, before the threads start. */
void mw_core_attach(struct mw_core *core, unsigned index, struct edge *edge);

/* These implement edge_host for worker |index|; called on its thread. */
int mw_core_lookup(struct mw_core *core, unsigned index, struct edge_lookup *lookup, const char *uri,
                   struct edge_target targets[EDGE_TARGETS_MAX]);
void mw_core_lookup_cancel(struct mw_core *core, unsigned index, struct edge_lookup *lookup);
void mw_core_send(struct mw_core *core, unsigned index, const struct edge_target *target, const void *bytes,
                  size_t length);
void mw_core_silent(struct mw_core *core, unsigned index, const struct edge_target *target);

#endif
