/* SPDX-License-Identifier: BSD-3-Clause
 * SIP on real sockets: the test is the core. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/certificate.h"
#include "fake_dns.h"
#include "net/socket.h"
#include "world.h"

#define PATIENCE_MS 10000

static const char request[] = "OPTIONS sip:edge SIP/2.0\r\nContent-Length: 0\r\n\r\n";
static const char for_worker_2[] = "BYE sip:edge SIP/2.0\r\nX-Worker: 2\r\nContent-Length: 3\r\n\r\nabc";
static const char response[] = "SIP/2.0 200 OK\r\nX-Worker: 0\r\nContent-Length: 0\r\n\r\n";

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

static void wait_for(int fd, short events)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    assert_int_equal(poll(&poll_fd, 1, PATIENCE_MS), 1);
}

/* Bound to |ip|. */
static int socket_at(const char *ip, int type)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, ip, &in.sin_addr);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    return fd;
}

static struct edge_target target_of(int fd, enum edge_transport transport)
{
    return (struct edge_target){.address = net_local_address(fd), .transport = (uint8_t)transport};
}

static void udp_send_text(int fd, const struct address *to, const char *text)
{
    struct sockaddr_storage storage;
    socklen_t size = net_sockaddr(to, &storage);
    assert_int_equal(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&storage, size), strlen(text));
}

static int tcp_connect_to_edge(const char *from)
{
    struct sockaddr_storage storage;
    struct address edge = world_listener(EDGE_TCP);
    int fd = socket_at(from, SOCK_STREAM);
    socklen_t size = net_sockaddr(&edge, &storage);
    assert_int_equal(connect(fd, (struct sockaddr *)&storage, size), 0);
    return fd;
}

