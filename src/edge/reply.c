/* SPDX-License-Identifier: BSD-3-Clause */
#include "edge/reply.h"

#include "edge/compose.h"
#include "edge/dialog.h"
#include "edge/identity.h"
#include "edge/reg_event.h"
#include "edge/register.h"

void edge_reply_write(struct text *text, const struct edge *edge, const struct edge_message *request, unsigned status,
                      struct span fields)
{
    text_add(text, "SIP/2.0 %u %s\r\n", status, sip_status_reason(status));
    text_add_fields_of(text, request->text, "Via");
    text_add_fields_of(text, request->text, "From");
    text_add(text, "To: ");
    text_add_span(text, request->to);
    if (value_tag(request->to).length == 0 && status > 100)
        text_add(text, ";tag=%016llx",
                 (unsigned long long)siphash(&edge->key, request->branch.bytes, request->branch.length));
    text_add(text, "\r\n");
    text_add_fields_of(text, request->text, "Call-ID");
    text_add_fields_of(text, request->text, "CSeq");
    text_add_span(text, fields);
    text_add(text, "Content-Length: 0\r\n\r\n");
}

void edge_refuse_client(struct edge_flow *flow, const struct edge_message *request, unsigned status, struct span fields)
{
    const struct edge_host *host = &flow->edge->host;
    struct text text = {0};
    if (edge_message_is(request, "ACK"))
        return;
    edge_reply_write(&text, flow->edge, request, status, fields);
    if (!text.failed)
        host->client_send(host->context, flow, text.bytes, text.length);
    text_fini(&text);
}

void edge_refuse_core(struct edge *edge, const struct edge_target *source, const struct edge_message *request,
                      unsigned status)
{
    struct text text = {0};
    if (edge_message_is(request, "ACK"))
        return;
    edge_reply_write(&text, edge, request, status, span_none());
    if (!text.failed)
        edge->host.core_send(edge->host.context, source, text.bytes, text.length);
    text_fini(&text);
}

/* The route back is what the request said, not what the response says. */
static const char *const replaced_to_core[] = {"Via", "Record-Route", NULL};
/* One core's refusal is not that of the service as a whole (RFC 3261 §16.7 item 6). */
static const char *const of_one_core[] = {"Retry-After", NULL};

static void write_for_core(const struct edge_exchange *exchange, const struct edge_message *request,
                           const struct edge_message *response, struct text *text)
{
    if (response->status < 300) {
        edge_compose_record_routes(exchange, text);
        text_add_fields_of(text, request->text, "Record-Route");
    }
    edge_message_write_fields(text, response, replaced_to_core, edge_fields_not_asserted);
    if (value_tag(request->to).length == 0)
        edge_identity_write(exchange->flow, response, text);
}

static void pass(struct edge_exchange *exchange, const struct edge_message *request,
                 const struct edge_message *response, struct now now)
{
    struct text text = {0};
    text_add_span(&text, raw_start_line(response->text));
    text_add(&text, "\r\n");
    text_add_fields_of(&text, request->text, "Via");
    if (exchange->to == PARTY_CLIENT)
        write_for_core(exchange, request, response, &text);
    else
        edge_message_write_fields(&text, response, edge_fields_to_hide(response),
                                  response->status == 503 ? of_one_core : NULL);
    text_add_body(&text, response->body);
    edge_exchange_respond(exchange, response->status, &text, now);
}

/* The WIC that called is gone: whoever picked up is told. */
static void hang_up_late(struct edge_exchange *exchange, const struct edge_message *request,
                         const struct edge_message *response, struct now now)
{
    if (!exchange->invite || response->status < 200 || response->status >= 300)
        return;
    struct edge_dialog *dialog = edge_dialog_create(exchange->edge, request, response, true);
    if (dialog) {
        dialog->confirmed = true;
        edge_dialog_hang_up(exchange->edge, dialog, now);
    }
    edge_dialog_destroy(&dialog);
}

void edge_response_pass(struct edge_exchange *exchange, const struct edge_message *response, struct now now)
{
    struct edge_message request;
    if (exchange->purpose == PURPOSE_END ||
        edge_message_index((struct span){exchange->request, exchange->length}, &request) != 0)
        return;
    if (exchange->purpose == PURPOSE_SUBSCRIBE) {
        edge_subscribe_answered(exchange, &request, response, now);
        return;
    }
    if (!exchange->flow) {
        hang_up_late(exchange, &request, response, now);
        return;
    }
    if (response->status == 100)
        return;
    edge_dialog_note_response(exchange, &request, response, now);
    if (exchange->purpose == PURPOSE_REGISTER)
        edge_register_pass(exchange, &request, response, now);
    else
        pass(exchange, &request, response, now);
}

struct span via_sent_by(struct span via)
{
    const char *at = via.bytes, *end = at + via.length;
    for (unsigned slashes = 0; at < end && slashes < 2; at++)
        slashes += *at == '/';
    struct span rest = span_trimmed((struct span){at, (size_t)(end - at)});
    at = rest.bytes;
    while (at < end && *at != ' ' && *at != '\t')
        at++;
    const char *semicolon = memchr(at, ';', (size_t)(end - at));
    return span_trimmed((struct span){at, (size_t)((semicolon ? semicolon : end) - at)});
}
