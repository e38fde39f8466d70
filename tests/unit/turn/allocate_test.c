/* SPDX-License-Identifier: BSD-3-Clause
 * Allocate and Refresh: RFC 8656 §7, §8. */
#include "case.h"

#define EVEN      "\x00"
#define EVEN_PAIR "\x80"

static struct stun_builder *begin(struct client *client)
{
    stun_builder_add_u32(client_begin(client, STUN_ALLOCATE), STUN_REQUESTED_TRANSPORT, 17u << 24);
    return &client->request;
}

static int allocate_with(struct client *client, uint16_t type, const void *value, size_t length)
{
    stun_builder_add(begin(client), type, value, length);
    return client_send_signed(client);
}

static int allocate_dual(struct client *client)
{
    return allocate_with(client, STUN_ADDITIONAL_ADDRESS_FAMILY, "\2\0\0\0", 4);
}

/* A client of its own at |port|. */
static struct client at_port(struct world *world, unsigned port)
{
    char address[32];
    snprintf(address, sizeof address, "192.0.2.1:%u", port);
    return client_at(world, address, UDP);
}

static int odd_ports_are_held(struct world *world, const struct relay_port *port)
{
    (void)world;
    return port->private_address.port % 2 ? ERR_IN_USE : 0;
}

static int second_port_fails(struct world *world, const struct relay_port *port)
{
    (void)port;
    return world->opens % 2 ? 0 : ERR_SYSTEM;
}

static int no_sockets(struct world *world, const struct relay_port *port)
{
    (void)world;
    (void)port;
    return ERR_SYSTEM;
}

static void allocation_names_its_addresses_and_lifetime(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP);
    assert_int_equal(client_allocate(&client), 0);
    struct address relayed = client_answer_address(&client, STUN_XOR_RELAYED_ADDRESS);
    struct address mapped = client_answer_address(&client, STUN_XOR_MAPPED_ADDRESS),
                   public_address = address_of(RELAY_V4);
    assert_true(address_same_ip(&relayed, &public_address));
    assert_in_range(relayed.port, 49152, 49407);
    assert_true(address_equal(&mapped, &client.flow.client));
    assert_int_equal(client_answer_u32(&client, STUN_LIFETIME), 600);
    struct fake_socket *socket = world_socket(world, &relayed);
    struct address bound = address_of(RELAY_V4_PRIVATE);
    assert_true(address_same_ip(&socket->port.private_address, &bound));
    assert_int_equal(turn_server_counters(world->servers[0])->allocations[TURN_UDP], 1);
    assert_int_equal(ledger_totals(world->ledger).allocations, 1);
    assert_int_equal(world->began, 1);
    world_destroy(&world);
}

static void lifetime_lies_between_ten_minutes_and_the_maximum(void **state)
{
    (void)state;
    struct world *world = WORLD();
    static const uint32_t rows[][2] = {{0, 600},     {1, 600},     {600, 600},        {601, 601},
                                       {3600, 3600}, {3601, 3600}, {0xFFFFFFFF, 3600}};
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client client = at_port(world, 1000 + i);
        stun_builder_add_u32(begin(&client), STUN_LIFETIME, rows[i][0]);
        assert_int_equal(client_send_signed(&client), 0);
        assert_int_equal(client_answer_u32(&client, STUN_LIFETIME), rows[i][1]);
        if (rows[i][0] == 0)
            continue;
        assert_int_equal(client_refresh(&client, rows[i][0]), 0);
        assert_int_equal(client_answer_u32(&client, STUN_LIFETIME), rows[i][1]);
    }
    world_destroy(&world);
}

static void allocation_expires_unless_refreshed(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP);
    assert_int_equal(client_allocate(&client), 0);
    assert_true(turn_server_deadline(world->servers[0]) == world->now.monotonic_ns + 600 * NS_PER_S);
    world_pass(world, 599);
    assert_int_equal(world->ended, 0);
    assert_int_equal(client_refresh(&client, 600), 0);
    world_pass(world, 599);
    assert_int_equal(world->ended, 0);
    world_pass(world, 1);
    assert_int_equal(world->ended, 1);
    assert_int_equal(world->end, TURN_END_EXPIRED);
    assert_int_equal(world->sockets_open, 0);
    assert_int_equal(relay_ports_taken(world->ports), 0);
    assert_int_equal(ledger_totals(world->ledger).allocations, 0);
    assert_true(turn_server_deadline(world->servers[0]) == TIME_NEVER);
    assert_int_equal(client_refresh(&client, 600), 437);
    world_destroy(&world);
}

