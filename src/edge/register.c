/* SPDX-License-Identifier: BSD-3-Clause */
#include "edge/register.h"

#include <stdio.h>

#include "crypto/digest.h"
#include "edge/authorization.h"
#include "edge/identity.h"
#include "edge/reg_event.h"
#include "edge/reply.h"
#include "edge/request.h"

#define LIFETIME_DEFAULT_S 3600 /* RFC 3261 §10.2.1.1 leaves it to the registrar; most say an hour */
/* Longer than any core grants; keeps sums within bounds. */
#define LIFETIME_MAX_S (30u * 24 * 3600)

/* What a REGISTER is about */

struct binding {
    bool present, all;    /* a Contact; the Contact `*` */
    struct span contact;  /* URI */
    struct span value;    /* the whole Contact value */
    struct text instance; /* what tells it from others: instance and reg-id, or the URI */
};

static void read_binding(struct span contact, struct binding *out)
{
    struct span instance, reg_id = span_of_text("0");
    *out = (struct binding){.present = true, .value = contact, .contact = value_uri(contact)};
    out->all = span_is(contact, "*");
    if (value_parameter(contact, "+sip.instance", &instance)) {
        value_parameter(contact, "reg-id", &reg_id);
        text_add_span(&out->instance, instance);
        text_add(&out->instance, " ");
        text_add_span(&out->instance, reg_id);
    } else {
        text_add_span(&out->instance, out->contact);
    }
}

static void binding_of(const struct edge_message *request, struct binding *out)
{
    struct edge_walk walk = {0};
    struct span contact;
    *out = (struct binding){0};
    if (edge_message_next(request, "Contact", &walk, &contact))
        read_binding(contact, out);
}

/* From a WIC */

/* Whether who the token names may register and be who the message says. */
static bool permits(const struct token_identity *identity, const struct edge_message *request)
{
    bool to = false, from = false;
    for (unsigned i = 0; i < identity->impu_count; i++) {
        struct span impu = span_of_text(identity->impus[i]);
        to |= uri_same(impu, value_uri(request->to));
        from |= uri_same(impu, value_uri(request->from));
    }
    return to && from;
}

/* 0, or why this REGISTER goes no further. */
static unsigned refusal(const struct edge_flow *flow, const struct edge_message *request,
                        const struct edge_authorization *authorization, struct binding *binding)
{
    struct span parameter;
    if (edge_message_count(request, "Contact") > 1)
        return 400; /* one flow is one contact, RFC 5626 §4.2 */
    /* Somebody stands between the WIC and this edge: then it is not the first hop (RFC 5626 §5.1). */
    if (binding->present && value_parameter(binding->value, "reg-id", &parameter) &&
        edge_message_count(request, "Via") > 1)
        return 439;
    /* The core checks one, and the edge would take its identity from another. */
    if (authorization->digests > 1)
        return 400;
    if (authorization->bearer && !permits(&authorization->identity, request))
        return 403;
    if (binding->present && !binding->all && flow->registration_count >= EDGE_REGISTRATIONS_MAX &&
        !edge_registration_find(flow, value_uri(request->to), text_span(&binding->instance)))
        return 403;
    return 0;
}

/* A registration does not outlive its token: neither Contact nor Expires asks for more than |most_s|. */
static void write_contact(const struct edge_message *request, const struct binding *binding, uint64_t most_s,
                          struct text *text)
{
    char most[24];
    unsigned asked;
    struct span stated = edge_message_find(request, "Expires"), parameter;
    snprintf(most, sizeof most, "%llu", (unsigned long long)most_s);
    bool limited = most_s > 0 && !binding->all && binding->present;
    if (stated.length > 0 || limited) {
        bool given = span_number(stated, &asked);
        bool above = limited && (given ? asked > most_s : LIFETIME_DEFAULT_S > most_s);
        if (above)
            text_add(text, "Expires: %s\r\n", most);
        else if (stated.length > 0)
            text_add_field(text, "Expires", stated);
    }
    if (!binding->present)
        return;
    text_add(text, "Contact: ");
    if (limited && value_parameter(binding->value, "expires", &parameter) &&
        (!span_number(parameter, &asked) || asked > most_s))
        text_add_with_parameter(text, binding->value, "expires", most);
    else
        text_add_span(text, binding->value);
    text_add(text, "\r\n");
}

static const char *const rewritten[] = {"Via", "Authorization", "Proxy-Authorization", "Contact", "Expires", NULL};

