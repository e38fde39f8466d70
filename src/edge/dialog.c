/* SPDX-License-Identifier: BSD-3-Clause */
#include "edge/dialog.h"

#include "base/memory.h"
#include "edge/reply.h"

/* A subscription without a word on its end; the longest that event packages use by default is an hour (RFC 6665). */
#define SUBSCRIPTION_DEFAULT_S 3600
/* What is over is known for so long still: a last request, its repetition or its answer may be on the way (64*T1). */
#define GRACE_S 32

/* The URI of Contact; empty where there is none that a request could go to. */
static struct span contact_of(const struct edge_message *message)
{
    struct edge_walk walk = {0};
    struct span value;
    if (!edge_message_next(message, "Contact", &walk, &value))
        return span_none();
    struct span uri = value_uri(value);
    bool sound =
        uri_host(uri).length > 0 && !memchr(uri.bytes, ' ', uri.length) && !memchr(uri.bytes, '\t', uri.length);
    return sound ? uri : span_none();
}

/* How many of |values|, counted from the end, are the edge's own for the WIC that called: up to two, of one flow
 * (RFC 5658). Others of ours are those of a WIC at the other end. */
static unsigned count_own(const struct edge *edge, const struct span *values, unsigned count)
{
    struct sip_flow_name own, name;
    unsigned found = 0;
    if (count == 0 || !edge_uri_is_ours(edge, value_uri(values[count - 1]), &own))
        return 0;
    while (found < count && found < 2 && edge_uri_is_ours(edge, value_uri(values[count - 1 - found]), &name) &&
           name.worker == own.worker && name.flow == own.flow)
        found++;
    return found;
}

/* The Record-Route values of |message| as a route set: of the request in their order for the callee, of the response
 * reversed and without our own for the caller. False where there are too many. */
static bool write_routes(const struct edge *edge, const struct edge_message *message, bool caller, struct text *text)
{
    struct span values[EDGE_ROUTES_MAX];
    unsigned count = 0;
    struct edge_walk walk = {0};
    struct span value;
    while (edge_message_next(message, "Record-Route", &walk, &value)) {
        if (count == EDGE_ROUTES_MAX)
            return false;
        values[count++] = value;
    }
    if (caller)
        count -= count_own(edge, values, count);
    for (unsigned i = 0; i < count; i++) {
        text_add_span(text, span_of_text(i > 0 ? "," : ""));
        text_add_span(text, values[caller ? count - 1 - i : i]);
    }
    return !text->failed;
}

static uint64_t subscription_end(const struct edge_message *message, struct span stated, struct now now)
{
    unsigned seconds;
    if (stated.length == 0)
        stated = edge_message_find(message, "Expires");
    if (!span_number(stated, &seconds))
        seconds = SUBSCRIPTION_DEFAULT_S;
    return now.monotonic_ns + ((uint64_t)seconds + GRACE_S) * NS_PER_S;
}

struct edge_dialog *edge_dialog_create(const struct edge *edge, const struct edge_message *request,
                                       const struct edge_message *response, bool caller)
{
    struct text routes = {0};
    struct edge_dialog *dialog = memory_zeroed(1, sizeof *dialog);
    if (!dialog || !write_routes(edge, caller ? response : request, caller, &routes))
        goto failed;
    dialog->call = edge_message_is(request, "INVITE");
    dialog->caller = caller;
    dialog->cseq = caller ? request->cseq : 0;
    dialog->invite_cseq = request->cseq;
    dialog->ends_ns = TIME_NEVER;
    dialog->call_id = request->call_id;
    dialog->local = caller ? request->from : response->to;
    dialog->remote = caller ? response->to : request->from;
    dialog->target = contact_of(caller ? response : request);
    dialog->routes = text_span(&routes);
    if (value_tag(response->to).length == 0 || dialog->target.length == 0)
        goto failed;
    dialog->texts = edge_spans_keep(
        (struct span *[]){&dialog->call_id, &dialog->local, &dialog->remote, &dialog->target, &dialog->routes}, 5);
    if (!dialog->texts)
        goto failed;
    list_init(&dialog->link);
    text_fini(&routes);
    return dialog;
failed:
    text_fini(&routes);
    memory_free(dialog);
    return NULL;
}

void edge_dialog_destroy(struct edge_dialog **dialog)
{
    if (!*dialog)
        return;
    memory_free((*dialog)->texts);
    memory_free(*dialog);
    *dialog = NULL;
}

void edge_dialog_remove(struct edge_flow *flow, struct edge_dialog *dialog)
{
    list_remove(&dialog->link);
    flow->dialog_count--;
    flow->edge->totals.dialogs--;
    edge_dialog_destroy(&dialog);
}

