/* SPDX-License-Identifier: BSD-3-Clause
 * Permissions, channels, and the data that passes: RFC 8656 §9 to §12. */
#include "case.h"

#include "stun/framing.h"
#include "turn/allocation.h"

static struct address relayed_of(const struct client *client)
{
    return client_answer_address(client, STUN_XOR_RELAYED_ADDRESS);
}

/* A client with an allocation, and its relayed address. */
static struct client relaying(struct world *world, const char *address, enum turn_transport transport,
                              struct address *relayed_out)
{
    struct client client = client_at(world, address, transport);
    assert_int_equal(client_allocate(&client), 0);
    *relayed_out = relayed_of(&client);
    return client;
}

/* The latest Data indication or ChannelData; returns the payload. */
struct arrival {
    bool channel;
    uint16_t number;
    struct address peer;
    const uint8_t *payload;
    size_t length;
    enum turn_class class;
};

static struct arrival last_arrival(const struct world *world)
{
    const struct sent_to_client *sent = world_last_to_client(world);
    struct arrival arrival = {.class = sent->class};
    if (sent->bytes[0] & 0x40) {
        struct channel_data data;
        assert_int_equal(channel_data_decode(sent->bytes, sent->length, &data), 0);
        arrival.channel = true;
        arrival.number = data.number;
        arrival.payload = data.payload;
        arrival.length = data.length;
        return arrival;
    }
    struct stun_message message;
    assert_int_equal(stun_message_decode(sent->bytes, sent->length, &message), 0);
    assert_int_equal(message.method, STUN_DATA_INDICATION);
    assert_int_equal(message.class, STUN_INDICATION);
    assert_int_equal(message.attribute_count, 2);
    const struct stun_attribute *data = stun_message_find(&message, STUN_DATA);
    assert_int_equal(
        stun_address_decode(&message, stun_message_find(&message, STUN_XOR_PEER_ADDRESS), true, &arrival.peer), 0);
    arrival.payload = data->value;
    arrival.length = data->length;
    return arrival;
}

static void send_and_data_carry_both_ways_with_a_permission(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct address relayed, peer = address_of(PEER_V4);
    struct client client = relaying(world, HERE, UDP, &relayed);
    client_send_indication(&client, PEER_V4, "early", 5);
    world_peer_sends(world, &relayed, PEER_V4, "early", 5);
    assert_int_equal(world->to_peer_count, 0);
    assert_true(turn_server_counters(world->servers[0])->dropped_no_permission == 2);

    assert_int_equal(client_permit(&client, "203.0.113.5"), 0);
    client_send_indication(&client, PEER_V4, "hello", 5);
    const struct sent_to_peer *sent = world_last_to_peer(world);
    struct address bound = address_of(RELAY_V4_PRIVATE);
    assert_true(address_equal(&sent->to, &peer));
    assert_true(address_same_ip(&sent->from, &bound));
    assert_int_equal(sent->from.port, relayed.port);
    assert_int_equal(sent->length, 5);
    assert_memory_equal(sent->bytes, "hello", 5);
    assert_false(sent->dont_fragment);

    for (size_t length = 0; length < 9; length++) { /* any port of the peer, any padding */
        world_peer_sends(world, &relayed, "203.0.113.5:9", "backward", length);
        struct arrival arrival = last_arrival(world);
        assert_int_equal(arrival.peer.port, 9);
        assert_int_equal(arrival.length, length);
        assert_memory_equal(arrival.payload, "backward", length);
    }
    unsigned before = world->to_client_count;
    world_peer_sends(world, &relayed, "203.0.113.6:5000", "other", 5);
    client_send_indication(&client, "203.0.113.6:5000", "other", 5);
    assert_int_equal(world->to_client_count, before);
    assert_int_equal(world->to_peer_count, 1);

    struct turn_allocation_view view;
    turn_allocation_view(world->allocation, &view);
    assert_true(view.packets_in == 1 && view.bytes_in == 5 && view.packets_out == 9 && view.bytes_out == 36);
    world_destroy(&world);
}