static int tcp_accept_from_edge(int listener)
{
    wait_for(listener, POLLIN);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static int tcp_listen_as_core(void)
{
    int fd = socket_at("127.0.0.1", SOCK_STREAM);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

static void write_text(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void expect_text(int fd, const char *text)
{
    char buffer[4096];
    size_t length = strlen(text);
    assert_true(length < sizeof buffer);
    for (size_t got = 0; got < length;) {
        wait_for(fd, POLLIN);
        ssize_t part = recv(fd, buffer + got, length - got, 0);
        assert_true(part > 0);
        got += (size_t)part;
    }
    assert_memory_equal(buffer, text, length);
}

static void expect_end(int fd)
{
    char byte;
    wait_for(fd, POLLIN);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
}

static void expect_received(const char *text, unsigned worker, struct edge_target *source_out)
{
    struct world_event *event = world_expect(WORLD_RECEIVED);
    assert_string_equal(event->text, text);
    assert_int_equal(event->worker, worker);
    if (source_out)
        *source_out = event->target;
    free(event);
}

static void expect_failed(const struct edge_target *target)
{
    bool told[WORLD_WORKERS] = {false};
    for (unsigned i = 0; i < world.worker_count; i++) {
        struct world_event *event = world_expect(WORLD_FAILED);
        assert_true(address_equal(&event->target.address, &target->address));
        assert_int_equal(event->target.transport, target->transport);
        assert_false(told[event->worker]);
        told[event->worker] = true;
        free(event);
    }
}

static void a_datagram_reaches_the_worker_it_names_and_the_answer_its_sender(void **state)
{
    (void)state;
    world.worker_count = 3;
    world_start();
    struct address edge = world_listener(EDGE_UDP);
    struct edge_target source;
    int core = socket_at("127.0.0.1", SOCK_DGRAM);
    udp_send_text(core, &edge, for_worker_2);
    expect_received(for_worker_2, 2, &source);
    assert_int_equal(source.address.port, net_local_address(core).port);
    world_send(2, &source, response);
    expect_text(core, response);
    udp_send_text(core, &edge, request); /* names no worker: any answers */
    expect_received(request, 0, NULL);
    close(core);
}

static void a_response_to_no_request_of_ours_is_dropped(void **state)
{
    (void)state;
    world_start();
    struct address edge = world_listener(EDGE_UDP);
    int core = socket_at("127.0.0.1", SOCK_DGRAM);
    udp_send_text(core, &edge, "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n");
    udp_send_text(core, &edge, "SIP/2.0 200 OK\r\nX-Worker: 7\r\nContent-Length: 0\r\n\r\n");
    udp_send_text(core, &edge, request);
    expect_received(request, 0, NULL);
    assert_int_equal(world_events(), 0);
    close(core);
}

static void a_stranger_s_datagrams_are_dropped_and_told_of_once(void **state)
{
    (void)state;
    world_start();
    struct address edge = world_listener(EDGE_UDP);
    int stranger = socket_at("127.0.0.2", SOCK_DGRAM);
    for (int i = 0; i < 5; i++)
        udp_send_text(stranger, &edge, request);
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
    int hop = socket_at("127.0.0.2", SOCK_DGRAM);
    struct edge_target target = target_of(hop, EDGE_UDP);
    udp_send_text(hop, &edge, response);
    world_wait_count(&world.core->refused, 1);
    world_send(0, &target, request);
    expect_text(hop, request);
    udp_send_text(hop, &edge, response);
    expect_received(response, 0, NULL);
    udp_send_text(hop, &edge, request);
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
    int before = socket_at("127.0.0.3", SOCK_DGRAM), after = socket_at("127.0.0.4", SOCK_DGRAM);
    udp_send_text(before, &edge, request);
    expect_received(request, 0, NULL);
    udp_send_text(after, &edge, request);
    world_wait_count(&world.core->refused, 1);
    fake_dns_remove("core.example");
    fake_dns_address("core.example", "127.0.0.4", 60);
    world_run(0, refresh_a_minute_later, NULL);
    wait_until_entry_is("127.0.0.4:5060");
    udp_send_text(after, &edge, request);
    expect_received(request, 0, NULL);
    uint64_t refused = atomic_load(&world.core->refused);
    udp_send_text(before, &edge, request);
    world_wait_count(&world.core->refused, refused + 1);
    close(before);
    close(after);
}

static void an_unreachable_port_is_dead_at_once(void **state)
{
    (void)state;
    world.worker_count = 3;
    world_start();
    int core = socket_at("127.0.0.1", SOCK_DGRAM);
    struct edge_target target = target_of(core, EDGE_UDP);
    close(core);
    world_send(1, &target, request);
    expect_failed(&target);
    assert_int_equal(world_logged("unreachable"), 1);
}

static void messages_on_one_connection_are_told_apart_by_their_length(void **state)
{
    (void)state;
    world.worker_count = 3;
    world_start();
    struct edge_target source;
    int core = tcp_connect_to_edge("127.0.0.1");
    char both[sizeof request + sizeof for_worker_2];
    snprintf(both, sizeof both, "%s%s", request, for_worker_2);
    write_text(core, both);
    expect_received(request, 0, &source);
    for (size_t at = 0; at < strlen(for_worker_2); at++)
        assert_int_equal(send(core, for_worker_2 + at, 1, MSG_NOSIGNAL), 1);
    expect_received(for_worker_2, 2, NULL);
    expect_received(for_worker_2, 2, NULL);
    world_send(1, &source, response);
    expect_text(core, response);
    close(core);
}

static void keep_alives_are_answered_wherever_they_are_cut(void **state)
{
    (void)state;
    world_start();
    int core = tcp_connect_to_edge("127.0.0.1");
    write_text(core, "\r\n\r\n");
    expect_text(core, "\r\n");
    for (int i = 0; i < 4; i++)
        write_text(core, i % 2 ? "\n" : "\r");
    expect_text(core, "\r\n");
    write_text(core, "\r\n"); /* an answer to nothing */
    write_text(core, request);
    expect_received(request, 0, NULL);
    write_text(core, "\r\n\r\n");
    expect_text(core, "\r\n");
    close(core);
}

static void a_stranger_s_connection_is_closed_at_once(void **state)
{
    (void)state;
    world_start();
    int stranger = tcp_connect_to_edge("127.0.0.2");
    expect_end(stranger);
    world_wait_count(&world.core->refused, 1);
    assert_int_equal(world_logged("127.0.0.2"), 1);
    close(stranger);
}

static void garbage_closes_the_connection_with_one_line(void **state)
{
    (void)state;
    world_start();
    for (int i = 0; i < 3; i++) {
        int core = tcp_connect_to_edge("127.0.0.1");
        write_text(core, "\x16\x03\x01\x02garbage");
        expect_end(core);
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
    int listener = tcp_listen_as_core();
    struct edge_target target = target_of(listener, EDGE_TCP);
    world_send(1, &target, request); /* both before it stands and after */
    world_send(2, &target, for_worker_2);
    int core = tcp_accept_from_edge(listener);
    expect_text(core, request);
    expect_text(core, for_worker_2);
    world_send(0, &target, request);
    expect_text(core, request);
    assert_int_equal(mw_core_totals(world.core).connections, 1);
    /* A request that the core sends back on it, and its answer. */
    struct edge_target source;
    write_text(core, for_worker_2);
    expect_received(for_worker_2, 2, &source);
    world_send(2, &source, response);
    expect_text(core, response);
    close(core);
    close(listener);
}

static void a_refused_connection_is_dead_and_all_workers_hear_of_it(void **state)
{
    (void)state;
    world.worker_count = 3;
    world_start();
    int listener = tcp_listen_as_core();
    struct edge_target target = target_of(listener, EDGE_TCP);
    close(listener);
    world_send(2, &target, request);
    expect_failed(&target);
    world_settle();
    assert_int_equal(world_events(), 0);
    assert_true(health_is_dead(&world.core->health, &target.address, EDGE_TCP, net_now()));
    assert_int_equal(mw_core_totals(world.core).connections, 0);
}

static void a_connection_that_ends_with_a_request_unanswered_fails_it(void **state)
{
    (void)state;
    world_start();
    int listener = tcp_listen_as_core();
    struct edge_target target = target_of(listener, EDGE_TCP);
    world_send(0, &target, request);
    int core = tcp_accept_from_edge(listener);
    expect_text(core, request);
    close(core);
    expect_failed(&target);
    assert_false(health_is_dead(&world.core->health, &target.address, EDGE_TCP, net_now()));
    world_send(0, &target, request); /* a new one is made */
    core = tcp_accept_from_edge(listener);
    expect_text(core, request);
    write_text(core, response);
    expect_received(response, 0, NULL);
    close(core);
    close(listener);
    world_settle();
    assert_int_equal(world_events(), 0);
}

static void an_answer_to_a_connection_that_is_gone_goes_nowhere(void **state)
{
    (void)state;
    world_start();
    struct edge_target source;
    int core = tcp_connect_to_edge("127.0.0.1");
    write_text(core, request);
    expect_received(request, 0, &source);
    close(core);
    int other = tcp_connect_to_edge("127.0.0.1");
    write_text(other, request);
    expect_received(request, 0, NULL);
    world_send(0, &source, response);
    world_wait_count(&world.core->dropped, 1);
    close(other);
}

static void a_core_that_reads_nothing_is_given_up(void **state)
{
    (void)state;
    world_start();
    int listener = tcp_listen_as_core();
    struct edge_target target = target_of(listener, EDGE_TCP);
    static char large[60001];
    memset(large, 'a', sizeof large - 1);
    for (unsigned i = 0; i < 200 && atomic_load(&world.core->failed) == 0; i++)
        world_send(0, &target, large);
    expect_failed(&target);
    assert_int_equal(world_logged("does not read"), 1);
    close(listener);
}

static void silence_is_believed_of_a_place_that_says_nothing_to_anybody(void **state)
{
    (void)state;
    world.worker_count = 3;
    world_start();
    int listener = tcp_listen_as_core();
    struct edge_target target = target_of(listener, EDGE_TCP);
    world_send(1, &target, request);
    int core = tcp_accept_from_edge(listener);
    expect_text(core, request);
    write_text(core, response);
    expect_received(response, 0, NULL);
    world_silent(2, &target);
    world_settle();
    assert_int_equal(world_events(), 0);
    assert_int_equal(mw_core_totals(world.core).connections, 1);
    close(core);
    close(listener);
    struct edge_target other = target;
    other.address.ip[3] = 77;
    world_silent(2, &other);
    expect_failed(&other);
}

static void an_idle_connection_is_closed(void **state)
{
    (void)state;
    world_start();
    int core = tcp_connect_to_edge("127.0.0.1");
    write_text(core, request);
    expect_received(request, 0, NULL);
    world_pass(299);
    write_text(core, "\r\n\r\n");
    expect_text(core, "\r\n");
    world_pass(301);
    expect_end(core);
    assert_int_equal(world_logged("127.0.0.1"), 0);
    close(core);
}

static void half_a_message_is_waited_for_30s(void **state)
{
    (void)state;
    world_start();
    int core = tcp_connect_to_edge("127.0.0.1");
    write_text(core, request);
    expect_received(request, 0, NULL);
    write_text(core, "\r\n\r\nBYE sip:ed");
    expect_text(core, "\r\n");
    world_pass(29);
    write_text(core, "ge SIP/2.0\r\n");
    world_settle();
    world_pass(31);
    expect_end(core);
    assert_int_equal(world_logged("does not end the message"), 1);
    close(core);
}

static void a_connection_that_says_nothing_is_closed_after_30s(void **state)
{
    (void)state;
    world_start();
    int core = tcp_connect_to_edge("127.0.0.1");
    write_text(core, "\r\n\r\n");
    expect_text(core, "\r\n");
    world_pass(29);
    write_text(core, "\r\n\r\n");
    expect_text(core, "\r\n");
    world_pass(31);
    expect_end(core);
    close(core);
}

/* TLS: the edge's own listener plays the core. */

static char directory[] = "/tmp/postern-mw-XXXXXX";
static char certificate_file[64], key_file[64];
static struct tls_context *server_tls, *client_tls, *suspicious_tls;

static int make_certificate(void **state)
{
    (void)state;
    const char *name = "core.example";
    struct tls_error error;
    assert_non_null(mkdtemp(directory));
    snprintf(certificate_file, sizeof certificate_file, "%s/certificate.pem", directory);
    snprintf(key_file, sizeof key_file, "%s/key.pem", directory);
    assert_int_equal(certificate_create_self_signed(certificate_file, key_file, &name, 1, 30, &error), 0);
    struct tls_certificate certificate = {certificate_file, key_file};
    assert_int_equal(tls_context_create_server(&certificate, 1, &server_tls, &error), 0);
    assert_int_equal(tls_context_create_client(true, certificate_file, &client_tls, &error), 0);
    assert_int_equal(tls_context_create_client(true, NULL, &suspicious_tls, &error), 0);
    return 0;
}

static int remove_certificate(void **state)
{
    (void)state;
    tls_context_destroy(&server_tls);
    tls_context_destroy(&client_tls);
    tls_context_destroy(&suspicious_tls);
    unlink(certificate_file);
    unlink(key_file);
    return rmdir(directory);
}

static int set_up_tls(void **state)
{
    world_init();
    world.tls_server = server_tls;
    world.tls_client = client_tls;
    fake_dns_address("core.example", "127.0.0.1", 60);
    fake_dns_address("other.example", "127.0.0.1", 60);
    (void)state;
    return 0;
}

/* The way by TLS to |port| of |name|. */
static struct edge_target tls_target(const char *name, uint16_t port)
{
    struct edge_target targets[EDGE_TARGETS_MAX];
    char uri[128];
    snprintf(uri, sizeof uri, "sips:%s:%u", name, port);
    assert_int_equal(world_lookup(0, uri, targets), 1);
    assert_int_equal(targets[0].transport, EDGE_TLS);
    return targets[0];
}

static void tls_carries_messages_both_ways(void **state)
{
    (void)state;
    world.worker_count = 3;
    world_start();
    struct edge_target target = tls_target("core.example", world_listener(EDGE_TLS).port), source;
    world_send(1, &target, for_worker_2);
    world_send(2, &target, for_worker_2);
    expect_received(for_worker_2, 2, &source);
    expect_received(for_worker_2, 2, NULL);
    assert_int_equal(source.transport, EDGE_TLS);
    world_send(2, &source, response);
    expect_received(response, 0, NULL);
    assert_int_equal(mw_core_totals(world.core).connections, 2); /* both ends of one */
    static char large[60001];
    int head = snprintf(large, sizeof large, "INFO sip:edge SIP/2.0\r\nContent-Length: 50000\r\n\r\n");
    memset(large + head, 'a', 50000);
    for (int i = 0; i < 40; i++)
        world_send(1, &target, large);
    for (int i = 0; i < 40; i++)
        expect_received(large, 0, NULL);
}

static void a_certificate_for_another_name_is_refused(void **state)
{
    (void)state;
    world_start();
    struct edge_target target = tls_target("other.example", world_listener(EDGE_TLS).port);
    world_send(0, &target, request);
    expect_failed(&target);
    assert_int_equal(world_logged("TLS failed"), 1);
    assert_int_equal(world_events(), 0);
}

static void a_certificate_of_a_stranger_is_refused(void **state)
{
    (void)state;
    world.tls_client = suspicious_tls;
    world_start();
    struct edge_target target = tls_target("core.example", world_listener(EDGE_TLS).port);
    world_send(0, &target, request);
    expect_failed(&target);
    assert_int_equal(world_events(), 0);
}

static void a_name_that_was_never_looked_up_is_connected_to_by_nobody(void **state)
{
    (void)state;
    world_start();
    struct edge_target target = {.address = world_listener(EDGE_TLS), .transport = EDGE_TLS};
    world_send(0, &target, request);
    expect_failed(&target);
    assert_int_equal(world_events(), 0);
}

static void a_hand_shake_has_4s(void **state)
{
    (void)state;
    world_start();
    int listener = tcp_listen_as_core();
    struct edge_target target = tls_target("core.example", net_local_address(listener).port);
    world_send(0, &target, request);
    int core = tcp_accept_from_edge(listener);
    wait_for(core, POLLIN); /* its ClientHello */
    world_pass(5);
    expect_failed(&target);
    assert_int_equal(world_logged("hand-shake not done in time"), 1);
    close(core);
    close(listener);
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
#define TEST(name)     cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define TEST_TLS(name) cmocka_unit_test_setup_teardown(name, set_up_tls, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_datagram_reaches_the_worker_it_names_and_the_answer_its_sender),
        TEST(a_response_to_no_request_of_ours_is_dropped),
        TEST(a_stranger_s_datagrams_are_dropped_and_told_of_once),
        TEST(a_host_that_was_asked_may_answer_but_not_ask),
        TEST(who_an_entry_resolves_to_is_trusted_and_that_follows_the_dns),
        TEST(an_unreachable_port_is_dead_at_once),
        TEST(messages_on_one_connection_are_told_apart_by_their_length),
        TEST(keep_alives_are_answered_wherever_they_are_cut),
        TEST(a_stranger_s_connection_is_closed_at_once),
        TEST(garbage_closes_the_connection_with_one_line),
        TEST(one_connection_carries_all_that_goes_to_a_place),
        TEST(a_refused_connection_is_dead_and_all_workers_hear_of_it),
        TEST(a_connection_that_ends_with_a_request_unanswered_fails_it),
        TEST(an_answer_to_a_connection_that_is_gone_goes_nowhere),
        TEST(a_core_that_reads_nothing_is_given_up),
        TEST(silence_is_believed_of_a_place_that_says_nothing_to_anybody),
        TEST(an_idle_connection_is_closed),
        TEST(half_a_message_is_waited_for_30s),
        TEST(a_connection_that_says_nothing_is_closed_after_30s),
        TEST_TLS(tls_carries_messages_both_ways),
        TEST_TLS(a_certificate_for_another_name_is_refused),
        TEST_TLS(a_certificate_of_a_stranger_is_refused),
        TEST_TLS(a_name_that_was_never_looked_up_is_connected_to_by_nobody),
        TEST_TLS(a_hand_shake_has_4s),
        TEST(mail_beyond_its_bound_is_dropped_and_counted),
    };
    return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}