static void refresh_with_lifetime_zero_ends_the_allocation(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP);
    assert_int_equal(client_refresh(&client, 600), 437);
    assert_int_equal(client_allocate(&client), 0);
    assert_int_equal(client_refresh(&client, 0), 0);
    assert_int_equal(client_answer_u32(&client, STUN_LIFETIME), 0);
    assert_int_equal(world->end, TURN_END_REFRESHED);
    assert_int_equal(world->sockets_open, 0);
    assert_int_equal(client_refresh(&client, 0), 437);
    assert_int_equal(client_permit(&client, PEER_V4), 437);
    assert_int_equal(client_bind(&client, 0x4000, PEER_V4), 437);
    assert_int_equal(client_allocate(&client), 0);
    world_destroy(&world);
}

static void end_of_the_connection_ends_the_allocation(void **state)
{
    (void)state;
    struct world *world = WORLD();
    int old_link, new_link;
    struct client client = client_at(world, HERE, TURN_TLS);
    client.flow.link = &old_link;
    assert_int_equal(client_allocate(&client), 0);
    assert_int_equal(turn_server_counters(world->servers[0])->allocations[TURN_TLS], 1);
    /* The next connection from the same port may come before the end of the first one has been told. */
    struct client next = client;
    next.flow.link = &new_link;
    assert_int_equal(client_allocate(&next), 0);
    turn_server_flow_closed(world->servers[0], &client.flow, world->now);
    assert_int_equal(world->end, TURN_END_DISCONNECTED);
    assert_int_equal(world->sockets_open, 1);
    assert_int_equal(client_refresh(&next, 600), 0);
    turn_server_flow_closed(world->servers[0], &client.flow, world->now);
    assert_int_equal(world->ended, 1);
    world_destroy(&world);
}

static void retransmitted_allocate_gets_the_same_answer(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP);
    assert_int_equal(allocate_with(&client, STUN_EVEN_PORT, EVEN_PAIR, 1), 0);
    uint8_t first[512];
    size_t length = client.answer.length;
    memcpy(first, client.answer.bytes, length);
    assert_true(client_answer_has(&client, STUN_RESERVATION_TOKEN));
    world_pass(world, 1);
    assert_int_equal(client_send_again(&client), 0);
    assert_int_equal(client.answer.length, length);
    assert_memory_equal(client.answer.bytes, first, length);
    assert_int_equal(world->opens, 2);

    assert_int_equal(client_allocate(&client), 437);
    /* The same transaction id, but another user. */
    client.transactions -= 2;
    client.user = "bob";
    client.password = "builder";
    begin(&client);
    assert_int_equal(client_send_signed(&client), 437);
    world_destroy(&world);
}

