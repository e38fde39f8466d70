/* SPDX-License-Identifier: BSD-3-Clause
 * TCP relaying: RFC 6062. */
#include "case.h"

#define THERE "192.0.2.1:2000" /* the data connection */

static int allocate_tcp(struct client *client)
{
    stun_builder_add_u32(client_begin(client, STUN_ALLOCATE), STUN_REQUESTED_TRANSPORT, 6u << 24);
    return client_send_signed(client);
}

static struct client control(struct world *world, struct address *relayed_out)
{
    struct client client = client_at(world, HERE, TURN_TCP);
    assert_int_equal(allocate_tcp(&client), 0);
    *relayed_out = client_answer_address(&client, STUN_XOR_RELAYED_ADDRESS);
    return client;
}

static int connect_to(struct client *client, const char *peer)
{
    client_begin(client, STUN_CONNECT);
    client_add_peer(client, peer);
    return client_send_signed(client);
}

static int bind_connection(struct client *client, uint32_t id)
{
    stun_builder_add_u32(client_begin(client, STUN_CONNECTION_BIND), STUN_CONNECTION_ID, id);
    return client_send_signed(client);
}

/* The latest message to a client, decoded. */
static struct stun_message last_message(const struct world *world)
{
    struct stun_message message;
    const struct sent_to_client *sent = world_last_to_client(world);
    assert_int_equal(stun_message_decode(sent->bytes, sent->length, &message), 0);
    return message;
}

static uint32_t connected(struct world *world, struct client *client, const char *peer)
{
    assert_int_equal(connect_to(client, peer), NO_ANSWER);
    turn_server_peer_connected(client->server, world->connecting, world->now);
    struct stun_message message = last_message(world);
    assert_int_equal(message.method, STUN_CONNECT);
    assert_int_equal(message.class, STUN_SUCCESS);
    assert_memory_equal(message.transaction_id, client->request_memory + 8, STUN_TRANSACTION_ID_SIZE);
    assert_true(message.integrity_at[STUN_INTEGRITY_SHA1] > 0);
    return load_u32(stun_message_find(&message, STUN_CONNECTION_ID)->value);
}

static void tcp_is_relayed_where_it_is_set_and_for_streams(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, TURN_TCP);
    assert_int_equal(allocate_tcp(&client), 442);
    world_destroy(&world);

    world = WORLD(.tcp_relay = true);
    struct client datagrams = client_at(world, HERE, UDP);
    assert_int_equal(allocate_tcp(&datagrams), 400);
    datagrams.flow.transport = TURN_DTLS;
    assert_int_equal(allocate_tcp(&datagrams), 400);
    client = client_at(world, HERE, TURN_TLS);
    static const struct {
        uint16_t type;
        const char *value;
        size_t length;
    } rows[] = {{STUN_EVEN_PORT, "\0", 1}, {STUN_DONT_FRAGMENT, "", 0}, {STUN_RESERVATION_TOKEN, "12345678", 8}};
    for (size_t i = 0; i < 3; i++) {
        stun_builder_add_u32(client_begin(&client, STUN_ALLOCATE), STUN_REQUESTED_TRANSPORT, 6u << 24);
        stun_builder_add(&client.request, rows[i].type, rows[i].value, rows[i].length);
        assert_int_equal(client_send_signed(&client), 400);
    }
    assert_int_equal(allocate_tcp(&client), 0);
    assert_int_equal(client_bind(&client, 0x4000, PEER_V4), 403);
    assert_int_equal(client_permit(&client, PEER_V4), 0);
    client_send_indication(&client, PEER_V4, "x", 1);
    assert_int_equal(world->to_peer_count, 0);
    world_destroy(&world);
}

