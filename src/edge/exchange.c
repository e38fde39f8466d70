/* SPDX-License-Identifier: BSD-3-Clause */
#include "edge/exchange.h"

#include <assert.h>
#include <stdio.h>

#include "base/error.h"
#include "base/memory.h"
#include "edge/compose.h"
#include "edge/dialog.h"
#include "edge/reg_event.h"
#include "edge/reply.h"

/* A UDP target that has said nothing for so long is passed over where there is another one. RFC 3261 would wait for
 * Timer B or F, 32 s: longer than a person waits. */
#define SILENCE_NS (4 * NS_PER_S)
/* Timer C has to be longer than three minutes (RFC 3261 §16.6). */
#define TIMER_C_NS (185 * NS_PER_S)
/* How long a cancelled INVITE may take to end (RFC 3261 §9.1). */
#define CANCELLED_NS (64 * SIP_T1_NS)

enum waiting {
    WAITING_FOR_NOTHING,
    WAITING_FOR_TARGET,
    WAITING_FOR_ANSWER,
    WAITING_FOR_CANCELLED,
};

struct edge_exchange *edge_exchange_of_client(struct sip_client_transaction *transaction)
{
    return transaction ? container_of(transaction, struct edge_exchange, client) : NULL;
}

struct edge_exchange *edge_exchange_of_server(struct sip_server_transaction *transaction)
{
    return transaction ? container_of(transaction, struct edge_exchange, server) : NULL;
}

/* Life */

static void timer_fired(struct timer *timer, struct now now);

/* What has been answered stays for a while, for retransmissions, and does not count: a REGISTER more takes a person
 * that mistypes a password less time than that. */
static bool has_room(const struct edge_flow *flow)
{
    const struct list *link;
    unsigned unanswered = 0;
    list_each (link, &flow->exchanges) {
        const struct edge_exchange *exchange = container_of(link, struct edge_exchange, in_flow);
        unanswered += exchange->from == PARTY_CLIENT && !exchange->final;
    }
    return flow->exchange_count < EDGE_EXCHANGES_MAX &&
           (flow->registration_count > 0 || unanswered < EDGE_EXCHANGES_STRANGER_MAX);
}

struct edge_exchange *edge_exchange_create(struct edge *edge, struct edge_flow *flow, enum edge_party from,
                                           enum edge_party to, enum edge_purpose purpose, unsigned *status_out)
{
    *status_out = 503;
    if (flow && from != PARTY_EDGE && !has_room(flow))
        return NULL;
    struct edge_exchange *exchange = memory_zeroed(1, sizeof *exchange);
    if (!exchange)
        return NULL;
    exchange->edge = edge;
    exchange->flow = flow;
    exchange->from = (uint8_t)from;
    exchange->to = (uint8_t)to;
    exchange->purpose = (uint8_t)purpose;
    exchange->timer.callback = timer_fired;
    list_init(&exchange->in_flow);
    list_append(&edge->exchanges, &exchange->in_edge);
    edge->totals.transactions++;
    if (flow) {
        list_append(&flow->exchanges, &exchange->in_flow);
        flow->exchange_count++;
    }
    return exchange;
}

static void leave_flow(struct edge_exchange *exchange)
{
    if (!exchange->flow)
        return;
    list_remove(&exchange->in_flow);
    exchange->flow->exchange_count--;
    exchange->flow = NULL;
}

static void stop_client(struct edge_exchange *exchange)
{
    if (exchange->client_alive)
        sip_client_cancel(&exchange->client);
    exchange->client_alive = false;
}

static void stop_server(struct edge_exchange *exchange)
{
    if (exchange->server_alive)
        sip_server_cancel(&exchange->server);
    exchange->server_alive = false;
}

static void stop_lookup(struct edge_exchange *exchange)
{
    const struct edge_host *host = &exchange->edge->host;
    if (exchange->lookup.pending)
        host->core_lookup_cancel(host->context, &exchange->lookup);
    exchange->lookup.pending = false;
}

static void forget_early(const struct edge_exchange *exchange)
{
    struct edge_message request;
    if (exchange->invite && exchange->flow && exchange->request &&
        edge_message_index((struct span){exchange->request, exchange->length}, &request) == 0)
        edge_dialog_forget_early(exchange->flow, &request);
}

