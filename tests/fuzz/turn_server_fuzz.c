/* SPDX-License-Identifier: BSD-3-Clause
 * The whole TURN core, driven by a program: each input is a list of steps in which clients send right, wrong and raw
 * messages, peers send and connect, time passes, sockets and memory fail. What has to hold: nothing reaches a peer
 * that was not granted, strangers are not answered with more than they sent, and in the end all is given back. */
#include "harness.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

#define CLIENTS        5
#define GRANTS_MAX     256
#define STEPS_MAX      400
#define ATTRIBUTES_MAX 6

/* What a client may reach, by the answers it got: |ip| in the client's spelling, made public. */
struct grant {
    unsigned client;
    struct address ip;
    uint64_t expires_ns;
};

static struct run {
    struct reader program;
    struct world *world;
    struct client clients[CLIENTS];
    struct grant grants[GRANTS_MAX];
    unsigned grant_count;
    uint8_t token[RESERVATION_TOKEN_SIZE];
    uint32_t connection_id;
    uint8_t sockets_fail;
} run;

static const char *const peers[] = {
    PEER_V4,
    "203.0.113.6:1",
    PEER_V6,
    "[2001:db8:5::6]:9",
    "10.0.0.9:80",
    "127.0.0.1:80",
    "[::ffff:127.0.0.1]:80",
    "[::1]:80",
    LISTENER,
    RELAY_V4 ":50000",
    RELAY_V4 ":50001",
    RELAY_V4_PRIVATE ":50000",
    RELAY_V6 ":50000",
    "203.0.113.5",
    "[64:ff9b::a00:1]:50000",
    "203.0.113.99:7",
};
#define PEER_COUNT (sizeof peers / sizeof *peers)

static uint8_t next(void)
{
    return reader_u8(&run.program);
}

static const char *next_peer(void)
{
    static char text[ADDRESS_TEXT_MAX];
    const char *peer = peers[next() % PEER_COUNT];
    if (strncmp(peer, RELAY_V6, strlen(RELAY_V6)) == 0)
        snprintf(text, sizeof text, "[%s]:50000", RELAY_V6);
    else
        snprintf(text, sizeof text, "%s", peer);
    return text;
}

/* The public spelling, by the test's own knowledge. */
static struct address public_of(const struct address *peer)
{
    struct address address = *peer, private_address = address_of(RELAY_V4_PRIVATE);
    if (address_same_ip(peer, &private_address))
        address = address_of(RELAY_V4);
    address.port = 0;
    return address;
}

static unsigned client_of(const struct turn_allocation *allocation)
{
    struct turn_allocation_view view;
    turn_allocation_view(allocation, &view);
    for (unsigned i = 0; i < CLIENTS; i++)
        if (address_equal(&run.clients[i].flow.client, &view.flow->client) &&
            run.clients[i].flow.transport == view.flow->transport)
            return i;
    assert(!"an allocation of nobody");
    return 0;
}

static void check_send(struct world *world, const struct turn_relay *relay, const struct address *peer)
{
    struct address v4 = address_of("203.0.113.0"), v6 = address_of("2001:db8:5::"), way;
    struct address masked4 = address_masked(peer, 24), masked6 = address_masked(peer, 48);
    struct address listener = address_of(LISTENER), canonical = *peer, ip = public_of(peer);
    canonical = ip;
    canonical.port = peer->port;
    bool allowed = address_equal(&masked4, &v4) || address_equal(&masked6, &v6);
    assert(allowed || relay_ports_live(world->ports, &canonical, &way));
    assert(!address_equal(peer, &listener));
    unsigned client = client_of(relay->allocation);
    for (unsigned i = 0; i < run.grant_count; i++)
        if (run.grants[i].client == client && address_equal(&run.grants[i].ip, &ip) &&
            run.grants[i].expires_ns > world->now.monotonic_ns)
            return;
    assert(!"a peer that was not granted");
}

static void forget_grants(struct world *world, const struct turn_allocation *allocation)
{
    (void)world;
    unsigned client = client_of(allocation), kept = 0;
    for (unsigned i = 0; i < run.grant_count; i++)
        if (run.grants[i].client != client)
            run.grants[kept++] = run.grants[i];
    run.grant_count = kept;
}

