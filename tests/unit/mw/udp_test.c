/* SPDX-License-Identifier: BSD-3-Clause
 * SIP in datagrams, and the mail between workers: the test is the core. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "fake_dns.h"
#include "net/socket.h"
#include "peer.h"

#define PATIENCE_MS 10000

static int set_up(void **state)
{
    (void)state;
    world_init();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_stop();
    return 0;
}

static void a_datagram_reaches_the_worker_it_names_and_the_answer_its_sender(void **state)
{
    (void)state;
    world.worker_count = 3;
    world_start();
    struct address edge = world_listener(EDGE_UDP);
    struct edge_target source;
    int core = peer_socket("127.0.0.1", SOCK_DGRAM);
    peer_send_to(core, &edge, for_worker_2);
    world_expect_received(for_worker_2, 2, &source);
    assert_int_equal(source.address.port, net_local_address(core).port);
    world_send(2, &source, response);
    peer_expect(core, response);
    peer_send_to(core, &edge, request); /* names no worker: any answers */
    world_expect_received(request, 0, NULL);
    close(core);
}

static void a_response_to_no_request_of_ours_is_dropped(void **state)
{
    (void)state;
    world_start();
    struct address edge = world_listener(EDGE_UDP);
    int core = peer_socket("127.0.0.1", SOCK_DGRAM);
    peer_send_to(core, &edge, "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n");
    peer_send_to(core, &edge, "SIP/2.0 200 OK\r\nX-Worker: 7\r\nContent-Length: 0\r\n\r\n");
    peer_send_to(core, &edge, request);
    world_expect_received(request, 0, NULL);
    assert_int_equal(world_events(), 0);
    close(core);
}

static void a_stranger_s_datagrams_are_dropped_and_told_of_once(void **state)
{
    (void)state;
    world_start();
    struct address edge = world_listener(EDGE_UDP);
    int stranger = peer_socket("127.0.0.2", SOCK_DGRAM);
    for (int i = 0; i < 5; i++)
        peer_send_to(stranger, &edge, request);
    world_wait_count(&world.core->refused, 5);
    assert_int_equal(world_events(), 0);
    assert_int_equal(world_logged("127.0.0.2"), 1);
    close(stranger);
}

static void a_host_that_was_asked_may_answer_but_not_ask(void **state)
{
    (void)state;
    world_start();
    struct address edge = world_listener(EDGE_UDP);
    int hop = peer_socket("127.0.0.2", SOCK_DGRAM);
    struct edge_target target = peer_target(hop, EDGE_UDP);
    peer_send_to(hop, &edge, response);
    world_wait_count(&world.core->refused, 1);
    world_send(0, &target, request);
    peer_expect(hop, request);
    peer_send_to(hop, &edge, response);
    world_expect_received(response, 0, NULL);
    peer_send_to(hop, &edge, request);
    world_wait_count(&world.core->refused, 2);
    assert_int_equal(world_events(), 0);
    close(hop);
}

static void refresh_a_minute_later(void *argument)
{
    (void)argument;
    struct now now = loop_now(world.core->loop);
    now.monotonic_ns += 60 * NS_PER_S;
    mw_refresh_due(&world.core->refresh, now);
}

static void wait_until_entry_is(const char *text)
{
    struct edge_target targets[EDGE_TARGETS_MAX];
    struct address address;
    uint64_t until_ns = net_now().monotonic_ns + PATIENCE_MS * NS_PER_MS;
    address_parse(text, &address);
    do
        assert_true(net_now().monotonic_ns < until_ns);
    while (world_lookup(0, NULL, targets) != 1 || !address_equal(&targets[0].address, &address));
}

static void who_an_entry_resolves_to_is_trusted_and_that_follows_the_dns(void **state)
{
    (void)state;
    world.entries[0] = "sip:core.example:5060";
    fake_dns_address("core.example", "127.0.0.3", 1);
    world_start();
    struct edge_target targets[EDGE_TARGETS_MAX];
    assert_int_equal(world_lookup(0, NULL, targets), 1);
    struct address edge = world_listener(EDGE_UDP);
    int before = peer_socket("127.0.0.3", SOCK_DGRAM), after = peer_socket("127.0.0.4", SOCK_DGRAM);
    peer_send_to(before, &edge, request);
    world_expect_received(request, 0, NULL);
    peer_send_to(after, &edge, request);
    world_wait_count(&world.core->refused, 1);
    fake_dns_remove("core.example");
    fake_dns_address("core.example", "127.0.0.4", 60);
    world_run(0, refresh_a_minute_later, NULL);
    wait_until_entry_is("127.0.0.4:5060");
    peer_send_to(after, &edge, request);
    world_expect_received(request, 0, NULL);
    uint64_t refused = atomic_load(&world.core->refused);
    peer_send_to(before, &edge, request);
    world_wait_count(&world.core->refused, refused + 1);
    close(before);
    close(after);
}

