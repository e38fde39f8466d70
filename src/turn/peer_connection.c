/* SPDX-License-Identifier: BSD-3-Clause */
#include "turn/peer_connection.h"

#include <assert.h>

#include "base/cursor.h"
#include "base/error.h"
#include "crypto/digest.h"
#include "turn/core.h"
#include "turn/methods.h"
#include "turn/permission.h"
#include "turn/reply.h"

/* A connection id is the worker, then randomness: it says where to go, and cannot be guessed. */
#define ID_RANDOM_BITS 26

_Static_assert(TURN_WORKERS_MAX == 1 << (32 - ID_RANDOM_BITS), "a worker's number fits beside the random bits");

static struct peer_connection *of_shared(struct turn_peer_connection *shared)
{
    return container_of(shared, struct peer_connection, shared);
}

static struct turn_server *server_of(const struct peer_connection *connection)
{
    return connection->shared.allocation->server;
}

static struct peer_connection *find_id(struct turn_server *server, uint32_t id)
{
    for (struct hash_entry *e = hash_first(&server->by_connection_id, id); e; e = hash_next(e))
        return container_of(e, struct peer_connection, by_id);
    return NULL;
}

static struct peer_connection *find_peer(struct turn_allocation *allocation, const struct address *peer)
{
    struct list *link;
    list_each (link, &allocation->peer_connections) {
        struct peer_connection *connection = container_of(link, struct peer_connection, link);
        if (address_equal(&connection->shared.peer, peer))
            return connection;
    }
    return NULL;
}

static uint32_t new_id(struct turn_server *server)
{
    uint32_t id;
    do
        id = (uint32_t)server->worker << ID_RANDOM_BITS | crypto_random_below(1u << ID_RANDOM_BITS);
    while (find_id(server, id));
    return id;
}

/* Forgets it, without a word to the host. */
static void destroy(struct peer_connection *connection)
{
    struct turn_server *server = server_of(connection);
    timers_cancel(&server->timers, &connection->expiry);
    hash_remove(&server->by_connection_id, &connection->by_id);
    list_remove(&connection->link);
    connection->shared.allocation->peer_connection_count--;
    crypto_erase(&connection->reply_to.key, sizeof connection->reply_to.key);
    pool_give(&server->peer_connections, connection);
}

static void end(struct peer_connection *connection)
{
    struct turn_server *server = server_of(connection);
    server->host.peer_close(server->host.context, &connection->shared);
    destroy(connection);
}

/* Ends it; a Connect request that still waits is answered with 447. */
static void fail(struct peer_connection *connection)
{
    const struct turn_allocation *allocation = connection->shared.allocation;
    if (connection->state == PEER_CONNECTION_CONNECTING)
        turn_reply_error_later(allocation->server, &allocation->flow, &connection->reply_to,
                               turn_allocation_username(allocation), STUN_CONNECTION_TIMEOUT_OR_FAILURE);
    end(connection);
}

static void expire(struct timer *timer, struct now now)
{
    (void)now;
    fail(container_of(timer, struct peer_connection, expiry));
}

/* RFC 6062 §5.2, §5.4: 30 s to connect, and again for the client to come for it. Returns 0 or ERR_MEMORY. */
static int time_limit(struct peer_connection *connection, struct now now)
{
    return timers_set(&server_of(connection)->timers, &connection->expiry,
                      now.monotonic_ns + TURN_CONNECT_TIMEOUT_S * NS_PER_S);
}

static struct peer_connection *create(struct turn_relay *relay, const struct address *peer, intptr_t socket,
                                      enum peer_connection_state state, struct now now)
{
    struct turn_allocation *allocation = relay->allocation;
    struct turn_server *server = allocation->server;
    if (allocation->peer_connection_count == PEER_CONNECTIONS_MAX)
        return NULL;
    struct peer_connection *connection = pool_take(&server->peer_connections);
    if (!connection)
        return NULL;
    *connection = (struct peer_connection){
        .shared = {.allocation = allocation, .relay = relay, .peer = *peer, .id = new_id(server), .socket = socket},
        .expiry.callback = expire,
        .state = state,
    };
    if (time_limit(connection, now) != 0) {
        pool_give(&server->peer_connections, connection);
        return NULL;
    }
    hash_insert(&server->by_connection_id, &connection->by_id, connection->shared.id);
    list_append(&allocation->peer_connections, &connection->link);
    allocation->peer_connection_count++;
    return connection;
}

void turn_peer_connections_close(struct turn_allocation *allocation, uint8_t family)
{
    struct list *link, *following;
    list_each_safe (link, following, &allocation->peer_connections) {
        struct peer_connection *connection = container_of(link, struct peer_connection, link);
        if (connection->shared.peer.family == family)
            end(connection);
    }
}

/* RFC 6062 §5.2. It needs no permission, and gives none. */
enum stun_error_code turn_connect(struct turn_request *request, struct stun_builder *answer)
{
    (void)answer;
    struct turn_allocation *allocation = request->allocation;
    struct turn_server *server = request->server;
    if (turn_allocation_protocol(allocation) != RELAY_TCP)
        return STUN_BAD_REQUEST;
    struct turn_peer peer;
    enum stun_error_code refusal = turn_peer_admit(allocation, request->message,
                                                   stun_message_find(request->message, STUN_XOR_PEER_ADDRESS), &peer);
    if (refusal != STUN_OK)
        return refusal;
    if (peer.address.port == 0)
        return STUN_BAD_REQUEST;
    if (peer.verdict == PEER_HAIRPIN)
        return STUN_FORBIDDEN; /* the hairpin is for datagrams */
    if (find_peer(allocation, &peer.address))
        return STUN_CONNECTION_ALREADY_EXISTS;

