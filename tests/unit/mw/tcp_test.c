/* SPDX-License-Identifier: BSD-3-Clause
 * SIP on connections: the test is the core. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/socket.h"
#include "peer.h"

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

static void messages_on_one_connection_are_told_apart_by_their_length(void **state)
{
    (void)state;
    world.worker_count = 3;
    world_start();
    struct edge_target source;
    int core = peer_connect("127.0.0.1");
    char both[256];
    snprintf(both, sizeof both, "%s%s", request, for_worker_2);
    peer_write(core, both);
    world_expect_received(request, 0, &source);
    for (size_t at = 0; at < strlen(for_worker_2); at++)
        assert_int_equal(send(core, for_worker_2 + at, 1, MSG_NOSIGNAL), 1);
    world_expect_received(for_worker_2, 2, NULL);
    world_expect_received(for_worker_2, 2, NULL);
    world_send(1, &source, response);
    peer_expect(core, response);
    close(core);
}

static void keep_alives_are_answered_wherever_they_are_cut(void **state)
{
    (void)state;
    world_start();
    int core = peer_connect("127.0.0.1");
    peer_write(core, "\r\n\r\n");
    peer_expect(core, "\r\n");
    for (int i = 0; i < 4; i++)
        peer_write(core, i % 2 ? "\n" : "\r");
    peer_expect(core, "\r\n");
    peer_write(core, "\r\n"); /* an answer to nothing */
    peer_write(core, request);
    world_expect_received(request, 0, NULL);
    peer_write(core, "\r\n\r\n");
    peer_expect(core, "\r\n");
    close(core);
}

static void a_stranger_s_connection_is_closed_at_once(void **state)
{
    (void)state;
    world_start();
    int stranger = peer_connect("127.0.0.2");
    peer_expect_end(stranger);
    world_wait_count(&world.core->refused, 1);
    assert_int_equal(world_logged("127.0.0.2"), 1);
    close(stranger);
}

static void garbage_closes_the_connection_with_one_line(void **state)
{
    (void)state;
    world_start();
    for (int i = 0; i < 3; i++) {
        int core = peer_connect("127.0.0.1");
        peer_write(core, "\x16\x03\x01\x02garbage");
        peer_expect_end(core);
        close(core);
    }
    assert_int_equal(world_logged("what is not SIP"), 1);
    assert_int_equal(world_events(), 0);
}

static void one_connection_carries_all_that_goes_to_a_place(void **state)
{
    (void)state;
    world.worker_count = 3;
    world_start();
    int listener = peer_listen();
    struct edge_target target = peer_target(listener, EDGE_TCP);
    world_send(1, &target, request); /* both before it stands and after */
    world_send(2, &target, for_worker_2);
    int core = peer_accept(listener);
    peer_expect(core, request);
    peer_expect(core, for_worker_2);
    world_send(0, &target, request);
    peer_expect(core, request);
    assert_int_equal(mw_core_totals(world.core).connections, 1);
    /* A request that the core sends back on it, and its answer. */
    struct edge_target source;
    peer_write(core, for_worker_2);
    world_expect_received(for_worker_2, 2, &source);
    world_send(2, &source, response);
    peer_expect(core, response);
    close(core);
    close(listener);
}

static void a_refused_connection_is_dead_and_all_workers_hear_of_it(void **state)
{
    (void)state;
    world.worker_count = 3;
    world_start();
    int listener = peer_listen();
    struct edge_target target = peer_target(listener, EDGE_TCP);
    close(listener);
    world_send(2, &target, request);
    world_expect_failed(&target);
    world_settle();
    assert_int_equal(world_events(), 0);
    assert_true(health_is_dead(&world.core->health, &target.address, EDGE_TCP, net_now()));
    assert_int_equal(mw_core_totals(world.core).connections, 0);
}

static void a_connection_that_ends_with_a_request_unanswered_fails_it(void **state)
{
    (void)state;
    world_start();
    int listener = peer_listen();
    struct edge_target target = peer_target(listener, EDGE_TCP);
    world_send(0, &target, request);
    int core = peer_accept(listener);
    peer_expect(core, request);
    close(core);
    world_expect_failed(&target);
    assert_false(health_is_dead(&world.core->health, &target.address, EDGE_TCP, net_now()));
    world_send(0, &target, request); /* a new one is made */
    core = peer_accept(listener);
    peer_expect(core, request);
    peer_write(core, response);
    world_expect_received(response, 0, NULL);
    close(core);
    close(listener);
    world_settle();
    assert_int_equal(world_events(), 0);
}

static void an_answer_that_says_no_way_goes_nowhere_when_its_connection_is_gone(void **state)
{
    (void)state;
    world_start();
    struct edge_target source;
    int core = peer_connect("127.0.0.1");
    peer_write(core, request);
    world_expect_received(request, 0, &source);
    close(core);
    int other = peer_connect("127.0.0.1");
    peer_write(other, request);
    world_expect_received(request, 0, NULL);
    world_send(0, &source, response);
    world_wait_count(&world.core->dropped, 1);
    close(other);
}

static void an_answer_to_a_connection_that_is_gone_finds_the_port_of_its_via(void **state)
{
    (void)state;
    world_start();
    struct edge_target source;
    int listener = peer_listen(), core = peer_connect("127.0.0.1");
    peer_write(core, request);
    world_expect_received(request, 0, &source);
    close(core);
    int other = peer_connect("127.0.0.1"); /* once this one is read the end of the first was */
    peer_write(other, request);
    world_expect_received(request, 0, NULL);
    char answer[512];
    snprintf(answer, sizeof answer,
             "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP core.example:%u;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"
             "To: <sip:c@d>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
             net_local_address(listener).port);
    world_send(0, &source, answer);
    core = peer_accept(listener);
    peer_expect(core, answer);
    close(core);
    close(other);
    close(listener);
}

