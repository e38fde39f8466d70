/* SPDX-License-Identifier: BSD-3-Clause
 * One worker's TURN server as its parts see it. Private to the server's core. */
#ifndef TURN_CORE_H
#define TURN_CORE_H

#include "base/pool.h"
#include "base/siphash.h"
#include "turn/allocation.h"

struct turn_server {
    const struct turn_settings *settings;
    struct turn_host host;
    unsigned worker;
    bool bandwidth_limited;
    struct siphash_key hash_key;
    struct hash by_flow;            /* struct turn_allocation */
    struct turn_allocation *latest; /* the last one found: packets of one flow come in runs */
    struct hash by_connection_id;   /* struct peer_connection */
    struct timers timers;
    struct timer reservation_sweep; /* after the last reservation made here */
    struct timer revocations_watch; /* on while there are allocations, where revoked ones are to end */
    uint64_t revocations_seen;      /* version */
    struct pool allocations, peer_connections;
    uint64_t indications; /* sent, for their transaction ids */
    struct turn_counters counters;
};

/* From now on, while there are allocations, those whose registration has ended are found. */
void turn_revocations_watch(struct turn_server *server, struct now now);

/* The status reads the counters from another thread: plain stores, but whole ones. */
static inline void counter_add(uint64_t *counter, uint64_t amount)
{
    __atomic_store_n(counter, *counter + amount, __ATOMIC_RELAXED);
}

/* Unique, and not to be guessed by a peer, at less cost than fresh randomness for every packet. */
static inline void turn_indication_id(struct turn_server *server, uint8_t out[STUN_TRANSACTION_ID_SIZE])
{
    uint64_t words[2] = {++server->indications, 0};
    words[1] = siphash(&server->hash_key, words, sizeof words[0]);
    memcpy(out, &words[1], 8);
    memcpy(out + 8, words, 4);
}

#endif