    struct turn_relay *relay = turn_allocation_relay(allocation, peer.address.family);
    struct peer_connection *connection = create(relay, &peer.address, -1, PEER_CONNECTION_CONNECTING, request->now);
    if (!connection)
        return STUN_INSUFFICIENT_CAPACITY;
    if (server->host.peer_connect(server->host.context, relay, &connection->shared) != 0) {
        destroy(connection);
        return STUN_CONNECTION_TIMEOUT_OR_FAILURE;
    }
    connection->reply_to = request->reply_to;
    request->answered_later = true;
    return STUN_OK;
}

void turn_server_peer_connected(struct turn_server *server, struct turn_peer_connection *shared, struct now now)
{
    struct peer_connection *connection = of_shared(shared);
    assert(connection->state == PEER_CONNECTION_CONNECTING);
    connection->state = PEER_CONNECTION_WAITING;
    int result = time_limit(connection, now);
    assert(result == 0); /* it is on already */
    uint8_t memory[TURN_REPLY_MAX];
    struct stun_builder builder;
    turn_reply_begin(&builder, memory, &connection->reply_to, STUN_SUCCESS);
    stun_builder_add_u32(&builder, STUN_CONNECTION_ID, shared->id);
    turn_reply_end(server, &shared->allocation->flow, &connection->reply_to, &builder);
}

void turn_server_peer_failed(struct turn_server *server, struct turn_peer_connection *connection, struct now now)
{
    (void)server;
    (void)now;
    fail(of_shared(connection));
}

static void connection_attempt_send(const struct peer_connection *connection)
{
    struct turn_server *server = server_of(connection);
    uint8_t transaction_id[STUN_TRANSACTION_ID_SIZE], memory[STUN_HEADER_SIZE + 24 + 8];
    turn_indication_id(server, transaction_id);
    struct stun_builder builder;
    stun_builder_init(&builder, memory, sizeof memory, STUN_CONNECTION_ATTEMPT, STUN_INDICATION, transaction_id);
    stun_builder_add_xor_address(&builder, STUN_XOR_PEER_ADDRESS, &connection->shared.peer);
    stun_builder_add_u32(&builder, STUN_CONNECTION_ID, connection->shared.id);
    int length = stun_builder_finish(&builder);
    assert(length > 0);
    struct turn_packet packet = {.head = memory, .head_length = (size_t)length, .class = TURN_CLASS_ANSWER};
    server->host.client_send(server->host.context, &connection->shared.allocation->flow, &packet);
}

/* RFC 6062 §5.3. */
struct turn_peer_connection *turn_server_peer_accepted(struct turn_server *server, struct turn_relay *relay,
                                                       const struct address *peer, intptr_t socket, struct now now)
{
    struct address canonical = *peer;
    bool own = relay_ports_public(server->settings->ports, peer, &canonical);
    const struct turn_permission *permission = turn_permission_find(relay->allocation, &canonical, now);
    if (!permission || (own && permission->verdict == PEER_HAIRPIN)) {
        counter_add(&server->counters.dropped_no_permission, 1);
        return NULL;
    }
    struct peer_connection *connection = create(relay, &canonical, socket, PEER_CONNECTION_WAITING, now);
    if (!connection)
        return NULL;
    connection_attempt_send(connection);
    return &connection->shared;
}

/* RFC 6062 §5.4. */
enum stun_error_code turn_connection_bind(struct turn_request *request, struct stun_builder *answer)
{
    (void)answer;
    /* A control connection is no data connection, and datagrams are none either. */
    if (!turn_transport_joins(request->flow->transport) || request->allocation)
        return STUN_BAD_REQUEST;
    uint32_t id = load_u32(stun_message_find(request->message, STUN_CONNECTION_ID)->value);
    struct peer_connection *connection = find_id(request->server, id);
    if (!connection || connection->state != PEER_CONNECTION_WAITING)
        return STUN_BAD_REQUEST;
    const struct turn_allocation *allocation = connection->shared.allocation;
    bool same_name = span_equal(request->username, turn_allocation_username(allocation));
    bool same_user = span_equal(request->user_part, turn_allocation_user_part(allocation));
    if (!same_name && (!same_user || request->expires_s <= request->now.wall_s))
        return STUN_WRONG_CREDENTIALS;
    timers_cancel(&request->server->timers, &connection->expiry);
    connection->state = PEER_CONNECTION_JOINED;
    request->join = connection;
    return STUN_OK;
}

int turn_connection_bind_worker(const uint8_t *frame, size_t length)
{
    /* Asked of every frame on a stream: the type of nearly all of them says no. */
    if (length < STUN_HEADER_SIZE || load_u16(frame) != STUN_CONNECTION_BIND)
        return ERR_NOT_FOUND;
    struct stun_message message;
    if (stun_message_decode(frame, length, &message) != 0 || message.class != STUN_REQUEST ||
        message.method != STUN_CONNECTION_BIND)
        return ERR_NOT_FOUND;
    const struct stun_attribute *id = stun_message_find(&message, STUN_CONNECTION_ID);
    return id ? (int)(load_u32(id->value) >> ID_RANDOM_BITS) : ERR_NOT_FOUND;
}
