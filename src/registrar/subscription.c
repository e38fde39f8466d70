/* SPDX-License-Identifier: BSD-3-Clause
 * The event package `reg` (RFC 3680, RFC 6665): an edge learns by it that a registration has ended here, and can take
 * back what it gave for it. */
#include <inttypes.h>
#include <osipparser2/osip_port.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/memory.h"
#include "registrar/hop.h"
#include "registrar/registrar_state.h"
#include "sip/via.h"

#define EXPIRES_USUAL_S 3761 /* RFC 3680 §4.4 */
#define EXPIRES_MOST_S  86400
#define PER_USER_MAX    16
#define BODY_SIZE       20480
#define ROUTES_SIZE     4096
#define REGINFO_TYPE    "application/reginfo+xml"

struct subscription {
    struct hash_entry entry; /* in registrar->subscriptions, by user */
    struct registrar *registrar;
    struct sip_client_transaction client; /* of the NOTIFY under way */
    struct timer expiry;
    uint64_t expires_ns;
    char *call_id, *local, *remote, *target, *routes; /* From, To, Request-URI and Route of our NOTIFY */
    char *event;
    char tag[HOP_TAG_SIZE];
    uint32_t cseq, version;
    bool client_runs, due; /* |due|: something has changed meanwhile */
    char user[RECORD_USER_MAX + 1];
};

/* A text that grows in fixed memory and stops at its end. */
struct text {
    char *bytes;
    size_t size, used; /* |used| >= |size|: it did not fit */
};

static void append(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(struct text *text, const char *format, ...)
{
    if (text->used >= text->size)
        return;
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text->bytes + text->used, text->size - text->used, format, arguments);
    va_end(arguments);
    text->used += length > 0 ? (size_t)length : 0;
}

static void append_escaped(struct text *text, const char *value)
{
    for (; *value; value++) {
        switch (*value) {
        case '&':
            append(text, "&amp;");
            break;
        case '<':
            append(text, "&lt;");
            break;
        case '>':
            append(text, "&gt;");
            break;
        case '"':
            append(text, "&quot;");
            break;
        default:
            append(text, "%c", *value);
            break;
        }
    }
}

static void destroy(struct subscription *subscription)
{
    struct registrar *registrar = subscription->registrar;
    timers_cancel(registrar->host.timers, &subscription->expiry);
    if (subscription->client_runs)
        sip_client_cancel(&subscription->client);
    hash_remove(&registrar->subscriptions, &subscription->entry);
    memory_free(subscription->call_id);
    memory_free(subscription->local);
    memory_free(subscription->remote);
    memory_free(subscription->target);
    memory_free(subscription->routes);
    memory_free(subscription->event);
    memory_free(subscription);
}

static struct subscription *subscription_of(struct hash_entry *entry)
{
    return container_of(entry, struct subscription, entry);
}

static void destroy_entry(struct hash_entry *entry, void *context)
{
    (void)context;
    destroy(subscription_of(entry));
}

void subscription_fini(struct registrar *registrar)
{
    if (!registrar->subscriptions.buckets)
        return;
    hash_each(&registrar->subscriptions, destroy_entry, NULL);
    hash_fini(&registrar->subscriptions);
}

static uint64_t hash_of(const struct registrar *registrar, const char *user)
{
    return siphash(&registrar->bindings.key, user, strlen(user));
}

static void append_contact(struct text *text, const struct binding *binding, const char *event, struct now now)
{
    bool active = event == NULL;
    append(text, "  <contact id=\"c%" PRIu64 "\" state=\"%s\" event=\"%s\"", binding->id,
           active ? "active" : "terminated", active ? "registered" : event);
    if (active)
        append(text, " expires=\"%" PRIu64 "\"", (binding->expires_ns - now.monotonic_ns) / NS_PER_S);
    append(text, ">\n   <uri>");
    append_escaped(text, binding->contact);
    append(text, "</uri>\n  </contact>\n");
}

static const char *event_of(enum binding_end end)
{
    switch (end) {
    case BINDING_UNREGISTERED:
        return "unregistered";
    case BINDING_EXPIRED:
        return "expired";
    case BINDING_DEACTIVATED:
        return "deactivated";
    case BINDING_REJECTED:
        return "rejected";
    }
    return "unregistered";
}

