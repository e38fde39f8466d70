/* SPDX-License-Identifier: BSD-3-Clause
 * Server transactions: RFC 3261 §17.2, and RFC 6026 §7.1 for INVITE. Both timers that one may need are on from
 * beginning to end, with deadlines that never come where the RFC has none: so they can always be set. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/list.h"
#include "base/memory.h"
#include "sip/message.h"
#include "sip/transaction.h"

#define TIMEOUT_NS (64 * SIP_T1_NS) /* Timers H, J and L */
#define ID_MAX     512

enum server_state {
    SERVER_TRYING, /* no response yet */
    SERVER_PROCEEDING,
    SERVER_ACCEPTED,  /* INVITE: a 2xx was sent */
    SERVER_COMPLETED, /* another final response was sent */
    SERVER_CONFIRMED, /* INVITE: its ACK came */
};

/* Returns the length of the id, or ERR_TOO_LARGE. A line break is in none of the three. */
static int compose_id(const char *branch, const char *sent_by, const char *method, char out[ID_MAX])
{
    if (strlen(branch) > SIP_BRANCH_MAX)
        return ERR_TOO_LARGE;
    if (strcmp(method, "ACK") == 0)
        method = "INVITE";
    int length = snprintf(out, ID_MAX, "%s\n%s\n%s", branch, sent_by, method);
    return length >= 0 && length < ID_MAX ? length : ERR_TOO_LARGE;
}

static void forget_response(struct sip_server_transaction *transaction)
{
    memory_free(transaction->response);
    transaction->response = NULL;
    transaction->length = 0;
}

static void set_timeout(struct sip_server_transaction *transaction, uint64_t deadline_ns)
{
    timers_set(transaction->table->timers, &transaction->timeout, deadline_ns);
}

static void stop_retransmissions(struct sip_server_transaction *transaction)
{
    timers_cancel(transaction->table->timers, &transaction->retransmit);
    forget_response(transaction);
}

static void leave_table(struct sip_server_transaction *transaction)
{
    hash_remove(&transaction->table->servers, &transaction->entry);
    timers_cancel(transaction->table->timers, &transaction->timeout);
    stop_retransmissions(transaction);
    memory_free(transaction->id);
    transaction->id = NULL;
}

static void timed_out(struct timer *timer, struct now now)
{
    struct sip_server_transaction *transaction = container_of(timer, struct sip_server_transaction, timeout);
    leave_table(transaction);
    transaction->events->ended(transaction, now);
}

static void send_again(struct sip_server_transaction *transaction)
{
    if (transaction->response)
        transaction->events->send(transaction, transaction->response, transaction->length);
}

/* Timer G */
static void retransmit(struct timer *timer, struct now now)
{
    struct sip_server_transaction *transaction = container_of(timer, struct sip_server_transaction, retransmit);
    transaction->interval_ns *= 2;
    if (transaction->interval_ns > SIP_T2_NS)
        transaction->interval_ns = SIP_T2_NS;
    timers_set(transaction->table->timers, timer, now.monotonic_ns + transaction->interval_ns);
    send_again(transaction);
}

int sip_server_begin(struct sip_transactions *table, struct sip_server_transaction *transaction,
                     const struct sip_server_events *events, bool reliable, const char *branch, const char *sent_by,
                     const char *method, struct now now)
{
    (void)now; /* the owner's answer, not the request, starts the timers */
    *transaction = (struct sip_server_transaction){
        .table = table,
        .events = events,
        .retransmit.callback = retransmit,
        .timeout.callback = timed_out,
        .interval_ns = SIP_T1_NS,
        .state = SERVER_TRYING,
        .invite = strcmp(method, "INVITE") == 0,
        .reliable = reliable,
    };
    char id[ID_MAX];
    int length = compose_id(branch, sent_by, method, id);
    if (length < 0)
        return length;
    int result = timers_set(table->timers, &transaction->timeout, TIME_NEVER);
    if (result == 0 && transaction->invite && !reliable)
        result = timers_set(table->timers, &transaction->retransmit, TIME_NEVER);
    transaction->id = result == 0 ? memory_string(id) : NULL;
    if (!transaction->id) {
        timers_cancel(table->timers, &transaction->timeout);
        timers_cancel(table->timers, &transaction->retransmit);
        return ERR_MEMORY;
    }
    hash_insert(&table->servers, &transaction->entry, siphash(&table->key, id, (size_t)length));
    return 0;
}

struct sip_server_transaction *sip_server_find(const struct sip_transactions *table, const char *branch,
                                               const char *sent_by, const char *method)
{
    char id[ID_MAX];
    int length = compose_id(branch, sent_by, method, id);
    if (length < 0)
        return NULL;
    struct hash_entry *entry = hash_first(&table->servers, siphash(&table->key, id, (size_t)length));
    for (; entry; entry = hash_next(entry)) {
        struct sip_server_transaction *transaction = container_of(entry, struct sip_server_transaction, entry);
        if (strcmp(transaction->id, id) == 0)
            return transaction;
    }
    return NULL;
}

bool sip_server_receive(struct sip_server_transaction *transaction, bool ack, struct now now)
{
    if (!ack) {
        send_again(transaction);
        return false;
    }
    if (transaction->state == SERVER_COMPLETED && transaction->invite) {
        stop_retransmissions(transaction);
        transaction->state = SERVER_CONFIRMED;
        set_timeout(transaction, now.monotonic_ns + (transaction->reliable ? 0 : SIP_T4_NS)); /* Timer I */
    }
    return transaction->state == SERVER_ACCEPTED;
}

/* Keeps |bytes| where they may have to be sent again: a 2xx to INVITE is sent again by whoever made it (RFC 6026 §7.1).
 */
static int keep_response(struct sip_server_transaction *transaction, bool success, const void *bytes, size_t length)
{
    if (transaction->reliable || (transaction->invite && success)) {
        forget_response(transaction);
        return 0;
    }
    char *copy = memory_resize(transaction->response, length > 0 ? length : 1);
    if (!copy)
        return ERR_MEMORY;
    memcpy(copy, bytes, length);
    transaction->response = copy;
    transaction->length = length;
    return 0;
}

static void complete(struct sip_server_transaction *transaction, bool success, struct now now)
{
    bool waits = transaction->invite || !transaction->reliable; /* else Timer J is zero */
    transaction->state = transaction->invite && success ? SERVER_ACCEPTED : SERVER_COMPLETED;
    set_timeout(transaction, now.monotonic_ns + (waits ? TIMEOUT_NS : 0));
    if (transaction->invite && !transaction->reliable && !success)
        timers_set(transaction->table->timers, &transaction->retransmit, now.monotonic_ns + SIP_T1_NS);
}

int sip_server_respond(struct sip_server_transaction *transaction, unsigned status, const void *bytes, size_t length,
                       struct now now)
{
    bool success = status >= 200 && status < 300;
    if (length > SIP_MESSAGE_MAX)
        return ERR_TOO_LARGE;
    if (transaction->state >= SERVER_ACCEPTED && !(transaction->state == SERVER_ACCEPTED && success))
        return ERR_CLOSED;
    if (transaction->state < SERVER_ACCEPTED) {
        int result = keep_response(transaction, success, bytes, length);
        if (result < 0)
            return result;
        if (status < 200)
            transaction->state = SERVER_PROCEEDING;
        else
            complete(transaction, success, now);
    }
    transaction->events->send(transaction, bytes, length);
    return 0;
}

void sip_server_cancel(struct sip_server_transaction *transaction)
{
    leave_table(transaction);
}