void edge_exchange_destroy(struct edge_exchange *exchange)
{
    forget_early(exchange);
    stop_client(exchange);
    stop_server(exchange);
    stop_lookup(exchange);
    timers_cancel(exchange->edge->host.timers, &exchange->timer);
    leave_flow(exchange);
    list_remove(&exchange->in_edge);
    exchange->edge->totals.transactions--;
    memory_free(exchange->targets);
    memory_free(exchange->request);
    memory_free(exchange);
}

static void hold(struct edge_exchange *exchange)
{
    exchange->holds++;
}

/* Whoever waits for an answer gets one, and what waits for nothing any more ends. */
static void release(struct edge_exchange *exchange, struct now now)
{
    assert(exchange->holds > 0);
    if (exchange->holds == 1 && !exchange->client_alive && !exchange->lookup.pending) {
        if (exchange->server_alive && !exchange->final)
            edge_exchange_answer(exchange, 503, span_none(), now);
        if (exchange->server_alive && !exchange->final)
            stop_server(exchange); /* no memory for an answer */
    }
    if (--exchange->holds == 0 && !exchange->client_alive && !exchange->server_alive && !exchange->lookup.pending)
        edge_exchange_destroy(exchange);
}

static void set_timer(struct edge_exchange *exchange, enum waiting what, uint64_t delay_ns, struct now now)
{
    struct timers *timers = exchange->edge->host.timers;
    exchange->waiting = (uint8_t)what;
    if (what == WAITING_FOR_NOTHING)
        timers_cancel(timers, &exchange->timer);
    else if (timers_set(timers, &exchange->timer, now.monotonic_ns + delay_ns) != 0)
        stop_client(exchange); /* nothing may wait without an end: release() answers 503 */
}

/* Upstream */

static void server_send(struct sip_server_transaction *transaction, const void *bytes, size_t length)
{
    struct edge_exchange *exchange = edge_exchange_of_server(transaction);
    const struct edge_host *host = &exchange->edge->host;
    if (exchange->from == PARTY_CORE)
        host->core_send(host->context, &exchange->source, bytes, length);
    else if (exchange->flow)
        host->client_send(host->context, exchange->flow, bytes, length);
}

static void server_ended(struct sip_server_transaction *transaction, struct now now)
{
    struct edge_exchange *exchange = edge_exchange_of_server(transaction);
    exchange->server_alive = false;
    hold(exchange);
    release(exchange, now);
}

static const struct sip_server_events server_events = {.send = server_send, .ended = server_ended};

/* A branch of one WIC means nothing to another one: the sent-by of a client names its flow. */
static bool server_sent_by(const struct edge_flow *flow, const struct edge_message *message, char *out, size_t size)
{
    struct span sent_by = via_sent_by(message->via);
    int length = snprintf(out, size, "%llu %.*s", flow ? (unsigned long long)flow->number : 0, (int)sent_by.length,
                          (const char *)sent_by.bytes);
    return length > 0 && (size_t)length < size;
}

static bool span_copy(struct span span, char *out, size_t size)
{
    if (span.length >= size)
        return false;
    memcpy(out, span.bytes, span.length);
    out[span.length] = '\0';
    return true;
}

struct sip_server_transaction *edge_server_find(struct edge *edge, const struct edge_flow *flow,
                                                const struct edge_message *message, struct span method)
{
    char branch[SIP_BRANCH_MAX + 1], sent_by[300], name[64];
    if (!span_copy(message->branch, branch, sizeof branch) || !span_copy(method, name, sizeof name) ||
        !server_sent_by(flow, message, sent_by, sizeof sent_by))
        return NULL;
    return sip_server_find(&edge->transactions, branch, sent_by, name);
}