/* All there is to know about one user (RFC 3680 §5). Returns the length or ERR_TOO_LARGE. */
static int write_body(struct subscription *subscription, const struct record *record, const struct binding *ended,
                      enum binding_end end, struct now now, char *out, size_t size)
{
    struct text text = {out, size, 0};
    bool active = record && record->count > (ended ? 1 : 0);
    append(&text,
           "<?xml version=\"1.0\"?>\n<reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"%" PRIu32
           "\" state=\"full\">\n <registration aor=\"sip:",
           subscription->version);
    append_escaped(&text, subscription->user);
    append(&text, "@%s\" id=\"r%" PRIu64 "\" state=\"%s\">\n", subscription->registrar->domain, record ? record->id : 0,
           active   ? "active"
           : record ? "terminated"
                    : "init");
    if (record) {
        const struct list *link;
        list_each (link, &record->bindings) {
            const struct binding *binding = container_of(link, struct binding, link);
            append_contact(&text, binding, binding == ended ? event_of(end) : NULL, now);
        }
    }
    append(&text, " </registration>\n</reginfo>\n");
    return text.used < size ? (int)text.used : ERR_TOO_LARGE;
}

/* The NOTIFY without its body and Via; NULL where memory is short. */
static osip_message_t *create_notify(struct subscription *subscription, struct now now)
{
    struct registrar *registrar = subscription->registrar;
    char cseq[32], state[64];
    bool alive = subscription->expires_ns > now.monotonic_ns;
    snprintf(cseq, sizeof cseq, "%" PRIu32 " NOTIFY", ++subscription->cseq);
    if (alive)
        snprintf(state, sizeof state, "active;expires=%" PRIu64,
                 (subscription->expires_ns - now.monotonic_ns) / NS_PER_S);
    else
        snprintf(state, sizeof state, "terminated;reason=timeout");
    const char *const fields[][2] = {
        {"From", subscription->local},      {"To", subscription->remote},
        {"Call-ID", subscription->call_id}, {"CSeq", cseq},
        {"Contact", registrar->own_route},  {"Event", subscription->event},
        {"Subscription-State", state},
    };
    osip_message_t *notify = sip_request_create("NOTIFY", subscription->target);
    int status = notify ? 0 : ERR_MEMORY;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0] && status == 0; i++)
        status = sip_field_add(notify, fields[i][0], fields[i][1]);
    if (status == 0)
        status = hop_push_routes(notify, subscription->routes);
    if (status != 0)
        sip_message_destroy(&notify);
    return notify;
}

static void send_bytes(struct sip_client_transaction *client, const void *bytes, size_t length)
{
    struct registrar *registrar = container_of(client->table, struct registrar, transactions);
    registrar->host.send(registrar->host.context, bytes, length);
}

static void notify(struct subscription *subscription, const struct record *record, const struct binding *ended,
                   enum binding_end end, struct now now);

static void client_ended(struct sip_client_transaction *client, enum sip_client_end end, struct now now)
{
    struct subscription *subscription = container_of(client, struct subscription, client);
    subscription->client_runs = false;
    if (end == SIP_CLIENT_TIMEOUT) { /* RFC 6665 §4.2.2: nobody is there any more */
        destroy(subscription);
        return;
    }
    const struct record *record = bindings_find(&subscription->registrar->bindings, subscription->user);
    if (subscription->due)
        notify(subscription, record, NULL, BINDING_UNREGISTERED, now);
}

static const struct sip_client_events client_events = {.send = send_bytes, .ended = client_ended};

bool subscription_answered(struct sip_client_transaction *client, osip_message_t *response, struct now now)
{
    if (client->events != &client_events)
        return false;
    unsigned status = (unsigned)response->status_code;
    sip_message_destroy(&response);
    sip_client_receive(client, status, NULL, 0, now);
    if (status >= 300) /* 481 and its like: the subscriber knows of no subscription */
        destroy(container_of(client, struct subscription, client));
    return true;
}

