/* SPDX-License-Identifier: BSD-3-Clause */
#include "edge/request.h"

#include <assert.h>
#include <stdio.h>
#include <strings.h>

#include "edge/authorization.h"
#include "edge/identity.h"
#include "edge/reg_event.h"
#include "edge/register.h"
#include "edge/reply.h"

#define HOPS_DEFAULT 70   /* RFC 3261 §8.1.1.6 */
#define KEEP         "30" /* seconds after which a WIC that asks for it shall ping (RFC 6223 §6) */

/* What every request that passes gets */

void edge_request_write_vias(const struct edge_message *request, const struct address *source, bool keep,
                             struct text *text)
{
    char ip[ADDRESS_TEXT_MAX], port[8];
    struct address address = *source;
    struct text top = {0}, next = {0};
    struct span parameter;
    address.port = 0;
    snprintf(port, sizeof port, "%u", source->port);
    if (address.family == ADDRESS_NONE)
        text_add_span(&top, request->via);
    else
        text_add_with_parameter(&top, request->via, "received", address_format(&address, ip));
    if (value_parameter(text_span(&top), "rport", &parameter) && parameter.length == 0) {
        text_add_with_parameter(&next, text_span(&top), "rport", port);
        text_fini(&top);
        top = next;
        next = (struct text){0};
    }
    if (keep && value_parameter(text_span(&top), "keep", &parameter) && parameter.length == 0)
        text_add_with_parameter(&next, text_span(&top), "keep", KEEP);
    text->failed |= top.failed || next.failed;
    text_add_field(text, "Via", text_span(next.length > 0 ? &next : &top));
    text_fini(&top);
    text_fini(&next);
    struct edge_walk walk = {0};
    struct span value;
    edge_message_next(request, "Via", &walk, &value);
    while (edge_message_next(request, "Via", &walk, &value))
        text_add_field(text, "Via", value);
}

bool edge_request_write_max_forwards(const struct edge_message *request, struct text *text)
{
    unsigned left = HOPS_DEFAULT + 1;
    struct span stated = edge_message_find(request, "Max-Forwards");
    if (stated.length > 0 && (!span_number(stated, &left) || left > HOPS_DEFAULT + 1))
        left = HOPS_DEFAULT + 1;
    if (left == 0)
        return false;
    text_add(text, "Max-Forwards: %u\r\n", left - 1);
    return true;
}

/* Proxy-Require names what this proxy would have to understand (RFC 3261 §16.3 item 5). */
static bool requires_unknown(const struct edge_message *request, struct text *unsupported)
{
    struct edge_walk walk = {0};
    struct span value;
    while (edge_message_next(request, "Proxy-Require", &walk, &value))
        if (!span_is(value, "path") && !span_is(value, "outbound"))
            text_add_field(unsupported, "Unsupported", value);
    return unsupported->length > 0;
}

static bool refuse_unknown(struct edge_flow *flow, const struct edge_message *request)
{
    struct text unsupported = {0};
    bool refused = requires_unknown(request, &unsupported);
    if (refused)
        edge_refuse_client(flow, request, 420, text_span(&unsupported));
    text_fini(&unsupported);
    return refused;
}

/* From a WIC */

void edge_request_forward(struct edge_flow *flow, const struct edge_message *request, struct text *text,
                          struct span next_hop, struct edge_register reg, struct now now)
{
    unsigned status = 503;
    enum edge_purpose purpose = edge_message_is(request, "REGISTER") ? PURPOSE_REGISTER
                                : edge_message_is(request, "ACK")    ? PURPOSE_ACK
                                                                     : PURPOSE_PASS;
    struct edge_exchange *exchange = NULL;
    if (!text->failed && text->length <= SIP_MESSAGE_MAX)
        exchange = edge_exchange_create(flow->edge, flow, PARTY_CLIENT, PARTY_CORE, purpose, &status);
    if (exchange && purpose != PURPOSE_ACK && edge_exchange_accept(exchange, request, NULL, now) != 0)
        exchange = NULL;
    if (!exchange) {
        edge_refuse_client(flow, request, status, span_of_text("Retry-After: 5\r\n"));
        text_fini(text);
        return;
    }
    exchange->reg = reg;
    exchange->record_route = purpose == PURPOSE_PASS && value_tag(request->to).length == 0;
    edge_exchange_start(exchange, text, next_hop, now);
}

static const char *const rewritten[] = {"Via", "Authorization", "Proxy-Authorization", NULL};

/* What comes behind Route. */
static void write_rest(const struct edge_flow *flow, const struct edge_message *request, struct text *text)
{
    edge_message_write_fields(text, request, rewritten, edge_fields_not_asserted);
    edge_authorization_write(request, "Authorization", NULL, text);
    edge_authorization_write(request, "Proxy-Authorization", NULL, text);
    edge_access_network_write(request, text);
    if (value_tag(request->to).length == 0) {
        edge_identity_write(flow, request, text);
        edge_charging_write(flow->edge, text);
    }
    text_add_body(text, request->body);
}

