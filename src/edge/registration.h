/* SPDX-License-Identifier: BSD-3-Clause
 * A registration of a WIC as its flow keeps it (TS 24.229 §5.2.2): who, until when, and by which way. */
#ifndef EDGE_REGISTRATION_H
#define EDGE_REGISTRATION_H

#include "edge/dialog.h"
#include "edge/registrations.h"

#define EDGE_SUBSCRIPTION_ID_SIZE 23 /* 22 characters and a NUL */

/* The edge's own subscription to what the core knows of it (RFC 3680); reg_event.c. */
struct edge_subscription {
    char id[EDGE_SUBSCRIPTION_ID_SIZE]; /* Call-ID and tag; empty: none */
    struct edge_dialog *dialog;         /* NULL until it is accepted */
    struct timer refresh;
    unsigned version; /* of the latest NOTIFY, plus 1 */
};

struct edge_registration {
    struct list link;
    struct edge_flow *flow;
    struct timer expiry;
    struct edge_registration_key key;
    char id[REGISTRATION_ID_SIZE];
    uint64_t expires_s; /* wall */
    char *texts;
    /* |binding|: what tells it from others of the same identity. |routes|, |associated|: comma lists; the latter is
     * never empty. */
    struct span impi, aor, contact, binding, routes, associated;
    struct edge_subscription subscription;
};

/* What the core said in its 200; borrowed. */
struct edge_registration_facts {
    struct span impi, aor, contact, binding, routes, associated;
    uint32_t lifetime_s;
};
/* Installs or refreshes. NULL where memory is short or the flow has EDGE_REGISTRATIONS_MAX already. Other flows that
 * had it are told. |*fresh_out|: it was not known on this flow. */
struct edge_registration *edge_registration_install(struct edge_flow *flow, const struct edge_registration_facts *facts,
                                                    bool *fresh_out, struct now now);
struct edge_registration *edge_registration_find(const struct edge_flow *flow, struct span aor, struct span binding);
/* It is over: its TURN credentials are revoked, unless it lives on another flow by now. */
void edge_registration_end(struct edge_registration *registration, const char *why, struct now now);
/* The same for one that lives on another flow, or whose flow is lost: its WIC took it back over a new one. */
void edge_registration_end_elsewhere(struct edge *edge, const struct edge_registration_key *key, struct now now);
/* Its flow is lost, or it moved: nothing is over. */
void edge_registration_leave(struct edge_registration *registration);
/* One is lost that expires at |expires_s| (wall): then it is over, should its WIC not have come back. */
void edge_registration_watch_lost(struct edge *edge, uint64_t expires_s, struct now now);
void edge_registration_lost_expired(struct timer *timer, struct now now); /* for |edge->lost| */
/* The default public identity: the first of P-Associated-URI. */
struct span edge_registration_default(const struct edge_registration *registration);

#endif