static bool write_register(const struct edge_flow *flow, const struct edge_message *request,
                           const struct edge_authorization *authorization, const struct binding *binding,
                           struct now now, struct text *text)
{
    const struct edge *edge = flow->edge;
    uint64_t most_s = authorization->bearer ? authorization->identity.expires_s - now.wall_s : 0;
    text_add(text, "REGISTER ");
    text_add_span(text, request->uri);
    text_add(text, " SIP/2.0\r\n");
    edge_request_write_vias(request, &flow->client, true, text);
    if (!edge_request_write_max_forwards(request, text))
        return false;
    text_add(text, "Require: path\r\n");
    if (!edge_message_lists(request, "Supported", "path"))
        text_add(text, "Supported: path\r\n");
    edge_message_write_fields(text, request, rewritten, edge_fields_not_asserted);
    write_contact(request, binding, most_s, text);
    text_add(text, "P-Visited-Network-ID: \"%s\"\r\n", edge->settings->visited_network);
    edge_access_network_write(request, text);
    edge_charging_write(edge, text);
    /* TS 24.229 §5.2.2.6: whether this TLS session belongs to somebody whom the core has authenticated. */
    if (authorization->bearer)
        edge_authorization_write_done(edge, &authorization->identity, text);
    else
        edge_authorization_write(request, "Authorization", flow, text);
    edge_authorization_write(request, "Proxy-Authorization", NULL, text);
    text_add_body(text, request->body);
    return true;
}

void edge_register_from_client(struct edge_flow *flow, const struct edge_message *request, struct now now)
{
    struct edge_authorization authorization;
    struct binding binding;
    struct text text = {0}, challenge = {0};
    binding_of(request, &binding);
    unsigned status = edge_authorization_read(flow->edge, request, now, &authorization);
    if (status == 0)
        status = refusal(flow, request, &authorization, &binding);
    if (status == 0 && !write_register(flow, request, &authorization, &binding, now, &text))
        status = 483;
    if (status == 401)
        edge_challenge_write(flow->edge, "invalid_token", &challenge);
    if (status != 0) {
        edge_refuse_client(flow, request, status, text_span(&challenge));
        goto out;
    }
    struct edge_register reg = {
        .token_expires_s = authorization.bearer ? authorization.identity.expires_s : 0,
        .wants_credentials = edge_message_lists(request, "Accept", PROVISION_TYPE),
        .auth_int = authorization.auth_int,
    };
    edge_request_forward(flow, request, &text, span_none(), reg, now);
out:
    text_fini(&binding.instance);
    text_fini(&challenge);
    text_fini(&text);
}

/* From the core */

/* The private identity that |request| was authenticated as; where it had none, the one it had before, or the public one
 * without its scheme (TS 23.003 §13.3). */
static struct span impi_of(const struct edge_flow *flow, const struct edge_message *request, struct span aor,
                           struct span binding)
{
    struct span impi, field = edge_message_find(request, "Authorization");
    const struct edge_registration *known = edge_registration_find(flow, aor, binding);
    if (field.length > 0 && edge_authorization_parameter(field, "username", &impi) && impi.length > 0)
        return impi;
    if (known)
        return known->impi;
    const char *colon = memchr(aor.bytes, ':', aor.length);
    size_t scheme = colon ? (size_t)(colon - (const char *)aor.bytes) + 1 : 0;
    return (struct span){(const char *)aor.bytes + scheme, aor.length - scheme};
}

/* How long |binding| lives by the core's word, 0 where it does not. */
static uint32_t lifetime_of(const struct edge_message *response, const struct binding *binding)
{
    struct edge_walk walk = {0};
    struct span contact, stated;
    unsigned seconds = 0;
    bool found = false;
    while (!found && edge_message_next(response, "Contact", &walk, &contact)) {
        struct binding other;
        read_binding(contact, &other);
        found = span_equal(text_span(&other.instance), text_span(&binding->instance)) ||
                uri_same(other.contact, binding->contact);
        text_fini(&other.instance);
    }
    if (!found)
        return 0;
    if (!value_parameter(contact, "expires", &stated))
        stated = edge_message_find(response, "Expires");
    if (!span_number(stated, &seconds))
        seconds = LIFETIME_DEFAULT_S;
    return seconds < LIFETIME_MAX_S ? seconds : LIFETIME_MAX_S;
}

