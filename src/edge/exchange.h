/* SPDX-License-Identifier: BSD-3-Clause
 * One request on its way through the edge, or from it: the server transaction on the side it came from, the client
 * transaction on the side it goes to, and the targets that are tried one after the other (RFC 3261 §16, RFC 3263 §4.3).
 */
#ifndef EDGE_EXCHANGE_H
#define EDGE_EXCHANGE_H

#include <assert.h>

#include "edge/state.h"

enum edge_party {
    PARTY_CLIENT,
    PARTY_CORE,
    PARTY_EDGE,
};
/* Who looks at the responses before they are passed on. */
enum edge_purpose {
    PURPOSE_PASS,
    PURPOSE_REGISTER,
    PURPOSE_SUBSCRIBE, /* the edge's own, for reg-event */
    PURPOSE_END,       /* the edge's own BYE or CANCEL: nobody */
    PURPOSE_ACK,       /* no transaction, no answer */
};

/* What a REGISTER brings along for its 200; register.c. */
struct edge_register {
    uint64_t token_expires_s; /* 0: no token */
    bool wants_credentials, auth_int;
};

struct edge_exchange {
    struct list in_edge, in_flow;
    struct edge *edge;
    struct edge_flow *flow; /* of the WIC; NULL: gone */
    uint8_t from, to;       /* enum edge_party */
    uint8_t purpose;
    uint8_t waiting; /* what |timer| is for */
    bool invite, record_route;
    bool server_alive, client_alive;
    bool answered;  /* there was a response, be it 100 */
    bool ringing;   /* a provisional one other than 100 */
    bool final;     /* upstream has its final response */
    bool cancelled; /* wanted; |cancel_sent|: and done */
    bool cancel_sent;
    unsigned holds;
    struct sip_server_transaction server;
    struct sip_client_transaction client;
    struct timer timer;
    struct edge_lookup lookup;
    struct edge_target source;   /* where a request of the core came from */
    struct edge_target *targets; /* the current one is |target_next| - 1 */
    uint8_t target_count, target_next;
    char *request; /* as it goes out, but for our own Via, Path and Record-Route behind the first |line| bytes */
    size_t length, line;
    struct edge_register reg;
};

/* A new one for |flow| (NULL for none), without transactions yet. NULL where memory is short or the flow has enough;
 * |*status_out| says what to answer. */
struct edge_exchange *edge_exchange_create(struct edge *edge, struct edge_flow *flow, enum edge_party from,
                                           enum edge_party to, enum edge_purpose purpose, unsigned *status_out);
/* Begins the server transaction for |message|. Returns 0, ERR_MEMORY or ERR_TOO_LARGE; the exchange is gone then. */
int edge_exchange_accept(struct edge_exchange *exchange, const struct edge_message *message,
                         const struct edge_target *source, struct now now);
/* Sends |request|, whose memory it takes: to its flow, or to the core by |next_hop| (empty: the core's entry). The
 * exchange lives on its own from here. */
void edge_exchange_start(struct edge_exchange *exchange, struct text *request, struct span next_hop, struct now now);
/* A response of the edge's own to the server side. |fields|: whole lines. */
void edge_exchange_answer(struct edge_exchange *exchange, unsigned status, struct span fields, struct now now);
/* Passes |status| upstream as |response|. */
void edge_exchange_respond(struct edge_exchange *exchange, unsigned status, struct text *response, struct now now);
/* Cancels an INVITE towards where it went, now or at its first provisional response (RFC 3261 §9.1). */
void edge_exchange_cancel(struct edge_exchange *exchange, struct now now);
/* The flow is gone. */
void edge_exchange_orphan(struct edge_exchange *exchange, struct now now);
/* Ends it without a word. */
void edge_exchange_destroy(struct edge_exchange *exchange);

/* A response for the client side arrived; a new one goes through edge_response_pass(). */
void edge_exchange_receive(struct edge_exchange *exchange, const struct edge_message *response, struct now now);
/* Tries the next target. False where there is none. */
bool edge_exchange_next_target(struct edge_exchange *exchange, struct now now);
/* Looked up: goes on. */
void edge_exchange_looked_up(struct edge_exchange *exchange, const struct edge_target *targets, int count,
                             struct now now);
/* Nothing can be sent to |target|. */
void edge_exchange_target_failed(struct edge_exchange *exchange, const struct edge_target *target, struct now now);

/* The exchange behind a transaction, NULL for NULL. */
struct edge_exchange *edge_exchange_of_client(struct sip_client_transaction *transaction);
struct edge_exchange *edge_exchange_of_server(struct sip_server_transaction *transaction);
/* Finds the server transaction that |message| belongs to; |method|: which one's. */
struct sip_server_transaction *edge_server_find(struct edge *edge, const struct edge_flow *flow,
                                                const struct edge_message *message, struct span method);

/* The one that is tried now. */
static inline const struct edge_target *edge_exchange_target(const struct edge_exchange *exchange)
{
    assert(exchange->target_next > 0);
    return &exchange->targets[exchange->target_next - 1];
}

#endif
