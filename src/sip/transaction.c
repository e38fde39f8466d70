/* SPDX-License-Identifier: BSD-3-Clause */
#include "sip/transaction.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/list.h"
#include "base/memory.h"
#include "crypto/digest.h"

#define TIMER_LONG_NS (64 * SIP_T1_NS) /* B, F, H, J, L, M; RFC 3261 table 4, RFC 6026 */
#define TIMER_D_NS    (32 * NS_PER_S)

/* RFC 3261 §17.1, §17.2; Accepted by RFC 6026. */
enum state {
    CALLING, /* or Trying */
    PROCEEDING,
    COMPLETED,
    CONFIRMED,
    ACCEPTED,
    ENDED,
};

int sip_transactions_init(struct sip_transactions *table, struct timers *timers)
{
    *table = (struct sip_transactions){.timers = timers};
    crypto_random(&table->key, sizeof table->key);
    if (hash_init(&table->clients) == 0 && hash_init(&table->servers) == 0)
        return 0;
    sip_transactions_fini(table);
    return ERR_MEMORY;
}

void sip_transactions_fini(struct sip_transactions *table)
{
    hash_fini(&table->clients);
    hash_fini(&table->servers);
}

static char *copy_of(const void *bytes, size_t length)
{
    char *copy = memory_zeroed(1, length + 1);
    if (copy && length > 0)
        memcpy(copy, bytes, length);
    return copy;
}

static void set(struct sip_transactions *table, struct timer *timer, uint64_t after_ns, struct now now)
{
    /* Both timers of a transaction had their places made when it began, so this cannot fail. */
    timers_set(table->timers, timer, now.monotonic_ns + after_ns);
}

/* Room for the timers of one more transaction, whatever it will set. */
static int reserve_timers(struct sip_transactions *table)
{
    size_t alive = table->clients.count + table->servers.count + 1;
    return timers_reserve(table->timers, table->timers->count + 2 * alive);
}

/* Client */

static struct sip_client_transaction *client_of(struct hash_entry *entry)
{
    return container_of(entry, struct sip_client_transaction, entry);
}

static void client_forget_bytes(struct sip_client_transaction *transaction)
{
    memory_free(transaction->bytes);
    transaction->bytes = NULL;
    transaction->length = 0;
}

void sip_client_cancel(struct sip_client_transaction *transaction)
{
    if (transaction->state == ENDED || !transaction->table)
        return;
    timers_cancel(transaction->table->timers, &transaction->retransmit);
    timers_cancel(transaction->table->timers, &transaction->timeout);
    hash_remove(&transaction->table->clients, &transaction->entry);
    client_forget_bytes(transaction);
    transaction->state = ENDED;
}

static void client_end(struct sip_client_transaction *transaction, enum sip_client_end end, struct now now)
{
    sip_client_cancel(transaction);
    transaction->events->ended(transaction, end, now);
}

static void client_timed_out(struct timer *timer, struct now now)
{
    struct sip_client_transaction *transaction = container_of(timer, struct sip_client_transaction, timeout);
    bool answered = transaction->state == COMPLETED || transaction->state == ACCEPTED;
    client_end(transaction, answered ? SIP_CLIENT_DONE : SIP_CLIENT_TIMEOUT, now);
}

/* Timers A and E. */
static void client_retransmit(struct timer *timer, struct now now)
{
    struct sip_client_transaction *transaction = container_of(timer, struct sip_client_transaction, retransmit);
    transaction->interval_ns *= 2;
    if (!transaction->invite && (transaction->interval_ns > SIP_T2_NS || transaction->state == PROCEEDING))
        transaction->interval_ns = SIP_T2_NS;
    set(transaction->table, &transaction->retransmit, transaction->interval_ns, now);
    transaction->events->send(transaction, transaction->bytes, transaction->length);
}

int sip_client_begin(struct sip_transactions *table, struct sip_client_transaction *transaction,
                     const struct sip_client_events *events, bool invite, bool reliable, const char *branch,
                     const void *bytes, size_t length, struct now now)
{
    size_t branch_length = strlen(branch);
    if (branch_length > SIP_BRANCH_MAX)
        return ERR_TOO_LARGE;
    *transaction = (struct sip_client_transaction){.table = table,
                                                   .events = events,
                                                   .retransmit = {.callback = client_retransmit},
                                                   .timeout = {.callback = client_timed_out},
                                                   .interval_ns = SIP_T1_NS,
                                                   .state = CALLING,
                                                   .invite = invite,
                                                   .reliable = reliable};
    memcpy(transaction->branch, branch, branch_length + 1);
    /* On a reliable transport nothing is sent again. */
    transaction->bytes = reliable ? NULL : copy_of(bytes, length);
    transaction->length = reliable ? 0 : length;
    if ((!reliable && !transaction->bytes) || reserve_timers(table) != 0) {
        client_forget_bytes(transaction);
        transaction->state = ENDED;
        return ERR_MEMORY;
    }
    hash_insert(&table->clients, &transaction->entry, siphash(&table->key, branch, branch_length));
    if (!reliable)
        set(table, &transaction->retransmit, SIP_T1_NS, now);
    set(table, &transaction->timeout, TIMER_LONG_NS, now);
    events->send(transaction, bytes, length);
    return 0;
}