static void connect_and_connection_bind_join_client_and_peer(void **state)
{
    (void)state;
    struct world *world = WORLD(.tcp_relay = true);
    struct address relayed;
    struct client client = control(world, &relayed), data = client_at(world, THERE, TURN_TCP);
    uint32_t id = connected(world, &client, PEER_V4);
    assert_int_equal(id >> 26, 5); /* the worker */
    client_learn_nonce(&data);
    stun_builder_add_u32(client_begin(&data, STUN_CONNECTION_BIND), STUN_CONNECTION_ID, id);
    assert_int_equal(client_send_bare(&data), 401);
    assert_int_equal(turn_connection_bind_worker(data.request_memory, 28), 5);
    assert_int_equal(turn_connection_bind_worker(client.request_memory, 28), ERR_NOT_FOUND);

    assert_int_equal(bind_connection(&data, id), 0);
    assert_int_equal(world->joins, 1);
    assert_true(address_equal(&world->joined_flow.client, &data.flow.client));
    /* The host hears that the rest is payload. */
    uint32_t second = connected(world, &client, "203.0.113.5:5001");
    struct client other = client_at(world, "192.0.2.1:2001", TURN_TCP);
    client_learn_nonce(&other);
    assert_int_equal(bind_connection(&other, id), 400); /* once only */
    assert_int_equal(bind_connection(&other, second), 0);
    assert_int_equal(turn_server_receive(other.server, &other.flow, other.request_memory, 28, world->now),
                     ERR_MALFORMED);
    world_pass(world, 100); /* joined ones have no time limit */
    assert_int_equal(world->closes, 0);
    assert_int_equal(client_refresh(&client, 0), 0);
    assert_int_equal(world->closes, 2);
    world_destroy(&world);
}

static void bandwidth_beyond_the_limit_is_waited_for(void **state)
{
    (void)state;
    struct world *world = WORLD(.tcp_relay = true, .limits = {.bandwidth_per_user_bps = 800000});
    struct address relayed;
    struct client client = control(world, &relayed), data = client_at(world, THERE, TURN_TCP);
    client_learn_nonce(&data);
    assert_int_equal(bind_connection(&data, connected(world, &client, PEER_V4)), 0);

    struct turn_server *server = client.server;
    uint64_t start_ns = world->now.monotonic_ns, carried = 0;
    while (carried < 1000000) {
        carried += 10000;
        uint64_t rest_ns = turn_server_peer_carried(server, world->connecting, carried % 20000 == 0, 10000, world->now);
        for (; rest_ns > 0; rest_ns = turn_server_peer_carried(server, world->connecting, false, 0, world->now))
            world->now.monotonic_ns += rest_ns;
    }
    /* A megabyte at 100,000 bytes a second, less what the bucket lends. */
    assert_in_range(world->now.monotonic_ns - start_ns, 9 * NS_PER_S, 10 * NS_PER_S);
    struct turn_allocation_view view;
    turn_allocation_view(world->allocation, &view);
    assert_int_equal(view.bytes_in, 500000);
    assert_int_equal(view.bytes_out, 500000);
    world_destroy(&world);
}

static void join_is_told_by_the_return_value(void **state)
{
    (void)state;
    struct world *world = WORLD(.tcp_relay = true);
    struct address relayed;
    struct client client = control(world, &relayed), data = client_at(world, THERE, TURN_TCP);
    uint32_t id = connected(world, &client, PEER_V4);
    client_learn_nonce(&data);
    assert_int_equal(bind_connection(&data, 0), 400); /* builds the frame; the id is put right below */
    uint32_t joins = world->joins;
    stun_builder_add_u32(client_begin(&data, STUN_CONNECTION_BIND), STUN_CONNECTION_ID, id);
    stun_builder_add(&data.request, STUN_USERNAME, "alice", 5);
    stun_builder_add(&data.request, STUN_REALM, REALM, strlen(REALM));
    stun_builder_add(&data.request, STUN_NONCE, data.nonce, NONCE_LENGTH);
    struct credential_key key;
    credential_key_derive(PASSWORD_MD5, (struct span){"alice", 5}, (struct span){REALM, strlen(REALM)},
                          (struct span){"wonderland", 10}, &key);
    stun_builder_add_integrity(&data.request, STUN_INTEGRITY_SHA1, (struct span){key.bytes, key.length});
    int length = stun_builder_finish(&data.request);
    assert_int_equal(turn_server_receive(data.server, &data.flow, data.request_memory, (size_t)length, world->now), 1);
    assert_int_equal(world->joins, joins + 1);
    world_destroy(&world);
}

