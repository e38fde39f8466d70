/* SPDX-License-Identifier: BSD-3-Clause */
#include "world.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

struct address address_of(const char *text)
{
    struct address address;
    int result = address_parse(text, &address);
    assert(result == 0);
    return address;
}

static struct address_prefix prefix_of(const char *text)
{
    struct address_prefix prefix;
    int result = address_prefix_parse(text, &prefix);
    assert(result == 0);
    return prefix;
}

/* The host */

static int host_relay_open(void *context, const struct relay_port *port, intptr_t *socket_out)
{
    struct world *world = context;
    world->opens++;
    int result = world->open_result ? world->open_result(world, port) : 0;
    if (result != 0)
        return result;
    for (unsigned i = 0; i < WORLD_SOCKETS_MAX; i++) {
        struct fake_socket *socket = &world->sockets[i];
        if (socket->open)
            continue;
        *socket = (struct fake_socket){.open = true, .port = *port};
        world->sockets_open++;
        *socket_out = (intptr_t)socket;
        return 0;
    }
    return ERR_SYSTEM;
}

static int host_relay_attach(void *context, struct turn_relay *relay)
{
    struct world *world = context;
    struct fake_socket *socket = (struct fake_socket *)relay->socket;
    assert(socket->open && !socket->attached);
    assert(address_equal(&socket->port.private_address, &relay->port.private_address));
    if (world->attach_result != 0)
        return world->attach_result;
    socket->attached = true;
    socket->relay = relay;
    return 0;
}

static struct world *closing_world; /* reservations close their sockets without a context */

static void close_socket(intptr_t handle)
{
    struct fake_socket *socket = (struct fake_socket *)handle;
    assert(socket->open);
    socket->open = socket->attached = false;
    closing_world->sockets_open--;
}

static void host_relay_close(void *context, struct turn_relay *relay)
{
    closing_world = context;
    close_socket(relay->socket);
}

static void host_relay_send(void *context, struct turn_relay *relay, const struct address *peer, const uint8_t *payload,
                            size_t length, bool dont_fragment)
{
    struct world *world = context;
    struct fake_socket *socket = (struct fake_socket *)relay->socket;
    assert(socket->open && socket->attached && relay->allocation);
    assert(peer->family == relay->port.private_address.family && peer->port != 0);
    struct sent_to_peer *sent = &world->to_peer[world->to_peer_count++ % WORLD_SENT_MAX];
    *sent = (struct sent_to_peer){
        .from = relay->port.private_address, .to = *peer, .dont_fragment = dont_fragment, .length = length};
    memcpy(sent->bytes, payload, length < sizeof sent->bytes ? length : sizeof sent->bytes);
    if (world->watch_send)
        world->watch_send(world, relay, peer);
}

static void host_client_send(void *context, const struct turn_flow *flow, const struct turn_packet *packet)
{
    struct world *world = context;
    struct sent_to_client *sent = &world->to_client[world->to_client_count++ % WORLD_SENT_MAX];
    *sent = (struct sent_to_client){.flow = *flow, .class = packet->class};
    struct writer writer = writer_over(sent->bytes, sizeof sent->bytes);
    writer_bytes(&writer, packet->head, packet->head_length);
    writer_bytes(&writer, packet->payload, packet->payload_length); /* nothing of what is too long to be kept */
    writer_zeros(&writer, packet->padding);
    sent->length = packet->head_length + packet->payload_length + packet->padding;
}

static int host_peer_connect(void *context, struct turn_relay *relay, struct turn_peer_connection *connection)
{
    struct world *world = context;
    assert(relay->port.protocol == RELAY_TCP && connection->relay == relay);
    if (world->connect_result != 0)
        return world->connect_result;
    assert(world->peer_count < WORLD_PEERS_MAX);
    world->peers[world->peer_count++] = connection;
    world->connects++;
    world->connecting = connection;
    return 0;
}

static void host_peer_close(void *context, struct turn_peer_connection *connection)
{
    struct world *world = context;
    unsigned i = 0;
    while (i < world->peer_count && world->peers[i] != connection)
        i++;
    assert(i < world->peer_count); /* closed once, and only what was opened */
    world->peers[i] = world->peers[--world->peer_count];
    world->closes++;
}

