/* SPDX-License-Identifier: BSD-3-Clause */
#include "edge/reg_event.h"

#include "crypto/digest.h"
#include "edge/identity.h"
#include "edge/reginfo.h"

/* TS 24.229 §5.2.3: longer than the registration, so that its end is told as well. */
#define LONGER_S 600
/* It is refreshed that long before its end, or at half time where it is short. */
#define AHEAD_S 600
/* A core without reg-event is not asked again for each registration. */
#define REFUSED_NS (3600 * NS_PER_S)

static void refresh(struct timer *timer, struct now now);

void edge_subscription_init(struct edge_registration *registration)
{
    registration->subscription.refresh.callback = refresh;
}

void edge_subscription_fini(struct edge_registration *registration)
{
    struct edge_subscription *subscription = &registration->subscription;
    timers_cancel(registration->flow->edge->host.timers, &subscription->refresh);
    edge_dialog_destroy(&subscription->dialog);
    subscription->id[0] = '\0';
}

/* Sending */

static void write_rest(const struct edge_registration *registration, struct now now, struct text *text)
{
    const struct edge *edge = registration->flow->edge;
    uint64_t left_s = registration->expires_s > now.wall_s ? registration->expires_s - now.wall_s : 0;
    text_add(text, "Contact: <sip:%s@%s>\r\n", registration->flow->token, edge_sent_by_default(edge));
    text_add(text, "Event: reg\r\nAccept: application/reginfo+xml\r\nExpires: %llu\r\n",
             (unsigned long long)left_s + LONGER_S);
    text_add(text, "P-Asserted-Identity: <sip:%s>\r\n", edge_sent_by_default(edge));
    edge_charging_write(edge, text);
    text_add_body(text, span_none());
}

static void send(struct edge_registration *registration, struct text *text, struct span next_hop, struct now now)
{
    unsigned status;
    struct edge_flow *flow = registration->flow;
    struct edge_exchange *exchange = NULL;
    if (!text->failed)
        exchange = edge_exchange_create(flow->edge, flow, PARTY_EDGE, PARTY_CORE, PURPOSE_SUBSCRIBE, &status);
    if (exchange)
        edge_exchange_start(exchange, text, next_hop, now);
    text_fini(text);
}

void edge_subscription_begin(struct edge_registration *registration, struct now now)
{
    const struct edge *edge = registration->flow->edge;
    struct edge_subscription *subscription = &registration->subscription;
    struct text text = {0};
    uint8_t id[16];
    if (now.monotonic_ns < edge->subscribe_after_ns)
        return;
    edge_subscription_fini(registration);
    crypto_random(id, sizeof id);
    _Static_assert(CRYPTO_BASE64_SIZE(sizeof id) >= EDGE_SUBSCRIPTION_ID_SIZE, "22 characters");
    char encoded[CRYPTO_BASE64_SIZE(sizeof id)];
    crypto_base64url(id, sizeof id, encoded);
    memcpy(subscription->id, encoded, EDGE_SUBSCRIPTION_ID_SIZE);
    subscription->version = 0;
    struct span who = value_uri(edge_registration_default(registration));
    text_add(&text, "SUBSCRIBE ");
    text_add_span(&text, who);
    text_add(&text, " SIP/2.0\r\nMax-Forwards: 70\r\nFrom: <sip:%s>;tag=%s\r\nTo: <", edge_sent_by_default(edge),
             subscription->id);
    text_add_span(&text, who);
    text_add(&text, ">\r\nCall-ID: %s\r\nCSeq: 1 SUBSCRIBE\r\n", subscription->id);
    write_rest(registration, now, &text);
    send(registration, &text, span_none(), now);
}

static void refresh(struct timer *timer, struct now now)
{
    struct edge_subscription *subscription = container_of(timer, struct edge_subscription, refresh);
    struct edge_registration *registration = container_of(subscription, struct edge_registration, subscription);
    struct edge_dialog *dialog = subscription->dialog;
    struct text text = {0};
    if (!dialog)
        return;
    edge_dialog_write_request(dialog, "SUBSCRIBE", ++dialog->cseq, &text);
    write_rest(registration, now, &text);
    send(registration, &text, edge_dialog_next_hop(dialog), now);
}

/* Answers */

static struct edge_registration *find(const struct edge_flow *flow, struct span call_id)
{
    struct list *link;
    if (!flow || call_id.length == 0)
        return NULL;
    list_each (link, &flow->registrations) {
        struct edge_registration *registration = container_of(link, struct edge_registration, link);
        if (span_equal(span_of_text(registration->subscription.id), call_id))
            return registration;
    }
    return NULL;
}

