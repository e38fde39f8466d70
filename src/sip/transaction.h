/* SPDX-License-Identifier: BSD-3-Clause
 * Transactions of RFC 3261 §17 with the corrections of RFC 6026, for a proxy: no sockets, the time is an argument, the
 * timers are the owner's heap. A transport is either reliable (WebSocket, TCP, TLS: no retransmissions, timers of zero)
 * or not. The owner embeds the structs; messages are bytes here, kept only where they may have to be sent again.
 *
 * send() may be called from inside every function here but _find and _cancel; ended() only from timers_expire(), so the
 * struct stays good until then. Only _begin and sip_server_respond() can fail for want of memory. */
#ifndef SIP_TRANSACTION_H
#define SIP_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/now.h"
#include "base/siphash.h"
#include "base/span.h"
#include "base/timers.h"
#include "sip/flow_token.h"

#define SIP_T1_NS (500 * NS_PER_MS)
#define SIP_T2_NS (4 * NS_PER_S)
#define SIP_T4_NS (5 * NS_PER_S)

#define SIP_BRANCH_MAX 128 /* bytes of somebody else's branch parameter */

/* The transactions of one worker: found by branch (client), by branch, sent-by and method (server). */
struct sip_transactions {
    struct timers *timers;
    struct siphash_key key;
    struct hash clients, servers;
};
/* Returns 0 or ERR_MEMORY. */
int sip_transactions_init(struct sip_transactions *table, struct timers *timers);
void sip_transactions_fini(struct sip_transactions *table);

enum sip_client_end {
    SIP_CLIENT_DONE,    /* final response delivered, its time to absorb retransmissions over */
    SIP_CLIENT_TIMEOUT, /* Timer B or F: treat as 408 */
};

struct sip_client_transaction;
struct sip_client_events {
    /* Send the bytes (again). */
    void (*send)(struct sip_client_transaction *transaction, const void *bytes, size_t length);
    /* The transaction is over and out of the table; it may be freed from here. */
    void (*ended)(struct sip_client_transaction *transaction, enum sip_client_end end, struct now now);
};
struct sip_client_transaction {
    struct hash_entry entry;
    struct sip_transactions *table;
    const struct sip_client_events *events;
    struct timer retransmit, timeout;
    uint64_t interval_ns;
    char *bytes; /* the request, or the ACK for its final response; NULL where nothing is sent again */
    size_t length;
    char branch[SIP_BRANCH_SIZE];
    uint8_t state;
    bool invite, reliable;
};
/* Begins with a copy of |bytes| and sends it once. |branch|, one of ours, is copied: one that is longer than
 * sip_branch_make() makes them is ERR_TOO_LARGE. Returns 0, ERR_MEMORY or ERR_TOO_LARGE. */
int sip_client_begin(struct sip_transactions *table, struct sip_client_transaction *transaction,
                     const struct sip_client_events *events, bool invite, bool reliable, const char *branch,
                     const void *bytes, size_t length, struct now now);
/* The transaction that a response with the topmost |branch| and CSeq |method| belongs to, or NULL. */
struct sip_client_transaction *sip_client_find(const struct sip_transactions *table, const char *branch,
                                               const char *method);
/* A response arrived. Returns true where the owner shall act on it, false where it is a retransmission. For a final
 * response other than 2xx to INVITE, |ack|, |ack_length| is the ACK to send now and at each retransmission (copied;
 * NULL for others). Each 2xx to INVITE is the owner's: its ACK comes end to end (RFC 6026 §7.2). */
bool sip_client_receive(struct sip_client_transaction *transaction, unsigned status, const void *ack, size_t ack_length,
                        struct now now);
/* Ends at once, without ended(). */
void sip_client_cancel(struct sip_client_transaction *transaction);

struct sip_server_transaction;
struct sip_server_events {
    void (*send)(struct sip_server_transaction *transaction, const void *bytes, size_t length);
    void (*ended)(struct sip_server_transaction *transaction, struct now now); /* may be freed from here */
};
struct sip_server_transaction {
    struct hash_entry entry;
    struct sip_transactions *table;
    const struct sip_server_events *events;
    struct timer retransmit, timeout;
    uint64_t interval_ns;
    char *response; /* the last one; NULL where none is sent again */
    size_t length;
    char *id; /* branch, sent-by, method (ACK counts as INVITE) */
    uint8_t state;
    bool invite, reliable;
};
/* |sent_by| is host[:port] of the topmost Via. Returns 0, ERR_MEMORY or ERR_TOO_LARGE. */
int sip_server_begin(struct sip_transactions *table, struct sip_server_transaction *transaction,
                     const struct sip_server_events *events, bool reliable, const char *branch, const char *sent_by,
                     const char *method, struct now now);
/* The transaction that a request with that topmost Via belongs to (for CANCEL ask with "INVITE"), or NULL. */
struct sip_server_transaction *sip_server_find(const struct sip_transactions *table, const char *branch,
                                               const char *sent_by, const char *method);
/* The request came again, or its ACK: answers with the last response, or stops answering. True where an ACK is to be
 * passed on by the owner (2xx). */
bool sip_server_receive(struct sip_server_transaction *transaction, bool ack, struct now now);
/* Sends a response. Returns 0, ERR_MEMORY or ERR_TOO_LARGE, or ERR_CLOSED where a final one has been sent already (a
 * further 2xx to INVITE is sent all the same, RFC 6026). */
int sip_server_respond(struct sip_server_transaction *transaction, unsigned status, const void *bytes, size_t length,
                       struct now now);
void sip_server_cancel(struct sip_server_transaction *transaction);

#endif