int edge_exchange_accept(struct edge_exchange *exchange, const struct edge_message *message,
                         const struct edge_target *source, struct now now)
{
    char branch[SIP_BRANCH_MAX + 1], sent_by[300], method[64];
    const struct edge_flow *flow = exchange->from == PARTY_CLIENT ? exchange->flow : NULL;
    int result = ERR_TOO_LARGE;
    if (source)
        exchange->source = *source;
    exchange->invite = edge_message_is(message, "INVITE");
    if (span_copy(message->branch, branch, sizeof branch) && span_copy(message->method, method, sizeof method) &&
        server_sent_by(flow, message, sent_by, sizeof sent_by))
        result = sip_server_begin(&exchange->edge->transactions, &exchange->server, &server_events,
                                  !source || source->transport != EDGE_UDP, branch, sent_by, method, now);
    if (result != 0) {
        edge_exchange_destroy(exchange);
        return result;
    }
    exchange->server_alive = true;
    return 0;
}

void edge_exchange_respond(struct edge_exchange *exchange, unsigned status, struct text *response, struct now now)
{
    hold(exchange);
    int result = 0;
    if (response->failed)
        result = ERR_MEMORY;
    else if (exchange->server_alive)
        result = sip_server_respond(&exchange->server, status, response->bytes, response->length, now);
    if (status >= 200) {
        exchange->final = true;
        if (result == ERR_MEMORY || result == ERR_TOO_LARGE)
            stop_server(exchange);
    }
    text_fini(response);
    release(exchange, now);
}

void edge_exchange_answer(struct edge_exchange *exchange, unsigned status, struct span fields, struct now now)
{
    struct edge_message request;
    struct text response = {0};
    if (!exchange->server_alive || exchange->final ||
        edge_message_index((struct span){exchange->request, exchange->length}, &request) != 0)
        return;
    edge_reply_write(&response, exchange->edge, &request, status, fields);
    edge_exchange_respond(exchange, status, &response, now);
}

/* Downstream */

static void client_send(struct sip_client_transaction *transaction, const void *bytes, size_t length)
{
    struct edge_exchange *exchange = edge_exchange_of_client(transaction);
    const struct edge_host *host = &exchange->edge->host;
    if (exchange->to == PARTY_CORE)
        host->core_send(host->context, edge_exchange_target(exchange), bytes, length);
    else if (exchange->flow)
        host->client_send(host->context, exchange->flow, bytes, length);
}

static void client_ended(struct sip_client_transaction *transaction, enum sip_client_end end, struct now now)
{
    struct edge_exchange *exchange = edge_exchange_of_client(transaction);
    const struct edge_host *host = &exchange->edge->host;
    exchange->client_alive = false;
    hold(exchange);
    if (end == SIP_CLIENT_TIMEOUT) {
        if (exchange->to == PARTY_CORE && !exchange->answered)
            host->core_silent(host->context, edge_exchange_target(exchange));
        if (exchange->purpose == PURPOSE_SUBSCRIBE)
            edge_subscribe_failed(exchange, 408, now);
        edge_exchange_answer(exchange, exchange->cancelled ? 487 : 408, span_none(), now);
    }
    set_timer(exchange, WAITING_FOR_NOTHING, 0, now);
    release(exchange, now);
}

static const struct sip_client_events client_events = {.send = client_send, .ended = client_ended};

/* Begins the client transaction with |text|, or just sends it where there is none for an ACK. Fini's |text|. */
static bool begin_client(struct edge_exchange *exchange, const char *branch, struct text *text, struct now now)
{
    bool reliable = exchange->to == PARTY_CLIENT || edge_exchange_target(exchange)->transport != EDGE_UDP;
    bool begun = false;
    if (text->failed || text->length > SIP_MESSAGE_MAX)
        begun = false;
    else if (exchange->purpose == PURPOSE_ACK)
        client_send(&exchange->client, text->bytes, text->length);
    else
        begun = sip_client_begin(&exchange->edge->transactions, &exchange->client, &client_events, exchange->invite,
                                 reliable, branch, text->bytes, text->length, now) == 0;
    text_fini(text);
    exchange->client_alive = begun;
    return begun;
}

static bool launch(struct edge_exchange *exchange, struct now now)
{
    const struct edge *edge = exchange->edge;
    char branch[SIP_BRANCH_SIZE];
    struct text text = {0};
    sip_branch_make(edge->settings->flow_key, (uint8_t)edge->worker, branch);
    edge_compose_request(exchange, branch, &text);
    if (!begin_client(exchange, branch, &text, now))
        return false;
    if (exchange->to == PARTY_CORE && edge_exchange_target(exchange)->transport == EDGE_UDP &&
        exchange->target_next < exchange->target_count)
        set_timer(exchange, WAITING_FOR_TARGET, SILENCE_NS, now);
    else
        set_timer(exchange, WAITING_FOR_NOTHING, 0, now);
    return exchange->client_alive;
}