/* After a success: what the client's latest request was granted. */
static void note_grants(unsigned index, uint16_t method)
{
    struct client *client = &run.clients[index];
    struct stun_message request;
    size_t length = (size_t)(client->request.writer.at - client->request.writer.start);
    if (stun_message_decode(client->request_memory, length, &request) != 0)
        return;
    uint64_t lifetime_s = method == STUN_CHANNEL_BIND ? TURN_CHANNEL_LIFETIME_S : TURN_PERMISSION_LIFETIME_S;
    const struct stun_attribute *peer = stun_message_find(&request, STUN_XOR_PEER_ADDRESS);
    for (; peer; peer = stun_message_find_next(&request, peer)) {
        struct address address;
        int result = stun_address_decode(&request, peer, true, &address);
        assert(result == 0);
        if (run.grant_count < GRANTS_MAX)
            run.grants[run.grant_count++] =
                (struct grant){index, public_of(&address), run.world->now.monotonic_ns + lifetime_s * NS_PER_S};
        if (method == STUN_CHANNEL_BIND)
            return; /* the first one counts */
    }
}

static void add_attribute(struct stun_builder *request, struct client *client)
{
    uint8_t value[8];
    switch (next() % 14) {
    case 0:
        stun_builder_add_u32(request, STUN_REQUESTED_TRANSPORT, next() % 4 ? 17u << 24 : 6u << 24);
        break;
    case 1:
        stun_builder_add_u32(request, STUN_REQUESTED_ADDRESS_FAMILY, (uint32_t)(next() % 4) << 24);
        break;
    case 2:
        stun_builder_add_u32(request, STUN_ADDITIONAL_ADDRESS_FAMILY, (uint32_t)(next() % 4) << 24);
        break;
    case 3:
        value[0] = next();
        stun_builder_add(request, STUN_EVEN_PORT, value, 1);
        break;
    case 4:
        stun_builder_add(request, STUN_RESERVATION_TOKEN, run.token, sizeof run.token);
        break;
    case 5:
        stun_builder_add_u32(request, STUN_LIFETIME, (uint32_t)next() * 16);
        break;
    case 6:
    case 7:
        client_add_peer(client, next_peer());
        break;
    case 8:
        stun_builder_add_u32(request, STUN_CHANNEL_NUMBER, (uint32_t)(0x4000 + next() % 8) << 16);
        break;
    case 9:
        stun_builder_add_u32(request, STUN_CONNECTION_ID, next() % 4 ? run.connection_id : next());
        break;
    case 10:
        stun_builder_add(request, STUN_DONT_FRAGMENT, NULL, 0);
        break;
    case 11:
        stun_builder_add_u32(request, (uint16_t)(next() << 8 | next()), next());
        break;
    case 12:
        stun_builder_add_u32(request, STUN_CHANNEL_NUMBER, (uint32_t)next() << 24);
        break;
    default:
        stun_builder_add(request, STUN_PASSWORD_ALGORITHM, "\0\1\0\0", 4);
        break;
    }
}

/* Most requests are of a kind that may succeed. */
static uint16_t begin_request(struct client *client)
{
    static const uint16_t numbers[] = {STUN_ALLOCATE, STUN_REFRESH,         STUN_CREATE_PERMISSION, STUN_CHANNEL_BIND,
                                       STUN_CONNECT,  STUN_CONNECTION_BIND, STUN_BINDING,           STUN_SEND};
    uint16_t method = numbers[next() % 8];
    struct stun_builder *request = client_begin(client, method);
    if (method == STUN_ALLOCATE)
        stun_builder_add_u32(request, STUN_REQUESTED_TRANSPORT, next() % 3 ? 17u << 24 : 6u << 24);
    if (method == STUN_CHANNEL_BIND)
        stun_builder_add_u32(request, STUN_CHANNEL_NUMBER, (uint32_t)(0x4000 + next() % 8) << 16);
    if (method == STUN_CREATE_PERMISSION || method == STUN_CHANNEL_BIND || method == STUN_CONNECT)
        client_add_peer(client, next_peer());
    if (method == STUN_CONNECTION_BIND)
        stun_builder_add_u32(request, STUN_CONNECTION_ID, run.connection_id);
    for (unsigned count = next() % ATTRIBUTES_MAX; count > 2; count--)
        add_attribute(request, client);
    return method;
}