static void a_core_that_reads_nothing_is_given_up(void **state)
{
    (void)state;
    world_start();
    int listener = peer_listen();
    struct edge_target target = peer_target(listener, EDGE_TCP);
    static char large[60001];
    memset(large, 'a', sizeof large - 1);
    for (unsigned i = 0; i < 200 && atomic_load(&world.core->failed) == 0; i++)
        world_send(0, &target, large);
    world_expect_failed(&target);
    assert_int_equal(world_logged("does not read"), 1);
    close(listener);
}

static void silence_is_believed_of_a_place_that_says_nothing_to_anybody(void **state)
{
    (void)state;
    world.worker_count = 3;
    world_start();
    int listener = peer_listen();
    struct edge_target target = peer_target(listener, EDGE_TCP);
    world_send(1, &target, request);
    int core = peer_accept(listener);
    peer_expect(core, request);
    peer_write(core, response);
    world_expect_received(response, 0, NULL);
    world_silent(2, &target);
    world_settle();
    assert_int_equal(world_events(), 0);
    assert_int_equal(mw_core_totals(world.core).connections, 1);
    close(core);
    close(listener);
    struct edge_target other = target;
    other.address.ip[3] = 77;
    world_silent(2, &other);
    world_expect_failed(&other);
}

static void an_idle_connection_is_closed(void **state)
{
    (void)state;
    world_start();
    int core = peer_connect("127.0.0.1");
    peer_write(core, request);
    world_expect_received(request, 0, NULL);
    world_pass(299);
    peer_write(core, "\r\n\r\n");
    peer_expect(core, "\r\n");
    world_pass(301);
    peer_expect_end(core);
    assert_int_equal(world_logged("127.0.0.1"), 0);
    close(core);
}

static void half_a_message_is_waited_for_30s(void **state)
{
    (void)state;
    world_start();
    int core = peer_connect("127.0.0.1");
    peer_write(core, request);
    world_expect_received(request, 0, NULL);
    peer_write(core, "\r\n\r\nBYE sip:ed");
    peer_expect(core, "\r\n");
    world_pass(29);
    peer_write(core, "ge SIP/2.0\r\n");
    world_settle();
    world_pass(31);
    peer_expect_end(core);
    assert_int_equal(world_logged("does not end the message"), 1);
    close(core);
}

static void a_connection_that_says_nothing_is_closed_after_30s(void **state)
{
    (void)state;
    world_start();
    int core = peer_connect("127.0.0.1");
    peer_write(core, "\r\n\r\n");
    peer_expect(core, "\r\n");
    world_pass(29);
    peer_write(core, "\r\n\r\n");
    peer_expect(core, "\r\n");
    world_pass(31);
    peer_expect_end(core);
    close(core);
}

#define CROWD 300

struct crowd {
    pthread_t thread;
    unsigned worker;
    struct edge_target target;
};

static void *crowd_run(void *argument)
{
    struct crowd *crowd = argument;
    for (int i = 0; i < CROWD; i++)
        world_send(crowd->worker, &crowd->target, for_worker_2);
    return NULL;
}

static void all_workers_send_and_receive_at_once(void **state)
{
    (void)state;
    world.worker_count = 3;
    world_start();
    struct crowd crowds[3];
    struct edge_target target = mw_target(&(struct address){0}, EDGE_TCP);
    target.address = world_listener(EDGE_TCP); /* to itself */
    for (unsigned i = 0; i < 3; i++) {
        crowds[i] = (struct crowd){.worker = i, .target = target};
        assert_int_equal(pthread_create(&crowds[i].thread, NULL, crowd_run, &crowds[i]), 0);
    }
    for (int i = 0; i < 3 * CROWD; i++)
        world_expect_received(for_worker_2, 2, NULL);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(crowds[i].thread, NULL);
    world_settle();
    assert_int_equal(world_events(), 0);
    struct mw_core_totals totals = mw_core_totals(world.core);
    assert_int_equal(totals.sent, 3 * CROWD);
    assert_int_equal(totals.received, 3 * CROWD);
    assert_int_equal(totals.dropped, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(messages_on_one_connection_are_told_apart_by_their_length),
        TEST(keep_alives_are_answered_wherever_they_are_cut),
        TEST(a_stranger_s_connection_is_closed_at_once),
        TEST(garbage_closes_the_connection_with_one_line),
        TEST(one_connection_carries_all_that_goes_to_a_place),
        TEST(a_refused_connection_is_dead_and_all_workers_hear_of_it),
        TEST(a_connection_that_ends_with_a_request_unanswered_fails_it),
        TEST(an_answer_that_says_no_way_goes_nowhere_when_its_connection_is_gone),
        TEST(an_answer_to_a_connection_that_is_gone_finds_the_port_of_its_via),
        TEST(a_core_that_reads_nothing_is_given_up),
        TEST(silence_is_believed_of_a_place_that_says_nothing_to_anybody),
        TEST(an_idle_connection_is_closed),
        TEST(half_a_message_is_waited_for_30s),
        TEST(a_connection_that_says_nothing_is_closed_after_30s),
        TEST(all_workers_send_and_receive_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