static void host_peer_join(void *context, struct turn_peer_connection *connection, const struct turn_flow *flow)
{
    struct world *world = context;
    (void)connection;
    world->joins++;
    world->joined_flow = *flow;
}

static void host_allocation_began(void *context, const struct turn_allocation *allocation)
{
    struct world *world = context;
    world->began++;
    world->allocation = (struct turn_allocation *)allocation;
}

static void host_allocation_ended(void *context, const struct turn_allocation *allocation, enum turn_end end)
{
    struct world *world = context;
    struct turn_allocation_view view;
    turn_allocation_view(allocation, &view);
    assert(view.username.length > 0 && view.relayed[0].port != 0);
    world->ended++;
    world->end = end;
    if (world->watch_end)
        world->watch_end(world, allocation);
}

static void host_refused(void *context, const struct turn_flow *flow, uint16_t method, int error_code,
                         struct span username)
{
    struct world *world = context;
    (void)flow;
    (void)method;
    world->refusals++;
    world->refused_code = error_code;
    snprintf(world->refused_username, sizeof world->refused_username, "%.*s", (int)username.length,
             (const char *)username.bytes);
}

/* The world */

static void build_policy(struct world *world, const struct world_options *options)
{
    int result = peer_policy_create(&world->policy);
    if (!options->no_allowed_peers) {
        struct address_prefix v4 = prefix_of("203.0.113.0/24"), v6 = prefix_of("2001:db8:5::/48");
        result |= peer_policy_allow(world->policy, &v4) | peer_policy_allow(world->policy, &v6);
    }
    if (options->deny) {
        struct address_prefix denied = prefix_of(options->deny);
        result |= peer_policy_deny(world->policy, &denied);
    }
    struct address listener = address_of(LISTENER);
    result |= peer_policy_listener(world->policy, &listener);
    assert(result == 0);
}

static void add_relay(struct world *world, const char *public_text, const char *private_text, bool hairpin)
{
    struct address public_address = address_of(public_text), private_address = address_of(private_text);
    int result = relay_ports_add_address(world->ports, &public_address, &private_address);
    result |= peer_policy_relay(world->policy, &public_address, &private_address, hairpin);
    assert(result == 0);
}

static void build_credentials(struct world *world, const struct world_options *options)
{
    int result = credentials_create(REALM, &world->credentials);
    result |= credentials_add_account(world->credentials, "alice", "wonderland");
    result |= credentials_add_account(world->credentials, "bob", "builder");
    if (options->secrets) {
        result |= credentials_add_secret(world->credentials, "north");
        result |= credentials_add_secret(world->credentials, "south");
    }
    assert(result == 0);
}

struct world *world_create(const struct world_options *options)
{
    struct world *world = memory_zeroed(1, sizeof *world);
    assert(world);
    world->now = (struct now){.monotonic_ns = 1000 * NS_PER_S, .wall_s = WORLD_START_S};
    closing_world = world;
    int result = ledger_create(&options->limits, &world->ledger);
    result |= relay_ports_create(options->port_first ? options->port_first : 49152,
                                 options->port_last ? options->port_last : 49407, &world->ports);
    result |= reservations_create(world->ports, close_socket, &world->reservations);
    assert(result == 0);
    build_policy(world, options);
    build_credentials(world, options);
    add_relay(world, RELAY_V4, RELAY_V4_PRIVATE, !options->no_hairpin);
    if (!options->no_ipv6)
        add_relay(world, RELAY_V6, RELAY_V6, !options->no_hairpin);