static void channel_carries_both_ways_with_four_bytes(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct address relayed, peer = address_of(PEER_V4);
    struct client client = relaying(world, HERE, UDP, &relayed);
    assert_int_equal(client_bind(&client, CHANNEL_NUMBER_LAST, PEER_V4), 0);
    client_send_channel(&client, CHANNEL_NUMBER_LAST, "hello", 5);
    assert_true(address_equal(&world_last_to_peer(world)->to, &peer));
    assert_memory_equal(world_last_to_peer(world)->bytes, "hello", 5);
    world_peer_sends(world, &relayed, PEER_V4, "back", 3);
    struct arrival arrival = last_arrival(world);
    assert_true(arrival.channel);
    assert_int_equal(arrival.number, CHANNEL_NUMBER_LAST);
    assert_int_equal(world_last_to_client(world)->length, 7); /* no padding in a datagram */
    assert_memory_equal(arrival.payload, "bac", 3);
    /* Another port of the same IP has the permission, not the channel. */
    world_peer_sends(world, &relayed, "203.0.113.5:9", "back", 4);
    assert_false(last_arrival(world).channel);

    client_send_channel(&client, 0x4000, "nobody", 6);
    assert_int_equal(client_bind(&client, 0x4001, "203.0.113.6:1"), 0);
    uint8_t lying[] = {0x40, 0x01, 0x00, 0x09, 'x'};
    turn_server_receive(client.server, &client.flow, lying, sizeof lying, world->now);
    assert_int_equal(world->to_peer_count, 1);
    world_destroy(&world);
}

static void stream_gets_padding_and_its_nonsense_closes_it(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct address relayed;
    struct client client = relaying(world, HERE, TURN_TCP, &relayed);
    assert_int_equal(client_bind(&client, 0x4000, PEER_V4), 0);
    for (size_t length = 0; length < 6; length++) {
        world_peer_sends(world, &relayed, PEER_V4, "payload", length);
        assert_int_equal(world_last_to_client(world)->length, 4 + (length + 3) / 4 * 4);
    }
    static const uint8_t nonsense[][4] = {{0x80}, {0xC0, 0, 0, 0}, {0x40, 0, 0, 1}, {'G', 'E', 'T', ' '}};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        assert_int_equal(turn_server_receive(client.server, &client.flow, nonsense[i], 4, world->now), ERR_MALFORMED);
        struct turn_flow datagram = client.flow;
        datagram.transport = UDP;
        assert_int_equal(turn_server_receive(client.server, &datagram, nonsense[i], 4, world->now), 0);
    }
    world_destroy(&world);
}

static void permission_expires_after_300s(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct address relayed;
    struct client client = relaying(world, HERE, UDP, &relayed);
    assert_int_equal(client_permit(&client, PEER_V4), 0);
    world_pass(world, 299);
    client_send_indication(&client, PEER_V4, "x", 1);
    world_peer_sends(world, &relayed, PEER_V4, "x", 1);
    assert_int_equal(world->to_peer_count, 1); /* neither refreshes it */
    unsigned before = world->to_client_count;
    world_pass(world, 1);
    client_send_indication(&client, PEER_V4, "x", 1);
    world_peer_sends(world, &relayed, PEER_V4, "x", 1);
    assert_int_equal(world->to_peer_count, 1);
    assert_int_equal(world->to_client_count, before);

    assert_int_equal(client_permit(&client, PEER_V4), 0);
    world_pass(world, 200);
    assert_int_equal(client_permit(&client, PEER_V4), 0);
    world_pass(world, 99);
    assert_int_equal(client_refresh(&client, 600), 0);
    world_pass(world, 200);
    client_send_indication(&client, PEER_V4, "x", 1);
    assert_int_equal(world->to_peer_count, 2);
    world_destroy(&world);
}