/* One NOTIFY at a time; what changes meanwhile is told when it was answered. */
static void notify(struct subscription *subscription, const struct record *record, const struct binding *ended,
                   enum binding_end end, struct now now)
{
    struct registrar *registrar = subscription->registrar;
    char body[BODY_SIZE], branch[HOP_BRANCH_SIZE], *text;
    if (subscription->client_runs) {
        subscription->due = true;
        return;
    }
    subscription->due = false;
    osip_message_t *request = create_notify(subscription, now);
    int length = write_body(subscription, record, ended, end, now, body, sizeof body);
    hop_branch_make(branch);
    bool ready = request && length > 0 && sip_message_set_body(request, REGINFO_TYPE, body, (size_t)length) == 0 &&
                 sip_via_push(request, "TCP", registrar->sent_by, branch) == 0;
    length = ready ? sip_message_encode(request, &text) : ERR_MEMORY;
    sip_message_destroy(&request);
    if (length < 0)
        return;
    subscription->version++;
    subscription->client_runs = true;
    if (sip_client_begin(&registrar->transactions, &subscription->client, &client_events, false, true, branch, text,
                         (size_t)length, now) != 0)
        subscription->client_runs = false;
    sip_text_free(text);
}

void subscription_notify(struct registrar *registrar, const struct record *record, const struct binding *ended,
                         enum binding_end end, struct now now)
{
    struct hash_entry *entry = hash_first(&registrar->subscriptions, hash_of(registrar, record->user));
    for (; entry; entry = hash_next(entry))
        if (strcmp(subscription_of(entry)->user, record->user) == 0)
            notify(subscription_of(entry), record, ended, end, now);
}

static void expire(struct timer *timer, struct now now)
{
    struct subscription *subscription = container_of(timer, struct subscription, expiry);
    notify(subscription, bindings_find(&subscription->registrar->bindings, subscription->user), NULL,
           BINDING_UNREGISTERED, now);
    destroy(subscription); /* the answer to this last NOTIFY is nobody's */
}

static char *name_address(const osip_from_t *address, const char *tag)
{
    char *text = NULL, *copy = NULL, joined[HOP_URI_MAX];
    if (osip_from_to_str(address, &text) != 0)
        return NULL;
    int length = snprintf(joined, sizeof joined, "%s%s%s", text, tag ? ";tag=" : "", tag ? tag : "");
    if (length > 0 && (size_t)length < sizeof joined)
        copy = memory_string(joined);
    osip_free(text);
    return copy;
}

/* Record-Route in the order of the subscriber's side, which is ours as the one called (RFC 3261 §12.1.1). */
static char *routes_of(const osip_message_t *request)
{
    char routes[ROUTES_SIZE] = "", value[HOP_URI_MAX];
    struct text text = {routes, sizeof routes, 0};
    for (unsigned i = 0; sip_field_value(request, "Record-Route", i, value, sizeof value); i++)
        append(&text, "%s%s", i ? ", " : "", value);
    return text.used < sizeof routes ? memory_string(routes) : NULL;
}

static struct subscription *create(struct registrar *registrar, const osip_message_t *request, const char *user)
{
    char target[HOP_URI_MAX], call_id[HOP_URI_MAX];
    const osip_contact_t *contact = osip_list_get(&request->contacts, 0);
    if (!contact || hop_uri_text(contact->url, target, sizeof target) < 0 ||
        !sip_field_value(request, "Call-ID", 0, call_id, sizeof call_id))
        return NULL;
    struct subscription *subscription = memory_zeroed(1, sizeof *subscription);
    if (!subscription)
        return NULL;
    subscription->registrar = registrar;
    subscription->expiry.callback = expire;
    snprintf(subscription->user, sizeof subscription->user, "%s", user);
    hash_insert(&registrar->subscriptions, &subscription->entry, hash_of(registrar, user));
    hop_tag_make(subscription->tag);
    subscription->call_id = memory_string(call_id);
    subscription->local = name_address(request->to, subscription->tag);
    subscription->remote = name_address(request->from, NULL);
    subscription->target = memory_string(target);
    subscription->routes = routes_of(request);
    subscription->event = memory_string(sip_field_find(request, "Event"));
    if (!subscription->call_id || !subscription->local || !subscription->remote || !subscription->target ||
        !subscription->routes || !subscription->event) {
        destroy(subscription);
        return NULL;
    }
    return subscription;
}

/* The subscription that a request with a To tag belongs to, or NULL. |*count_out|: how many the user has. */
static struct subscription *find(const struct registrar *registrar, const osip_message_t *request, const char *user,
                                 unsigned *count_out)
{
    char call_id[HOP_URI_MAX];
    const char *tag = sip_parameter_find(&request->to->gen_params, "tag");
    struct subscription *found = NULL;
    *count_out = 0;
    if (!sip_field_value(request, "Call-ID", 0, call_id, sizeof call_id))
        return NULL;
    struct hash_entry *entry = hash_first(&registrar->subscriptions, hash_of(registrar, user));
    for (; entry; entry = hash_next(entry)) {
        struct subscription *subscription = subscription_of(entry);
        if (strcmp(subscription->user, user) != 0)
            continue;
        ++*count_out;
        if (tag && strcmp(subscription->tag, tag) == 0 && strcmp(subscription->call_id, call_id) == 0)
            found = subscription;
    }
    return found;
}