    world->settings = (struct turn_settings){
        .realm = REALM,
        .credentials = world->credentials,
        .ledger = world->ledger,
        .ports = world->ports,
        .reservations = world->reservations,
        .policy = world->policy,
        .lifetime_max_s = 3600,
        .permissions_max = options->permissions_max ? options->permissions_max : 64,
        .channels_max = options->channels_max ? options->channels_max : 64,
        .tcp_relay = options->tcp_relay,
    };
    if (options->revocations) {
        result = revocations_create(NULL, WORLD_START_S, &world->revocations);
        assert(result == 0);
        world->settings.revocations = world->revocations;
        world->settings.end_revoked = options->end_revoked;
    }
    if (options->alternate) {
        world->settings.alternate_server = address_of("192.0.2.200:3478");
        world->settings.alternate_domain = "other.example.org";
    }
    nonce_key_init(&world->settings.nonce_key, "key of the tests");
    world->host = (struct turn_host){
        .context = world,
        .relay_open = host_relay_open,
        .relay_attach = host_relay_attach,
        .relay_close = host_relay_close,
        .relay_send = host_relay_send,
        .client_send = host_client_send,
        .peer_connect = host_peer_connect,
        .peer_close = host_peer_close,
        .peer_join = host_peer_join,
        .allocation_began = host_allocation_began,
        .allocation_ended = host_allocation_ended,
        .refused = host_refused,
    };
    for (unsigned i = 0; i < 2; i++) {
        result = turn_server_create(&world->settings, &world->host, i + 5, &world->servers[i]);
        assert(result == 0);
    }
    return world;
}

void world_destroy(struct world **world)
{
    struct world *gone = *world;
    closing_world = gone;
    turn_server_destroy(&gone->servers[0]);
    turn_server_destroy(&gone->servers[1]);
    reservations_destroy(&gone->reservations);
    assert(gone->began == gone->ended);
    assert(gone->sockets_open == 0 && gone->peer_count == 0);
    assert(relay_ports_taken(gone->ports) == 0);
    relay_ports_destroy(&gone->ports);
    ledger_destroy(&gone->ledger); /* asserts that all was given back */
    peer_policy_destroy(&gone->policy);
    credentials_destroy(&gone->credentials);
    revocations_destroy(&gone->revocations);
    memory_free(gone);
    *world = NULL;
}

void world_pass(struct world *world, uint64_t seconds)
{
    world->now.monotonic_ns += seconds * NS_PER_S;
    world->now.wall_s += seconds;
    for (unsigned i = 0; i < 2; i++)
        turn_server_expire(world->servers[i], world->now);
}

const struct sent_to_client *world_last_to_client(const struct world *world)
{
    assert(world->to_client_count > 0);
    return &world->to_client[(world->to_client_count - 1) % WORLD_SENT_MAX];
}

const struct sent_to_peer *world_last_to_peer(const struct world *world)
{
    assert(world->to_peer_count > 0);
    return &world->to_peer[(world->to_peer_count - 1) % WORLD_SENT_MAX];
}

struct fake_socket *world_socket(struct world *world, const struct address *relayed)
{
    for (unsigned i = 0; i < WORLD_SOCKETS_MAX; i++)
        if (world->sockets[i].attached && address_equal(&world->sockets[i].port.public_address, relayed))
            return &world->sockets[i];
    return NULL;
}

void world_peer_sends(struct world *world, const struct address *relayed, const char *peer, const void *payload,
                      size_t length)
{
    struct fake_socket *socket = world_socket(world, relayed);
    assert(socket);
    struct address from = address_of(peer);
    turn_server_receive_peer(world->servers[0], socket->relay, &from, payload, length, world->now);
}

struct turn_peer_connection *world_peer_connects(struct world *world, const struct address *relayed, const char *peer)
{
    struct fake_socket *socket = world_socket(world, relayed);
    assert(socket && world->peer_count < WORLD_PEERS_MAX);
    struct address from = address_of(peer);
    struct turn_peer_connection *connection =
        turn_server_peer_accepted(world->servers[0], socket->relay, &from, 7, world->now);
    if (connection)
        world->peers[world->peer_count++] = connection;
    return connection;
}

/* The clients */

struct client client_at(struct world *world, const char *address, enum turn_transport transport)
{
    return (struct client){
        .world = world,
        .server = world->servers[0],
        .flow = {.client = address_of(address), .server = address_of(LISTENER), .transport = transport},
        .user = "alice",
        .password = "wonderland",
    };
}

