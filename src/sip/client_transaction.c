/* SPDX-License-Identifier: BSD-3-Clause
 * Client transactions: RFC 3261 §17.1, and RFC 6026 §7.2 for INVITE. The timer |timeout| is on from beginning to end,
 * with a deadline that never comes where the RFC has none: so it can always be set. */
#include <string.h>

#include "base/error.h"
#include "base/list.h"
#include "base/memory.h"
#include "sip/message.h"
#include "sip/transaction.h"

#define TIMEOUT_NS       (64 * SIP_T1_NS) /* Timers B, F and M */
#define ABSORB_INVITE_NS (32 * NS_PER_S)  /* Timer D */

enum client_state {
    CLIENT_CALLING, /* Trying, for other methods than INVITE */
    CLIENT_PROCEEDING,
    CLIENT_ACCEPTED, /* INVITE: a 2xx came, more may come */
    CLIENT_COMPLETED,
};

static uint64_t hash_of(const struct sip_transactions *table, const char *branch, bool invite)
{
    return siphash(&table->key, branch, strlen(branch)) ^ invite;
}

static void forget_bytes(struct sip_client_transaction *transaction)
{
    memory_free(transaction->bytes);
    transaction->bytes = NULL;
    transaction->length = 0;
}

static void stop_retransmissions(struct sip_client_transaction *transaction)
{
    timers_cancel(transaction->table->timers, &transaction->retransmit);
    forget_bytes(transaction);
}

static void set_timeout(struct sip_client_transaction *transaction, uint64_t deadline_ns)
{
    timers_set(transaction->table->timers, &transaction->timeout, deadline_ns);
}

static void leave_table(struct sip_client_transaction *transaction)
{
    hash_remove(&transaction->table->clients, &transaction->entry);
    timers_cancel(transaction->table->timers, &transaction->timeout);
    stop_retransmissions(transaction);
}

static void timed_out(struct timer *timer, struct now now)
{
    struct sip_client_transaction *transaction = container_of(timer, struct sip_client_transaction, timeout);
    bool waited = transaction->state < CLIENT_ACCEPTED;
    leave_table(transaction);
    transaction->events->ended(transaction, waited ? SIP_CLIENT_TIMEOUT : SIP_CLIENT_DONE, now);
}

/* Timer A doubles without end, Timer E up to T2, which it is from the start in Proceeding (RFC 3261 §17.1.2.2). */
static void retransmit(struct timer *timer, struct now now)
{
    struct sip_client_transaction *transaction = container_of(timer, struct sip_client_transaction, retransmit);
    transaction->interval_ns *= 2;
    if (!transaction->invite && transaction->interval_ns > SIP_T2_NS)
        transaction->interval_ns = SIP_T2_NS;
    timers_set(transaction->table->timers, timer, now.monotonic_ns + transaction->interval_ns);
    transaction->events->send(transaction, transaction->bytes, transaction->length);
}

/* What may have to be sent again. */
static int keep_bytes(struct sip_client_transaction *transaction, const void *bytes, size_t length)
{
    transaction->bytes = memory_resize(NULL, length);
    if (!transaction->bytes)
        return ERR_MEMORY;
    memcpy(transaction->bytes, bytes, length);
    transaction->length = length;
    return 0;
}

int sip_client_begin(struct sip_transactions *table, struct sip_client_transaction *transaction,
                     const struct sip_client_events *events, bool invite, bool reliable, const char *branch,
                     const void *bytes, size_t length, struct now now)
{
    *transaction = (struct sip_client_transaction){
        .table = table,
        .events = events,
        .retransmit.callback = retransmit,
        .timeout.callback = timed_out,
        .interval_ns = SIP_T1_NS,
        .state = CLIENT_CALLING,
        .invite = invite,
        .reliable = reliable,
    };
    if (strlen(branch) >= sizeof transaction->branch || length > SIP_MESSAGE_MAX)
        return ERR_TOO_LARGE;
    strcpy(transaction->branch, branch);
    int result = timers_set(table->timers, &transaction->timeout, now.monotonic_ns + TIMEOUT_NS);
    if (result == 0 && !reliable)
        result = timers_set(table->timers, &transaction->retransmit, now.monotonic_ns + SIP_T1_NS);
    if (result == 0 && !reliable)
        result = keep_bytes(transaction, bytes, length);
    if (result < 0) {
        timers_cancel(table->timers, &transaction->timeout);
        timers_cancel(table->timers, &transaction->retransmit);
        return result;
    }
    hash_insert(&table->clients, &transaction->entry, hash_of(table, branch, invite));
    events->send(transaction, bytes, length);
    return 0;
}

