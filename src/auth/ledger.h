/* SPDX-License-Identifier: BSD-3-Clause
 * The one structure that workers share: who uses how much. Sharded and locked; touched on the control path only, and
 * for bandwidth once per leased slice. All limits are for the whole process. */
#ifndef AUTH_LEDGER_H
#define AUTH_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/now.h"
#include "base/span.h"

struct ledger_limits {
    uint32_t allocations;            /* in all; 0: no limit (the same for all below) */
    uint32_t allocations_per_user;   /* by user part */
    uint32_t allocations_per_source; /* by client IP; IPv6 by /64 */
    uint32_t half_open;              /* connections before their hand-shake or first good message, in all */
    uint32_t half_open_per_source;
    uint32_t websockets_per_source;
    uint64_t bandwidth_bps; /* bits per second of relayed payload, both directions, in all */
    uint64_t bandwidth_per_user_bps;
    uint32_t requests_per_source; /* to the HTTP API, per minute; by client IP, IPv6 by /64 */
    uint32_t answers_per_network; /* answers to the unauthenticated per second and /24 or /56, UDP only */
};

struct ledger;
struct ledger_user; /* an account of usage, counted by reference */
struct ledger_source;

/* Returns 0 or ERR_MEMORY. */
int ledger_create(const struct ledger_limits *limits, struct ledger **out);
/* Everything must have been given back: a leak is a bug and asserted. */
void ledger_destroy(struct ledger **ledger);

/* One more allocation of |user_part| from |client|. On 0 both references are the caller's, until
 * ledger_allocation_end(). Returns 0, or ERR_FULL (the user's or source's limit -> 486; the limit of all sets
 * |*everybody_out| -> 508 or 300), or ERR_MEMORY. */
int ledger_allocation_begin(struct ledger *ledger, struct span user_part, const struct address *client,
                            struct ledger_user **user_out, struct ledger_source **source_out, bool *everybody_out);
/* Gives both back and sets them to NULL. */
void ledger_allocation_end(struct ledger *ledger, struct ledger_user **user, struct ledger_source **source);

/* One more connection that has proved nothing yet. Returns 0 or ERR_FULL / ERR_MEMORY -> close at once. */
int ledger_half_open_begin(struct ledger *ledger, const struct address *client, struct ledger_source **source_out);
/* Gives it back and sets |*source| to NULL; one that is NULL already is left alone. */
void ledger_half_open_end(struct ledger *ledger, struct ledger_source **source);

/* One more WebSocket for SIP, which may well stay for days. As above. */
int ledger_websocket_begin(struct ledger *ledger, const struct address *client, struct ledger_source **source_out);
void ledger_websocket_end(struct ledger *ledger, struct ledger_source **source);

/* Leases up to |bytes| of payload for |user|, from the user's bucket and that of all. Returns the bytes granted: 0
 * means drop, and do not ask again for some milliseconds. Without limits everything is granted, and callers need not
 * ask: ledger_bandwidth_limited(). */
uint64_t ledger_bandwidth_lease(struct ledger *ledger, struct ledger_user *user, uint64_t bytes, struct now now);
bool ledger_bandwidth_limited(const struct ledger *ledger);

/* Whether one more answer may go to an unauthenticated |client|. Lock-free; a fixed table of buckets under a keyed
 * hash. */
bool ledger_answer_allowed(struct ledger *ledger, const struct address *client, struct now now);

/* Whether |client| may make one more request to the HTTP API. Returns 0, or the seconds after which it may. As
 * ledger_answer_allowed(). */
unsigned ledger_request_wait(struct ledger *ledger, const struct address *client, struct now now);

struct ledger_totals {
    uint32_t allocations, users, sources, half_open; /* users and sources: accounts of usage in memory */
};
struct ledger_totals ledger_totals(struct ledger *ledger);

#endif