/* Ending calls */

struct span edge_dialog_next_hop(const struct edge_dialog *dialog)
{
    struct span list = dialog->routes, first;
    return raw_list_next(&list, &first) ? value_uri(first) : dialog->target;
}

void edge_dialog_write_request(const struct edge_dialog *dialog, const char *method, uint32_t cseq, struct text *text)
{
    text_add(text, "%s ", method);
    text_add_span(text, dialog->target);
    text_add(text, " SIP/2.0\r\n");
    if (dialog->routes.length > 0)
        text_add_field(text, "Route", dialog->routes);
    text_add(text, "Max-Forwards: 70\r\n");
    text_add_field(text, "From", dialog->local);
    text_add_field(text, "To", dialog->remote);
    text_add_field(text, "Call-ID", dialog->call_id);
    text_add(text, "CSeq: %u %s\r\n", cseq, method);
}

static void send_own(struct edge *edge, const struct edge_dialog *dialog, const char *method, uint32_t cseq,
                     enum edge_purpose purpose, struct now now)
{
    unsigned status;
    struct text text = {0};
    edge_dialog_write_request(dialog, method, cseq, &text);
    if (purpose == PURPOSE_END)
        text_add(&text, "Reason: SIP;cause=503;text=\"Flow lost\"\r\n"); /* TS 24.229 §5.2.8.1.2 */
    text_add(&text, "Content-Length: 0\r\n\r\n");
    struct edge_exchange *exchange =
        text.failed ? NULL : edge_exchange_create(edge, NULL, PARTY_EDGE, PARTY_CORE, purpose, &status);
    if (exchange)
        edge_exchange_start(exchange, &text, edge_dialog_next_hop(dialog), now);
    text_fini(&text);
}

void edge_dialog_hang_up(struct edge *edge, struct edge_dialog *dialog, struct now now)
{
    if (!dialog->confirmed || dialog->ends_ns != TIME_NEVER)
        return;
    if (dialog->caller && !dialog->acknowledged)
        send_own(edge, dialog, "ACK", dialog->invite_cseq, PURPOSE_ACK, now);
    send_own(edge, dialog, "BYE", dialog->cseq + 1, PURPOSE_END, now);
}

/* What passes */

static struct edge_dialog *find(const struct edge_flow *flow, struct span call_id, struct span local_tag,
                                struct span remote_tag)
{
    struct list *link;
    list_each (link, &flow->dialogs) {
        struct edge_dialog *dialog = container_of(link, struct edge_dialog, link);
        if (span_equal(dialog->call_id, call_id) && span_equal(value_tag(dialog->local), local_tag) &&
            span_equal(value_tag(dialog->remote), remote_tag))
            return dialog;
    }
    return NULL;
}

struct edge_dialog *edge_dialog_find(const struct edge_flow *flow, const struct edge_message *request, bool from_client)
{
    return find(flow, request->call_id, value_tag(from_client ? request->from : request->to),
                value_tag(from_client ? request->to : request->from));
}

static void set_target(struct edge_dialog *dialog, const struct edge_message *message)
{
    struct span contact = contact_of(message);
    if (contact.length == 0 || span_equal(contact, dialog->target))
        return;
    struct edge_dialog changed = *dialog;
    changed.target = contact;
    changed.texts = edge_spans_keep(
        (struct span *[]){&changed.call_id, &changed.local, &changed.remote, &changed.target, &changed.routes}, 5);
    if (!changed.texts)
        return; /* the old one is the best there is */
    memory_free(dialog->texts);
    *dialog = changed;
}

/* Requests whose Contact becomes the target (RFC 3261 §12.2, RFC 3311, RFC 6665). */
static bool refreshes_target(const struct edge_message *request)
{
    return edge_message_is(request, "INVITE") || edge_message_is(request, "UPDATE") ||
           edge_message_is(request, "SUBSCRIBE") || edge_message_is(request, "NOTIFY");
}

void edge_dialog_note_request(struct edge_dialog *dialog, const struct edge_message *request, bool from_client,
                              struct now now)
{
    if (from_client) {
        if (edge_message_is(request, "ACK"))
            dialog->acknowledged = true;
        else if (request->cseq > dialog->cseq)
            dialog->cseq = request->cseq;
    } else if (refreshes_target(request)) {
        set_target(dialog, request);
    }
    if (edge_message_is(request, "BYE"))
        dialog->ends_ns = now.monotonic_ns + GRACE_S * NS_PER_S;
    if (dialog->call || !edge_message_is(request, "NOTIFY"))
        return;
    struct span state = edge_message_find(request, "Subscription-State"), expires = {state.bytes, 0};
    value_parameter(state, "expires", &expires);
    if (state.length >= 10 && span_is((struct span){state.bytes, 10}, "terminated"))
        dialog->ends_ns = now.monotonic_ns + GRACE_S * NS_PER_S;
    else if (expires.length > 0)
        dialog->ends_ns = subscription_end(request, expires, now);
}