static void an_unreachable_port_is_dead_at_once(void **state)
{
    (void)state;
    world.worker_count = 3;
    world_start();
    int core = peer_socket("127.0.0.1", SOCK_DGRAM);
    struct edge_target target = peer_target(core, EDGE_UDP);
    close(core);
    world_send(1, &target, request);
    world_expect_failed(&target);
    assert_int_equal(world_logged("unreachable"), 1);
}

static void a_long_message_is_one_datagram_all_the_same(void **state)
{
    (void)state;
    world_start();
    static char longest[60001];
    int head = snprintf(longest, sizeof longest, "INFO sip:edge SIP/2.0\r\nContent-Length: 59000\r\n\r\n");
    memset(longest + head, 'a', 59000);
    struct address edge = world_listener(EDGE_UDP);
    struct edge_target source;
    int core = peer_socket("127.0.0.1", SOCK_DGRAM);
    peer_send_to(core, &edge, longest);
    world_expect_received(longest, 0, &source);
    world_send(0, &source, longest);
    static char got[65536];
    peer_wait(core, POLLIN);
    assert_int_equal(recv(core, got, sizeof got, 0), strlen(longest));
    assert_memory_equal(got, longest, strlen(longest));
    close(core);
}

static void what_begins_no_message_only_keeps_a_binding_alive(void **state)
{
    (void)state;
    world_start();
    struct address edge = world_listener(EDGE_UDP);
    int core = peer_socket("127.0.0.1", SOCK_DGRAM);
    peer_send_to(core, &edge, "");
    peer_send_to(core, &edge, "\r\n\r\n");
    peer_send_to(core, &edge, "\x01\x02");
    peer_send_to(core, &edge, request);
    world_expect_received(request, 0, NULL);
    assert_int_equal(atomic_load(&world.core->received), 1);
    close(core);
}

static void ipv6_goes_both_ways(void **state)
{
    (void)state;
    world.ip = "::1";
    world_start();
    struct address edge = world_listener(EDGE_UDP);
    struct edge_target targets[EDGE_TARGETS_MAX], source;
    struct address_prefix prefix;
    address_prefix_parse("::1", &prefix);
    assert_true(address_prefix_contains(&prefix, &edge));
    char uri[64];
    snprintf(uri, sizeof uri, "sip:[::1]:%u", edge.port);
    assert_int_equal(world_lookup(0, uri, targets), 1);
    world_send(0, &targets[0], request); /* to itself */
    world_expect_received(request, 0, &source);
    assert_true(address_equal(&source.address, &edge));
    assert_int_equal(world_lookup(0, "sip:127.0.0.1", targets), ERR_NOT_FOUND);
}

static void mail_beyond_its_bound_is_dropped_and_counted(void **state)
{
    (void)state;
    world.worker_count = 2;
    world_start();
    struct address edge = world_listener(EDGE_UDP);
    struct edge_target target = {.address = edge};
    atomic_fetch_add(&world.core->mail_bytes[0], MW_MAIL_MAX + 1);
    world_send(1, &target, request);
    world_wait_count(&world.core->dropped, 1);
    atomic_fetch_sub(&world.core->mail_bytes[0], MW_MAIL_MAX + 1);
    world_settle();
    assert_int_equal(atomic_load(&world.core->mail_bytes[0]), 0);
    assert_int_equal(world_events(), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_datagram_reaches_the_worker_it_names_and_the_answer_its_sender),
        TEST(a_response_to_no_request_of_ours_is_dropped),
        TEST(a_stranger_s_datagrams_are_dropped_and_told_of_once),
        TEST(a_host_that_was_asked_may_answer_but_not_ask),
        TEST(who_an_entry_resolves_to_is_trusted_and_that_follows_the_dns),
        TEST(an_unreachable_port_is_dead_at_once),
        TEST(a_long_message_is_one_datagram_all_the_same),
        TEST(what_begins_no_message_only_keeps_a_binding_alive),
        TEST(ipv6_goes_both_ways),
        TEST(mail_beyond_its_bound_is_dropped_and_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