struct stun_builder *client_begin(struct client *client, uint16_t method)
{
    uint8_t id[STUN_TRANSACTION_ID_SIZE] = {0};
    store_u32(id, ++client->transactions);
    store_u16(id + 4, client->flow.client.port);
    stun_builder_init(&client->request, client->request_memory, sizeof client->request_memory, method, STUN_REQUEST,
                      id);
    return &client->request;
}

void client_add_peer(struct client *client, const char *peer)
{
    struct address address = address_of(peer);
    stun_builder_add_xor_address(&client->request, STUN_XOR_PEER_ADDRESS, &address);
}

int client_send_bytes(struct client *client, const uint8_t *bytes, size_t length)
{
    unsigned before = client->world->to_client_count;
    client->answer = (struct stun_message){0};
    turn_server_receive(client->server, &client->flow, bytes, length, client->world->now);
    if (client->world->to_client_count == before)
        return NO_ANSWER;
    const struct sent_to_client *sent = world_last_to_client(client->world);
    memcpy(client->answer_memory, sent->bytes, sent->length);
    int result = stun_message_decode(client->answer_memory, sent->length, &client->answer);
    assert(result == 0);
    assert(sent->class == TURN_CLASS_ANSWER);
    assert(memcmp(client->answer.transaction_id, bytes + 8, STUN_TRANSACTION_ID_SIZE) == 0);
    if (client->answer.class == STUN_SUCCESS)
        return 0;
    assert(client->answer.class == STUN_ERROR);
    return stun_error_decode(stun_message_find(&client->answer, STUN_ERROR_CODE));
}

int client_send_again(struct client *client)
{
    return client_send_bytes(client, client->request_memory,
                             (size_t)(client->request.writer.at - client->request.writer.start));
}

int client_send_bare(struct client *client)
{
    if (client->fingerprint)
        stun_builder_add_fingerprint(&client->request);
    int length = stun_builder_finish(&client->request);
    assert(length > 0);
    return client_send_again(client);
}

void client_learn_nonce(struct client *client)
{
    struct stun_builder kept = client->request;
    uint8_t memory[sizeof client->request_memory];
    memcpy(memory, client->request_memory, sizeof memory);
    uint32_t transactions = client->transactions;

    client->transactions = 1000000 + transactions;
    stun_builder_add_u32(client_begin(client, STUN_ALLOCATE), STUN_REQUESTED_TRANSPORT, 17u << 24);
    int code = client_send_bare(client);
    assert(code == 401);
    const struct stun_attribute *nonce = stun_message_find(&client->answer, STUN_NONCE);
    assert(nonce && nonce->length == NONCE_LENGTH);
    memcpy(client->nonce, nonce->value, NONCE_LENGTH);
    client->has_nonce = true;

    client->request = kept;
    memcpy(client->request_memory, memory, sizeof memory);
    client->transactions = transactions;
}

static struct credential_key key_of(const struct client *client)
{
    struct credential_key key;
    credential_key_derive(client->algorithm ? client->algorithm : PASSWORD_MD5,
                          (struct span){client->user, strlen(client->user)}, (struct span){REALM, strlen(REALM)},
                          (struct span){client->password, strlen(client->password)}, &key);
    return key;
}

static void add_identity(struct client *client)
{
    struct stun_builder *request = &client->request;
    if (client->userhash) {
        uint8_t hash[SHA256_SIZE];
        const struct span spans[] = {{client->user, strlen(client->user)}, {":" REALM, strlen(REALM) + 1}};
        crypto_sha256(spans, 2, hash);
        stun_builder_add(request, STUN_USERHASH, hash, sizeof hash);
    } else {
        stun_builder_add(request, STUN_USERNAME, client->user, strlen(client->user));
    }
    stun_builder_add(request, STUN_REALM, REALM, strlen(REALM));
    stun_builder_add(request, STUN_NONCE, client->nonce, client->nonce_length ? client->nonce_length : NONCE_LENGTH);
    if (client->algorithm) {
        stun_builder_add(request, STUN_PASSWORD_ALGORITHMS, "\0\2\0\0\0\1\0\0", 8);
        stun_builder_add_u32(request, STUN_PASSWORD_ALGORITHM, (uint32_t)client->algorithm << 16);
    }
}