/* Room for one more: subscriptions that are over make it. */
static bool make_room(struct edge_flow *flow, struct now now)
{
    struct list *link, *following;
    list_each_safe (link, following, &flow->dialogs) {
        struct edge_dialog *dialog = container_of(link, struct edge_dialog, link);
        if (dialog->ends_ns <= now.monotonic_ns)
            edge_dialog_remove(flow, dialog);
    }
    return flow->dialog_count < EDGE_DIALOGS_MAX;
}

static void begin(struct edge_exchange *exchange, const struct edge_message *request,
                  const struct edge_message *response, struct now now)
{
    struct edge_flow *flow = exchange->flow;
    bool caller = exchange->from == PARTY_CLIENT;
    struct span from_tag = value_tag(request->from), to_tag = value_tag(response->to);
    struct edge_dialog *dialog = find(flow, request->call_id, caller ? from_tag : to_tag, caller ? to_tag : from_tag);
    if (!dialog) {
        if (!make_room(flow, now))
            return edge_say(flow->edge, true, "a WIC has more than %d dialogs: its further ones are not followed",
                            EDGE_DIALOGS_MAX);
        dialog = edge_dialog_create(flow->edge, request, response, caller);
        if (!dialog)
            return;
        list_append(&flow->dialogs, &dialog->link);
        flow->dialog_count++;
        flow->edge->totals.dialogs++;
    } else if (caller) {
        set_target(dialog, response);
    }
    dialog->confirmed |= response->status >= 200;
    if (!dialog->call)
        dialog->ends_ns = subscription_end(response, span_none(), now);
}

static bool begins_dialogs(const struct edge_message *request)
{
    return edge_message_is(request, "INVITE") || edge_message_is(request, "SUBSCRIBE") ||
           edge_message_is(request, "REFER");
}

static void note_within(struct edge_exchange *exchange, const struct edge_message *request,
                        const struct edge_message *response, struct now now)
{
    bool from_client = exchange->from == PARTY_CLIENT;
    struct edge_dialog *dialog = edge_dialog_find(exchange->flow, request, from_client);
    if (!dialog)
        return;
    bool bye = edge_message_is(request, "BYE"), challenge = response->status == 401 || response->status == 407;
    if (bye && response->status >= 200 && !challenge) {
        edge_dialog_remove(exchange->flow, dialog);
        return;
    }
    if (response->status == 481 || response->status == 408) /* RFC 5057 §5.1; yet a BYE may follow */
        dialog->ends_ns = now.monotonic_ns + GRACE_S * NS_PER_S;
    if (response->status >= 300)
        return;
    if (from_client && refreshes_target(request))
        set_target(dialog, response);
    if (edge_message_is(request, "INVITE") && response->status >= 200) {
        dialog->invite_cseq = from_client ? request->cseq : dialog->invite_cseq;
        dialog->acknowledged = !from_client;
    }
    if (!dialog->call && edge_message_is(request, "SUBSCRIBE") && response->status >= 200)
        dialog->ends_ns = subscription_end(response, span_none(), now);
}

void edge_dialog_note_response(struct edge_exchange *exchange, const struct edge_message *request,
                               const struct edge_message *response, struct now now)
{
    if (!exchange->flow || response->status == 100)
        return;
    if (value_tag(request->to).length > 0) {
        note_within(exchange, request, response, now);
        return;
    }
    if (!begins_dialogs(request))
        return;
    unsigned first = edge_message_is(request, "INVITE") ? 101 : 200;
    if (response->status >= first && response->status < 300 && value_tag(response->to).length > 0)
        begin(exchange, request, response, now);
}

void edge_dialog_forget_early(struct edge_flow *flow, const struct edge_message *invite)
{
    struct list *link, *following;
    list_each_safe (link, following, &flow->dialogs) {
        struct edge_dialog *dialog = container_of(link, struct edge_dialog, link);
        if (!dialog->confirmed && dialog->invite_cseq == invite->cseq && span_equal(dialog->call_id, invite->call_id))
            edge_dialog_remove(flow, dialog);
    }
}