struct sip_client_transaction *sip_client_find(const struct sip_transactions *table, const char *branch,
                                               const char *method)
{
    bool invite = strcmp(method, "INVITE") == 0;
    struct hash_entry *entry = hash_first(&table->clients, siphash(&table->key, branch, strlen(branch)));
    for (; entry; entry = hash_next(entry)) {
        struct sip_client_transaction *transaction = client_of(entry);
        if (strcmp(transaction->branch, branch) == 0 && transaction->invite == invite)
            return transaction;
    }
    return NULL;
}

/* Waits to absorb retransmissions of the final response: Timers D, K and M. */
static void client_linger(struct sip_client_transaction *transaction, enum state state, uint64_t linger_ns,
                          struct now now)
{
    transaction->state = (uint8_t)state;
    timers_cancel(transaction->table->timers, &transaction->retransmit);
    set(transaction->table, &transaction->timeout, linger_ns, now);
}

static void client_provisional(struct sip_client_transaction *transaction)
{
    transaction->state = PROCEEDING;
    if (!transaction->invite)
        return; /* Timers E and F go on, RFC 3261 §17.1.2.2 */
    timers_cancel(transaction->table->timers, &transaction->retransmit);
    timers_cancel(transaction->table->timers, &transaction->timeout);
    client_forget_bytes(transaction);
}

static void client_ack(struct sip_client_transaction *transaction, const void *ack, size_t length)
{
    client_forget_bytes(transaction);
    if (!transaction->reliable && (transaction->bytes = copy_of(ack, length)))
        transaction->length = length;
    transaction->events->send(transaction, ack, length);
}

static bool client_completed(struct sip_client_transaction *transaction, unsigned status, const void *ack,
                             size_t ack_length, struct now now)
{
    if (transaction->invite && status < 300) {
        client_forget_bytes(transaction);
        client_linger(transaction, ACCEPTED, TIMER_LONG_NS, now);
    } else if (transaction->invite) {
        client_linger(transaction, COMPLETED, transaction->reliable ? 0 : TIMER_D_NS, now);
        if (ack)
            client_ack(transaction, ack, ack_length);
    } else {
        client_forget_bytes(transaction);
        client_linger(transaction, COMPLETED, transaction->reliable ? 0 : SIP_T4_NS, now);
    }
    return true;
}

bool sip_client_receive(struct sip_client_transaction *transaction, unsigned status, const void *ack, size_t ack_length,
                        struct now now)
{
    switch ((enum state)transaction->state) {
    case CALLING:
    case PROCEEDING:
        if (status >= 200)
            return client_completed(transaction, status, ack, ack_length, now);
        client_provisional(transaction);
        return true;
    case COMPLETED:
        if (transaction->invite && status >= 300 && transaction->bytes)
            transaction->events->send(transaction, transaction->bytes, transaction->length);
        return false;
    case ACCEPTED: /* a 2xx again, or that of another branch behind a fork: all are passed on */
        return status >= 200 && status < 300;
    case CONFIRMED:
    case ENDED:
        break;
    }
    return false;
}

/* Server */

static struct sip_server_transaction *server_of(struct hash_entry *entry)
{
    return container_of(entry, struct sip_server_transaction, entry);
}

static void server_forget_response(struct sip_server_transaction *transaction)
{
    memory_free(transaction->response);
    transaction->response = NULL;
    transaction->length = 0;
}

void sip_server_cancel(struct sip_server_transaction *transaction)
{
    if (transaction->state == ENDED || !transaction->table)
        return;
    timers_cancel(transaction->table->timers, &transaction->retransmit);
    timers_cancel(transaction->table->timers, &transaction->timeout);
    hash_remove(&transaction->table->servers, &transaction->entry);
    server_forget_response(transaction);
    memory_free(transaction->id);
    transaction->id = NULL;
    transaction->state = ENDED;
}

static void server_timed_out(struct timer *timer, struct now now)
{
    struct sip_server_transaction *transaction = container_of(timer, struct sip_server_transaction, timeout);
    sip_server_cancel(transaction);
    transaction->events->ended(transaction, now);
}

static void resend(struct sip_server_transaction *transaction)
{
    if (transaction->response)
        transaction->events->send(transaction, transaction->response, transaction->length);
}

