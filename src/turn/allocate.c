/* SPDX-License-Identifier: BSD-3-Clause
 * Allocate (RFC 8656 §7.2, RFC 6062 §5.1). */
#include "base/error.h"
#include "turn/core.h"
#include "turn/methods.h"

#define PROTOCOL_TCP 6 /* as in the IP header */
#define PROTOCOL_UDP 17

/* What a request asks for. */
struct wish {
    enum relay_protocol protocol;
    uint8_t family;     /* of the first address */
    uint8_t additional; /* of a second one, or ADDRESS_NONE */
    enum relay_parity parity;
    const uint8_t *token; /* of a reservation, or NULL */
};

/* RFC 6062 §5.1: TCP is relayed for clients that come by a stream, without the attributes that are about datagrams. */
static enum stun_error_code wish_read_tcp(const struct turn_request *request)
{
    if (!request->server->settings->tcp_relay || request->flow->transport == TURN_WEBSOCKET)
        return STUN_UNSUPPORTED_TRANSPORT;
    bool about_datagrams = stun_message_find(request->message, STUN_EVEN_PORT) ||
                           stun_message_find(request->message, STUN_DONT_FRAGMENT) ||
                           stun_message_find(request->message, STUN_RESERVATION_TOKEN);
    return turn_transport_is_stream(request->flow->transport) && !about_datagrams ? STUN_OK : STUN_BAD_REQUEST;
}

static enum stun_error_code wish_read_protocol(const struct turn_request *request, struct wish *wish)
{
    uint8_t protocol = stun_message_find(request->message, STUN_REQUESTED_TRANSPORT)->value[0];
    if (protocol == PROTOCOL_UDP)
        return STUN_OK;
    wish->protocol = RELAY_TCP;
    return protocol == PROTOCOL_TCP ? wish_read_tcp(request) : STUN_UNSUPPORTED_TRANSPORT;
}

static enum stun_error_code wish_read(const struct turn_request *request, struct wish *wish)
{
    *wish = (struct wish){.protocol = RELAY_UDP, .family = ADDRESS_IPV4};
    enum stun_error_code refusal = wish_read_protocol(request, wish);
    if (refusal != STUN_OK)
        return refusal;

    const struct stun_attribute *even = stun_message_find(request->message, STUN_EVEN_PORT);
    const struct stun_attribute *token = stun_message_find(request->message, STUN_RESERVATION_TOKEN);
    bool requested = turn_family_requested(request, STUN_REQUESTED_ADDRESS_FAMILY, &wish->family);
    /* coturn's tools up to 4.6 ask by the number that a draft of RFC 8656 had. */
    bool additional = turn_family_requested(request, STUN_ADDITIONAL_ADDRESS_FAMILY, &wish->additional) ||
                      turn_family_requested(request, STUN_DRAFT_ADDITIONAL_ADDRESS_FAMILY, &wish->additional);
    if (even)
        wish->parity = even->value[0] & 0x80 ? RELAY_PORT_EVEN_PAIR : RELAY_PORT_EVEN;
    if (token)
        wish->token = token->value;
    if (token && (even || requested || additional))
        return STUN_BAD_REQUEST;
    if (additional && (requested || wish->parity == RELAY_PORT_EVEN_PAIR || wish->additional != ADDRESS_IPV6))
        return STUN_BAD_REQUEST;
    return STUN_OK;
}

/* Relay sockets while they are being opened. */
struct opening {
    struct turn_server *server;
    struct turn_relay first, second; /* without an allocation: only port and socket */
};

static void close_socket(struct turn_server *server, struct turn_relay *relay)
{
    if (relay->socket != -1)
        server->host.relay_close(server->host.context, relay);
    relay->socket = -1;
}

static int open_socket(void *context, const struct relay_port *port, bool second)
{
    struct opening *opening = context;
    struct turn_server *server = opening->server;
    struct turn_relay *relay = second ? &opening->second : &opening->first;
    close_socket(server, relay); /* of a pair whose second port could not be had */
    relay->port = *port;
    int result = server->host.relay_open(server->host.context, port, &relay->socket);
    if (result != 0)
        relay->socket = -1;
    return result;
}

static enum stun_error_code refusal_of(int error)
{
    return error == ERR_FAMILY ? STUN_ADDRESS_FAMILY_NOT_SUPPORTED : STUN_INSUFFICIENT_CAPACITY;
}

