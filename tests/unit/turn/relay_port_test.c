/* SPDX-License-Identifier: BSD-3-Clause
 * Relay ports, and the reservations of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "turn/relay_port.h"
#include "turn/reservation.h"

static struct address address_of(const char *text)
{
    struct address address;
    assert_int_equal(address_parse(text, &address), 0);
    return address;
}

static void add(struct relay_ports *ports, const char *public_text, const char *private_text)
{
    struct address public_address = address_of(public_text), private_address = address_of(private_text);
    assert_int_equal(relay_ports_add_address(ports, &public_address, &private_address), 0);
}

static struct relay_ports *built(uint16_t first, uint16_t last)
{
    struct relay_ports *ports;
    assert_int_equal(relay_ports_create(first, last, &ports), 0);
    add(ports, "198.51.100.1", "10.0.0.1");
    return ports;
}

/* A bind that fails for some ports, and counts. */
struct binding {
    unsigned calls, seconds;
    uint16_t in_use[16];
    unsigned in_use_count;
    int result;
};

static int bind_port(void *context, const struct relay_port *port, bool second)
{
    struct binding *binding = context;
    binding->calls++;
    binding->seconds += second;
    for (unsigned i = 0; i < binding->in_use_count; i++)
        if (binding->in_use[i] == port->private_address.port)
            return ERR_IN_USE;
    return binding->result;
}

static int take(struct relay_ports *ports, enum relay_parity parity, struct binding *binding, struct relay_port *out)
{
    return relay_ports_take(ports, ADDRESS_IPV4, RELAY_UDP, parity, bind_port, binding, out);
}

static void every_port_is_taken_once_before_the_range_is_full(void **state)
{
    (void)state;
    enum { FIRST = 50001, LAST = 50117 };
    struct relay_ports *ports = built(FIRST, LAST);
    struct relay_port taken[LAST - FIRST + 1], more;
    struct binding binding = {0};
    bool seen[LAST - FIRST + 1] = {0};
    unsigned steps_of_one = 0;
    for (unsigned i = 0; i <= LAST - FIRST; i++) {
        assert_int_equal(take(ports, RELAY_PORT_ANY, &binding, &taken[i]), 0);
        uint16_t port = taken[i].public_address.port;
        assert_in_range(port, FIRST, LAST);
        assert_int_equal(port, taken[i].private_address.port);
        assert_false(seen[port - FIRST]);
        seen[port - FIRST] = true;
        steps_of_one += i > 0 && port == taken[i - 1].public_address.port + 1;
    }
    assert_true(steps_of_one < 20); /* no sequence */
    assert_int_equal(relay_ports_taken(ports), LAST - FIRST + 1);
    assert_int_equal(take(ports, RELAY_PORT_ANY, &binding, &more), ERR_FULL);
    relay_ports_give(ports, &taken[60]);
    assert_int_equal(take(ports, RELAY_PORT_ANY, &binding, &more), 0);
    assert_int_equal(more.public_address.port, taken[60].public_address.port);
    for (unsigned i = 0; i <= LAST - FIRST; i++)
        relay_ports_give(ports, &taken[i]);
    assert_int_equal(relay_ports_taken(ports), 0);
    relay_ports_destroy(&ports);
}

static void udp_and_tcp_ports_are_counted_apart(void **state)
{
    (void)state;
    struct relay_ports *ports = built(50000, 50000);
    struct binding binding = {0};
    struct relay_port udp, tcp;
    assert_int_equal(take(ports, RELAY_PORT_ANY, &binding, &udp), 0);
    assert_int_equal(relay_ports_take(ports, ADDRESS_IPV4, RELAY_TCP, RELAY_PORT_ANY, bind_port, &binding, &tcp), 0);
    assert_int_equal(udp.public_address.port, tcp.public_address.port);
    relay_ports_give(ports, &udp);
    relay_ports_give(ports, &tcp);
    relay_ports_destroy(&ports);
}