static void channel_expires_after_600s_and_carries_its_peer_until_then(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct address relayed;
    struct client client = client_at(world, HERE, UDP);
    stun_builder_add_u32(client_begin(&client, STUN_ALLOCATE), STUN_REQUESTED_TRANSPORT, 17u << 24);
    stun_builder_add_u32(&client.request, STUN_LIFETIME, 3600);
    assert_int_equal(client_send_signed(&client), 0);
    relayed = relayed_of(&client);
    assert_int_equal(client_bind(&client, 0x4000, PEER_V4), 0);
    world_pass(world, 599);
    client_send_channel(&client, 0x4000, "x", 1);
    world_peer_sends(world, &relayed, PEER_V4, "x", 1);
    assert_int_equal(world->to_peer_count, 1);
    assert_true(last_arrival(world).channel);
    unsigned before = world->to_client_count;
    world_peer_sends(world, &relayed, "203.0.113.5:9", "x", 1); /* its permission lasted 300 s */
    assert_int_equal(world->to_client_count, before);
    assert_int_equal(client_bind(&client, 0x4000, PEER_V4), 0);
    world_pass(world, 599);
    client_send_channel(&client, 0x4000, "x", 1);
    assert_int_equal(world->to_peer_count, 2);
    world_pass(world, 1);
    client_send_channel(&client, 0x4000, "x", 1);
    assert_int_equal(world->to_peer_count, 2);
    before = world->to_client_count;
    world_peer_sends(world, &relayed, PEER_V4, "x", 1);
    assert_int_equal(world->to_client_count, before);
    /* The number is free for another peer, and the peer for another number. */
    assert_int_equal(client_bind(&client, 0x4000, "203.0.113.6:1"), 0);
    assert_int_equal(client_bind(&client, 0x4001, PEER_V4), 0);
    world_destroy(&world);
}

static void channel_of_another_peer_or_number_is_refused(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct address relayed;
    struct client client = relaying(world, HERE, UDP, &relayed);
    assert_int_equal(client_bind(&client, 0x4000, "203.0.113.5:1001"), 0);
    assert_int_equal(client_bind(&client, 0x4000, "203.0.113.5:1002"), 400);
    assert_int_equal(client_bind(&client, 0x4001, "203.0.113.5:1001"), 400);
    assert_int_equal(client_bind(&client, 0x4000, "203.0.113.5:1001"), 0);
    assert_int_equal(client_bind(&client, 0x4001, "203.0.113.5:1002"), 0);
    assert_int_equal(client_bind(&client, 0x4001, "203.0.113.5:1001"), 400);
    static const uint16_t numbers[] = {0, 0x3FFF, CHANNEL_NUMBER_LAST + 1, 0x8000, 0xFFFF};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_int_equal(client_bind(&client, numbers[i], "203.0.113.5:1003"), 400);
    assert_int_equal(client_bind(&client, 0x4002, "203.0.113.5"), 400); /* port 0 */
    world_destroy(&world);
}

static void limits_of_permissions_and_channels_are_508(void **state)
{
    (void)state;
    struct world *world = WORLD(.permissions_max = 6, .channels_max = 5);
    struct address relayed;
    struct client client = relaying(world, HERE, UDP, &relayed);
    char peer[32];
    for (unsigned i = 0; i < 6; i++) {
        snprintf(peer, sizeof peer, "203.0.113.%u:1000", i);
        assert_int_equal(client_permit(&client, peer), 0);
    }
    assert_int_equal(client_permit(&client, "203.0.113.77"), 508);
    assert_int_equal(client_bind(&client, 0x4000, "203.0.113.77:1"), 508);
    assert_int_equal(client_permit(&client, "203.0.113.0"), 0);
    for (unsigned i = 0; i < 5; i++) {
        snprintf(peer, sizeof peer, "203.0.113.1:%u", 2000 + i);
        assert_int_equal(client_bind(&client, (uint16_t)(0x4000 + i), peer), 0);
    }
    assert_int_equal(client_bind(&client, 0x4005, "203.0.113.1:3000"), 508);
    assert_int_equal(client_bind(&client, 0x4004, "203.0.113.1:2004"), 0);
    for (unsigned i = 0; i < 5; i++)
        client_send_channel(&client, (uint16_t)(0x4000 + i), "x", 1);
    assert_int_equal(world->to_peer_count, 5);
    world_pass(world, 300);
    assert_int_equal(client_permit(&client, "203.0.113.77"), 0); /* the expired ones made room */
    world_pass(world, 299);
    assert_int_equal(client_refresh(&client, 600), 0);
    world_pass(world, 1);
    assert_int_equal(client_bind(&client, 0x4005, "203.0.113.1:3000"), 0);
    world_destroy(&world);
}