static void five_tuples_are_told_apart_by_each_part(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client clients[5];
    for (int i = 0; i < 5; i++)
        clients[i] = client_at(world, HERE, UDP);
    clients[1].flow.client = address_of("192.0.2.1:1001");
    clients[2].flow.client = address_of("192.0.2.2:1000");
    clients[3].flow.server = address_of("198.51.100.8:3478");
    clients[4].flow.transport = TURN_DTLS;
    for (int i = 0; i < 5; i++)
        assert_int_equal(client_allocate(&clients[i]), 0);
    assert_int_equal(client_refresh(&clients[2], 0), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(client_refresh(&clients[i], 600), i == 2 ? 437 : 0);
    world_destroy(&world);
}

static void unsupported_transport_and_family_are_refused(void **state)
{
    (void)state;
    struct world *world = WORLD(.no_ipv6 = true);
    struct client client = client_at(world, HERE, UDP);
    static const uint8_t protocols[] = {0, 1, 6, 16, 18, 132, 255};
    for (size_t i = 0; i < sizeof protocols; i++) {
        stun_builder_add_u32(client_begin(&client, STUN_ALLOCATE), STUN_REQUESTED_TRANSPORT,
                             (uint32_t)protocols[i] << 24);
        assert_int_equal(client_send_signed(&client), 442);
    }
    assert_int_equal(client_allocate_family(&client, 2), 440);
    assert_int_equal(client_allocate_family(&client, 0), 440);
    assert_int_equal(client_allocate_family(&client, 3), 440);
    client_begin(&client, STUN_ALLOCATE);
    assert_int_equal(client_send_signed(&client), 400);
    assert_int_equal(ledger_totals(world->ledger).users, 0);
    assert_int_equal(client_allocate_family(&client, 1), 0);
    world_destroy(&world);
}

static void attributes_that_exclude_each_other_are_refused(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP);
    static const struct {
        uint16_t type;
        const char *value;
        uint8_t length;
    } one[] =
        {
            {STUN_ADDITIONAL_ADDRESS_FAMILY, "\1\0\0\0", 4}, {STUN_ADDITIONAL_ADDRESS_FAMILY, "\3\0\0\0", 4},
            {STUN_ADDITIONAL_ADDRESS_FAMILY, "\2\0\0\0", 4}, {STUN_ADDITIONAL_ADDRESS_FAMILY, "\2\0\0\0", 4},
            {STUN_ADDITIONAL_ADDRESS_FAMILY, "\2\0\0\0", 4}, {STUN_RESERVATION_TOKEN, "12345678", 8},
            {STUN_RESERVATION_TOKEN, "12345678", 8},
        },
      other[] = {
          {STUN_DONT_FRAGMENT, "", 0},
          {STUN_DONT_FRAGMENT, "", 0},
          {STUN_REQUESTED_ADDRESS_FAMILY, "\1\0\0\0", 4},
          {STUN_EVEN_PORT, EVEN_PAIR, 1},
          {STUN_RESERVATION_TOKEN, "12345678", 8},
          {STUN_EVEN_PORT, EVEN, 1},
          {STUN_REQUESTED_ADDRESS_FAMILY, "\1\0\0\0", 4},
      };
    for (size_t i = 0; i < sizeof one / sizeof *one; i++) {
        stun_builder_add(begin(&client), one[i].type, one[i].value, one[i].length);
        stun_builder_add(&client.request, other[i].type, other[i].value, other[i].length);
        assert_int_equal(client_send_signed(&client), 400);
    }
    assert_int_equal(world->opens, 0);
    world_destroy(&world);
}

static void dual_allocation_has_an_address_of_each_family(void **state)
{
    (void)state;
    struct world *world = WORLD(.permissions_max = 2);
    struct client client = client_at(world, HERE, UDP);
    assert_int_equal(allocate_dual(&client), 0);
    const struct stun_attribute *v4 = stun_message_find(&client.answer, STUN_XOR_RELAYED_ADDRESS);
    const struct stun_attribute *v6 = stun_message_find_next(&client.answer, v4);
    assert_int_equal(v4->length, 8);
    assert_int_equal(v6->length, 20);
    assert_false(client_answer_has(&client, STUN_ADDRESS_ERROR_CODE));
    assert_int_equal(client_permit(&client, PEER_V4), 0);
    assert_int_equal(client_permit(&client, PEER_V6), 0);
    assert_int_equal(client_bind(&client, 0x4000, PEER_V4), 0);

    /* Ending one leaves the other, and what belongs to it. */
    stun_builder_add_u32(client_begin(&client, STUN_REFRESH), STUN_LIFETIME, 0);
    stun_builder_add(&client.request, STUN_REQUESTED_ADDRESS_FAMILY, "\1\0\0\0", 4);
    assert_int_equal(client_send_signed(&client), 0);
    assert_int_equal(world->sockets_open, 1);
    assert_int_equal(client_permit(&client, PEER_V4), 443);
    client_send_indication(&client, PEER_V4, "x", 1);
    assert_int_equal(world->to_peer_count, 0);
    client_send_indication(&client, PEER_V6, "x", 1);
    assert_int_equal(world->to_peer_count, 1);
    /* Its channels and permissions hold no room any more. */
    assert_int_equal(client_bind(&client, 0x4000, PEER_V6), 0);
    assert_int_equal(client_permit(&client, "2001:db8:5::6"), 0);
    assert_int_equal(client_permit(&client, "2001:db8:5::7"), 508);
    stun_builder_add_u32(client_begin(&client, STUN_REFRESH), STUN_LIFETIME, 0);
    stun_builder_add(&client.request, STUN_REQUESTED_ADDRESS_FAMILY, "\1\0\0\0", 4);
    assert_int_equal(client_send_signed(&client), 443);
    stun_builder_add_u32(client_begin(&client, STUN_REFRESH), STUN_LIFETIME, 0);
    stun_builder_add(&client.request, STUN_REQUESTED_ADDRESS_FAMILY, "\2\0\0\0", 4);
    assert_int_equal(client_send_signed(&client), 0);
    assert_int_equal(world->ended, 1);
    world_destroy(&world);
}