static void connect_is_refused_as_the_rfc_says(void **state)
{
    (void)state;
    struct world *world = WORLD(.tcp_relay = true);
    struct address relayed;
    struct client nobody = client_at(world, "192.0.2.1:9000", TURN_TCP),
                  udp = client_at(world, "192.0.2.1:9001", TURN_TCP);
    assert_int_equal(connect_to(&nobody, PEER_V4), 437);
    assert_int_equal(client_allocate(&udp), 0);
    assert_int_equal(connect_to(&udp, PEER_V4), 400);
    struct client client = control(world, &relayed);
    assert_int_equal(connect_to(&client, "10.0.0.9:80"), 403);
    assert_int_equal(connect_to(&client, "[::1]:80"), 443);
    assert_int_equal(connect_to(&client, "203.0.113.5"), 400);
    assert_int_equal(connect_to(&client, LISTENER), 403);
    assert_int_equal(connect_to(&client, RELAY_V4 ":50000"), 403);
    client_begin(&client, STUN_CONNECT);
    assert_int_equal(client_send_signed(&client), 400);
    world->connect_result = ERR_SYSTEM;
    assert_int_equal(connect_to(&client, PEER_V4), 447);
    world->connect_result = 0;
    assert_int_equal(connect_to(&client, PEER_V4), NO_ANSWER);
    assert_int_equal(connect_to(&client, PEER_V4), 446);
    turn_server_peer_connected(client.server, world->connecting, world->now);
    assert_int_equal(connect_to(&client, PEER_V4), 446);
    turn_server_peer_failed(client.server, world->connecting, world->now);
    assert_int_equal(world->closes, 1);
    assert_int_equal(connect_to(&client, PEER_V4), NO_ANSWER);
    world_destroy(&world);
}

static int last_error(const struct world *world)
{
    struct stun_message message = last_message(world);
    return message.class == STUN_ERROR ? stun_error_decode(stun_message_find(&message, STUN_ERROR_CODE)) : 0;
}

static void connect_that_fails_or_takes_30s_is_answered_447(void **state)
{
    (void)state;
    struct world *world = WORLD(.tcp_relay = true);
    struct address relayed;
    struct client client = control(world, &relayed);
    assert_int_equal(connect_to(&client, PEER_V4), NO_ANSWER);
    turn_server_peer_failed(client.server, world->connecting, world->now);
    assert_int_equal(last_error(world), 447);
    assert_int_equal(world->closes, 1);
    assert_int_equal(connect_to(&client, PEER_V4), NO_ANSWER);
    world_pass(world, 29);
    assert_int_equal(world->closes, 1);
    world_pass(world, 1);
    assert_int_equal(world->closes, 2);
    assert_int_equal(last_error(world), 447);
    struct stun_message message = last_message(world);
    assert_true(message.integrity_at[STUN_INTEGRITY_SHA1] > 0);
    assert_int_equal(world->refused_code, 447);
    world_destroy(&world);
}

static void connection_nobody_binds_is_closed_after_30s(void **state)
{
    (void)state;
    struct world *world = WORLD(.tcp_relay = true);
    struct address relayed;
    struct client client = control(world, &relayed), data = client_at(world, THERE, TURN_TCP);
    assert_int_equal(connect_to(&client, PEER_V4), NO_ANSWER);
    world_pass(world, 20);
    turn_server_peer_connected(client.server, world->connecting, world->now);
    uint32_t id = world->connecting->id;
    world_pass(world, 29);
    assert_int_equal(world->closes, 0);
    unsigned before = world->to_client_count;
    world_pass(world, 1);
    assert_int_equal(world->closes, 1);
    assert_int_equal(world->to_client_count, before);
    assert_int_equal(bind_connection(&data, id), 400);
    world_destroy(&world);
}

static void connection_of_somebody_else_cannot_be_bound(void **state)
{
    (void)state;
    struct world *world = WORLD(.tcp_relay = true);
    struct address relayed;
    struct client client = control(world, &relayed), thief = client_at(world, THERE, TURN_TCP);
    uint32_t id = connected(world, &client, PEER_V4);
    thief.user = "bob";
    thief.password = "builder";
    assert_int_equal(bind_connection(&thief, id), 441);
    assert_int_equal(bind_connection(&thief, id ^ 1), 400);
    thief.user = "alice";
    thief.password = "wonderland";
    thief.flow.transport = UDP;
    assert_int_equal(bind_connection(&thief, id), 400);
    assert_int_equal(bind_connection(&client, id), 400); /* a control connection is no data connection */
    thief.server = world->servers[1];
    thief.flow.transport = TURN_TCP;
    assert_int_equal(bind_connection(&thief, id), 400); /* at another worker: the front has to move it */
    assert_int_equal(world->joins, 0);
    thief.server = world->servers[0];
    assert_int_equal(bind_connection(&thief, id), 0);
    world_destroy(&world);
}