static void learn_from_answer(const struct client *client)
{
    if (client_answer_has(client, STUN_RESERVATION_TOKEN))
        memcpy(run.token, stun_message_find(&client->answer, STUN_RESERVATION_TOKEN)->value, sizeof run.token);
}

static void step_signed(unsigned index)
{
    struct client *client = &run.clients[index];
    uint8_t how = next();
    client->sha256 = how & 1;
    client->algorithm = how & 2 ? PASSWORD_SHA256 : 0;
    client->userhash = how & 4;
    client->fingerprint = how & 8;
    client->password = how < 240 ? index == 3 ? "builder" : "wonderland" : "wrong";
    if (how & 16)
        client->has_nonce = false;
    uint16_t method = begin_request(client);
    /* A Binding is answered without looking at credentials. */
    int code = method == STUN_BINDING ? client_send_bare(client) : client_send_signed(client);
    if (code != 0)
        return;
    learn_from_answer(client);
    if (method == STUN_CREATE_PERMISSION || method == STUN_CHANNEL_BIND)
        note_grants(index, method);
}

/* Whoever has neither an allocation nor credentials: a mirror would be of use to it. */
static void check_reflection(unsigned sent_before, size_t length)
{
    unsigned answers = run.world->to_client_count - sent_before;
    assert(answers <= 1);
    if (answers == 1)
        assert((world_last_to_client(run.world)->length + 28) * 10 <= (length + 28) * 22);
}

static bool is_stranger(const struct client *client)
{
    /* Only an allocation lets indications and longer answers out. */
    return client->flow.transport == TURN_UDP && run.world->began == run.world->ended;
}

static void step_bare(unsigned index)
{
    struct client *client = &run.clients[index];
    unsigned before = run.world->to_client_count;
    begin_request(client);
    client_send_bare(client);
    if (is_stranger(client))
        check_reflection(before, (size_t)(client->request.writer.at - client->request.writer.start));
}

static void step_raw(unsigned index)
{
    struct client *client = &run.clients[index];
    size_t length = next();
    if (length > reader_left(&run.program))
        length = reader_left(&run.program);
    uint8_t *bytes = memory_zeroed(1, length + 1);
    const uint8_t *taken = reader_take(&run.program, length);
    if (!bytes || !taken) {
        memory_free(bytes);
        return;
    }
    memcpy(bytes, taken, length);
    if (length >= STUN_HEADER_SIZE && bytes[0] < 4) { /* else hardly anything would be STUN */
        store_u16(bytes + 2, (uint16_t)(length - STUN_HEADER_SIZE));
        store_u32(bytes + 4, STUN_MAGIC_COOKIE);
    }
    unsigned before = run.world->to_client_count;
    turn_server_receive(client->server, &client->flow, bytes, length, run.world->now);
    if (is_stranger(client))
        check_reflection(before, length);
    memory_free(bytes);
}

/* The latest request once more, perhaps with a bit changed: then it must not be believed. */
static void step_again(unsigned index)
{
    struct client *client = &run.clients[index];
    if (!client->request.writer.start)
        return;
    size_t length = (size_t)(client->request.writer.at - client->request.writer.start);
    uint8_t at = next();
    if (at < length)
        client->request_memory[at] ^= (uint8_t)(1u << (next() % 8));
    turn_server_receive(client->server, &client->flow, client->request_memory, length, run.world->now);
}

static struct fake_socket *some_socket(void)
{
    unsigned start = next();
    for (unsigned i = 0; i < WORLD_SOCKETS_MAX; i++) {
        struct fake_socket *socket = &run.world->sockets[(start + i) % WORLD_SOCKETS_MAX];
        if (socket->attached)
            return socket;
    }
    return NULL;
}

static void step_peer(void)
{
    struct fake_socket *socket = some_socket();
    struct address from = address_of(next_peer());
    uint8_t payload[300], what = next();
    memset(payload, what, sizeof payload);
    if (!socket || from.family != socket->port.public_address.family)
        return;
    if (socket->port.protocol == RELAY_TCP) {
        char text[ADDRESS_TEXT_MAX];
        if (run.world->peer_count < WORLD_PEERS_MAX)
            world_peer_connects(run.world, &socket->port.public_address, address_format(&from, text));
    } else if (what < 250) {
        turn_server_receive_peer(run.world->servers[0], socket->relay, &from, payload, what, run.world->now);
    } else {
        turn_server_receive_icmp(run.world->servers[0], socket->relay, &from, next() % 16, 4, 1280, run.world->now);
    }
}

