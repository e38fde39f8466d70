/* SPDX-License-Identifier: BSD-3-Clause
 * What the files of the edge share: the edge of one worker, and its flows. */
#ifndef EDGE_STATE_H
#define EDGE_STATE_H

#include "base/hash.h"
#include "base/siphash.h"
#include "edge/edge.h"
#include "edge/message.h"
#include "sip/transaction.h"

/* Requests under way on one flow. A WIC in a call has a handful; before it is registered it has one REGISTER, and
 * strangers shall not make the core work on many: of theirs, so many may wait for an answer. */
#define EDGE_EXCHANGES_MAX          64
#define EDGE_EXCHANGES_STRANGER_MAX 4
/* Calls and subscriptions of one flow: some calls with consultations, conferences, presence of a short list. */
#define EDGE_DIALOGS_MAX 64
/* Public identities that one WebSocket registers. */
#define EDGE_REGISTRATIONS_MAX 8
/* Messages of one flow that are none, before it is closed: a client that works sends not one. */
#define EDGE_MALFORMED_MAX 16
/* Route values of one dialog or registration; a core has fewer than ten. */
#define EDGE_ROUTES_MAX 20

struct edge {
    const struct edge_settings *settings;
    struct edge_host host;
    unsigned worker;
    uint64_t flows_opened;
    struct siphash_key key;
    struct hash flows;
    struct list exchanges;
    struct sip_transactions transactions;
    struct edge_totals totals;
    struct timer lost;           /* when the next registration without a flow expires */
    uint64_t subscribe_after_ns; /* the core refused reg-event as such: no SUBSCRIBE before that time */
};

struct edge_flow {
    struct hash_entry entry;
    struct edge *edge;
    uint64_t number;
    void *user;
    struct address client;
    struct list registrations, exchanges, dialogs;
    unsigned exchange_count, dialog_count, registration_count, malformed;
    char token[SIP_FLOW_TOKEN_SIZE];
};

struct edge_flow *edge_flow_find(struct edge *edge, uint64_t number);
static inline struct sip_flow_name edge_flow_name(const struct edge_flow *flow)
{
    return (struct sip_flow_name){(uint8_t)flow->edge->worker, flow->number};
}

/* Whether |uri| has a token of ours as its user part, and whose. */
bool edge_uri_is_ours(const struct edge *edge, struct span uri, struct sip_flow_name *name_out);
/* host:port of the edge on the core's side, of the first transport that is served. */
const char *edge_sent_by_default(const struct edge *edge);
/* One line for the log. */
void edge_say(const struct edge *edge, bool important, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Copies what |spans| point at into one block and lets them point there. Returns NULL, and changes nothing, where
 * memory is short; memory_free() the block. */
char *edge_spans_keep(struct span *const spans[], size_t count);

#endif