static void permission_request_is_all_or_nothing(void **state)
{
    (void)state;
    struct world *world = WORLD(.permissions_max = 3);
    struct address relayed;
    struct client client = relaying(world, HERE, UDP, &relayed);
    client_begin(&client, STUN_CREATE_PERMISSION);
    client_add_peer(&client, PEER_V4);
    client_add_peer(&client, "10.9.9.9:1");
    assert_int_equal(client_send_signed(&client), 403);
    client_begin(&client, STUN_CREATE_PERMISSION);
    client_add_peer(&client, PEER_V4);
    client_add_peer(&client, PEER_V6);
    assert_int_equal(client_send_signed(&client), 443);
    client_begin(&client, STUN_CREATE_PERMISSION);
    for (unsigned i = 5; i < 9; i++) {
        char peer[32];
        snprintf(peer, sizeof peer, "203.0.113.%u", i);
        client_add_peer(&client, peer);
    }
    assert_int_equal(client_send_signed(&client), 508);
    client_send_indication(&client, PEER_V4, "x", 1);
    assert_int_equal(world->to_peer_count, 0);
    client_begin(&client, STUN_CREATE_PERMISSION);
    for (unsigned i = 0; i < 12; i++)
        client_add_peer(&client, i % 2 ? "203.0.113.5:7" : "203.0.113.6"); /* the same two, again and again */
    assert_int_equal(client_send_signed(&client), 0);
    client_send_indication(&client, PEER_V4, "x", 1);
    assert_int_equal(world->to_peer_count, 1);
    client_begin(&client, STUN_CREATE_PERMISSION);
    assert_int_equal(client_send_signed(&client), 400);
    world_destroy(&world);
}

static void peers_of_the_inside_are_refused_everywhere(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP);
    stun_builder_add_u32(client_begin(&client, STUN_ALLOCATE), STUN_REQUESTED_TRANSPORT, 17u << 24);
    stun_builder_add(&client.request, STUN_ADDITIONAL_ADDRESS_FAMILY, "\2\0\0\0", 4);
    assert_int_equal(client_send_signed(&client), 0);
    static const char *const inside[] = {
        "127.0.0.1:80",     "10.0.0.9:80",       "169.254.169.254:80", "0.0.0.0:80",           "224.0.0.1:80",
        "[::1]:80",         "[fe80::1]:80",      "[::ffff:7f00:1]:80", "[64:ff9b::a00:9]:80",  "[2002:7f00:1::]:80",
        "[::127.0.0.1]:80", "[64:ff9b:1::1]:80", "[fd00::1]:80",       "[2001:0:7f00:1::1]:80"};
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        assert_int_equal(client_permit(&client, inside[i]), 403);
        assert_int_equal(client_bind(&client, 0x4000, inside[i]), 403);
        client_send_indication(&client, inside[i], "x", 1);
    }
    /* An allowed IPv4 peer is still none for the IPv6 relay. */
    assert_int_equal(client_permit(&client, "[::ffff:203.0.113.5]:80"), 443);
    assert_int_equal(client_permit(&client, "203.0.113.5"), 0);
    client_send_indication(&client, "[::ffff:203.0.113.5]:80", "x", 1);
    client_send_indication(&client, "203.0.113.5:0", "x", 1);
    assert_int_equal(world->to_peer_count, 0);
    world_destroy(&world);
}

static void own_listener_is_not_reached_with_a_permission_for_its_ip(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct address relayed, listener = address_of("203.0.113.5:3478");
    assert_int_equal(peer_policy_listener(world->policy, &listener), 0);
    struct client client = relaying(world, HERE, UDP, &relayed);
    assert_int_equal(client_permit(&client, PEER_V4), 0);
    client_send_indication(&client, "203.0.113.5:3478", "loop", 4);
    assert_int_equal(client_bind(&client, 0x4000, "203.0.113.5:3478"), 403);
    assert_int_equal(world->to_peer_count, 0);
    client_send_indication(&client, "203.0.113.5:3479", "fine", 4);
    assert_int_equal(world->to_peer_count, 1);
    world_destroy(&world);
}

