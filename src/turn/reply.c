/* SPDX-License-Identifier: BSD-3-Clause */
#include "turn/reply.h"

#include <assert.h>

#include "turn/core.h"

void turn_reply_begin(struct stun_builder *builder, uint8_t memory[TURN_REPLY_MAX], const struct turn_reply_to *to,
                      enum stun_class class)
{
    stun_builder_init(builder, memory, TURN_REPLY_MAX, to->method, class, to->transaction_id);
}

void turn_reply_end(struct turn_server *server, const struct turn_flow *flow, const struct turn_reply_to *to,
                    struct stun_builder *builder)
{
    if (to->integrity != STUN_INTEGRITY_NONE)
        stun_builder_add_integrity(builder, to->integrity, (struct span){to->key.bytes, to->key.length});
    if (to->fingerprint)
        stun_builder_add_fingerprint(builder);
    int length = stun_builder_finish(builder);
    assert(length > 0);
    struct turn_packet packet = {
        .head = builder->writer.start, .head_length = (size_t)length, .class = TURN_CLASS_ANSWER};
    server->host.client_send(server->host.context, flow, &packet);
}

/* UDP services that answer whatever they are sent. A request that claims to come from one is forged, to make two
 * servers talk to each other without end (CVE-2024-2169) or to aim our answers at the service. */
static bool is_service_port(uint16_t port)
{
    static const uint16_t services[] = {
        0,     /* nobody sends from it */
        7,     /* echo */
        9,     /* discard */
        13,    /* daytime */
        17,    /* quote of the day */
        19,    /* chargen */
        37,    /* time */
        53,    /* DNS */
        67,    /* DHCP */
        69,    /* TFTP */
        111,   /* portmapper */
        123,   /* NTP */
        137,   /* NetBIOS names */
        138,   /* NetBIOS datagrams */
        161,   /* SNMP */
        389,   /* CLDAP */
        500,   /* IKE */
        520,   /* RIP */
        1434,  /* SQL server browser */
        1900,  /* SSDP */
        3702,  /* web services discovery */
        5353,  /* multicast DNS */
        5683,  /* CoAP */
        11211, /* memcached */
    };
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (services[i] == port)
            return true;
    return false;
}

bool turn_server_answers_stranger(struct turn_server *server, const struct address *client, struct now now)
{
    struct address canonical = peer_policy_canonical(server->settings->policy, client);
    if (!is_service_port(client->port) && !peer_policy_is_listener(server->settings->policy, &canonical) &&
        ledger_answer_allowed(server->settings->ledger, client, now))
        return true;
    counter_add(&server->counters.dropped_answer_limit, 1);
    return false;
}

bool turn_reply_allowed(const struct turn_request *request)
{
    /* A connection's address has been proved by its hand-shake, an allocation's by a nonce that came back. But who
     * holds an allocation signs its requests: an unsigned one may be forged, to have the client flooded with
     * challenges. */
    bool signed_or_harmless = request->reply_to.method == STUN_BINDING || turn_request_has_integrity(request);
    if ((request->allocation && signed_or_harmless) || request->reply_to.integrity != STUN_INTEGRITY_NONE ||
        request->flow->transport != TURN_UDP)
        return true;
    return turn_server_answers_stranger(request->server, &request->flow->client, request->now);
}

static void add_challenge(const struct turn_request *request, struct stun_builder *builder)
{
    const struct turn_settings *settings = request->server->settings;
    uint32_t features = NONCE_PASSWORD_ALGORITHMS;
    if (credentials_anonymity_possible(settings->credentials))
        features |= NONCE_USERNAME_ANONYMITY;
    char nonce[NONCE_LENGTH];
    nonce_make(&settings->nonce_key, &request->flow->client, features, request->now, nonce);
    stun_builder_add(builder, STUN_REALM, settings->realm, strlen(settings->realm));
    stun_builder_add(builder, STUN_NONCE, nonce, sizeof nonce);
    stun_builder_add(builder, STUN_PASSWORD_ALGORITHMS, TURN_PASSWORD_ALGORITHMS, TURN_PASSWORD_ALGORITHMS_LENGTH);
}

static void add_alternate(const struct turn_settings *settings, struct stun_builder *builder)
{
    stun_builder_add_address(builder, STUN_ALTERNATE_SERVER, &settings->alternate_server);
    if (settings->alternate_domain)
        stun_builder_add(builder, STUN_ALTERNATE_DOMAIN, settings->alternate_domain,
                         strlen(settings->alternate_domain));
}

/* The challenge that begins every conversation is no refusal worth a line in a log. */
static void note_refusal(struct turn_server *server, const struct turn_flow *flow, uint16_t method,
                         struct span username, enum stun_error_code code)
{
    counter_add(&server->counters.refused, 1);
    if (server->host.refused)
        server->host.refused(server->host.context, flow, method, (int)code, username);
}

void turn_reply_error(const struct turn_request *request, enum stun_error_code code)
{
    if (!turn_reply_allowed(request))
        return;
    uint8_t memory[TURN_REPLY_MAX];
    struct stun_builder builder;
    turn_reply_begin(&builder, memory, &request->reply_to, STUN_ERROR);
    stun_builder_add_error(&builder, (int)code);
    if (code == STUN_UNAUTHENTICATED || code == STUN_STALE_NONCE)
        add_challenge(request, &builder);
    else if (code == STUN_UNKNOWN_ATTRIBUTE)
        stun_builder_add_unknown_attributes(&builder, request->message);
    else if (code == STUN_TRY_ALTERNATE)
        add_alternate(request->server->settings, &builder);
    turn_reply_end(request->server, request->flow, &request->reply_to, &builder);

    bool first_challenge = code == STUN_UNAUTHENTICATED && !turn_request_has_integrity(request);
    if (!first_challenge && code != STUN_STALE_NONCE)
        note_refusal(request->server, request->flow, request->reply_to.method, request->username, code);
}

void turn_reply_error_later(struct turn_server *server, const struct turn_flow *flow, const struct turn_reply_to *to,
                            struct span username, enum stun_error_code code)
{
    uint8_t memory[TURN_REPLY_MAX];
    struct stun_builder builder;
    turn_reply_begin(&builder, memory, to, STUN_ERROR);
    stun_builder_add_error(&builder, (int)code);
    turn_reply_end(server, flow, to, &builder);
    note_refusal(server, flow, to->method, username, code);
}