/* Begins |text|; false where the request may go no further. */
static bool write_head(const struct edge_flow *flow, const struct edge_message *request, struct span uri,
                       struct text *text)
{
    text_add_span(text, request->method);
    text_add(text, " ");
    text_add_span(text, uri);
    text_add(text, " SIP/2.0\r\n");
    edge_request_write_vias(request, &flow->client, edge_message_is(request, "INVITE"), text);
    return edge_request_write_max_forwards(request, text);
}

/* Within a dialog: by the route and to the target that the edge knows, whatever the WIC says. */
static void pass_within(struct edge_flow *flow, const struct edge_message *request, struct now now)
{
    struct text text = {0};
    struct edge_dialog *dialog = edge_dialog_find(flow, request, true);
    if (!dialog)
        return edge_refuse_client(flow, request, 481, span_none());
    if (!write_head(flow, request, dialog->target, &text)) {
        text_fini(&text);
        return edge_refuse_client(flow, request, 483, span_none());
    }
    if (dialog->routes.length > 0)
        text_add_field(&text, "Route", dialog->routes);
    write_rest(flow, request, &text);
    edge_dialog_note_request(dialog, request, true, now);
    struct span next_hop = edge_dialog_next_hop(dialog);
    edge_request_forward(flow, request, &text, next_hop, (struct edge_register){0}, now);
}

static void pass_initial(struct edge_flow *flow, const struct edge_message *request, struct now now)
{
    struct text text = {0};
    const struct edge_registration *registration = edge_identity_find(flow, request);
    if (!registration)
        return edge_refuse_client(flow, request, 403, span_none());
    if (!write_head(flow, request, request->uri, &text)) {
        text_fini(&text);
        return edge_refuse_client(flow, request, 483, span_none());
    }
    struct span routes = registration->routes, next_hop = span_none();
    if (routes.length > 0)
        text_add_field(&text, "Route", routes);
    if (raw_list_next(&routes, &next_hop))
        next_hop = value_uri(next_hop);
    write_rest(flow, request, &text);
    edge_request_forward(flow, request, &text, next_hop, (struct edge_register){0}, now);
}

/* A token on a request is who registered, or nobody. */
static bool refuse_stranger(struct edge_flow *flow, const struct edge_message *request, struct now now)
{
    struct edge_authorization authorization;
    struct text challenge = {0};
    unsigned status = edge_authorization_read(flow->edge, request, now, &authorization);
    if (status == 0 && authorization.bearer) {
        const struct edge_registration *registration = edge_identity_find(flow, request);
        if (!registration || !span_equal(registration->impi, span_of_text(authorization.identity.impi)))
            status = 403;
    }
    if (status == 401)
        edge_challenge_write(flow->edge, "invalid_token", &challenge);
    if (status != 0)
        edge_refuse_client(flow, request, status, text_span(&challenge));
    text_fini(&challenge);
    return status != 0;
}

static void cancel(struct edge_exchange *exchange, struct now now)
{
    if (exchange && !exchange->final)
        edge_exchange_cancel(exchange, now);
}

void edge_request_from_client(struct edge_flow *flow, const struct edge_message *request, struct now now)
{
    struct edge *edge = flow->edge;
    bool ack = edge_message_is(request, "ACK");
    struct sip_server_transaction *transaction =
        edge_server_find(edge, flow, request, ack ? span_of_text("INVITE") : request->method);
    if (transaction && !(sip_server_receive(transaction, ack, now) && ack))
        return;
    if (edge_message_is(request, "CANCEL")) {
        transaction = edge_server_find(edge, flow, request, span_of_text("INVITE"));
        edge_refuse_client(flow, request, transaction ? 200 : 481, span_none());
        cancel(edge_exchange_of_server(transaction), now);
    } else if (edge_message_is(request, "REGISTER")) {
        edge_register_from_client(flow, request, now);
    } else if (ack) {
        if (edge_dialog_find(flow, request, true))
            pass_within(flow, request, now);
    } else if (!refuse_unknown(flow, request) && !refuse_stranger(flow, request, now)) {
        if (value_tag(request->to).length > 0)
            pass_within(flow, request, now);
        else
            pass_initial(flow, request, now);
    }
}

/* From the core */

/* Whether |uri| is the edge, whatever its user part: a token that is not (or no more) good. */
static bool host_is_ours(const struct edge *edge, struct span uri)
{
    struct span host = uri_host(uri);
    if (span_is(host, edge->settings->domain))
        return true;
    for (unsigned i = 0; i < EDGE_TRANSPORTS; i++)
        if (edge->settings->sent_by[i] && span_is(host, edge->settings->sent_by[i]))
            return true;
    return false;
}