/* Timer G. */
static void server_retransmit(struct timer *timer, struct now now)
{
    struct sip_server_transaction *transaction = container_of(timer, struct sip_server_transaction, retransmit);
    transaction->interval_ns = 2 * transaction->interval_ns < SIP_T2_NS ? 2 * transaction->interval_ns : SIP_T2_NS;
    set(transaction->table, &transaction->retransmit, transaction->interval_ns, now);
    resend(transaction);
}

#define ID_MAX 512

/* RFC 3261 §17.2.3: branch, sent-by, and the method, of which ACK counts as INVITE. Returns the length or
 * ERR_TOO_LARGE. */
static int id_write(char id[ID_MAX], const char *branch, const char *sent_by, const char *method)
{
    if (strlen(branch) > SIP_BRANCH_MAX)
        return ERR_TOO_LARGE;
    int length = snprintf(id, ID_MAX, "%s %s %s", branch, sent_by, strcmp(method, "ACK") == 0 ? "INVITE" : method);
    return length < ID_MAX ? length : ERR_TOO_LARGE;
}

int sip_server_begin(struct sip_transactions *table, struct sip_server_transaction *transaction,
                     const struct sip_server_events *events, bool reliable, const char *branch, const char *sent_by,
                     const char *method, struct now now)
{
    (void)now;
    char id[ID_MAX];
    int length = id_write(id, branch, sent_by, method);
    *transaction = (struct sip_server_transaction){.table = table,
                                                   .events = events,
                                                   .retransmit = {.callback = server_retransmit},
                                                   .timeout = {.callback = server_timed_out},
                                                   .interval_ns = SIP_T1_NS,
                                                   .state = ENDED,
                                                   .invite = strcmp(method, "INVITE") == 0,
                                                   .reliable = reliable};
    if (length < 0)
        return length;
    transaction->id = copy_of(id, (size_t)length);
    if (!transaction->id || reserve_timers(table) != 0) {
        memory_free(transaction->id);
        transaction->id = NULL;
        return ERR_MEMORY;
    }
    transaction->state = PROCEEDING;
    hash_insert(&table->servers, &transaction->entry, siphash(&table->key, id, (size_t)length));
    return 0;
}

struct sip_server_transaction *sip_server_find(const struct sip_transactions *table, const char *branch,
                                               const char *sent_by, const char *method)
{
    char id[ID_MAX];
    int length = id_write(id, branch, sent_by, method);
    if (length < 0)
        return NULL;
    struct hash_entry *entry = hash_first(&table->servers, siphash(&table->key, id, (size_t)length));
    for (; entry; entry = hash_next(entry))
        if (strcmp(server_of(entry)->id, id) == 0)
            return server_of(entry);
    return NULL;
}

bool sip_server_receive(struct sip_server_transaction *transaction, bool ack, struct now now)
{
    if (!ack) {
        /* In Accepted a request that comes again is absorbed, RFC 6026 §7.1. */
        if (transaction->state == PROCEEDING || transaction->state == COMPLETED)
            resend(transaction);
        return false;
    }
    if (transaction->state == COMPLETED && transaction->invite) {
        transaction->state = CONFIRMED;
        timers_cancel(transaction->table->timers, &transaction->retransmit);
        server_forget_response(transaction);
        set(transaction->table, &transaction->timeout, transaction->reliable ? 0 : SIP_T4_NS, now); /* Timer I */
    }
    return transaction->state == ACCEPTED;
}

static void server_completed(struct sip_server_transaction *transaction, unsigned status, struct now now)
{
    struct sip_transactions *table = transaction->table;
    if (transaction->invite && status < 300) {
        transaction->state = ACCEPTED;
        server_forget_response(transaction); /* whoever answered sends its 2xx again, not we */
        set(table, &transaction->timeout, TIMER_LONG_NS, now);
        return;
    }
    transaction->state = COMPLETED;
    if (transaction->invite && !transaction->reliable)
        set(table, &transaction->retransmit, transaction->interval_ns, now);
    set(table, &transaction->timeout, !transaction->invite && transaction->reliable ? 0 : TIMER_LONG_NS, now);
}

int sip_server_respond(struct sip_server_transaction *transaction, unsigned status, const void *bytes, size_t length,
                       struct now now)
{
    if (transaction->state == ACCEPTED && status >= 200 && status < 300) {
        transaction->events->send(transaction, bytes, length);
        return 0;
    }
    if (transaction->state != PROCEEDING)
        return ERR_CLOSED;
    bool kept = !(transaction->invite && status >= 200 && status < 300);
    char *copy = kept ? copy_of(bytes, length) : NULL;
    if (kept && !copy)
        return ERR_MEMORY;
    server_forget_response(transaction);
    transaction->response = copy;
    transaction->length = kept ? length : 0;
    if (status >= 200)
        server_completed(transaction, status, now);
    transaction->events->send(transaction, bytes, length);
    return 0;
}