/* Two clients whose relayed addresses are each other's peers; what one's relay sends comes in at the other's with the
 * private address, as the kernel does it. */
static void hairpin_reaches_live_allocations_and_nothing_else(void **state)
{
    (void)state;
    struct world *world = WORLD(.no_allowed_peers = true);
    struct address a_relayed, b_relayed;
    struct client a = relaying(world, HERE, UDP, &a_relayed);
    struct client b = relaying(world, "192.0.2.1:1001", UDP, &b_relayed);
    char a_text[ADDRESS_TEXT_MAX], b_text[ADDRESS_TEXT_MAX], text[ADDRESS_TEXT_MAX];
    address_format(&a_relayed, a_text);
    address_format(&b_relayed, b_text);
    assert_int_equal(client_permit(&a, b_text), 0);
    assert_int_equal(client_bind(&b, 0x4000, a_text), 0);

    client_send_indication(&a, b_text, "round the corner", 16);
    const struct sent_to_peer *sent = world_last_to_peer(world);
    struct address way = address_of(RELAY_V4_PRIVATE);
    way.port = b_relayed.port;
    assert_true(address_equal(&sent->to, &way));
    world_peer_sends(world, &b_relayed, address_format(&sent->from, text), sent->bytes, sent->length);
    struct arrival arrival = last_arrival(world);
    assert_true(arrival.channel && arrival.number == 0x4000);

    client_send_channel(&b, 0x4000, "back", 4);
    sent = world_last_to_peer(world);
    assert_int_equal(sent->to.port, a_relayed.port);
    world_peer_sends(world, &a_relayed, address_format(&sent->from, text), sent->bytes, sent->length);
    arrival = last_arrival(world);
    assert_true(address_equal(&arrival.peer, &b_relayed)); /* the public spelling */

    /* The private spelling is the same peer. */
    client_send_indication(&a, address_format(&way, text), "again", 5);
    assert_int_equal(world->to_peer_count, 3);
    /* Another program at the relay's address: neither reached nor heard. */
    client_send_indication(&a, RELAY_V4 ":22", "x", 1);
    client_send_indication(&a, RELAY_V4_PRIVATE ":22", "x", 1);
    unsigned before = world->to_client_count;
    world_peer_sends(world, &a_relayed, RELAY_V4_PRIVATE ":22", "x", 1);
    assert_int_equal(world->to_client_count, before);
    assert_int_equal(world->to_peer_count, 3);
    /* The end of the other side is the end of the way. */
    assert_int_equal(client_refresh(&b, 0), 0);
    client_send_indication(&a, b_text, "x", 1);
    assert_int_equal(world->to_peer_count, 3);
    world_destroy(&world);
}

static void hairpin_switched_off_refuses_relay_addresses(void **state)
{
    (void)state;
    struct world *world = WORLD(.no_hairpin = true);
    struct address relayed;
    struct client client = relaying(world, HERE, UDP, &relayed);
    assert_int_equal(client_permit(&client, RELAY_V4 ":50000"), 403);
    assert_int_equal(client_permit(&client, RELAY_V4_PRIVATE), 403);
    assert_int_equal(client_bind(&client, 0x4000, RELAY_V4 ":50000"), 403);
    world_destroy(&world);
}

static void reserved_port_is_no_hairpin_yet(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct address relayed;
    struct client client = relaying(world, HERE, UDP, &relayed), pair = client_at(world, "192.0.2.1:1001", UDP);
    stun_builder_add_u32(client_begin(&pair, STUN_ALLOCATE), STUN_REQUESTED_TRANSPORT, 17u << 24);
    stun_builder_add(&pair.request, STUN_EVEN_PORT, "\x80", 1);
    assert_int_equal(client_send_signed(&pair), 0);
    struct address reserved = relayed_of(&pair);
    reserved.port++;
    char text[ADDRESS_TEXT_MAX];
    assert_int_equal(client_permit(&client, address_format(&reserved, text)), 0);
    client_send_indication(&client, text, "x", 1);
    assert_int_equal(world->to_peer_count, 0);
    world_destroy(&world);
}

