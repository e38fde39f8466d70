/* SPDX-License-Identifier: BSD-3-Clause
 * The way to the core (reference point Mw, TS 23.228): SIP over UDP, TCP and TLS, next hops by RFC 3263. One for the
 * process; its sockets and look-ups belong to the first worker, the edges of the others reach it by mail. */
#ifndef MW_CORE_H
#define MW_CORE_H

#include "crypto/tls.h"
#include "edge/edge.h"
#include "worker/worker.h"

struct mw_core;

#define MW_CORE_ENTRIES_MAX   16
#define MW_CORE_LISTENERS_MAX 16

struct mw_core_listener {
    struct address address;
    enum edge_transport transport;
};

/* Borrowed until mw_core_destroy(), but for the arrays of |entries|, |listeners| and |dns_servers|. */
struct mw_core_settings {
    const char *const *entries; /* SIP URIs of the core's entry; at least one */
    size_t entry_count;
    /* They also say what is spoken: UDP and address families only where there is a listener of such. */
    const struct mw_core_listener *listeners;
    size_t listener_count;
    const struct address_prefix *trusted;
    size_t trusted_count;
    const struct address *dns_servers;           /* whom to ask, port 0 for 53 */
    size_t dns_server_count;                     /* 0: the system's */
    struct tls_context *tls_server, *tls_client; /* NULL: no TLS */
    const struct sip_flow_key *flow_key;
    /* Called on the first worker's thread only, once for a cause and address in a while. */
    void (*log)(void *context, bool important, const char *text);
    void *log_context;
};

/* Why mw_core_create() failed. */
struct mw_core_error {
    int entry, listener; /* index of the one that is wrong, or -1 */
};
/* |workers|[i] is worker i; its edge is set by mw_core_attach(). Opens the listeners and begins to look the entries up:
 * nobody is trusted by their names before that is done. Returns 0, or with |error_out| filled
 *   ERR_MEMORY
 *   ERR_MALFORMED  an entry that is no SIP URI, or of a transport that is not spoken
 *   ERR_IN_USE, ERR_SYSTEM  a listener, or neither: c-ares; errno
 * Before the threads start. */
int mw_core_create(const struct mw_core_settings *settings, struct worker *const *workers, unsigned worker_count,
                   struct mw_core **out, struct mw_core_error *error_out);
/* After the threads have stopped and their mailboxes are closed, before the workers are destroyed. It calls no edge. */
void mw_core_destroy(struct mw_core **core);
/* The edge of worker |index|, before the threads start. */
void mw_core_attach(struct mw_core *core, unsigned index, struct edge *edge);

/* These implement edge_host for worker |index|; called on its thread, and harmless once mailboxes are closed.
 *
 * A message is never lost silently but for want of memory or where more than some megabytes wait for the first worker.
 * A request that is too long for a datagram (RFC 3261 §18.1.1) goes out in fragments: its transport stands in the Via
 * that the edge has written, and its timers follow it. Where the transport is for us to choose, TCP comes first. */
int mw_core_lookup(struct mw_core *core, unsigned index, struct edge_lookup *lookup, const char *uri,
                   struct edge_target targets[EDGE_TARGETS_MAX]);
void mw_core_lookup_cancel(struct mw_core *core, unsigned index, struct edge_lookup *lookup);
void mw_core_send(struct mw_core *core, unsigned index, const struct edge_target *target, const void *bytes,
                  size_t length);
void mw_core_silent(struct mw_core *core, unsigned index, const struct edge_target *target);

struct mw_core_totals {
    uint64_t received, sent; /* messages */
    uint64_t refused;        /* datagrams and connections of strangers */
    uint64_t dropped;        /* messages for want of memory, or because too many waited */
    uint64_t failures;       /* times that a place was found dead */
    unsigned connections;    /* that stand now */
};
/* Any thread. */
struct mw_core_totals mw_core_totals(const struct mw_core *core);

#endif