static void refused(struct edge_registration *registration, unsigned status, struct now now)
{
    struct edge *edge = registration->flow->edge;
    edge_subscription_fini(registration);
    /* 405, 489 and 501 say that the core has no such event at all. */
    if (status != 405 && status != 489 && status != 501)
        return edge_say(edge, false, "the core refuses a SUBSCRIBE for reg-event: %u", status);
    if (now.monotonic_ns >= edge->subscribe_after_ns)
        edge_say(edge, true, "the core has no reg-event (%u): it cannot tell when it ends a registration", status);
    edge->subscribe_after_ns = now.monotonic_ns + REFUSED_NS;
}

void edge_subscribe_failed(struct edge_exchange *exchange, unsigned status, struct now now)
{
    struct edge_registration *registration =
        find(exchange->flow, raw_find((struct span){exchange->request, exchange->length}, "Call-ID"));
    if (registration)
        refused(registration, status, now);
}

static void plan_refresh(struct edge_registration *registration, const struct edge_message *response, struct now now)
{
    struct timers *timers = registration->flow->edge->host.timers;
    unsigned seconds;
    if (!span_number(edge_message_find(response, "Expires"), &seconds) || seconds == 0)
        return;
    seconds = seconds > 2 * AHEAD_S ? seconds - AHEAD_S : (seconds + 1) / 2;
    if (timers_set(timers, &registration->subscription.refresh, now.monotonic_ns + seconds * NS_PER_S) != 0)
        edge_subscription_fini(registration);
}

void edge_subscribe_answered(struct edge_exchange *exchange, const struct edge_message *request,
                             const struct edge_message *response, struct now now)
{
    struct edge_registration *registration = find(exchange->flow, request->call_id);
    if (!registration || response->status < 200)
        return;
    if (response->status >= 300)
        return refused(registration, response->status, now);
    struct edge_subscription *subscription = &registration->subscription;
    if (!subscription->dialog)
        subscription->dialog = edge_dialog_create(exchange->edge, request, response, true);
    plan_refresh(registration, response, now);
}

/* Notifications */

struct verdict {
    const struct edge_registration *registration;
    bool terminated;
};

static void judge(void *context, const struct reginfo_contact *contact)
{
    struct verdict *verdict = context;
    const struct edge_registration *registration = verdict->registration;
    struct span aor = span_of_text(contact->aor), uri = span_of_text(contact->uri);
    if (!uri_same(aor, registration->aor))
        return;
    if (uri.length == 0 || uri_same(uri, registration->contact))
        verdict->terminated = contact->terminated;
}

static bool is_terminated(struct span subscription_state)
{
    static const char word[] = "terminated";
    size_t length = sizeof word - 1;
    return subscription_state.length >= length && span_is((struct span){subscription_state.bytes, length}, word);
}

unsigned edge_subscription_notified(struct edge *edge, const struct edge_message *notify, struct now now)
{
    struct sip_flow_name name;
    struct edge_flow *flow = NULL;
    if (edge_uri_is_ours(edge, notify->uri, &name) && name.worker == edge->worker)
        flow = edge_flow_find(edge, name.flow);
    struct edge_registration *registration = find(flow, notify->call_id);
    if (!registration || !span_equal(value_tag(notify->to), span_of_text(registration->subscription.id)))
        return 481; /* ends the subscription in the core as well, RFC 6665 §4.2.2 */
    struct edge_subscription *subscription = &registration->subscription;
    struct verdict verdict = {.registration = registration};
    struct reginfo reginfo = {.contact = judge, .context = &verdict};
    bool ended = is_terminated(edge_message_find(notify, "Subscription-State"));
    if (notify->body.length > 0 && reginfo_read(notify->body, &reginfo) != 0) {
        edge_say(edge, false, "the body of a NOTIFY for reg-event cannot be read");
        verdict.terminated = false;
    } else if (notify->body.length > 0 && !reginfo.full && reginfo.version < subscription->version) {
        verdict.terminated = false; /* overtaken by a later one, RFC 3680 §5.1 */
    } else if (notify->body.length > 0 && reginfo.version < UINT32_MAX) {
        subscription->version = reginfo.version + 1;
    }
    if (verdict.terminated)
        edge_registration_end(registration, "the network ended it", now);
    else if (ended)
        edge_subscription_fini(registration);
    return 200;
}