int client_send_signed(struct client *client)
{
    if (!client->has_nonce)
        client_learn_nonce(client);
    add_identity(client);
    struct credential_key key = key_of(client);
    struct span span = {key.bytes, key.length};
    enum stun_integrity kind = client->sha256 ? STUN_INTEGRITY_SHA256 : STUN_INTEGRITY_SHA1;
    stun_builder_add_integrity(&client->request, kind, span);
    int code = client_send_bare(client);
    if (code == 0) {
        assert(stun_message_verify(&client->answer, kind, span));
        assert(client->answer.integrity_at[3 - kind] == 0);
        assert(client->answer.fingerprint_present == client->fingerprint);
    }
    return code;
}

int client_allocate(struct client *client)
{
    stun_builder_add_u32(client_begin(client, STUN_ALLOCATE), STUN_REQUESTED_TRANSPORT, 17u << 24);
    return client_send_signed(client);
}

int client_allocate_family(struct client *client, unsigned family)
{
    stun_builder_add_u32(client_begin(client, STUN_ALLOCATE), STUN_REQUESTED_TRANSPORT, 17u << 24);
    stun_builder_add_u32(&client->request, STUN_REQUESTED_ADDRESS_FAMILY, family << 24);
    return client_send_signed(client);
}

int client_refresh(struct client *client, uint32_t lifetime_s)
{
    stun_builder_add_u32(client_begin(client, STUN_REFRESH), STUN_LIFETIME, lifetime_s);
    return client_send_signed(client);
}

int client_permit(struct client *client, const char *peer)
{
    client_begin(client, STUN_CREATE_PERMISSION);
    client_add_peer(client, peer);
    return client_send_signed(client);
}

int client_bind(struct client *client, uint16_t number, const char *peer)
{
    stun_builder_add_u32(client_begin(client, STUN_CHANNEL_BIND), STUN_CHANNEL_NUMBER, (uint32_t)number << 16);
    client_add_peer(client, peer);
    return client_send_signed(client);
}

void client_send_indication(struct client *client, const char *peer, const void *payload, size_t length)
{
    uint8_t id[STUN_TRANSACTION_ID_SIZE] = {1}, memory[2048];
    struct stun_builder builder;
    stun_builder_init(&builder, memory, sizeof memory, STUN_SEND, STUN_INDICATION, id);
    struct address address = address_of(peer);
    stun_builder_add_xor_address(&builder, STUN_XOR_PEER_ADDRESS, &address);
    stun_builder_add(&builder, STUN_DATA, payload, length);
    int size = stun_builder_finish(&builder);
    assert(size > 0);
    turn_server_receive(client->server, &client->flow, memory, (size_t)size, client->world->now);
}

void client_send_channel(struct client *client, uint16_t number, const void *payload, size_t length)
{
    uint8_t memory[2048] = {(uint8_t)(number >> 8), (uint8_t)number, (uint8_t)(length >> 8), (uint8_t)length};
    assert(length <= sizeof memory - 4);
    memcpy(memory + 4, payload, length);
    turn_server_receive(client->server, &client->flow, memory, length + 4, client->world->now);
}

struct address client_answer_address(const struct client *client, uint16_t type)
{
    const struct stun_attribute *attribute = stun_message_find(&client->answer, type);
    assert(attribute);
    struct address address;
    int result = stun_address_decode(&client->answer, attribute, type != STUN_ALTERNATE_SERVER, &address);
    assert(result == 0);
    return address;
}

uint32_t client_answer_u32(const struct client *client, uint16_t type)
{
    const struct stun_attribute *attribute = stun_message_find(&client->answer, type);
    assert(attribute && attribute->length >= 4);
    return load_u32(attribute->value);
}

bool client_answer_has(const struct client *client, uint16_t type)
{
    return stun_message_find(&client->answer, type);
}