/* The values of |name|, in one list. */
static void write_list(const struct edge_message *message, const char *name, struct text *text)
{
    struct edge_walk walk = {0};
    struct span value;
    for (unsigned i = 0; i < EDGE_ROUTES_MAX && edge_message_next(message, name, &walk, &value); i++) {
        text_add_span(text, span_of_text(i > 0 ? "," : ""));
        text_add_span(text, value);
    }
}

/* Our Path has to have come as far as the registrar: else nobody can be called. */
static void check_path(const struct edge_flow *flow, const struct edge_message *response)
{
    struct edge_walk walk = {0};
    struct span value;
    struct sip_flow_name name;
    while (edge_message_next(response, "Path", &walk, &value))
        if (edge_uri_is_ours(flow->edge, value_uri(value), &name))
            return;
    edge_say(flow->edge, false, "the core's 200 to REGISTER does not show our Path: does its registrar keep it?");
}

static struct edge_registration *install(struct edge_exchange *exchange, const struct edge_message *request,
                                         const struct edge_message *response, const struct binding *binding,
                                         uint32_t lifetime_s, struct now now)
{
    struct edge_flow *flow = exchange->flow;
    struct text routes = {0}, associated = {0};
    bool fresh = false;
    struct edge_registration *registration = NULL;
    struct span aor = value_uri(request->to);
    write_list(response, "Service-Route", &routes);
    write_list(response, "P-Associated-URI", &associated);
    if (associated.length == 0) {
        text_add(&associated, "<");
        text_add_span(&associated, aor);
        text_add(&associated, ">");
    }
    if (routes.failed || associated.failed)
        goto out;
    struct edge_registration_facts facts = {
        .impi = impi_of(flow, request, aor, text_span(&binding->instance)),
        .aor = aor,
        .contact = binding->contact,
        .binding = text_span(&binding->instance),
        .routes = text_span(&routes),
        .associated = text_span(&associated),
        .lifetime_s = lifetime_s,
    };
    registration = edge_registration_install(flow, &facts, &fresh, now);
    if (registration && fresh) {
        check_path(flow, response);
        edge_subscription_begin(registration, now);
    }
out:
    if (!registration)
        edge_say(flow->edge, true, "a registration could not be kept: out of memory, or too many on one flow");
    text_fini(&routes);
    text_fini(&associated);
    return registration;
}

static void end_all(struct edge_flow *flow, struct span aor, struct now now)
{
    struct list *link, *following;
    list_each_safe (link, following, &flow->registrations) {
        struct edge_registration *registration = container_of(link, struct edge_registration, link);
        if (uri_same(registration->aor, aor))
            edge_registration_end(registration, "the client took all back", now);
    }
}

/* The client took |binding| back, over the flow that has it or over another one. */
static void end_one(struct edge_flow *flow, const struct edge_message *request, const struct binding *binding,
                    struct now now)
{
    struct span aor = value_uri(request->to), name = text_span(&binding->instance);
    struct edge_registration *gone = edge_registration_find(flow, aor, name);
    if (gone)
        return edge_registration_end(gone, "the client took it back", now);
    struct edge_registration_key key;
    edge_registration_key_make(impi_of(flow, request, aor, name), aor, name, &key);
    edge_registration_end_elsewhere(flow->edge, &key, now);
}

/* What a 200 does. Returns the registration that it is about, or NULL. */
static struct edge_registration *accepted(struct edge_exchange *exchange, const struct edge_message *request,
                                          const struct edge_message *response, struct now now)
{
    struct edge_flow *flow = exchange->flow;
    struct edge_registration *registration = NULL;
    struct binding binding;
    uint64_t token_expires_s = exchange->reg.token_expires_s;
    binding_of(request, &binding);
    if (binding.all)
        end_all(flow, value_uri(request->to), now);
    if (!binding.present || binding.all || binding.instance.failed)
        goto out;
    uint32_t lifetime_s = lifetime_of(response, &binding);
    if (token_expires_s != 0 && lifetime_s > 0) {
        uint64_t left_s = token_expires_s > now.wall_s ? token_expires_s - now.wall_s : 0;
        lifetime_s = lifetime_s < left_s ? lifetime_s : (uint32_t)left_s;
    }
    if (lifetime_s > 0)
        registration = install(exchange, request, response, &binding, lifetime_s, now);
    else
        end_one(flow, request, &binding, now);
out:
    text_fini(&binding.instance);
    return registration;
}