static void port_held_by_another_program_is_skipped_and_not_lost(void **state)
{
    (void)state;
    struct relay_ports *ports = built(50000, 50003);
    struct binding binding = {.in_use = {50000, 50001, 50003}, .in_use_count = 3};
    struct relay_port port, more;
    assert_int_equal(take(ports, RELAY_PORT_ANY, &binding, &port), 0);
    assert_int_equal(port.public_address.port, 50002);
    assert_int_equal(take(ports, RELAY_PORT_ANY, &binding, &more), ERR_FULL);
    assert_int_equal(relay_ports_taken(ports), 1);
    binding.in_use_count = 0;
    assert_int_equal(take(ports, RELAY_PORT_ANY, &binding, &more), 0);
    relay_ports_give(ports, &more);
    relay_ports_give(ports, &port);
    relay_ports_destroy(&ports);
}

static void another_failure_ends_the_walk(void **state)
{
    (void)state;
    struct relay_ports *ports = built(50000, 50999);
    struct binding binding = {.result = ERR_SYSTEM};
    struct relay_port port;
    assert_int_equal(take(ports, RELAY_PORT_ANY, &binding, &port), ERR_SYSTEM);
    assert_int_equal(binding.calls, 1);
    assert_int_equal(relay_ports_taken(ports), 0);
    relay_ports_destroy(&ports);
}

static void even_port_and_pair_are_even(void **state)
{
    (void)state;
    struct relay_ports *ports = built(50001, 50006); /* even: 50002, 50004, 50006; pairs: the first two */
    struct binding binding = {0};
    struct relay_port even[3], pair[2], more;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(take(ports, RELAY_PORT_EVEN, &binding, &even[i]), 0);
        assert_int_equal(even[i].public_address.port % 2, 0);
    }
    assert_int_equal(take(ports, RELAY_PORT_EVEN, &binding, &more), ERR_FULL);
    assert_int_equal(take(ports, RELAY_PORT_ANY, &binding, &more), 0);
    relay_ports_give(ports, &more);
    for (int i = 0; i < 3; i++)
        relay_ports_give(ports, &even[i]);

    assert_int_equal(binding.seconds, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(take(ports, RELAY_PORT_EVEN_PAIR, &binding, &pair[i]), 0);
        assert_int_equal(pair[i].public_address.port % 2, 0);
        assert_in_range(pair[i].public_address.port, 50002, 50004);
    }
    assert_int_equal(binding.seconds, 2);
    assert_int_equal(relay_ports_taken(ports), 4);
    assert_int_equal(take(ports, RELAY_PORT_EVEN_PAIR, &binding, &more), ERR_FULL);
    assert_int_equal(relay_ports_taken(ports), 4);
    for (int i = 0; i < 2; i++) {
        struct relay_port odd = pair[i];
        odd.public_address.port++;
        relay_ports_give(ports, &pair[i]);
        relay_ports_give(ports, &odd);
    }
    relay_ports_destroy(&ports);
}

static void pair_whose_second_port_is_held_is_given_back_whole(void **state)
{
    (void)state;
    struct relay_ports *ports = built(50000, 50003);
    struct binding binding = {.in_use = {50001, 50003}, .in_use_count = 2};
    struct relay_port port;
    assert_int_equal(take(ports, RELAY_PORT_EVEN_PAIR, &binding, &port), ERR_FULL);
    assert_int_equal(relay_ports_taken(ports), 0);
    relay_ports_destroy(&ports);
}

static void range_without_a_pair_is_full_at_once(void **state)
{
    (void)state;
    struct relay_ports *ports = built(50001, 50001);
    struct binding binding = {0};
    struct relay_port port;
    assert_int_equal(take(ports, RELAY_PORT_EVEN, &binding, &port), ERR_FULL);
    assert_int_equal(take(ports, RELAY_PORT_EVEN_PAIR, &binding, &port), ERR_FULL);
    assert_int_equal(binding.calls, 0);
    relay_ports_destroy(&ports);
    ports = built(65534, 65535);
    assert_int_equal(take(ports, RELAY_PORT_EVEN_PAIR, &binding, &port), 0);
    assert_int_equal(port.public_address.port, 65534);
    relay_ports_destroy(&ports);
}