bool edge_exchange_next_target(struct edge_exchange *exchange, struct now now)
{
    if (exchange->to != PARTY_CORE || exchange->cancelled || exchange->target_next >= exchange->target_count)
        return false;
    stop_client(exchange);
    exchange->answered = false;
    while (exchange->target_next < exchange->target_count) {
        exchange->target_next++;
        if (!exchange->edge->settings->sent_by[edge_exchange_target(exchange)->transport])
            continue;
        if (launch(exchange, now) || exchange->purpose == PURPOSE_ACK)
            return true;
    }
    return false;
}

void edge_exchange_looked_up(struct edge_exchange *exchange, const struct edge_target *targets, int count,
                             struct now now)
{
    hold(exchange);
    exchange->lookup.pending = false;
    if (count > EDGE_TARGETS_MAX)
        count = EDGE_TARGETS_MAX;
    if (count > 0)
        exchange->targets = memory_zeroed((size_t)count, sizeof *targets);
    if (exchange->targets) {
        memcpy(exchange->targets, targets, (size_t)count * sizeof *targets);
        exchange->target_count = (uint8_t)count;
    }
    if (!edge_exchange_next_target(exchange, now) && exchange->purpose == PURPOSE_SUBSCRIBE)
        edge_subscribe_failed(exchange, 503, now);
    release(exchange, now);
}

void edge_exchange_start(struct edge_exchange *exchange, struct text *request, struct span next_hop, struct now now)
{
    const struct edge_host *host = &exchange->edge->host;
    struct edge_target targets[EDGE_TARGETS_MAX];
    char uri[512];
    hold(exchange);
    assert(!request->failed);
    exchange->request = request->bytes;
    exchange->length = request->length;
    exchange->line = raw_start_line(text_span(request)).length + 2;
    *request = (struct text){0};
    if (exchange->invite)
        edge_exchange_answer(exchange, 100, span_none(), now);
    int count = ERR_NOT_FOUND;
    if (exchange->to == PARTY_CLIENT)
        launch(exchange, now);
    else if (span_copy(next_hop, uri, sizeof uri))
        count = host->core_lookup(host->context, &exchange->lookup, next_hop.length > 0 ? uri : NULL, targets);
    if (count == ERR_WOULD_BLOCK)
        exchange->lookup.pending = true;
    else if (exchange->to == PARTY_CORE)
        edge_exchange_looked_up(exchange, targets, count, now);
    release(exchange, now);
}

static bool same_target(const struct edge_target *a, const struct edge_target *b)
{
    return address_equal(&a->address, &b->address) && a->transport == b->transport && a->name == b->name;
}

void edge_exchange_target_failed(struct edge_exchange *exchange, const struct edge_target *target, struct now now)
{
    if (exchange->to != PARTY_CORE || !exchange->client_alive || exchange->ringing || exchange->final ||
        !same_target(edge_exchange_target(exchange), target))
        return;
    hold(exchange);
    if (!edge_exchange_next_target(exchange, now)) {
        stop_client(exchange);
        if (exchange->purpose == PURPOSE_SUBSCRIBE)
            edge_subscribe_failed(exchange, 503, now);
        edge_exchange_answer(exchange, exchange->cancelled ? 487 : 503, span_none(), now);
    }
    release(exchange, now);
}

