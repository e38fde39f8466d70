/* SPDX-License-Identifier: BSD-3-Clause */
#include "registrar/context.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "registrar/hop.h"
#include "sip/via.h"

#define TIMER_C_NS      (185 * NS_PER_S) /* RFC 3261 §16.6 step 11: more than three minutes */
#define CANCELLED_NS    (64 * SIP_T1_NS) /* RFC 3261 §9.1: how long a cancelled branch may take to answer */
#define BRANCHES_MAX    (2 * BINDINGS_PER_RECORD)
#define BAD_REQUEST     400
#define NOT_AVAILABLE   480
#define FLOW_FAILED     430
#define REQUEST_TIMEOUT 408

struct context {
    struct list link; /* in registrar->contexts */
    struct registrar *registrar;
    struct sip_server_transaction server;
    osip_message_t *request;
    struct list branches;
    unsigned branch_count;
    osip_message_t *best; /* without our Via */
    unsigned best_status; /* 0: none yet */
    unsigned held;        /* it is being worked on: it must not go away */
    bool invite, started, cancelled, answered, server_ended;
};

/* One place that the request was sent to. */
struct branch {
    struct list link;
    struct context *context;
    struct sip_client_transaction client, cancel;
    struct timer timer_c;
    osip_message_t *request; /* as sent, for its ACK and CANCEL */
    char *user, *instance;   /* of the binding; NULL: none, or no instance */
    uint64_t binding_id;
    bool provisional, final, client_runs, cancel_runs, cancel_sent;
};

/* Encodes |message| and destroys it. Returns the length with |*text_out| to be freed, or an error. */
static int encode_once(osip_message_t *message, char **text_out)
{
    int length = message ? sip_message_encode(message, text_out) : ERR_MEMORY;
    sip_message_destroy(&message);
    return length;
}

/* |response| is taken over. */
static void respond(struct context *context, unsigned status, osip_message_t *response, struct now now)
{
    char *text;
    int length = encode_once(response, &text);
    int result = length;
    if (length > 0) {
        result = sip_server_respond(&context->server, status, text, (size_t)length, now);
        sip_text_free(text);
    }
    if (result < 0 && result != ERR_CLOSED && status >= 200) { /* nobody will answer: the caller's timer has to */
        sip_server_cancel(&context->server);
        context->server_ended = true;
    }
}

static void respond_bare(struct context *context, unsigned status, struct now now)
{
    osip_message_t *response = status == 100 ? sip_response_create(context->request, status, NULL, NULL)
                                             : registrar_response(context->request, status);
    respond(context, status, response, now);
}

static void destroy_branch(struct branch *branch)
{
    timers_cancel(branch->context->registrar->host.timers, &branch->timer_c);
    if (branch->client_runs)
        sip_client_cancel(&branch->client);
    if (branch->cancel_runs)
        sip_client_cancel(&branch->cancel);
    list_remove(&branch->link);
    sip_message_destroy(&branch->request);
    memory_free(branch->user);
    memory_free(branch->instance);
    memory_free(branch);
}

static void destroy(struct context *context)
{
    while (!list_empty(&context->branches))
        destroy_branch(container_of(context->branches.next, struct branch, link));
    if (!context->server_ended)
        sip_server_cancel(&context->server);
    context->registrar->context_count--;
    list_remove(&context->link);
    sip_message_destroy(&context->request);
    sip_message_destroy(&context->best);
    memory_free(context);
}

static void hold(struct context *context)
{
    context->held++;
}

/* Branches whose transactions are over go, and with the last transaction the context. */
static void release(struct context *context)
{
    if (--context->held > 0)
        return;
    struct list *link, *following;
    list_each_safe (link, following, &context->branches) {
        struct branch *branch = container_of(link, struct branch, link);
        if (branch->final && !branch->client_runs && !branch->cancel_runs)
            destroy_branch(branch);
    }
    if (context->server_ended && list_empty(&context->branches))
        destroy(context);
}

/* RFC 3261 §16.7 step 6: 6xx before all; else the lowest class, and in 4xx what a client can act on. */
static unsigned rank_of(unsigned status)
{
    if (status >= 600)
        return 0;
    unsigned rank = status / 100 * 10;
    bool helpful = status == 401 || status == 407 || status == 415 || status == 420 || status == 484;
    bool empty = status == REQUEST_TIMEOUT || status == NOT_AVAILABLE;
    return rank + (helpful ? 0 : empty ? 2 : 1);
}