static void second_address_serves_when_the_first_is_full(void **state)
{
    (void)state;
    struct relay_ports *ports = built(50000, 50001);
    add(ports, "198.51.100.2", "198.51.100.2");
    struct binding binding = {0};
    struct relay_port taken[4], more;
    for (int i = 0; i < 4; i++)
        assert_int_equal(take(ports, RELAY_PORT_ANY, &binding, &taken[i]), 0);
    assert_int_equal(take(ports, RELAY_PORT_ANY, &binding, &more), ERR_FULL);
    assert_int_equal(relay_ports_take(ports, ADDRESS_IPV6, RELAY_UDP, RELAY_PORT_ANY, bind_port, &binding, &more),
                     ERR_FAMILY);
    relay_ports_destroy(&ports);
}

static void port_is_live_from_being_set_until_given_back(void **state)
{
    (void)state;
    struct relay_ports *ports = built(50000, 50001);
    struct binding binding = {0};
    struct relay_port port;
    struct address way, other = address_of("198.51.100.9:50000");
    assert_int_equal(take(ports, RELAY_PORT_ANY, &binding, &port), 0);
    assert_false(relay_ports_live(ports, &port.public_address, &way));
    relay_ports_set_live(ports, &port);
    assert_true(relay_ports_live(ports, &port.public_address, &way));
    assert_true(address_equal(&way, &port.private_address));
    assert_false(relay_ports_live(ports, &port.private_address, &way));
    other.port = port.public_address.port;
    assert_false(relay_ports_live(ports, &other, &way));
    relay_ports_give(ports, &port);
    assert_false(relay_ports_live(ports, &port.public_address, &way));
    relay_ports_destroy(&ports);
}

static void public_and_private_spelling_lead_to_each_other(void **state)
{
    (void)state;
    struct relay_ports *ports = built(50000, 50001);
    struct address public_address = address_of("198.51.100.1:7"), private_address = address_of("10.0.0.1:7"), out;
    assert_true(relay_ports_public(ports, &private_address, &out));
    assert_true(address_equal(&out, &public_address));
    assert_true(relay_ports_private(ports, &public_address, &out));
    assert_true(address_equal(&out, &private_address));
    assert_false(relay_ports_public(ports, &public_address, &out));
    assert_false(relay_ports_private(ports, &private_address, &out));
    relay_ports_destroy(&ports);
}

struct contest {
    struct relay_ports *ports;
    unsigned taken;
};

static void *take_all(void *context)
{
    struct contest *contest = context;
    struct binding binding = {0};
    struct relay_port port;
    while (take(contest->ports, RELAY_PORT_ANY, &binding, &port) == 0)
        contest->taken++;
    return NULL;
}

static void workers_take_every_port_once_between_them(void **state)
{
    (void)state;
    struct relay_ports *ports = built(50000, 50999);
    struct contest contests[3] = {{ports, 0}, {ports, 0}, {ports, 0}};
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_all, &contests[i]), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(contests[0].taken + contests[1].taken + contests[2].taken, 1000);
    assert_int_equal(relay_ports_taken(ports), 1000);
    relay_ports_destroy(&ports);
}

static unsigned closed;
static void close_socket(intptr_t socket)
{
    assert_int_equal(socket, 42);
    closed++;
}

static const struct span alice = {"alice", 5}, bob = {"bob", 3};
static struct now at(uint64_t s)
{
    return (struct now){.monotonic_ns = s * NS_PER_S};
}