/* Makes |relay| the allocation's. On a refusal nothing is left of it. */
static enum stun_error_code relay_begin(struct turn_allocation *allocation, struct turn_relay *relay,
                                        const struct relay_port *port, intptr_t socket)
{
    struct turn_server *server = allocation->server;
    *relay = (struct turn_relay){.allocation = allocation, .port = *port, .socket = socket};
    if (server->host.relay_attach(server->host.context, relay) != 0) {
        turn_relay_close(relay);
        return STUN_INSUFFICIENT_CAPACITY;
    }
    if (port->protocol == RELAY_UDP)
        relay_ports_set_live(server->settings->ports, port);
    return STUN_OK;
}

static void reservations_timer_set(struct turn_server *server, struct now now)
{
    /* Where it cannot be set the next reservation sweeps the old ones away. */
    timers_set(&server->timers, &server->reservation_sweep, now.monotonic_ns + RESERVATION_LIFETIME_S * NS_PER_S);
}

/* Keeps the second port of a pair for the one who brings the token. */
static enum stun_error_code reserve(const struct turn_request *request, struct turn_allocation *allocation,
                                    struct turn_relay *second)
{
    struct turn_server *server = request->server;
    if (reservations_install(server->settings->reservations, &second->port, second->socket, request->user_part,
                             request->now, allocation->answer.token) != 0) {
        close_socket(server, second);
        relay_ports_give(server->settings->ports, &second->port);
        return STUN_INSUFFICIENT_CAPACITY;
    }
    allocation->answer.token_present = true;
    reservations_timer_set(server, request->now);
    return STUN_OK;
}

/* Takes a port of |family| for |relay|. */
static enum stun_error_code relay_take(const struct turn_request *request, struct turn_allocation *allocation,
                                       struct turn_relay *relay, const struct wish *wish, uint8_t family)
{
    struct turn_server *server = request->server;
    struct opening opening = {.server = server, .first.socket = -1, .second.socket = -1};
    struct relay_port port;
    int error =
        relay_ports_take(server->settings->ports, family, wish->protocol, wish->parity, open_socket, &opening, &port);
    if (error != 0) {
        close_socket(server, &opening.first);
        return refusal_of(error);
    }
    if (wish->parity == RELAY_PORT_EVEN_PAIR) {
        enum stun_error_code refusal = reserve(request, allocation, &opening.second);
        if (refusal != STUN_OK) {
            close_socket(server, &opening.first);
            relay_ports_give(server->settings->ports, &port);
            return refusal;
        }
    }
    return relay_begin(allocation, relay, &port, opening.first.socket);
}

static enum stun_error_code relay_redeem(const struct turn_request *request, struct turn_allocation *allocation,
                                         const uint8_t *token)
{
    struct relay_port port;
    intptr_t socket;
    if (reservations_redeem(request->server->settings->reservations, token, request->user_part, request->now, &port,
                            &socket) != 0)
        return STUN_INSUFFICIENT_CAPACITY;
    return relay_begin(allocation, &allocation->relays[0], &port, socket);
}

/* One address, or of two at least one: the family that could not be had is told by ADDRESS-ERROR-CODE. */
static enum stun_error_code relays_open(const struct turn_request *request, struct turn_allocation *allocation,
                                        const struct wish *wish)
{
    if (wish->token)
        return relay_redeem(request, allocation, wish->token);
    enum stun_error_code first = relay_take(request, allocation, &allocation->relays[0], wish, wish->family);
    if (wish->additional == ADDRESS_NONE)
        return first;
    enum stun_error_code second = relay_take(request, allocation, &allocation->relays[1], wish, wish->additional);
    if (first != STUN_OK && second != STUN_OK)
        return first;
    if (first != STUN_OK || second != STUN_OK) {
        allocation->answer.missing_family = first != STUN_OK ? wish->family : wish->additional;
        allocation->answer.missing_error_code = (uint16_t)(first != STUN_OK ? first : second);
    }
    return STUN_OK;
}