static void dual_allocation_says_which_family_is_missing_and_why(void **state)
{
    (void)state;
    struct world *world = WORLD(.no_ipv6 = true);
    struct client client = client_at(world, HERE, UDP);
    assert_int_equal(allocate_dual(&client), 0);
    assert_int_equal(client_answer_u32(&client, STUN_ADDRESS_ERROR_CODE), 0x02000428);
    assert_int_equal(client_send_again(&client), 0);
    assert_int_equal(client_answer_u32(&client, STUN_ADDRESS_ERROR_CODE), 0x02000428);
    world_destroy(&world);

    world = WORLD(.port_first = 50000, .port_last = 50000);
    struct client holder = at_port(world, 1001), dual = at_port(world, 1002), late = at_port(world, 1003);
    assert_int_equal(client_allocate(&holder), 0);
    assert_int_equal(allocate_dual(&dual), 0);
    assert_int_equal(client_answer_u32(&dual, STUN_ADDRESS_ERROR_CODE), 0x01000508);
    assert_int_equal(client_answer_address(&dual, STUN_XOR_RELAYED_ADDRESS).family, ADDRESS_IPV6);
    assert_int_equal(allocate_dual(&late), 508);
    world_destroy(&world);
}

static void even_port_is_even_and_its_token_gives_the_next(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client plain = at_port(world, 1001), first = at_port(world, 1002), second = at_port(world, 1003);
    assert_int_equal(allocate_with(&plain, STUN_EVEN_PORT, EVEN, 1), 0);
    assert_int_equal(client_answer_address(&plain, STUN_XOR_RELAYED_ADDRESS).port % 2, 0);
    assert_false(client_answer_has(&plain, STUN_RESERVATION_TOKEN));

    assert_int_equal(allocate_with(&first, STUN_EVEN_PORT, EVEN_PAIR, 1), 0);
    uint16_t even = client_answer_address(&first, STUN_XOR_RELAYED_ADDRESS).port;
    assert_int_equal(even % 2, 0);
    uint8_t token[8];
    memcpy(token, stun_message_find(&first.answer, STUN_RESERVATION_TOKEN)->value, 8);

    /* Another user, then the right one at another worker. */
    struct client thief = at_port(world, 1004);
    thief.user = "bob";
    thief.password = "builder";
    assert_int_equal(allocate_with(&thief, STUN_RESERVATION_TOKEN, token, 8), 508);
    second.server = world->servers[1];
    assert_int_equal(allocate_with(&second, STUN_RESERVATION_TOKEN, token, 8), 0);
    assert_int_equal(client_answer_address(&second, STUN_XOR_RELAYED_ADDRESS).port, even + 1);
    assert_int_equal(allocate_with(&thief, STUN_RESERVATION_TOKEN, token, 8), 508);
    assert_int_equal(ledger_totals(world->ledger).users, 1);
    world_destroy(&world);
}

static void reservation_nobody_comes_for_is_given_back(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP);
    assert_int_equal(allocate_with(&client, STUN_EVEN_PORT, EVEN_PAIR, 1), 0);
    assert_int_equal(world->sockets_open, 2);
    assert_int_equal(relay_ports_taken(world->ports), 2);
    world_pass(world, 30);
    assert_int_equal(world->sockets_open, 1);
    assert_int_equal(relay_ports_taken(world->ports), 1);
    world_destroy(&world);
}