/* |response| is taken over; NULL: we make it. */
static void keep_if_best(struct context *context, unsigned status, osip_message_t *response)
{
    if (context->best_status != 0 && rank_of(context->best_status) <= rank_of(status)) {
        sip_message_destroy(&response);
        return;
    }
    sip_message_destroy(&context->best);
    context->best = response;
    context->best_status = status;
}

static bool all_final(const struct context *context)
{
    struct list *link;
    list_each (link, &context->branches)
        if (!container_of(link, struct branch, link)->final)
            return false;
    return true;
}

/* Sends the best answer when nothing better can come. */
static void answer_if_done(struct context *context, struct now now)
{
    if (context->answered || !context->started || !all_final(context))
        return;
    context->answered = true;
    unsigned status = context->best_status ? context->best_status : NOT_AVAILABLE;
    osip_message_t *best = context->best;
    context->best = NULL;
    if (status == REQUEST_TIMEOUT && !context->invite) {
        /* RFC 4320 §4.2: whoever asked has given up by itself. */
        sip_server_cancel(&context->server);
        context->server_ended = true;
        sip_message_destroy(&best);
    } else if (best && status != 503) { /* RFC 3261 §16.7 step 6: 503 is about the hop it came from */
        respond(context, status, best, now);
    } else {
        sip_message_destroy(&best);
        respond_bare(context, status == 503 ? 500 : status, now);
    }
}

static void send_bytes(struct sip_client_transaction *client, const void *bytes, size_t length)
{
    struct registrar *registrar = container_of(client->table, struct registrar, transactions);
    registrar->host.send(registrar->host.context, bytes, length);
}

static void cancel_ended(struct sip_client_transaction *client, enum sip_client_end end, struct now now)
{
    (void)end, (void)now;
    struct branch *branch = container_of(client, struct branch, cancel);
    struct context *context = branch->context;
    hold(context);
    branch->cancel_runs = false;
    release(context);
}

static const struct sip_client_events cancel_events = {.send = send_bytes, .ended = cancel_ended};

/* RFC 3261 §9.1: not before a provisional answer. */
static void cancel_branch(struct branch *branch, struct now now)
{
    struct registrar *registrar = branch->context->registrar;
    if (branch->final || branch->cancel_sent || !branch->provisional || !branch->context->invite)
        return;
    char *text;
    int length = encode_once(sip_cancel_create(branch->request), &text);
    if (length < 0)
        return; /* Timer C will try again */
    branch->cancel_sent = true;
    branch->cancel_runs = true;
    if (sip_client_begin(&registrar->transactions, &branch->cancel, &cancel_events, false, true, branch->client.branch,
                         text, (size_t)length, now) != 0)
        branch->cancel_runs = false;
    sip_text_free(text);
    timers_update(registrar->host.timers, &branch->timer_c, now.monotonic_ns + CANCELLED_NS);
}

static void cancel_all(struct context *context, struct now now)
{
    struct list *link;
    context->cancelled = true;
    list_each (link, &context->branches)
        cancel_branch(container_of(link, struct branch, link), now);
}

static void finish(struct branch *branch, unsigned status, osip_message_t *response)
{
    branch->final = true;
    timers_cancel(branch->context->registrar->host.timers, &branch->timer_c);
    keep_if_best(branch->context, status, response);
}

static void client_ended(struct sip_client_transaction *client, enum sip_client_end end, struct now now)
{
    struct branch *branch = container_of(client, struct branch, client);
    struct context *context = branch->context;
    hold(context);
    branch->client_runs = false;
    if (!branch->final && end == SIP_CLIENT_TIMEOUT)
        finish(branch, REQUEST_TIMEOUT, NULL);
    answer_if_done(context, now);
    release(context);
}

static const struct sip_client_events client_events = {.send = send_bytes, .ended = client_ended};

/* Rings for ever, or does not answer to CANCEL. */
static void timer_c_expired(struct timer *timer, struct now now)
{
    struct branch *branch = container_of(timer, struct branch, timer_c);
    struct context *context = branch->context;
    hold(context);
    if (!branch->cancel_sent)
        cancel_branch(branch, now);
    if (timer->position == 0) { /* not running again */
        if (branch->client_runs)
            sip_client_cancel(&branch->client);
        branch->client_runs = false;
        finish(branch, REQUEST_TIMEOUT, NULL);
        answer_if_done(context, now);
    }
    release(context);
}