static void reservation_is_redeemed_once_by_its_user_in_time(void **state)
{
    (void)state;
    struct relay_ports *ports = built(50000, 50009);
    struct reservations *reservations;
    struct binding binding = {0};
    struct relay_port port, redeemed;
    uint8_t token[RESERVATION_TOKEN_SIZE], second[RESERVATION_TOKEN_SIZE];
    intptr_t socket = 0;
    closed = 0;
    assert_int_equal(reservations_create(ports, close_socket, &reservations), 0);
    assert_int_equal(take(ports, RELAY_PORT_ANY, &binding, &port), 0);
    assert_int_equal(reservations_install(reservations, &port, 42, alice, at(0), token), 0);
    assert_int_equal(reservations_redeem(reservations, token, bob, at(1), &redeemed, &socket), ERR_NOT_FOUND);
    assert_int_equal(reservations_redeem(reservations, token, alice, at(29), &redeemed, &socket), 0);
    assert_int_equal(socket, 42);
    assert_memory_equal(&redeemed, &port, sizeof port);
    assert_int_equal(reservations_redeem(reservations, token, alice, at(29), &redeemed, &socket), ERR_NOT_FOUND);
    assert_int_equal(relay_ports_taken(ports), 1);

    assert_int_equal(reservations_install(reservations, &port, 42, alice, at(100), second), 0);
    assert_memory_not_equal(token, second, sizeof token);
    assert_int_equal(reservations_redeem(reservations, second, alice, at(130), &redeemed, &socket), ERR_NOT_FOUND);
    assert_int_equal(closed, 1);
    assert_int_equal(relay_ports_taken(ports), 0);
    reservations_destroy(&reservations);
    relay_ports_destroy(&ports);
}

static void reservations_of_a_user_are_limited_and_given_back(void **state)
{
    (void)state;
    struct relay_ports *ports = built(50000, 50099);
    struct reservations *reservations;
    struct binding binding = {0};
    struct relay_port port;
    uint8_t token[RESERVATION_TOKEN_SIZE];
    closed = 0;
    assert_int_equal(reservations_create(ports, close_socket, &reservations), 0);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(take(ports, RELAY_PORT_ANY, &binding, &port), 0);
        assert_int_equal(reservations_install(reservations, &port, 42, alice, at(0), token), 0);
    }
    assert_int_equal(take(ports, RELAY_PORT_ANY, &binding, &port), 0);
    assert_int_equal(reservations_install(reservations, &port, 42, alice, at(1), token), ERR_FULL);
    assert_int_equal(reservations_install(reservations, &port, 42, bob, at(1), token), 0);
    reservations_expire(reservations, at(30));
    assert_int_equal(closed, 8);
    assert_int_equal(relay_ports_taken(ports), 1);
    memory_fail_at(1);
    assert_int_equal(reservations_install(reservations, &port, 42, alice, at(30), token), ERR_FULL);
    memory_fail_at(0);
    reservations_destroy(&reservations);
    assert_int_equal(closed, 9);
    assert_int_equal(relay_ports_taken(ports), 0);
    relay_ports_destroy(&ports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_port_is_taken_once_before_the_range_is_full),
        cmocka_unit_test(udp_and_tcp_ports_are_counted_apart),
        cmocka_unit_test(port_held_by_another_program_is_skipped_and_not_lost),
        cmocka_unit_test(another_failure_ends_the_walk),
        cmocka_unit_test(even_port_and_pair_are_even),
        cmocka_unit_test(pair_whose_second_port_is_held_is_given_back_whole),
        cmocka_unit_test(range_without_a_pair_is_full_at_once),
        cmocka_unit_test(second_address_serves_when_the_first_is_full),
        cmocka_unit_test(port_is_live_from_being_set_until_given_back),
        cmocka_unit_test(public_and_private_spelling_lead_to_each_other),
        cmocka_unit_test(workers_take_every_port_once_between_them),
        cmocka_unit_test(reservation_is_redeemed_once_by_its_user_in_time),
        cmocka_unit_test(reservations_of_a_user_are_limited_and_given_back),
    };
    return cmocka_run_group_tests_name("relay ports", tests, NULL, NULL);
}