static void incoming_connection_needs_a_permission_and_is_announced(void **state)
{
    (void)state;
    struct world *world = WORLD(.tcp_relay = true);
    struct address relayed, peer = address_of(PEER_V4);
    struct client client = control(world, &relayed), data = client_at(world, THERE, TURN_TCP);
    assert_null(world_peer_connects(world, &relayed, PEER_V4));
    assert_int_equal(client_permit(&client, PEER_V4), 0);
    assert_int_equal(client_permit(&client, RELAY_V4), 0);
    assert_null(world_peer_connects(world, &relayed, RELAY_V4_PRIVATE ":80"));

    struct turn_peer_connection *connection = world_peer_connects(world, &relayed, PEER_V4);
    assert_non_null(connection);
    assert_int_equal(connection->socket, 7);
    struct stun_message message = last_message(world);
    assert_int_equal(message.method, STUN_CONNECTION_ATTEMPT);
    assert_int_equal(message.class, STUN_INDICATION);
    uint32_t id = load_u32(stun_message_find(&message, STUN_CONNECTION_ID)->value);
    struct address announced;
    assert_int_equal(
        stun_address_decode(&message, stun_message_find(&message, STUN_XOR_PEER_ADDRESS), true, &announced), 0);
    assert_true(address_equal(&announced, &peer));
    assert_int_equal(bind_connection(&data, id), 0);
    turn_server_peer_failed(client.server, connection, world->now); /* the end of the joined bytes */
    assert_int_equal(world->closes, 1);
    world_destroy(&world);
}

static void flood_of_connections_is_limited(void **state)
{
    (void)state;
    struct world *world = WORLD(.tcp_relay = true);
    struct address relayed;
    struct client client = control(world, &relayed);
    assert_int_equal(client_permit(&client, PEER_V4), 0);
    unsigned accepted = 0;
    for (unsigned port = 1; port <= 100; port++) {
        char peer[32];
        snprintf(peer, sizeof peer, "203.0.113.5:%u", port);
        accepted += world_peer_connects(world, &relayed, peer) != NULL;
    }
    assert_int_equal(accepted, 64);
    assert_int_equal(connect_to(&client, "203.0.113.9:1"), 508);
    world_destroy(&world);
}

static void end_of_the_control_connection_closes_all_without_a_word(void **state)
{
    (void)state;
    struct world *world = WORLD(.tcp_relay = true);
    struct address relayed;
    struct client client = control(world, &relayed);
    assert_int_equal(connect_to(&client, PEER_V4), NO_ANSWER);
    connected(world, &client, "203.0.113.5:1");
    unsigned before = world->to_client_count;
    turn_server_flow_closed(client.server, &client.flow, world->now);
    assert_int_equal(world->closes, 2);
    assert_int_equal(world->to_client_count, before);
    assert_true(turn_server_deadline(client.server) == TIME_NEVER);
    world_destroy(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_is_relayed_where_it_is_set_and_for_streams),
        cmocka_unit_test(connect_and_connection_bind_join_client_and_peer),
        cmocka_unit_test(bandwidth_beyond_the_limit_is_waited_for),
        cmocka_unit_test(join_is_told_by_the_return_value),
        cmocka_unit_test(connect_is_refused_as_the_rfc_says),
        cmocka_unit_test(connect_that_fails_or_takes_30s_is_answered_447),
        cmocka_unit_test(connection_nobody_binds_is_closed_after_30s),
        cmocka_unit_test(connection_of_somebody_else_cannot_be_bound),
        cmocka_unit_test(incoming_connection_needs_a_permission_and_is_announced),
        cmocka_unit_test(flood_of_connections_is_limited),
        cmocka_unit_test(end_of_the_control_connection_closes_all_without_a_word),
    };
    return cmocka_run_group_tests_name("tcp relay", tests, NULL, NULL);
}
