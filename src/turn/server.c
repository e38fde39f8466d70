/* SPDX-License-Identifier: BSD-3-Clause */
#include "turn/server.h"

#include <assert.h>

#include "base/error.h"
#include "base/memory.h"
#include "crypto/digest.h"
#include "stun/framing.h"
#include "turn/core.h"
#include "turn/data.h"
#include "turn/methods.h"
#include "turn/peer_connection.h"
#include "turn/reply.h"

#define ALLOCATIONS_PER_SLAB      64
#define PEER_CONNECTIONS_PER_SLAB 16

const char *turn_transport_name(enum turn_transport transport)
{
    static const char *const names[TURN_TRANSPORT_COUNT] = {"udp", "tcp", "tls", "dtls", "websocket"};
    return names[transport];
}

const char *turn_end_name(enum turn_end end)
{
    switch (end) {
    case TURN_END_EXPIRED:
        return "expired";
    case TURN_END_REFRESHED:
        return "ended by the client";
    case TURN_END_DISCONNECTED:
        return "disconnected";
    case TURN_END_REVOKED:
        return "registration ended";
    case TURN_END_SHUTDOWN:
        return "server shut down";
    }
    return "unknown";
}

static void sweep_reservations(struct timer *timer, struct now now)
{
    const struct turn_server *server = container_of(timer, struct turn_server, reservation_sweep);
    reservations_expire(server->settings->reservations, now);
}

static void end_if_revoked(struct hash_entry *entry, void *context)
{
    struct turn_allocation *allocation = container_of(entry, struct turn_allocation, by_flow);
    const struct now *now = context;
    if (revocations_has(allocation->server->settings->revocations, turn_allocation_registration(allocation),
                        now->wall_s))
        turn_allocation_end(allocation, TURN_END_REVOKED);
}

/* All allocations are asked, but only where something has been revoked since, and at most once a period: an index by
 * registration would cost each of them more. */
static void look_for_revoked(struct timer *timer, struct now now)
{
    struct turn_server *server = container_of(timer, struct turn_server, revocations_watch);
    uint64_t version = revocations_version(server->settings->revocations);
    if (version != server->revocations_seen)
        hash_each(&server->by_flow, end_if_revoked, &now);
    server->revocations_seen = version;
    if (server->by_flow.count > 0)
        turn_revocations_watch(server, now);
}

void turn_revocations_watch(struct turn_server *server, struct now now)
{
    if (!server->settings->revocations || !server->settings->end_revoked || server->revocations_watch.position != 0)
        return;
    /* Where it cannot be set the next allocation tries again. */
    timers_set(&server->timers, &server->revocations_watch, now.monotonic_ns + TURN_REVOCATIONS_PERIOD_S * NS_PER_S);
}

int turn_server_create(const struct turn_settings *settings, const struct turn_host *host, unsigned worker,
                       struct turn_server **out)
{
    assert(worker < TURN_WORKERS_MAX);
    struct turn_server *server = memory_zeroed(1, sizeof *server);
    if (!server)
        return ERR_MEMORY;
    server->settings = settings;
    server->host = *host;
    server->worker = worker;
    server->bandwidth_limited = ledger_bandwidth_limited(settings->ledger);
    crypto_random(&server->hash_key, sizeof server->hash_key);
    timers_init(&server->timers);
    server->reservation_sweep.callback = sweep_reservations;
    server->revocations_watch.callback = look_for_revoked;
    pool_init(&server->allocations, sizeof(struct turn_allocation), ALLOCATIONS_PER_SLAB, 0);
    pool_init(&server->peer_connections, sizeof(struct peer_connection), PEER_CONNECTIONS_PER_SLAB, 0);
    if (hash_init(&server->by_flow) != 0 || hash_init(&server->by_connection_id) != 0) {
        hash_fini(&server->by_flow);
        memory_free(server);
        return ERR_MEMORY;
    }
    *out = server;
    return 0;
}

static void end_at_shutdown(struct hash_entry *entry, void *context)
{
    (void)context;
    turn_allocation_end(container_of(entry, struct turn_allocation, by_flow), TURN_END_SHUTDOWN);
}

void turn_server_destroy(struct turn_server **server)
{
    struct turn_server *gone = *server;
    if (!gone)
        return;
    hash_each(&gone->by_flow, end_at_shutdown, NULL);
    assert(gone->by_flow.count == 0 && gone->by_connection_id.count == 0);
    hash_fini(&gone->by_flow);
    hash_fini(&gone->by_connection_id);
    timers_fini(&gone->timers);
    pool_fini(&gone->allocations);
    pool_fini(&gone->peer_connections);
    memory_free(gone);
    *server = NULL;
}

static const struct method {
    uint16_t number;
    uint16_t mandatory[2]; /* attributes, 0: no more */
    bool needs_allocation; /* on the flow, else 437 */
    turn_method_handler *handler;
} methods[] = {
    {STUN_ALLOCATE, {STUN_REQUESTED_TRANSPORT}, false, turn_allocate},
    {STUN_REFRESH, {0}, true, turn_refresh},
    {STUN_CREATE_PERMISSION, {STUN_XOR_PEER_ADDRESS}, true, turn_create_permission},
    {STUN_CHANNEL_BIND, {STUN_CHANNEL_NUMBER, STUN_XOR_PEER_ADDRESS}, true, turn_channel_bind},
    {STUN_CONNECT, {STUN_XOR_PEER_ADDRESS}, true, turn_connect},
    {STUN_CONNECTION_BIND, {STUN_CONNECTION_ID}, false, turn_connection_bind},
};

static const struct method *method_find(uint16_t number)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (methods[i].number == number)
            return &methods[i];
    return NULL;
}