static void server_send(struct sip_server_transaction *server, const void *bytes, size_t length)
{
    struct registrar *registrar = container_of(server->table, struct registrar, transactions);
    registrar->host.send(registrar->host.context, bytes, length);
}

static void server_ended(struct sip_server_transaction *server, struct now now)
{
    (void)now;
    struct context *context = container_of(server, struct context, server);
    hold(context);
    context->server_ended = true;
    release(context);
}

static const struct sip_server_events server_events = {.send = server_send, .ended = server_ended};

int context_create(struct registrar *registrar, osip_message_t *request, struct now now, struct context **out)
{
    char sent_by[SIP_SENT_BY_SIZE];
    struct context *context = registrar->context_count < CONTEXTS_MAX ? memory_zeroed(1, sizeof *context) : NULL;
    if (!context)
        return registrar->context_count < CONTEXTS_MAX ? ERR_MEMORY : ERR_FULL;
    context->registrar = registrar;
    context->invite = strcmp(request->sip_method, "INVITE") == 0;
    context->request = request;
    list_init(&context->branches);
    int status = sip_via_sent_by(request, sent_by);
    if (status == 0)
        status = sip_server_begin(&registrar->transactions, &context->server, &server_events, true,
                                  sip_via_branch(request), sent_by, request->sip_method, now);
    if (status != 0) {
        memory_free(context);
        return status;
    }
    registrar->context_count++;
    list_append(&registrar->contexts, &context->link);
    hold(context); /* until context_start() */
    if (context->invite)
        respond_bare(context, 100, now);
    *out = context;
    return 0;
}

/* The copy of the request that goes to one place (RFC 3261 §16.6). */
static int prepare(struct branch *branch, const struct binding *binding, const char *id, char **text_out)
{
    struct registrar *registrar = branch->context->registrar;
    const char *method = branch->context->request->sip_method;
    bool dialog = strcmp(method, "INVITE") == 0 || strcmp(method, "SUBSCRIBE") == 0 || strcmp(method, "REFER") == 0;
    branch->request = sip_message_clone(branch->context->request);
    int status = branch->request ? 0 : ERR_MEMORY;
    if (status == 0 && binding)
        status = hop_set_target(branch->request, binding->contact);
    if (status == 0 && binding)
        status = hop_push_routes(branch->request, binding->path);
    if (status == 0 && dialog)
        status = sip_field_add_first(branch->request, "Record-Route", registrar->own_route);
    if (status == 0)
        status = sip_via_push(branch->request, "TCP", registrar->sent_by, id);
    if (status == 0 && binding && binding->instance)
        status = (branch->instance = memory_string(binding->instance)) ? 0 : ERR_MEMORY;
    if (status == 0 && binding)
        status = (branch->user = memory_string(binding->record->user)) ? 0 : ERR_MEMORY;
    return status == 0 ? sip_message_encode(branch->request, text_out) : status;
}

void context_branch(struct context *context, const struct binding *binding, struct now now)
{
    struct registrar *registrar = context->registrar;
    struct branch *branch = context->branch_count < BRANCHES_MAX ? memory_zeroed(1, sizeof *branch) : NULL;
    if (!branch) {
        keep_if_best(context, 500, NULL);
        return;
    }
    context->branch_count++;
    branch->context = context;
    branch->timer_c.callback = timer_c_expired;
    branch->binding_id = binding ? binding->id : 0;
    list_append(&context->branches, &branch->link);
    char id[HOP_BRANCH_SIZE], *text = NULL;
    hop_branch_make(id);
    int length = prepare(branch, binding, id, &text);
    int status = length < 0 ? length : 0;
    if (status == 0 && context->invite)
        status = timers_set(registrar->host.timers, &branch->timer_c, now.monotonic_ns + TIMER_C_NS);
    if (status == 0) {
        branch->client_runs = true; /* it may be over before sip_client_begin() returns */
        status = sip_client_begin(&registrar->transactions, &branch->client, &client_events, context->invite, true, id,
                                  text, (size_t)length, now);
        if (status != 0)
            branch->client_runs = false;
    }
    if (length >= 0)
        sip_text_free(text);
    if (status != 0)
        finish(branch, 500, NULL);
}

void context_start(struct context *context, struct now now)
{
    context->started = true;
    answer_if_done(context, now);
    release(context);
}

void context_cancel(struct sip_server_transaction *server, struct now now)
{
    struct context *context = container_of(server, struct context, server);
    hold(context);
    if (!context->answered)
        cancel_all(context, now);
    release(context);
}

