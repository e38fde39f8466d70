/* SPDX-License-Identifier: BSD-3-Clause */
#include "edge/edge.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"
#include "base/memory.h"
#include "crypto/digest.h"
#include "edge/registration.h"
#include "edge/reply.h"
#include "edge/request.h"

int edge_create(const struct edge_settings *settings, const struct edge_host *host, unsigned worker, struct edge **out)
{
    struct edge *edge = memory_zeroed(1, sizeof *edge);
    if (!edge)
        return ERR_MEMORY;
    edge->settings = settings;
    edge->host = *host;
    edge->worker = worker;
    edge->lost.callback = edge_registration_lost_expired;
    list_init(&edge->exchanges);
    crypto_random(&edge->key, sizeof edge->key);
    if (hash_init(&edge->flows) != 0)
        goto no_flows;
    if (sip_transactions_init(&edge->transactions, host->timers) != 0)
        goto no_transactions;
    *out = edge;
    return 0;
no_transactions:
    hash_fini(&edge->flows);
no_flows:
    memory_free(edge);
    return ERR_MEMORY;
}

static void drop_flow(struct hash_entry *entry, void *context)
{
    struct edge_flow *flow = container_of(entry, struct edge_flow, entry);
    struct edge *edge = context;
    while (!list_empty(&flow->dialogs))
        edge_dialog_remove(flow, container_of(flow->dialogs.next, struct edge_dialog, link));
    while (!list_empty(&flow->registrations))
        edge_registration_leave(container_of(flow->registrations.next, struct edge_registration, link));
    hash_remove(&edge->flows, entry);
    memory_free(flow);
}

void edge_destroy(struct edge **edge)
{
    struct edge *gone = *edge;
    if (!gone)
        return;
    while (!list_empty(&gone->exchanges))
        edge_exchange_destroy(container_of(gone->exchanges.next, struct edge_exchange, in_edge));
    hash_each(&gone->flows, drop_flow, gone);
    timers_cancel(gone->host.timers, &gone->lost);
    sip_transactions_fini(&gone->transactions);
    hash_fini(&gone->flows);
    memory_free(gone);
    *edge = NULL;
}

struct edge_totals edge_totals(const struct edge *edge)
{
    return edge->totals;
}

void edge_say(const struct edge *edge, bool important, const char *format, ...)
{
    char text[400];
    va_list arguments;
    if (!edge->host.log)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    edge->host.log(edge->host.context, important, text);
}

const char *edge_sent_by_default(const struct edge *edge)
{
    for (unsigned i = 0; i < EDGE_TRANSPORTS; i++)
        if (edge->settings->sent_by[i])
            return edge->settings->sent_by[i];
    return edge->settings->domain;
}

bool edge_uri_is_ours(const struct edge *edge, struct span uri, struct sip_flow_name *name_out)
{
    return sip_flow_token_read(edge->settings->flow_key, uri_user(uri), name_out) == 0;
}

char *edge_spans_keep(struct span *const spans[], size_t count)
{
    size_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += spans[i]->length;
    char *block = memory_zeroed(1, length + 1), *at = block;
    for (size_t i = 0; i < count && block; i++) {
        if (spans[i]->length > 0)
            memcpy(at, spans[i]->bytes, spans[i]->length);
        spans[i]->bytes = at;
        at += spans[i]->length;
    }
    return block;
}

/* Which worker */

static int worker_of_uri(const struct sip_flow_key *key, struct span uri)
{
    struct sip_flow_name name;
    return sip_flow_token_read(key, uri_user(uri), &name) == 0 ? name.worker : ERR_FORBIDDEN;
}

int edge_worker_of(const struct sip_flow_key *key, const void *bytes, size_t length)
{
    struct span message = {bytes, length}, line = raw_start_line(message), list, value;
    bool response = span_is(raw_word(line, 0), "SIP/2.0");
    list = raw_find(message, response ? "Via" : "Route");
    bool found = raw_list_next(&list, &value);
    if (!response) /* a request to the edge itself has it in the Request-URI: the Contact of its subscriptions */
        return worker_of_uri(key, found ? value_uri(value) : raw_word(line, 1));
    struct span branch;
    if (!found || !value_parameter(value, "branch", &branch))
        return ERR_FORBIDDEN;
    return sip_branch_worker(key, branch);
}

/* What comes in */

static void receive_response(struct edge *edge, const struct edge_flow *flow, const struct edge_message *response,
                             struct now now)
{
    char branch[SIP_BRANCH_MAX + 1], method[64];
    if (response->branch.length >= sizeof branch || response->cseq_method.length >= sizeof method)
        return;
    memcpy(branch, response->branch.bytes, response->branch.length);
    memcpy(method, response->cseq_method.bytes, response->cseq_method.length);
    branch[response->branch.length] = method[response->cseq_method.length] = '\0';
    struct edge_exchange *exchange = edge_exchange_of_client(sip_client_find(&edge->transactions, branch, method));
    /* Only who was asked may answer, and for the call that was asked about. */
    if (!exchange || !exchange->client_alive ||
        (flow ? exchange->flow != flow || exchange->to != PARTY_CLIENT : exchange->to != PARTY_CORE))
        return;
    if (exchange->request &&
        !span_equal(raw_find((struct span){exchange->request, exchange->length}, "Call-ID"), response->call_id))
        return;
    edge_exchange_receive(exchange, response, now);
}

/* RFC 5626 §3.5.1, RFC 7118 §6: a ping of two empty lines is answered with one. */
static bool is_ping(const void *bytes, size_t length)
{
    return length == 4 && memcmp(bytes, "\r\n\r\n", 4) == 0;
}

void edge_receive_client(struct edge *edge, struct edge_flow *flow, const void *bytes, size_t length, struct now now)
{
    struct edge_message message;
    unsigned status;
    if (is_ping(bytes, length)) {
        edge->host.client_send(edge->host.context, flow, "\r\n", 2);
        return;
    }
    if (flow->malformed >= EDGE_MALFORMED_MAX)
        return; /* it is being closed */
    if (edge_message_decode(bytes, length, &message, &status) != 0) {
        if (++flow->malformed == EDGE_MALFORMED_MAX)
            edge->host.client_close(edge->host.context, flow, "what it says is no SIP");
        else if (status != 0 && message.status == 0)
            edge_refuse_client(flow, &message, status, span_none());
        return;
    }
    if (message.status != 0)
        receive_response(edge, flow, &message, now);
    else
        edge_request_from_client(flow, &message, now);
}

void edge_receive_core(struct edge *edge, const struct edge_target *source, const void *bytes, size_t length,
                       struct now now)
{
    struct edge_message message;
    unsigned status;
    if (edge_message_decode(bytes, length, &message, &status) != 0) {
        if (status != 0 && message.status == 0)
            edge_refuse_core(edge, source, &message, status);
        return;
    }
    if (message.status != 0)
        receive_response(edge, NULL, &message, now);
    else
        edge_request_from_core(edge, source, &message, now);
}

void edge_looked_up(struct edge *edge, struct edge_lookup *lookup, const struct edge_target *targets, int count,
                    struct now now)
{
    (void)edge;
    edge_exchange_looked_up(container_of(lookup, struct edge_exchange, lookup), targets, count, now);
}

void edge_target_failed(struct edge *edge, const struct edge_target *target, struct now now)
{
    struct list *link, *following;
    list_each_safe (link, following, &edge->exchanges)
        edge_exchange_target_failed(container_of(link, struct edge_exchange, in_edge), target, now);
}