/* Credentials */

/* Whether the core's hash covers the body of its answer as it is (RFC 3261 §22.4). */
static bool is_protected(const struct edge_message *response)
{
    struct text information = {0};
    struct span qop, value = edge_message_find(response, "Authentication-Info");
    if (value.length == 0)
        return false;
    text_add(&information, "Digest ");
    text_add_span(&information, value);
    bool protected = information.failed ||
                     (edge_authorization_parameter(text_span(&information), "qop", &qop) && span_is(qop, "auth-int"));
    text_fini(&information);
    return protected;
}

/* The JSON for |registration| where it is wanted and can be said. Returns its length, 0 for none. */
static size_t issue(struct edge_exchange *exchange, struct edge_registration *registration,
                    const struct edge_message *response, struct now now, char json[PROVISION_JSON_MAX])
{
    const struct provision *provision = exchange->edge->settings->provision;
    uint64_t until_s;
    if (!registration || !exchange->reg.wants_credentials || !provision || exchange->reg.auth_int ||
        is_protected(response))
        return 0;
    int length = provision_issue(provision, registration->impi, registration->id, registration->expires_s, now, json,
                                 PROVISION_JSON_MAX, &until_s);
    if (length < 0)
        return 0;
    edge_registrations_issued(exchange->edge->settings->registrations, &registration->key, until_s);
    return (size_t)length;
}

/* What describes a body, and goes with it into a part. */
static const char *const body_fields[] = {"Content-Type",     "Content-Encoding", "Content-Disposition",
                                          "Content-Language", "MIME-Version",     NULL};

static void write_with_json(const struct edge_message *response, struct span json, struct text *text)
{
    uint64_t boundary;
    struct text body = {0};
    if (response->body.length == 0) {
        text_add(text, "Content-Type: %s\r\n", PROVISION_TYPE);
        text_add_body(text, json);
        return;
    }
    crypto_random(&boundary, sizeof boundary);
    text_add(&body, "--%016llx\r\n", (unsigned long long)boundary);
    for (unsigned i = 0; body_fields[i]; i++)
        if (!span_is(span_of_text(body_fields[i]), "MIME-Version"))
            text_add_fields_of(&body, response->text, body_fields[i]);
    text_add(&body, "\r\n");
    text_add_span(&body, response->body);
    text_add(&body, "\r\n--%016llx\r\nContent-Type: %s\r\n\r\n", (unsigned long long)boundary, PROVISION_TYPE);
    text_add_span(&body, json);
    text_add(&body, "\r\n--%016llx--\r\n", (unsigned long long)boundary);
    text_add(text, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed;boundary=%016llx\r\n",
             (unsigned long long)boundary);
    text->failed |= body.failed;
    text_add_body(text, text_span(&body));
    text_fini(&body);
}

/* WWW-Authenticate is written anew; Via is among what is hidden. */
static const char *const challenges[] = {"WWW-Authenticate", NULL};

static const char *const replaced_with_json[] = {"WWW-Authenticate",
                                                 "Content-Type",
                                                 "Content-Encoding",
                                                 "Content-Disposition",
                                                 "Content-Language",
                                                 "MIME-Version",
                                                 NULL};

void edge_register_pass(struct edge_exchange *exchange, const struct edge_message *request,
                        const struct edge_message *response, struct now now)
{
    const struct edge *edge = exchange->edge;
    struct edge_registration *registration = NULL;
    struct text text = {0};
    char json[PROVISION_JSON_MAX];
    if (response->status >= 200 && response->status < 300)
        registration = accepted(exchange, request, response, now);
    size_t json_length = issue(exchange, registration, response, now, json);
    text_add_span(&text, raw_start_line(response->text));
    text_add(&text, "\r\n");
    text_add_fields_of(&text, request->text, "Via");
    edge_message_write_fields(&text, response, edge_fields_to_hide(response),
                              json_length > 0 ? replaced_with_json : challenges);
    edge_challenges_pass(response, &text);
    if (response->status == 401 && edge->settings->tokens && edge->settings->bearer_challenge)
        edge_challenge_write(edge, NULL, &text);
    if (json_length > 0)
        write_with_json(response, (struct span){json, json_length}, &text);
    else
        text_add_body(&text, response->body);
    crypto_erase(json, json_length);
    edge_exchange_respond(exchange, response->status, &text, now);
}
