/* SPDX-License-Identifier: BSD-3-Clause */
#include "registrar/registrar.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/memory.h"
#include "registrar/context.h"
#include "registrar/hop.h"
#include "registrar/registrar_state.h"
#include "sip/via.h"

#define LOOK_NS (2 * NS_PER_S) /* so long a removed account may still be called */

void registrar_send(struct registrar *registrar, osip_message_t *message)
{
    char *text;
    int length = message ? sip_message_encode(message, &text) : ERR_MEMORY;
    if (length > 0) {
        registrar->host.send(registrar->host.context, text, (size_t)length);
        sip_text_free(text);
    }
    sip_message_destroy(&message);
}

osip_message_t *registrar_response(const osip_message_t *request, unsigned status)
{
    char tag[HOP_TAG_SIZE];
    hop_tag_make(tag);
    return sip_response_create(request, status, NULL, tag);
}

void registrar_answer(struct registrar *registrar, const osip_message_t *request, unsigned status)
{
    registrar_send(registrar, registrar_response(request, status));
}

const char *registrar_user_of(const struct registrar *registrar, const osip_uri_t *uri)
{
    if (!uri || !uri->scheme || !uri->host || !uri->username || uri->port ||
        strcasecmp(uri->host, registrar->domain) != 0)
        return NULL;
    if (strcasecmp(uri->scheme, "sip") != 0 && strcasecmp(uri->scheme, "sips") != 0)
        return NULL;
    size_t length = strlen(uri->username);
    return length > 0 && length <= RECORD_USER_MAX ? uri->username : NULL;
}

static void binding_ended(void *context, const struct binding *binding, enum binding_end end, struct now now)
{
    subscription_notify(context, binding->record, binding, end, now);
}

struct orphans {
    struct registrar *registrar;
    struct now now;
};

static void end_without_account(struct hash_entry *entry, void *context)
{
    struct record *record = container_of(entry, struct record, entry);
    const struct orphans *orphans = context;
    struct account account;
    if (record->by_password &&
        accounts_find(orphans->registrar->accounts, span_of_text(record->user), &account) == ERR_NOT_FOUND)
        bindings_end_all(record, BINDING_REJECTED, orphans->now);
}

/* Whoever has no account any more is not registered any more. */
static void look_at_accounts(struct timer *timer, struct now now)
{
    struct registrar *registrar = container_of(timer, struct registrar, look);
    struct orphans orphans = {registrar, now};
    if (accounts_changed(registrar->accounts))
        hash_each(&registrar->bindings.records, end_without_account, &orphans);
    registrar_keep_looking(registrar, now);
}

void registrar_keep_looking(struct registrar *registrar, struct now now)
{
    if (registrar->bindings.by_password > 0 && registrar->look.position == 0)
        timers_set(registrar->host.timers, &registrar->look, now.monotonic_ns + LOOK_NS); /* or with the next binding */
}

int registrar_create(const char *domain, const char *sent_by, struct accounts *accounts,
                     const struct registrar_host *host, struct registrar **out)
{
    struct registrar *registrar = memory_zeroed(1, sizeof *registrar);
    *out = NULL;
    if (!registrar)
        return ERR_MEMORY;
    registrar->domain = domain;
    registrar->sent_by = sent_by;
    snprintf(registrar->own_route, sizeof registrar->own_route, "<sip:%s;lr>", sent_by);
    registrar->accounts = accounts;
    registrar->host = *host;
    registrar->look.callback = look_at_accounts;
    list_init(&registrar->contexts);
    challenge_init(&registrar->challenge);
    int status = sip_transactions_init(&registrar->transactions, host->timers);
    if (status != 0) {
        memory_free(registrar);
        return status;
    }
    status = bindings_init(&registrar->bindings, host->timers);
    registrar->bindings.ended = binding_ended;
    registrar->bindings.context = registrar;
    if (status == 0)
        status = hash_init(&registrar->subscriptions);
    if (status != 0)
        registrar_destroy(&registrar);
    *out = registrar;
    return status;
}

void registrar_destroy(struct registrar **registrar)
{
    struct registrar *gone = *registrar;
    if (!gone)
        return;
    *registrar = NULL;
    timers_cancel(gone->host.timers, &gone->look);
    context_destroy_all(gone);
    subscription_fini(gone);
    bindings_fini(&gone->bindings);
    sip_transactions_fini(&gone->transactions);
    crypto_erase(gone, sizeof *gone);
    memory_free(gone);
}

/* To the domain itself, not to anybody in it: an edge that asks whether we live. */
static bool is_for_us(const struct registrar *registrar, const osip_message_t *request)
{
    const osip_uri_t *uri = request->req_uri;
    return !uri->username && uri->host &&
           (strcasecmp(uri->host, registrar->domain) == 0 || hop_is_at(uri, registrar->sent_by));
}

static void receive_request(struct registrar *registrar, osip_message_t *request, struct now now)
{
    const char *method = request->sip_method;
    bool routed = hop_pop_routes(request, registrar->sent_by);
    if (strcmp(method, "ACK") == 0)
        proxy_receive_ack(registrar, request, now);
    else if (strcmp(method, "CANCEL") == 0)
        proxy_receive_cancel(registrar, request, now);
    else if (strcmp(method, "REGISTER") == 0)
        register_receive(registrar, request, now);
    else if (strcmp(method, "OPTIONS") == 0 && is_for_us(registrar, request)) {
        registrar_answer(registrar, request, 200);
        sip_message_destroy(&request);
    } else if (!subscription_receive(registrar, request, now))
        proxy_receive_request(registrar, request, routed, now);
}

static void receive_response(struct registrar *registrar, osip_message_t *response, struct now now)
{
    struct sip_client_transaction *client =
        sip_client_find(&registrar->transactions, sip_via_branch(response), response->cseq->method);
    if (!client) /* RFC 6026 §7.2: no stray response passes */
        sip_message_destroy(&response);
    else if (!subscription_answered(client, response, now))
        context_receive(client, response, now);
}

void registrar_receive(struct registrar *registrar, const void *bytes, size_t length, struct now now)
{
    osip_message_t *message;
    unsigned status;
    if (sip_message_decode(bytes, length, &message, &status) != 0)
        return; /* an edge has looked at it before: it makes no such thing */
    if (MSG_IS_REQUEST(message))
        receive_request(registrar, message, now);
    else
        receive_response(registrar, message, now);
}