/* The flow that the topmost Route names. |*rest_out|: the Route values behind our own. NULL with a status. */
static struct edge_flow *routed_flow(struct edge *edge, const struct edge_message *request, struct text *rest_out,
                                     unsigned *status_out)
{
    struct edge_walk walk = {0};
    struct span value;
    struct sip_flow_name name, other;
    *status_out = 404;
    if (!edge_message_next(request, "Route", &walk, &value))
        return NULL;
    if (!edge_uri_is_ours(edge, value_uri(value), &name)) {
        if (host_is_ours(edge, value_uri(value)))
            *status_out = 430;
        return NULL;
    }
    bool leading = true;
    while (edge_message_next(request, "Route", &walk, &value)) {
        leading = leading && edge_uri_is_ours(edge, value_uri(value), &other) && other.flow == name.flow &&
                  other.worker == name.worker;
        if (!leading)
            text_add_field(rest_out, "Route", value);
    }
    *status_out = 430;
    return name.worker == edge->worker ? edge_flow_find(edge, name.flow) : NULL;
}

static const char *const rewritten_for_client[] = {"Route", NULL};

static void pass_to_client(struct edge_flow *flow, const struct edge_target *source, const struct edge_message *request,
                           struct span routes, struct now now)
{
    struct edge *edge = flow->edge;
    struct text text = {0};
    unsigned status = 503;
    bool ack = edge_message_is(request, "ACK");
    struct edge_exchange *exchange = NULL;
    text_add_span(&text, raw_start_line(request->text));
    text_add(&text, "\r\n");
    edge_request_write_vias(request, &source->address, false, &text);
    if (!edge_request_write_max_forwards(request, &text)) {
        status = 483;
        goto out;
    }
    text_add_span(&text, routes);
    edge_message_write_fields(&text, request, rewritten_for_client, edge_fields_to_hide(request));
    text_add_body(&text, request->body);
    if (text.failed || text.length > SIP_MESSAGE_MAX)
        goto out;
    exchange = edge_exchange_create(edge, flow, PARTY_CORE, PARTY_CLIENT, ack ? PURPOSE_ACK : PURPOSE_PASS, &status);
    if (exchange && !ack && edge_exchange_accept(exchange, request, source, now) != 0)
        exchange = NULL;
    if (!exchange)
        goto out;
    exchange->source = *source;
    exchange->record_route = !ack && value_tag(request->to).length == 0;
    edge_exchange_start(exchange, &text, span_none(), now);
out:
    if (!exchange)
        edge_refuse_core(edge, source, request, status);
    text_fini(&text);
}

static void pass_from_core(struct edge *edge, const struct edge_target *source, const struct edge_message *request,
                           struct now now)
{
    unsigned status;
    struct text routes = {0};
    struct edge_flow *flow = routed_flow(edge, request, &routes, &status);
    bool within = value_tag(request->to).length > 0;
    struct edge_dialog *dialog = flow && within ? edge_dialog_find(flow, request, false) : NULL;
    if (flow && !within && flow->registration_count == 0) {
        flow = NULL; /* the core shall not reach whom it does not know any more */
        status = 480;
    }
    if (!flow) {
        edge_refuse_core(edge, source, request, status);
    } else {
        if (dialog)
            edge_dialog_note_request(dialog, request, false, now);
        pass_to_client(flow, source, request, text_span(&routes), now);
    }
    text_fini(&routes);
}

/* For the edge itself: a core that asks whether it lives (RFC 3261 §11). */
static bool is_probe(const struct edge *edge, const struct edge_message *request)
{
    return edge_message_is(request, "OPTIONS") && edge_message_find(request, "Route").length == 0 &&
           uri_user(request->uri).length == 0 && host_is_ours(edge, request->uri);
}

void edge_request_from_core(struct edge *edge, const struct edge_target *source, const struct edge_message *request,
                            struct now now)
{
    bool ack = edge_message_is(request, "ACK");
    struct sip_server_transaction *transaction =
        edge_server_find(edge, NULL, request, ack ? span_of_text("INVITE") : request->method);
    if (transaction && !(sip_server_receive(transaction, ack, now) && ack))
        return;
    if (edge_message_is(request, "CANCEL")) {
        transaction = edge_server_find(edge, NULL, request, span_of_text("INVITE"));
        edge_refuse_core(edge, source, request, transaction ? 200 : 481);
        cancel(edge_exchange_of_server(transaction), now);
    } else if (is_probe(edge, request)) {
        edge_refuse_core(edge, source, request, 200);
    } else if (edge_message_is(request, "NOTIFY") && edge_message_find(request, "Route").length == 0) {
        edge_refuse_core(edge, source, request, edge_subscription_notified(edge, request, now));
    } else {
        pass_from_core(edge, source, request, now);
    }
}
