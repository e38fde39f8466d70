/* SPDX-License-Identifier: BSD-3-Clause */
#include "edge/compose.h"

static const char *const transport_names[EDGE_TRANSPORTS] = {"UDP", "TCP", "TLS", "TCP"};
static const char *const transport_parameters[EDGE_TRANSPORTS] = {"", ";transport=tcp", ";transport=tls",
                                                                  ";transport=tcp"};

static void add_via(const struct edge_exchange *exchange, const char *branch, struct text *text)
{
    const struct edge_settings *settings = exchange->edge->settings;
    if (exchange->to == PARTY_CLIENT) {
        text_add(text, "Via: SIP/2.0/WSS %s;branch=%s\r\n", settings->domain, branch);
        return;
    }
    uint8_t transport = edge_exchange_target(exchange)->transport;
    text_add(text, "Via: SIP/2.0/%s %s;branch=%s%s\r\n", transport_names[transport], settings->sent_by[transport],
             branch, transport == EDGE_UDP ? ";rport" : "");
}

void edge_compose_record_routes(const struct edge_exchange *exchange, struct text *text)
{
    if (!exchange->record_route || !exchange->flow)
        return;
    const struct edge_settings *settings = exchange->edge->settings;
    const char *token = exchange->flow->token;
    uint8_t transport =
        exchange->to == PARTY_CORE ? edge_exchange_target(exchange)->transport : exchange->source.transport;
    struct text core = {0}, client = {0};
    text_add(&core, "Record-Route: <sip:%s@%s%s;lr>\r\n", token, settings->sent_by[transport],
             transport_parameters[transport]);
    text_add(&client, "Record-Route: <sip:%s@%s;transport=ws;lr>\r\n", token, settings->domain);
    text->failed |= core.failed | client.failed;
    text_add_span(text, text_span(exchange->to == PARTY_CORE ? &core : &client));
    text_add_span(text, text_span(exchange->to == PARTY_CORE ? &client : &core));
    text_fini(&core);
    text_fini(&client);
}

static void add_path(const struct edge_exchange *exchange, struct text *text)
{
    uint8_t transport = edge_exchange_target(exchange)->transport;
    text_add(text, "Path: <sip:%s@%s%s;lr;ob>\r\n", exchange->flow ? exchange->flow->token : "",
             exchange->edge->settings->sent_by[transport], transport_parameters[transport]);
}

void edge_compose_request(const struct edge_exchange *exchange, const char *branch, struct text *text)
{
    text_add_span(text, (struct span){exchange->request, exchange->line});
    add_via(exchange, branch, text);
    if (exchange->purpose == PURPOSE_REGISTER)
        add_path(exchange, text);
    edge_compose_record_routes(exchange, text);
    text_add_span(text, (struct span){exchange->request + exchange->line, exchange->length - exchange->line});
}

void edge_compose_hop(const struct edge_exchange *exchange, const char *method, struct span to, struct text *text)
{
    struct span request = {exchange->request, exchange->length};
    struct span line = raw_start_line(request), uri = raw_word(line, 1);
    struct span cseq = raw_word(raw_find(request, "CSeq"), 0);
    text_add(text, "%s %.*s SIP/2.0\r\n", method, (int)uri.length, (const char *)uri.bytes);
    add_via(exchange, exchange->client.branch, text);
    text_add_fields_of(text, request, "Route");
    text_add(text, "Max-Forwards: 70\r\n");
    text_add_fields_of(text, request, "From");
    text_add_field(text, "To", to);
    text_add_fields_of(text, request, "Call-ID");
    text_add(text, "CSeq: %.*s %s\r\nContent-Length: 0\r\n\r\n", (int)cseq.length, (const char *)cseq.bytes, method);
}
