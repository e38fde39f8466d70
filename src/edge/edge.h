/* SPDX-License-Identifier: BSD-3-Clause
 * The eP-CSCF of one worker, without sockets (TS 24.229, TS 24.371, RFC 3261, 5626, 7118): SIP of the WICs comes in by
 * edge_receive_client(), SIP of the core by edge_receive_core(); what is to be done goes out through struct edge_host.
 */
#ifndef EDGE_EDGE_H
#define EDGE_EDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/provision.h"
#include "auth/revocations.h"
#include "auth/token.h"
#include "base/address.h"
#include "base/list.h"
#include "base/now.h"
#include "base/span.h"
#include "base/timers.h"
#include "sip/flow_token.h"

struct edge;
struct edge_flow; /* one WebSocket of a WIC */

enum edge_transport {
    EDGE_UDP,
    EDGE_TCP,
    EDGE_TLS,
    EDGE_LOCAL, /* the registrar in this process */
    EDGE_TRANSPORTS,
};

/* One place of the core to send to. A plain value; |name| and |connection| are the host's. */
struct edge_target {
    struct address address;
    uint8_t transport;   /* enum edge_transport */
    uint32_t name;       /* which name its certificate has to have */
    uint32_t connection; /* answer on this connection while it stands; 0: any */
};
#define EDGE_TARGETS_MAX 8

/* A look-up under way; embedded in what waits for it. */
struct edge_lookup {
    struct list link; /* the host's */
    bool pending;
};

/* What the edge asks of the world around it. None of these calls back into the same edge. */
struct edge_host {
    void *context;
    struct timers *timers;
    /* One SIP message to the WIC; copied. */
    void (*client_send)(void *context, struct edge_flow *flow, const void *bytes, size_t length);
    void (*client_close)(void *context, struct edge_flow *flow, const char *reason);
    /* The WIC of |flow| has registered: it is no stranger any more. Comes again with each registration. May be NULL. */
    void (*client_registered)(void *context, struct edge_flow *flow);
    /* Where requests to |uri| (a SIP URI; NULL: the core's entry) go (RFC 3263), best first, dead ones last. Returns
     * their number, or ERR_WOULD_BLOCK: |lookup| is kept and edge_looked_up() follows; or ERR_NOT_FOUND. */
    int (*core_lookup)(void *context, struct edge_lookup *lookup, const char *uri,
                       struct edge_target targets[EDGE_TARGETS_MAX]);
    void (*core_lookup_cancel)(void *context, struct edge_lookup *lookup);
    /* One SIP message to the core; copied. Failure comes by edge_target_failed(). */
    void (*core_send)(void *context, const struct edge_target *target, const void *bytes, size_t length);
    /* No answer came from |target| in time: it is asked last for a while. */
    void (*core_silent)(void *context, const struct edge_target *target);
    /* Mail to the edge of another worker: the flow |name| is superseded by one with the same instance and reg-id
     * (edge_flow_supersede() there). */
    void (*supersede)(void *context, struct sip_flow_name name);
    /* Lines for the log; |text| is one line for one cause. May be NULL. */
    void (*log)(void *context, bool important, const char *text);
};

struct edge_registrations; /* shared by all workers: edge/registrations.h */

/* Borrowed, immutable; shared by all workers. */
struct edge_settings {
    const char *domain;
    const char *visited_network;
    const char
        *sent_by[EDGE_TRANSPORTS]; /* host:port that the core sees in Via, Path, Record-Route; NULL: not served */
    const struct sip_flow_key *flow_key;
    const struct token_verifier *tokens; /* NULL: no web authentication */
    const char *bearer_challenge;        /* authorization server for a Bearer challenge beside the core's; NULL: none */
    const struct provision *provision;   /* NULL: no TURN credentials are handed out */
    struct revocations *revocations;     /* NULL: none are kept */
    uint32_t allocation_lifetime_s;      /* the longest that an allocation lasts without a Refresh */
    struct edge_registrations *registrations;
};

/* |host| is copied. Returns 0 or ERR_MEMORY. */
int edge_create(const struct edge_settings *settings, const struct edge_host *host, unsigned worker, struct edge **out);
void edge_destroy(struct edge **edge);

/* A WebSocket came. |user| is the host's, edge_flow_user() returns it. NULL where memory is short. */
struct edge_flow *edge_flow_open(struct edge *edge, const struct address *client, void *user, struct now now);
void *edge_flow_user(const struct edge_flow *flow);
/* It is gone: registrations of this flow end here (not in the core), its calls are ended towards the core. */
void edge_flow_close(struct edge *edge, struct edge_flow **flow, struct now now);

/* One message from a WIC. Whatever it is. */
void edge_receive_client(struct edge *edge, struct edge_flow *flow, const void *bytes, size_t length, struct now now);
/* One message from the core, for this worker (edge_worker_of()). |source| is where an answer goes. */
void edge_receive_core(struct edge *edge, const struct edge_target *source, const void *bytes, size_t length,
                       struct now now);
/* Which worker's edge a message of the core belongs to, by topmost Via (responses) or topmost Route (requests).
 * Returns ERR_FORBIDDEN where it names none: drop a response; answer a request through edge_receive_core() of any. */
int edge_worker_of(const struct sip_flow_key *key, const void *bytes, size_t length);

/* The answer to core_lookup(): |count| of |targets|, or a negative error. */
void edge_looked_up(struct edge *edge, struct edge_lookup *lookup, const struct edge_target *targets, int count,
                    struct now now);
/* Nothing can be sent to |target| now: what waits for an answer from it goes to the next one. */
void edge_target_failed(struct edge *edge, const struct edge_target *target, struct now now);
/* See edge_host.supersede. */
void edge_flow_supersede(struct edge *edge, struct sip_flow_name name, struct now now);

struct edge_totals {
    unsigned flows, registrations, transactions, dialogs;
};
struct edge_totals edge_totals(const struct edge *edge);

#endif