static void malformed_send_is_dropped(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct address relayed, peer = address_of(PEER_V4);
    struct client client = relaying(world, HERE, UDP, &relayed);
    assert_int_equal(client_permit(&client, PEER_V4), 0);
    for (int missing = 0; missing < 4; missing++) {
        uint8_t id[STUN_TRANSACTION_ID_SIZE] = {7}, memory[128];
        struct stun_builder builder;
        stun_builder_init(&builder, memory, sizeof memory, STUN_SEND, STUN_INDICATION, id);
        if (missing != 0)
            stun_builder_add_xor_address(&builder, STUN_XOR_PEER_ADDRESS, &peer);
        if (missing != 1)
            stun_builder_add(&builder, STUN_DATA, "x", 1);
        if (missing == 2)
            stun_builder_add(&builder, 0x7ABC, "x", 1);
        if (missing == 3)
            stun_builder_add(&builder, STUN_DONT_FRAGMENT, NULL, 0);
        int length = stun_builder_finish(&builder);
        turn_server_receive(client.server, &client.flow, memory, (size_t)length, world->now);
        assert_int_equal(world->to_peer_count, missing == 3);
    }
    assert_true(world_last_to_peer(world)->dont_fragment);
    world_destroy(&world);
}

static void payload_is_classed_by_its_first_byte(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct address relayed;
    struct client client = relaying(world, HERE, UDP, &relayed);
    assert_int_equal(client_bind(&client, 0x4000, PEER_V4), 0);
    static const struct {
        uint8_t first;
        enum turn_class class;
    } rows[] = {{0, TURN_CLASS_LIVE},   {3, TURN_CLASS_LIVE},   {4, TURN_CLASS_BULK},   {20, TURN_CLASS_BULK},
                {63, TURN_CLASS_BULK},  {64, TURN_CLASS_BULK},  {127, TURN_CLASS_BULK}, {128, TURN_CLASS_LIVE},
                {191, TURN_CLASS_LIVE}, {192, TURN_CLASS_BULK}, {255, TURN_CLASS_BULK}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        world_peer_sends(world, &relayed, PEER_V4, &rows[i].first, 1);
        assert_int_equal(world_last_to_client(world)->class, rows[i].class);
    }
    world_destroy(&world);
}