static enum stun_error_code account(const struct turn_request *request, struct turn_allocation *allocation)
{
    bool everybody;
    int error = ledger_allocation_begin(request->server->settings->ledger, request->user_part, &request->flow->client,
                                        &allocation->user, &allocation->source, &everybody);
    if (error == ERR_MEMORY || everybody)
        return STUN_INSUFFICIENT_CAPACITY;
    return error == 0 ? STUN_OK : STUN_ALLOCATION_QUOTA_REACHED;
}

/* Makes |allocation| whole. On a refusal it is still to be destroyed. */
static enum stun_error_code establish(const struct turn_request *request, struct turn_allocation *allocation,
                                      const struct wish *wish)
{
    enum stun_error_code refusal = account(request, allocation);
    if (refusal == STUN_OK)
        refusal = relays_open(request, allocation, wish);
    if (refusal != STUN_OK)
        return refusal;
    memcpy(allocation->answer.transaction_id, request->message->transaction_id, STUN_TRANSACTION_ID_SIZE);
    allocation->answer.lifetime_s = turn_lifetime_granted(request);
    if (turn_allocation_set_username(allocation, request) != 0 ||
        turn_allocation_begin(allocation, allocation->answer.lifetime_s, request->now) != 0)
        return STUN_INSUFFICIENT_CAPACITY;
    return STUN_OK;
}

/* Where another server may have what is missing here, the client is sent there (RFC 8489 §10). A reserved port is
 * nowhere but here. */
static enum stun_error_code or_alternate(const struct turn_request *request, const struct wish *wish,
                                         enum stun_error_code refusal)
{
    const struct address *alternate = &request->server->settings->alternate_server;
    bool leads_there =
        refusal == STUN_INSUFFICIENT_CAPACITY && !wish->token && alternate->family == request->flow->client.family;
    return leads_there ? STUN_TRY_ALTERNATE : refusal;
}

static void answer_write(const struct turn_allocation *allocation, struct stun_builder *answer)
{
    const struct turn_allocate_answer *kept = &allocation->answer;
    for (unsigned i = 0; i < TURN_RELAYS_MAX; i++)
        if (allocation->relays[i].allocation)
            stun_builder_add_xor_address(answer, STUN_XOR_RELAYED_ADDRESS, &allocation->relays[i].port.public_address);
    stun_builder_add_u32(answer, STUN_LIFETIME, kept->lifetime_s);
    if (kept->token_present)
        stun_builder_add(answer, STUN_RESERVATION_TOKEN, kept->token, sizeof kept->token);
    stun_builder_add_xor_address(answer, STUN_XOR_MAPPED_ADDRESS, &allocation->flow.client);
    if (kept->missing_family != ADDRESS_NONE) {
        uint8_t value[4] = {stun_family_encode(kept->missing_family), 0, (uint8_t)(kept->missing_error_code / 100),
                            (uint8_t)(kept->missing_error_code % 100)};
        stun_builder_add(answer, STUN_ADDRESS_ERROR_CODE, value, sizeof value);
    }
}

/* The answer that was lost is given once more; anything else on a 5-tuple in use is a mismatch. */
static enum stun_error_code repeat(struct turn_request *request, struct stun_builder *answer)
{
    const struct turn_allocation *allocation = request->allocation;
    if (memcmp(allocation->answer.transaction_id, request->message->transaction_id, STUN_TRANSACTION_ID_SIZE) != 0 ||
        !span_equal(request->user_part, turn_allocation_user_part(allocation)))
        return STUN_ALLOCATION_MISMATCH;
    answer_write(allocation, answer);
    return STUN_OK;
}

enum stun_error_code turn_allocate(struct turn_request *request, struct stun_builder *answer)
{
    if (request->allocation)
        return repeat(request, answer);
    if (request->expires_s <= request->now.wall_s || turn_request_is_revoked(request))
        return STUN_UNAUTHENTICATED;
    struct wish wish;
    enum stun_error_code refusal = wish_read(request, &wish);
    if (refusal != STUN_OK)
        return refusal;
    struct turn_allocation *allocation = turn_allocation_create(request->server, request->flow);
    if (!allocation)
        return or_alternate(request, &wish, STUN_INSUFFICIENT_CAPACITY);
    refusal = establish(request, allocation, &wish);
    if (refusal != STUN_OK) {
        turn_allocation_destroy(allocation);
        return or_alternate(request, &wish, refusal);
    }
    request->allocation = allocation;
    answer_write(allocation, answer);
    return STUN_OK;
}