static void flood_of_reservations_leaves_ports_to_others(void **state)
{
    (void)state;
    struct world *world = WORLD();
    unsigned reserved = 0;
    for (unsigned i = 0; i < 12; i++) {
        struct client client = at_port(world, 1000 + i);
        int code = allocate_with(&client, STUN_EVEN_PORT, EVEN_PAIR, 1);
        assert_true(code == 0 || code == 508);
        reserved += code == 0;
        if (code == 0)
            assert_int_equal(client_refresh(&client, 0), 0);
    }
    assert_int_equal(reserved, 8);
    assert_int_equal(relay_ports_taken(world->ports), 8);
    assert_int_equal(world->sockets_open, 8);
    world_destroy(&world);
}

static void quota_of_user_and_source_is_486_and_that_of_all_508(void **state)
{
    (void)state;
    struct world *world = WORLD(.limits = {.allocations_per_user = 1, .allocations_per_source = 2, .allocations = 3});
    struct client alice = at_port(world, 1001), again = at_port(world, 1002), bob = at_port(world, 1003);
    again.server = world->servers[1];
    assert_int_equal(client_allocate(&alice), 0);
    assert_int_equal(client_allocate(&again), 486);
    bob.user = "bob";
    bob.password = "builder";
    assert_int_equal(client_allocate(&bob), 0);
    assert_int_equal(client_refresh(&alice, 0), 0);
    assert_int_equal(client_allocate(&again), 0);
    world_destroy(&world);

    world = WORLD(.limits = {.allocations = 1});
    alice = at_port(world, 1001);
    again = at_port(world, 1002);
    assert_int_equal(client_allocate(&alice), 0);
    assert_int_equal(client_allocate(&again), 508);
    world_destroy(&world);
}

static void full_server_names_the_alternate_one(void **state)
{
    (void)state;
    struct world *world = WORLD(.limits = {.allocations = 1, .allocations_per_user = 1}, .alternate = true);
    struct client alice = at_port(world, 1001), bob = at_port(world, 1002);
    struct client six = client_at(world, "[2001:db8:77::1]:1000", UDP);
    assert_int_equal(client_allocate(&alice), 0);
    bob.user = six.user = "bob";
    bob.password = six.password = "builder";
    assert_int_equal(client_allocate(&bob), 300);
    struct address alternate = client_answer_address(&bob, STUN_ALTERNATE_SERVER),
                   expected = world->settings.alternate_server;
    assert_true(address_equal(&alternate, &expected));
    assert_int_equal(stun_message_find(&bob.answer, STUN_ALTERNATE_DOMAIN)->length, strlen("other.example.org"));
    assert_int_equal(client_allocate(&six), 508); /* the alternate is of the other family */
    bob.user = "alice";
    bob.password = "wonderland";
    assert_int_equal(client_allocate(&bob), 486); /* a user's own limit is the same elsewhere */
    assert_int_equal(client_refresh(&alice, 0), 0);
    assert_int_equal(allocate_with(&bob, STUN_RESERVATION_TOKEN, "12345678", 8), 508); /* what it means is here only */
    world->open_result = no_sockets;
    assert_int_equal(client_allocate(&bob), 300);
    world_destroy(&world);
}

static void every_port_is_used_before_508(void **state)
{
    (void)state;
    struct world *world = WORLD(.port_first = 50000, .port_last = 50019);
    for (unsigned i = 0; i <= 20; i++) {
        struct client client = at_port(world, 1000 + i);
        client.server = world->servers[i % 2];
        assert_int_equal(client_allocate(&client), i < 20 ? 0 : 508);
    }
    assert_int_equal(relay_ports_taken(world->ports), 20);
    assert_int_equal(ledger_totals(world->ledger).allocations, 20);
    world_destroy(&world);
}

static void sockets_that_cannot_be_had_leave_nothing_behind(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP);
    world->open_result = no_sockets;
    assert_int_equal(client_allocate(&client), 508);
    world->open_result = odd_ports_are_held;
    assert_int_equal(allocate_with(&client, STUN_EVEN_PORT, EVEN_PAIR, 1), 508);
    assert_int_equal(world->sockets_open, 0);
    world->opens = 0;
    world->open_result = second_port_fails;
    assert_int_equal(allocate_with(&client, STUN_EVEN_PORT, EVEN_PAIR, 1), 508);
    assert_int_equal(world->sockets_open, 0);
    world->open_result = NULL;
    world->attach_result = ERR_MEMORY;
    assert_int_equal(client_allocate(&client), 508);
    assert_int_equal(allocate_dual(&client), 508);
    assert_int_equal(world->sockets_open, 0);
    assert_int_equal(relay_ports_taken(world->ports), 0);
    assert_int_equal(ledger_totals(world->ledger).allocations, 0);
    world->attach_result = 0;
    world->open_result = odd_ports_are_held;
    assert_int_equal(client_allocate(&client), 0);
    world_destroy(&world);
}