static void icmp_errors_about_permitted_peers_are_told(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct address relayed, peer = address_of(PEER_V4);
    struct client client = relaying(world, HERE, UDP, &relayed);
    struct turn_relay *relay = world_socket(world, &relayed)->relay;
    unsigned before = world->to_client_count;
    turn_server_receive_icmp(client.server, relay, &peer, 3, 3, 0, world->now);
    assert_int_equal(world->to_client_count, before);
    assert_int_equal(client_permit(&client, PEER_V4), 0);
    static const struct {
        uint8_t type, code;
        uint32_t data, told;
        bool passed;
    } rows[] = {
        {3, 3, 1234, 0, true}, {3, 4, 1280, 1280, true}, {11, 0, 0, 0, true}, {8, 0, 0, 0, false}, {5, 0, 0, 0, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        before = world->to_client_count;
        turn_server_receive_icmp(client.server, relay, &peer, rows[i].type, rows[i].code, rows[i].data, world->now);
        assert_int_equal(world->to_client_count, before + rows[i].passed);
        if (!rows[i].passed)
            continue;
        struct stun_message message;
        const struct sent_to_client *sent = world_last_to_client(world);
        assert_int_equal(stun_message_decode(sent->bytes, sent->length, &message), 0);
        assert_int_equal(message.method, STUN_DATA_INDICATION);
        assert_null(stun_message_find(&message, STUN_DATA));
        const struct stun_attribute *icmp = stun_message_find(&message, STUN_ICMP);
        assert_int_equal(load_u32(icmp->value), (uint32_t)rows[i].type << 8 | rows[i].code);
        assert_int_equal(load_u32(icmp->value + 4), rows[i].told);
    }
    world_destroy(&world);
}

static void largest_datagrams_are_carried_or_dropped_whole(void **state)
{
    (void)state;
    static uint8_t payload[65535];
    struct world *world = WORLD();
    struct address relayed, six;
    struct client client = relaying(world, HERE, TURN_TCP, &relayed);
    assert_int_equal(client_permit(&client, PEER_V4), 0);
    world_peer_sends(world, &relayed, PEER_V4, payload, 65507);
    const struct sent_to_client *sent = world_last_to_client(world);
    assert_int_equal(sent->length, 20 + 12 + 4 + 65508);
    assert_int_equal(load_u16(sent->bytes + 2), 12 + 4 + 65508);
    struct client client6 = client_at(world, "192.0.2.1:1001", TURN_TCP);
    assert_int_equal(client_allocate_family(&client6, 2), 0);
    six = relayed_of(&client6);
    assert_int_equal(client_permit(&client6, PEER_V6), 0);
    unsigned before = world->to_client_count;
    world_peer_sends(world, &six, PEER_V6, payload, 65535);
    assert_int_equal(world->to_client_count, before);
    assert_int_equal(client_bind(&client6, 0x4000, PEER_V6), 0);
    world_peer_sends(world, &six, PEER_V6, payload, 65535);
    assert_int_equal(world_last_to_client(world)->length, 65540);
    world_destroy(&world);
}

static void bandwidth_beyond_the_limit_is_dropped_both_ways(void **state)
{
    (void)state;
    struct world *world = WORLD(.limits = {.bandwidth_per_user_bps = 8000000});
    struct address relayed;
    struct client client = relaying(world, HERE, UDP, &relayed);
    assert_int_equal(client_bind(&client, 0x4000, PEER_V4), 0);
    uint8_t payload[1000] = {0};
    struct turn_allocation_view view;
    for (int round = 0; round < 2; round++) {
        turn_allocation_view(world->allocation, &view);
        uint64_t before = view.bytes_in + view.bytes_out;
        for (unsigned ms = 0; ms < 1000; ms++) {
            world->now.monotonic_ns += NS_PER_MS;
            client_send_channel(&client, 0x4000, payload, sizeof payload);
            world_peer_sends(world, &relayed, PEER_V4, payload, sizeof payload);
        }
        turn_allocation_view(world->allocation, &view);
        assert_in_range(view.bytes_in + view.bytes_out - before, 970000, 1030000);
    }
    assert_true(view.bytes_in > 300000 && view.bytes_out > 300000);
    assert_true(turn_server_counters(world->servers[0])->dropped_bandwidth > 700);
    assert_int_equal(client_refresh(&client, 600), 0); /* what is TURN's own passes */
    world_destroy(&world);
}

static void udp_allocation_is_small(void **state)
{
    (void)state;
    /* With the ledger's user and source, the timer's and the table's slots, and the host's socket to come. */
    assert_true(sizeof(struct turn_allocation) <= 1200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(send_and_data_carry_both_ways_with_a_permission),
        cmocka_unit_test(channel_carries_both_ways_with_four_bytes),
        cmocka_unit_test(stream_gets_padding_and_its_nonsense_closes_it),
        cmocka_unit_test(permission_expires_after_300s),
        cmocka_unit_test(channel_expires_after_600s_and_carries_its_peer_until_then),
        cmocka_unit_test(channel_of_another_peer_or_number_is_refused),
        cmocka_unit_test(limits_of_permissions_and_channels_are_508),
        cmocka_unit_test(permission_request_is_all_or_nothing),
        cmocka_unit_test(peers_of_the_inside_are_refused_everywhere),
        cmocka_unit_test(own_listener_is_not_reached_with_a_permission_for_its_ip),
        cmocka_unit_test(hairpin_reaches_live_allocations_and_nothing_else),
        cmocka_unit_test(hairpin_switched_off_refuses_relay_addresses),
        cmocka_unit_test(reserved_port_is_no_hairpin_yet),
        cmocka_unit_test(malformed_send_is_dropped),
        cmocka_unit_test(payload_is_classed_by_its_first_byte),
        cmocka_unit_test(icmp_errors_about_permitted_peers_are_told),
        cmocka_unit_test(largest_datagrams_are_carried_or_dropped_whole),
        cmocka_unit_test(bandwidth_beyond_the_limit_is_dropped_both_ways),
        cmocka_unit_test(udp_allocation_is_small),
    };
    return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