static bool is_complete(const struct method *method, const struct stun_message *message)
{
    for (size_t i = 0; i < 2 && method->mandatory[i] != 0; i++)
        if (!stun_message_find(message, method->mandatory[i]))
            return false;
    return true;
}

/* What stands between a request and its handler. */
static enum stun_error_code admit(struct turn_request *request, const struct method *method)
{
    bool complete = is_complete(method, request->message);
    bool in_place = request->allocation || !method->needs_allocation;
    /* A stranger is told what is wrong before being challenged: the challenge is the longer answer, and whoever forges
     * an address wants the longer one. */
    if (!turn_request_has_integrity(request) && (!complete || !in_place))
        return complete ? STUN_ALLOCATION_MISMATCH : STUN_BAD_REQUEST;
    enum stun_error_code refusal = turn_request_authenticate(request);
    if (refusal == STUN_OK && request->allocation && method->needs_allocation)
        refusal = turn_request_match_user(request);
    if (refusal != STUN_OK)
        return refusal;
    if (request->message->unknown_count > 0)
        return STUN_UNKNOWN_ATTRIBUTE;
    if (!complete)
        return STUN_BAD_REQUEST;
    return in_place ? STUN_OK : STUN_ALLOCATION_MISMATCH;
}

/* Returns 1 where the flow has been joined to a peer, else 0. */
static int request_receive(struct turn_request *request, const struct method *method)
{
    struct turn_server *server = request->server;
    uint8_t memory[TURN_REPLY_MAX];
    struct stun_builder answer;
    enum stun_error_code refusal = admit(request, method);
    if (refusal == STUN_OK) {
        turn_reply_begin(&answer, memory, &request->reply_to, STUN_SUCCESS);
        refusal = method->handler(request, &answer);
    }
    if (refusal != STUN_OK) {
        turn_reply_error(request, refusal);
        return 0;
    }
    if (!request->answered_later)
        turn_reply_end(server, request->flow, &request->reply_to, &answer);
    if (!request->join)
        return 0;
    server->host.peer_join(server->host.context, &request->join->shared, request->flow);
    return 1;
}

/* RFC 8489 §2: anybody may ask for its address. */
static void binding_receive(struct turn_request *request)
{
    if (request->message->unknown_count > 0) {
        turn_reply_error(request, STUN_UNKNOWN_ATTRIBUTE);
        return;
    }
    if (!turn_reply_allowed(request))
        return;
    uint8_t memory[TURN_REPLY_MAX];
    struct stun_builder answer;
    turn_reply_begin(&answer, memory, &request->reply_to, STUN_SUCCESS);
    stun_builder_add_xor_address(&answer, STUN_XOR_MAPPED_ADDRESS, &request->flow->client);
    turn_reply_end(request->server, request->flow, &request->reply_to, &answer);
}

static int stun_receive(struct turn_server *server, const struct turn_flow *flow, const uint8_t *bytes, size_t length,
                        struct now now)
{
    struct stun_message message;
    int failure = stun_message_decode(bytes, length, &message);
    if (failure != 0)
        counter_add(&server->counters.dropped_malformed, 1);
    if (failure != 0 && !message.transaction_id)
        return failure;

    struct turn_allocation *allocation = turn_allocation_find(server, flow);
    if (message.class == STUN_INDICATION && message.method == STUN_SEND && failure == 0 && allocation)
        turn_send_receive(allocation, &message, now);
    /* Only requests are answered: two servers must not talk to each other without end. */
    if (message.class != STUN_REQUEST)
        return 0;

    struct turn_request request = {
        .server = server,
        .flow = flow,
        .message = &message,
        .now = now,
        .allocation = allocation,
        .reply_to = {.method = message.method, .fingerprint = message.fingerprint_present},
        .username = {"", 0},
    };
    memcpy(request.reply_to.transaction_id, message.transaction_id, STUN_TRANSACTION_ID_SIZE);
    const struct method *method = method_find(message.method);
    if (failure == 0 && message.method == STUN_BINDING)
        binding_receive(&request);
    else if (failure == 0 && method)
        return request_receive(&request, method);
    else
        turn_reply_error(&request, STUN_BAD_REQUEST);
    return 0;
}

int turn_server_receive(struct turn_server *server, const struct turn_flow *flow, const uint8_t *bytes, size_t length,
                        struct now now)
{
    bool stream = turn_transport_is_stream(flow->transport);
    if (length >= CHANNEL_DATA_HEADER_SIZE && channel_data_begins_with(bytes[0])) {
        struct channel_data data;
        if (channel_data_decode(bytes, length, &data) != 0) {
            counter_add(&server->counters.dropped_malformed, 1);
            return stream ? ERR_MALFORMED : 0;
        }
        struct turn_allocation *allocation = turn_allocation_find(server, flow);
        if (allocation)
            turn_channel_data_receive(allocation, &data, now);
        return 0;
    }
    int result = stun_receive(server, flow, bytes, length, now);
    return result < 0 && !stream ? 0 : result;
}

void turn_server_flow_closed(struct turn_server *server, const struct turn_flow *flow, struct now now)
{
    (void)now;
    struct turn_allocation *allocation = turn_allocation_find(server, flow);
    if (allocation)
        turn_allocation_end(allocation, TURN_END_DISCONNECTED);
}

uint64_t turn_server_deadline(const struct turn_server *server)
{
    return timers_deadline(&server->timers);
}

void turn_server_expire(struct turn_server *server, struct now now)
{
    timers_expire(&server->timers, now);
}

const struct turn_counters *turn_server_counters(const struct turn_server *server)
{
    return &server->counters;
}