static void send_cancel(struct edge_exchange *exchange, struct now now)
{
    unsigned status;
    struct text text = {0};
    exchange->cancel_sent = true;
    set_timer(exchange, WAITING_FOR_CANCELLED, CANCELLED_NS, now);
    if (!exchange->client_alive)
        return;
    struct edge_exchange *cancel =
        edge_exchange_create(exchange->edge, exchange->to == PARTY_CLIENT ? exchange->flow : NULL, PARTY_EDGE,
                             (enum edge_party)exchange->to, PURPOSE_END, &status);
    if (!cancel)
        return;
    hold(cancel);
    if (exchange->to == PARTY_CORE)
        cancel->targets = memory_zeroed(1, sizeof *cancel->targets);
    if (cancel->targets) {
        *cancel->targets = *edge_exchange_target(exchange);
        cancel->target_count = cancel->target_next = 1;
    }
    edge_compose_hop(exchange, "CANCEL", raw_find((struct span){exchange->request, exchange->length}, "To"), &text);
    if (exchange->to == PARTY_CORE && !cancel->targets)
        text_fini(&text);
    else
        begin_client(cancel, exchange->client.branch, &text, now);
    release(cancel, now);
}

void edge_exchange_cancel(struct edge_exchange *exchange, struct now now)
{
    if (!exchange->invite || exchange->final || exchange->cancelled)
        return;
    hold(exchange);
    exchange->cancelled = true;
    if (exchange->client_alive && exchange->answered)
        send_cancel(exchange, now);
    if (!exchange->client_alive) {
        stop_lookup(exchange);
        edge_exchange_answer(exchange, 487, span_none(), now);
    }
    release(exchange, now);
}

static void timer_fired(struct timer *timer, struct now now)
{
    struct edge_exchange *exchange = container_of(timer, struct edge_exchange, timer);
    const struct edge_host *host = &exchange->edge->host;
    hold(exchange);
    if (exchange->waiting == WAITING_FOR_TARGET) {
        host->core_silent(host->context, edge_exchange_target(exchange));
        edge_exchange_next_target(exchange, now);
    } else if (exchange->waiting == WAITING_FOR_ANSWER) {
        edge_exchange_cancel(exchange, now);
    } else if (exchange->waiting == WAITING_FOR_CANCELLED) {
        stop_client(exchange);
        edge_exchange_answer(exchange, 487, span_none(), now);
    }
    release(exchange, now);
}

/* What the WIC that is gone began: an INVITE is cancelled, and a REGISTER goes to no further place, since its Path
 * would lead nowhere. Others go on: a page that says BYE and closes at once has hung up. */
static void give_up(struct edge_exchange *exchange, struct now now)
{
    if (exchange->purpose == PURPOSE_REGISTER) {
        stop_lookup(exchange);
        exchange->cancelled = true;
    }
    edge_exchange_cancel(exchange, now);
}

void edge_exchange_orphan(struct edge_exchange *exchange, struct now now)
{
    hold(exchange);
    if (exchange->from == PARTY_CLIENT) {
        stop_server(exchange);
        leave_flow(exchange);
        give_up(exchange, now);
    } else if (exchange->to == PARTY_CLIENT) {
        stop_client(exchange);
        edge_exchange_answer(exchange, exchange->ringing ? 480 : 430, span_none(), now);
        leave_flow(exchange);
    } else {
        exchange->purpose = PURPOSE_END;
        leave_flow(exchange);
    }
    release(exchange, now);
}

/* Answers */

static void note_response(struct edge_exchange *exchange, unsigned status, struct now now)
{
    exchange->answered = true;
    if (status >= 200) {
        set_timer(exchange, WAITING_FOR_NOTHING, 0, now);
        return;
    }
    exchange->ringing |= status > 100;
    if (!exchange->invite)
        return;
    if (exchange->cancelled && !exchange->cancel_sent)
        send_cancel(exchange, now);
    else if (!exchange->cancelled)
        set_timer(exchange, WAITING_FOR_ANSWER, TIMER_C_NS, now);
}

void edge_exchange_receive(struct edge_exchange *exchange, const struct edge_message *response, struct now now)
{
    struct text ack = {0};
    hold(exchange);
    if (exchange->invite && response->status >= 300)
        edge_compose_hop(exchange, "ACK", response->to, &ack);
    bool fresh = sip_client_receive(&exchange->client, response->status, ack.failed ? NULL : ack.bytes,
                                    ack.failed ? 0 : ack.length, now);
    text_fini(&ack);
    if (!fresh)
        goto out;
    note_response(exchange, response->status, now);
    if (response->status == 503 && !exchange->ringing && edge_exchange_next_target(exchange, now))
        goto out;
    edge_response_pass(exchange, response, now);
out:
    release(exchange, now);
}