/* RFC 5626 §5.3.1 and §7: the flow behind this binding is gone for good. If the same instance has another one, that is
 * asked. */
static void flow_failed(struct branch *branch, struct now now)
{
    struct context *context = branch->context;
    struct record *record = branch->user ? bindings_find(&context->registrar->bindings, branch->user) : NULL;
    struct binding *failed = NULL, *next = NULL;
    struct list *link;
    if (!record)
        return;
    list_each (link, &record->bindings) {
        struct binding *binding = container_of(link, struct binding, link);
        if (binding->id == branch->binding_id)
            failed = binding;
        else if (branch->instance && binding->instance && strcmp(binding->instance, branch->instance) == 0)
            next = binding; /* the latest one */
    }
    if (next && !context->answered && !context->cancelled)
        context_branch(context, next, now);
    if (failed)
        bindings_end(failed, BINDING_DEACTIVATED, now);
}

/* Takes our Via off. ERR_NOT_FOUND where no other is below it. */
static int pop_via(osip_message_t *response)
{
    int status = sip_via_pop(response);
    return status == 0 && !sip_via_top(response) ? ERR_NOT_FOUND : status;
}

static void forward(struct context *context, unsigned status, osip_message_t *response, struct now now)
{
    if (pop_via(response) == 0)
        respond(context, status, response, now);
    else
        sip_message_destroy(&response);
}

static void receive_provisional(struct branch *branch, unsigned status, osip_message_t *response, struct now now)
{
    struct context *context = branch->context;
    branch->provisional = true;
    if (status > 100 && context->invite && !branch->cancel_sent)
        timers_update(context->registrar->host.timers, &branch->timer_c, now.monotonic_ns + TIMER_C_NS);
    if (context->cancelled)
        cancel_branch(branch, now);
    if (status > 100 && !context->answered)
        forward(context, status, response, now);
    else
        sip_message_destroy(&response);
}

static void receive_success(struct branch *branch, unsigned status, osip_message_t *response, struct now now)
{
    struct context *context = branch->context;
    bool passes = context->invite || !context->answered; /* each 2xx to INVITE made a dialog (RFC 6026 §7.1) */
    branch->final = true;
    timers_cancel(context->registrar->host.timers, &branch->timer_c);
    context->answered = true;
    if (passes)
        forward(context, status, response, now);
    else
        sip_message_destroy(&response);
    cancel_all(context, now);
}

static void receive_failure(struct branch *branch, unsigned status, osip_message_t *response, struct now now)
{
    struct context *context = branch->context;
    if (status == FLOW_FAILED || pop_via(response) != 0) {
        sip_message_destroy(&response);
        finish(branch, status == FLOW_FAILED ? NOT_AVAILABLE : BAD_REQUEST, NULL);
    } else {
        finish(branch, status, response);
    }
    if (status == FLOW_FAILED)
        flow_failed(branch, now);
    if (status >= 600)
        cancel_all(context, now);
    answer_if_done(context, now);
}

static void receive_branch(struct branch *branch, osip_message_t *response, struct now now)
{
    struct context *context = branch->context;
    unsigned status = (unsigned)response->status_code;
    char *ack = NULL;
    int length = 0;
    if (context->invite && status >= 300)
        length = encode_once(sip_ack_create(branch->request, response), &ack);
    hold(context);
    bool act =
        sip_client_receive(&branch->client, status, length > 0 ? ack : NULL, length > 0 ? (size_t)length : 0, now);
    if (length > 0)
        sip_text_free(ack);
    if (!act || (branch->final && status >= 300))
        sip_message_destroy(&response);
    else if (status < 200)
        receive_provisional(branch, status, response, now);
    else if (status < 300)
        receive_success(branch, status, response, now);
    else
        receive_failure(branch, status, response, now);
    release(context);
}

void context_receive(struct sip_client_transaction *client, osip_message_t *response, struct now now)
{
    if (client->events == &client_events) {
        receive_branch(container_of(client, struct branch, client), response, now);
        return;
    }
    struct branch *branch = container_of(client, struct branch, cancel);
    struct context *context = branch->context;
    hold(context);
    sip_client_receive(client, (unsigned)response->status_code, NULL, 0, now);
    sip_message_destroy(&response);
    release(context);
}

void context_destroy_all(struct registrar *registrar)
{
    while (!list_empty(&registrar->contexts))
        destroy(container_of(registrar->contexts.next, struct context, link));
}