/* The method matters because a CANCEL has the branch of its INVITE (RFC 3261 §17.1.3). */
struct sip_client_transaction *sip_client_find(const struct sip_transactions *table, const char *branch,
                                               const char *method)
{
    bool invite = strcmp(method, "INVITE") == 0;
    struct hash_entry *entry = hash_first(&table->clients, hash_of(table, branch, invite));
    for (; entry; entry = hash_next(entry)) {
        struct sip_client_transaction *transaction = container_of(entry, struct sip_client_transaction, entry);
        if (transaction->invite == invite && strcmp(transaction->branch, branch) == 0)
            return transaction;
    }
    return NULL;
}

/* The final response other than 2xx to INVITE: acknowledged here, hop by hop. */
static void acknowledge(struct sip_client_transaction *transaction, const void *ack, size_t ack_length, struct now now)
{
    stop_retransmissions(transaction);
    transaction->state = CLIENT_COMPLETED;
    set_timeout(transaction, now.monotonic_ns + (transaction->reliable ? 0 : ABSORB_INVITE_NS));
    if (!ack)
        return;
    /* Without memory the ACK is sent this once: the server's Timer G asks for the next one in vain. */
    if (!transaction->reliable && ack_length <= SIP_MESSAGE_MAX)
        keep_bytes(transaction, ack, ack_length);
    transaction->events->send(transaction, ack, ack_length);
}

static bool receive_invite(struct sip_client_transaction *transaction, unsigned status, const void *ack,
                           size_t ack_length, struct now now)
{
    bool success = status >= 200 && status < 300;
    switch ((enum client_state)transaction->state) {
    case CLIENT_CALLING:
    case CLIENT_PROCEEDING:
        if (status < 200) {
            stop_retransmissions(transaction);
            transaction->state = CLIENT_PROCEEDING;
            set_timeout(transaction, TIME_NEVER); /* a telephone may ring for long: Timer C is the proxy's own */
        } else if (success) {
            stop_retransmissions(transaction);
            transaction->state = CLIENT_ACCEPTED;
            set_timeout(transaction, now.monotonic_ns + TIMEOUT_NS);
        } else {
            acknowledge(transaction, ack, ack_length, now);
        }
        return true;
    case CLIENT_ACCEPTED:
        return success;
    case CLIENT_COMPLETED:
        if (status >= 300 && transaction->bytes)
            transaction->events->send(transaction, transaction->bytes, transaction->length);
        return false;
    }
    return false;
}

static bool receive_other(struct sip_client_transaction *transaction, unsigned status, struct now now)
{
    if (transaction->state == CLIENT_COMPLETED)
        return false;
    if (status < 200) {
        transaction->state = CLIENT_PROCEEDING;
        transaction->interval_ns = SIP_T2_NS;
        return true;
    }
    stop_retransmissions(transaction);
    transaction->state = CLIENT_COMPLETED;
    set_timeout(transaction, now.monotonic_ns + (transaction->reliable ? 0 : SIP_T4_NS)); /* Timer K */
    return true;
}

bool sip_client_receive(struct sip_client_transaction *transaction, unsigned status, const void *ack, size_t ack_length,
                        struct now now)
{
    if (transaction->invite)
        return receive_invite(transaction, status, ack, ack_length, now);
    return receive_other(transaction, status, now);
}

void sip_client_cancel(struct sip_client_transaction *transaction)
{
    leave_table(transaction);
}