/* Users may watch themselves, and edges everybody: an edge asserts no identity, or one without a user. */
static bool may_watch(const struct registrar *registrar, const osip_message_t *request, const char *user)
{
    char value[HOP_URI_MAX];
    bool allowed = true;
    for (unsigned i = 0; sip_field_value(request, "P-Asserted-Identity", i, value, sizeof value); i++) {
        osip_from_t *identity;
        if (osip_from_init(&identity) != 0)
            return false;
        bool parsed = osip_from_parse(identity, value) == 0 && identity->url;
        const char *asserted = parsed ? registrar_user_of(registrar, identity->url) : NULL;
        allowed = parsed && (asserted ? strcmp(asserted, user) == 0 : identity->url->host && !identity->url->username);
        osip_from_free(identity);
        if (allowed)
            return true;
    }
    return allowed;
}

static bool is_known(struct registrar *registrar, const char *user)
{
    struct account account;
    bool known = bindings_find(&registrar->bindings, user) ||
                 accounts_find(registrar->accounts, span_of_text(user), &account) == 0;
    crypto_erase(&account, sizeof account);
    return known;
}

/* Returns 0 with |*out| to be told of, or the status to refuse with. */
static unsigned begin(struct registrar *registrar, const osip_message_t *request, const char *user,
                      struct subscription **out)
{
    unsigned count;
    bool in_dialog = sip_parameter_find(&request->to->gen_params, "tag") != NULL;
    *out = find(registrar, request, user, &count);
    if (*out || in_dialog)
        return *out ? 0 : 481;
    if (!may_watch(registrar, request, user))
        return 403;
    if (!is_known(registrar, user))
        return 404;
    if (count >= PER_USER_MAX || registrar->subscriptions.count >= SUBSCRIPTIONS_MAX)
        return 503;
    *out = create(registrar, request, user);
    return *out ? 0 : 400;
}

static void accept(struct subscription *subscription, const osip_message_t *request, struct now now)
{
    struct registrar *registrar = subscription->registrar;
    uint32_t expires_s = EXPIRES_USUAL_S;
    char text[16];
    sip_field_number(request, "Expires", &expires_s);
    expires_s = expires_s > EXPIRES_MOST_S ? EXPIRES_MOST_S : expires_s;
    subscription->expires_ns = now.monotonic_ns + expires_s * NS_PER_S;
    snprintf(text, sizeof text, "%" PRIu32, expires_s);
    osip_message_t *response = sip_response_create(request, 200, NULL, subscription->tag);
    if (response && (sip_field_add(response, "Expires", text) != 0 ||
                     sip_field_add(response, "Contact", registrar->own_route) != 0))
        sip_message_destroy(&response);
    registrar_send(registrar, response);
    if (timers_set(registrar->host.timers, &subscription->expiry, subscription->expires_ns) != 0) {
        destroy(subscription);
        return;
    }
    /* One that ends at once is told by its timer. */
    if (expires_s > 0)
        notify(subscription, bindings_find(&registrar->bindings, subscription->user), NULL, BINDING_UNREGISTERED, now);
}

static bool is_about_registrations(const osip_message_t *request)
{
    const char *event = sip_field_find(request, "Event");
    return strcmp(request->sip_method, "SUBSCRIBE") == 0 && event && strncasecmp(event, "reg", 3) == 0 &&
           strchr("; \t", event[3]);
}

bool subscription_receive(struct registrar *registrar, osip_message_t *request, struct now now)
{
    struct subscription *subscription;
    bool ours = registrar_user_of(registrar, request->req_uri) || hop_is_at(request->req_uri, registrar->sent_by);
    const char *user = registrar_user_of(registrar, request->to->url);
    if (!ours || !user || hop_has_route(request) || !is_about_registrations(request))
        return false;
    unsigned refusal = begin(registrar, request, user, &subscription);
    if (refusal == 0)
        accept(subscription, request, now);
    else
        registrar_answer(registrar, request, refusal);
    sip_message_destroy(&request);
    return true;
}
