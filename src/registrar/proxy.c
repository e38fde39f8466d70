/* SPDX-License-Identifier: BSD-3-Clause
 * Who may send what to whom (RFC 3261 §16.3 to §16.5). */
#include <string.h>

#include "base/error.h"
#include "registrar/context.h"
#include "registrar/hop.h"
#include "sip/via.h"

static bool in_dialog(const osip_message_t *request)
{
    return sip_parameter_find(&request->to->gen_params, "tag") != NULL;
}

static bool asserts(const struct registrar *registrar, const char *value, const char *user)
{
    osip_from_t *identity;
    if (osip_from_init(&identity) != 0)
        return false;
    const char *asserted = osip_from_parse(identity, value) == 0 ? registrar_user_of(registrar, identity->url) : NULL;
    bool same = asserted && strcmp(asserted, user) == 0;
    osip_from_free(identity);
    return same;
}

/* Whoever begins something is registered, and calls himself as the edge has found him to be (RFC 3325). */
static bool caller_is_known(const struct registrar *registrar, const osip_message_t *request)
{
    char value[HOP_URI_MAX];
    const char *user = registrar_user_of(registrar, request->from->url);
    if (!user || !bindings_find(&registrar->bindings, user))
        return false;
    for (unsigned i = 0; sip_field_value(request, "P-Asserted-Identity", i, value, sizeof value); i++)
        if (asserts(registrar, value, user))
            return true;
    return false;
}

/* Why there is nobody to ring: 404 for a name nobody has, 480 for somebody who is not there. */
static unsigned absence_of(struct registrar *registrar, const char *user)
{
    struct account account;
    int status = user ? accounts_find(registrar->accounts, span_of_text(user), &account) : ERR_NOT_FOUND;
    crypto_erase(&account, sizeof account);
    return status == 0 ? 480 : status == ERR_NOT_FOUND ? 404 : 500;
}

/* Returns 0, or the status to refuse with; |*record_out| NULL: along the routes of the request. */
static unsigned find_way(struct registrar *registrar, const osip_message_t *request, bool routed,
                         const struct record **record_out)
{
    *record_out = NULL;
    if (sip_field_find(request, "Proxy-Require"))
        return 420;
    if (in_dialog(request) ? !routed : !caller_is_known(registrar, request))
        return 403;
    if (hop_has_route(request))
        return in_dialog(request) ? 0 : 403; /* a new request goes where the registrar says */
    const char *user = registrar_user_of(registrar, request->req_uri);
    *record_out = user ? bindings_find(&registrar->bindings, user) : NULL;
    return *record_out ? 0 : absence_of(registrar, user);
}

static void refuse(struct registrar *registrar, const osip_message_t *request, unsigned status)
{
    osip_message_t *response = registrar_response(request, status);
    char value[HOP_URI_MAX];
    if (response && status == 420)
        for (unsigned i = 0; sip_field_value(request, "Proxy-Require", i, value, sizeof value); i++)
            sip_field_add(response, "Unsupported", value);
    registrar_send(registrar, response);
}

/* Whether |binding| is the latest of its instance: the other flows of one client wait until this one fails (RFC 5626
 * §7). */
static bool is_first_choice(const struct record *record, const struct binding *binding)
{
    const struct list *link;
    if (!binding->instance)
        return true;
    for (link = binding->link.next; link != &record->bindings; link = link->next) {
        const struct binding *later = container_of(link, struct binding, link);
        if (later->instance && strcmp(later->instance, binding->instance) == 0)
            return false;
    }
    return true;
}

static void fork_to(struct context *context, const struct record *record, struct now now)
{
    const struct list *link;
    list_each (link, &record->bindings) {
        const struct binding *binding = container_of(link, struct binding, link);
        if (is_first_choice(record, binding))
            context_branch(context, binding, now);
    }
}

static struct sip_server_transaction *server_of(const struct registrar *registrar, const osip_message_t *request,
                                                const char *method)
{
    char sent_by[SIP_SENT_BY_SIZE];
    sip_via_sent_by(request, sent_by); /* where it is too long there is no such transaction */
    return sip_server_find(&registrar->transactions, sip_via_branch(request), sent_by, method);
}

/* A request that an edge sends twice, which a reliable transport does not need. */
static bool is_repeated(struct registrar *registrar, const osip_message_t *request, struct now now)
{
    struct sip_server_transaction *server = server_of(registrar, request, request->sip_method);
    if (server)
        sip_server_receive(server, false, now);
    return server != NULL;
}

void proxy_receive_request(struct registrar *registrar, osip_message_t *request, bool routed, struct now now)
{
    const struct record *record;
    struct context *context;
    if (is_repeated(registrar, request, now)) {
        sip_message_destroy(&request);
        return;
    }
    int counted = sip_max_forwards_decrement(request);
    unsigned refusal = counted == 0             ? find_way(registrar, request, routed, &record)
                       : counted == ERR_EXPIRED ? 483
                                                : 500;
    if (refusal == 0 && context_create(registrar, request, now, &context) != 0)
        refusal = 503;
    if (refusal != 0) {
        refuse(registrar, request, refusal);
        sip_message_destroy(&request);
        return;
    }
    if (record)
        fork_to(context, record, now);
    else
        context_branch(context, NULL, now);
    context_start(context, now);
}

/* An ACK for a 2xx is a request of its own (RFC 3261 §13.2.2.4); one for another answer ends here. */
void proxy_receive_ack(struct registrar *registrar, osip_message_t *request, struct now now)
{
    char branch[HOP_BRANCH_SIZE];
    struct sip_server_transaction *server = server_of(registrar, request, "ACK");
    bool passes = !server || sip_server_receive(server, true, now);
    hop_branch_make(branch);
    if (passes && hop_has_route(request) && sip_max_forwards_decrement(request) == 0 &&
        sip_via_push(request, "TCP", registrar->sent_by, branch) == 0)
        registrar_send(registrar, request);
    else
        sip_message_destroy(&request);
}

void proxy_receive_cancel(struct registrar *registrar, osip_message_t *request, struct now now)
{
    struct sip_server_transaction *server = server_of(registrar, request, "INVITE");
    registrar_answer(registrar, request, server ? 200 : 481);
    sip_message_destroy(&request);
    if (server)
        context_cancel(server, now);
}
