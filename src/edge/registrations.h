/* SPDX-License-Identifier: BSD-3-Clause
 * Where each registration lives: on which flow of which worker. Shared by all workers, with a lock; touched only when
 * registrations come, move and go. A registration whose flow is lost stays known until its end, so that it keeps its
 * id, by which TURN credentials are revoked, when its WIC comes back. */
#ifndef EDGE_REGISTRATIONS_H
#define EDGE_REGISTRATIONS_H

#include "auth/provision.h"
#include "base/span.h"
#include "crypto/digest.h"
#include "sip/flow_token.h"

struct edge_registrations;

/* Returns 0 or ERR_MEMORY. */
int edge_registrations_create(struct edge_registrations **out);
void edge_registrations_destroy(struct edge_registrations **table);

/* What tells registrations apart: private and public identity, and the instance with its reg-id, or the contact. */
struct edge_registration_key {
    uint8_t bytes[SHA256_SIZE];
};
void edge_registration_key_make(struct span impi, struct span aor, struct span binding,
                                struct edge_registration_key *out);

/* The registration lives on |flow| from now on, until |expires_s| (wall). |id_out|: its id, the old one where it was
 * known. Returns 0; 1 where it lived on another flow, which |*previous_out| names; or ERR_MEMORY. */
int edge_registrations_claim(struct edge_registrations *table, const struct edge_registration_key *key,
                             struct sip_flow_name flow, uint64_t expires_s, char id_out[REGISTRATION_ID_SIZE],
                             struct sip_flow_name *previous_out);
/* Whether it lives on |flow|. */
bool edge_registrations_has(struct edge_registrations *table, const struct edge_registration_key *key,
                            struct sip_flow_name flow);
/* Credentials that are good until |until_s| were given out for it. They may outlive many flows. */
void edge_registrations_issued(struct edge_registrations *table, const struct edge_registration_key *key,
                               uint64_t until_s);
/* |flow| is lost. */
void edge_registrations_leave(struct edge_registrations *table, const struct edge_registration_key *key,
                              struct sip_flow_name flow);
/* What is to be done about one that is over, whose id is used no more. */
struct edge_registration_rest {
    char id[REGISTRATION_ID_SIZE];
    uint64_t credentials_until_s; /* 0: none were given out */
    struct sip_flow_name flow;    /* which lives on it still, unless |lost| */
    bool lost;
};
/* It is over, if it lives on |flow|; NULL: wherever it is. Returns whether it is. */
bool edge_registrations_end(struct edge_registrations *table, const struct edge_registration_key *key,
                            const struct sip_flow_name *flow, struct edge_registration_rest *rest_out);
/* Ends the lost ones whose time has come, and tells |over| of each. Returns the earliest expiry of those that are left,
 * UINT64_MAX where there are none. */
uint64_t edge_registrations_expire(struct edge_registrations *table, uint64_t wall_s,
                                   void (*over)(void *context, const struct edge_registration_rest *rest),
                                   void *context);

#endif