/* All that a call does, with the n-th allocation of memory failing, for every n. */
static void want_of_memory_is_answered_and_leaks_nothing(void **state)
{
    (void)state;
    bool all_well = false;
    for (unsigned long n = 1; !all_well; n++) {
        assert_true(n < 100);
        struct world *world = WORLD(.secrets = true);
        struct client client = client_at(world, HERE, UDP);
        char user[USERNAME_MAX + 1], password[CRYPTO_BASE64_SIZE(SHA1_SIZE)];
        memory_fail_at(n);
        int allocated = allocate_with(&client, STUN_EVEN_PORT, EVEN_PAIR, 1);
        assert_true(allocated == 0 || allocated == 508);
        if (allocated != 0)
            assert_int_equal(client_allocate(&client), 0); /* only one fails */
        all_well = allocated == 0;
        for (unsigned i = 0; i < 10; i++) {
            char peer[32];
            snprintf(peer, sizeof peer, "203.0.113.%u:1", i);
            int bound = client_bind(&client, (uint16_t)(0x4000 + i), peer);
            assert_true(bound == 0 || bound == 508);
            all_well &= bound == 0;
        }
        credentials_issue(world->credentials, "alice", world->now.wall_s + 100, user, password);
        client.user = user;
        client.password = password;
        int refreshed = client_refresh(&client, 600);
        assert_true(refreshed == 0 || refreshed == 500);
        all_well &= refreshed == 0;
        memory_fail_at(0);
        world_destroy(&world);
    }
}

static void views_and_names_say_what_is(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP);
    assert_int_equal(allocate_dual(&client), 0);
    struct turn_allocation_view view;
    turn_allocation_view(world->allocation, &view);
    assert_true(address_equal(&view.flow->client, &client.flow.client));
    assert_int_equal(view.relayed[0].family, ADDRESS_IPV4);
    assert_int_equal(view.relayed[1].family, ADDRESS_IPV6);
    assert_true(view.expires_ns - view.began_ns == 600 * NS_PER_S);
    assert_string_equal(turn_transport_name(TURN_DTLS), "dtls");
    assert_string_equal(turn_end_name(TURN_END_EXPIRED), "expired");
    world_destroy(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocation_names_its_addresses_and_lifetime),
        cmocka_unit_test(lifetime_lies_between_ten_minutes_and_the_maximum),
        cmocka_unit_test(allocation_expires_unless_refreshed),
        cmocka_unit_test(refresh_with_lifetime_zero_ends_the_allocation),
        cmocka_unit_test(end_of_the_connection_ends_the_allocation),
        cmocka_unit_test(retransmitted_allocate_gets_the_same_answer),
        cmocka_unit_test(five_tuples_are_told_apart_by_each_part),
        cmocka_unit_test(unsupported_transport_and_family_are_refused),
        cmocka_unit_test(attributes_that_exclude_each_other_are_refused),
        cmocka_unit_test(dual_allocation_has_an_address_of_each_family),
        cmocka_unit_test(dual_allocation_says_which_family_is_missing_and_why),
        cmocka_unit_test(even_port_is_even_and_its_token_gives_the_next),
        cmocka_unit_test(reservation_nobody_comes_for_is_given_back),
        cmocka_unit_test(flood_of_reservations_leaves_ports_to_others),
        cmocka_unit_test(quota_of_user_and_source_is_486_and_that_of_all_508),
        cmocka_unit_test(full_server_names_the_alternate_one),
        cmocka_unit_test(every_port_is_used_before_508),
        cmocka_unit_test(sockets_that_cannot_be_had_leave_nothing_behind),
        cmocka_unit_test(want_of_memory_is_answered_and_leaks_nothing),
        cmocka_unit_test(views_and_names_say_what_is),
    };
    return cmocka_run_group_tests_name("allocate", tests, NULL, NULL);
}