/* What becomes of a connection: the host tells its success once, while it connects, and its end. */
static void step_connection(void)
{
    if (run.world->peer_count == 0)
        return;
    struct turn_peer_connection *connection = run.world->peers[next() % run.world->peer_count];
    if (connection == run.world->connecting && next() % 2) {
        run.world->connecting = NULL;
        turn_server_peer_connected(run.world->servers[0], connection, run.world->now);
        run.connection_id = connection->id;
    } else {
        if (connection == run.world->connecting)
            run.world->connecting = NULL;
        turn_server_peer_failed(run.world->servers[0], connection, run.world->now);
    }
}

static void step_data(unsigned index)
{
    struct client *client = &run.clients[index];
    uint8_t payload[200] = {0}, length = next() % sizeof payload;
    if (next() % 2)
        client_send_channel(client, (uint16_t)(0x4000 + next() % 8), payload, length);
    else
        client_send_indication(client, next_peer(), payload, length);
}

static int sockets_fail(struct world *world, const struct relay_port *port)
{
    (void)world;
    return port->private_address.port % 4 < run.sockets_fail % 4 ? ERR_IN_USE : run.sockets_fail > 250 ? ERR_SYSTEM : 0;
}

static void step_trouble(void)
{
    run.sockets_fail = next();
    run.world->attach_result = next() > 240 ? ERR_MEMORY : 0;
    run.world->connect_result = next() > 200 ? ERR_SYSTEM : 0;
    memory_fail_at(next() % 16);
}

static void step(void)
{
    uint8_t what = next();
    unsigned index = what / 16 % CLIENTS;
    switch (what % 16) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
        step_signed(index);
        break;
    case 5:
        step_bare(index);
        break;
    case 6:
        step_raw(index);
        break;
    case 7:
        step_again(index);
        break;
    case 8:
    case 9:
        step_peer();
        break;
    case 10:
    case 11:
        step_data(index);
        break;
    case 12:
        step_connection();
        break;
    case 13:
        step_trouble();
        break;
    case 14:
        turn_server_flow_closed(run.clients[index].server, &run.clients[index].flow, run.world->now);
        break;
    default:
        world_pass(run.world, (uint64_t)next() * 4);
        break;
    }
    /* A request in waiting may have ended with its allocation, or by its time limit. */
    bool waits = false;
    for (unsigned i = 0; i < run.world->peer_count; i++)
        waits |= run.world->peers[i] == run.world->connecting;
    if (!waits)
        run.world->connecting = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    memset(&run, 0, sizeof run);
    run.program = reader_over(bytes, length);
    uint8_t options = next();
    run.world = world_create(&(struct world_options){
        .limits = {.allocations = 6, .allocations_per_user = 4, .bandwidth_per_user_bps = options & 1 ? 800000 : 0},
        .port_first = 50000,
        .port_last = 50007,
        .permissions_max = 5,
        .channels_max = 5,
        .no_allowed_peers = false,
        .no_hairpin = options & 2,
        .tcp_relay = true,
        .alternate = options & 4,
    });
    run.world->watch_send = check_send;
    run.world->watch_end = forget_grants;
    run.world->open_result = sockets_fail;
    static const char *const addresses[CLIENTS] = {"192.0.2.1:1000", "192.0.2.1:1001", "192.0.2.1:1002",
                                                   "192.0.2.2:1000", "[2001:db8:77::1]:1000"};
    static const enum turn_transport transports[CLIENTS] = {TURN_UDP, TURN_TCP, TURN_TLS, TURN_UDP, TURN_DTLS};
    for (unsigned i = 0; i < CLIENTS; i++)
        run.clients[i] = client_at(run.world, addresses[i], transports[i]);
    run.clients[3].user = "bob";
    for (unsigned steps = 0; steps < STEPS_MAX && reader_left(&run.program) > 0; steps++)
        step();
    memory_fail_at(0);
    world_destroy(&run.world);
    return 0;
}
