/* SPDX-License-Identifier: BSD-3-Clause
 * SIP on TLS: the edge's own listener plays the core. */
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
#include "peer.h"

static int tear_down(void **state)
{
    (void)state;
    world_stop();
    return 0;
}

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
    world_expect_received(for_worker_2, 2, &source);
    world_expect_received(for_worker_2, 2, NULL);
    assert_int_equal(source.transport, EDGE_TLS);
    world_send(2, &source, response);
    world_expect_received(response, 0, NULL);
    assert_int_equal(mw_core_totals(world.core).connections, 2); /* both ends of one */
    static char large[60001];
    int head = snprintf(large, sizeof large, "INFO sip:edge SIP/2.0\r\nContent-Length: 50000\r\n\r\n");
    memset(large + head, 'a', 50000);
    for (int i = 0; i < 40; i++)
        world_send(1, &target, large);
    for (int i = 0; i < 40; i++)
        world_expect_received(large, 0, NULL);
}

static void a_certificate_for_another_name_is_refused(void **state)
{
    (void)state;
    world_start();
    struct edge_target target = tls_target("other.example", world_listener(EDGE_TLS).port);
    world_send(0, &target, request);
    world_expect_failed(&target);
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
    world_expect_failed(&target);
    assert_int_equal(world_events(), 0);
}

static void a_name_that_was_never_looked_up_is_connected_to_by_nobody(void **state)
{
    (void)state;
    world_start();
    struct edge_target target = {.address = world_listener(EDGE_TLS), .transport = EDGE_TLS};
    world_send(0, &target, request);
    world_expect_failed(&target);
    assert_int_equal(world_events(), 0);
}

static void a_hand_shake_has_4s(void **state)
{
    (void)state;
    world_start();
    int listener = peer_listen();
    struct edge_target target = tls_target("core.example", net_local_address(listener).port);
    world_send(0, &target, request);
    int core = peer_accept(listener);
    peer_wait(core, POLLIN); /* its ClientHello */
    world_pass(5);
    world_expect_failed(&target);
    assert_int_equal(world_logged("hand-shake not done in time"), 1);
    close(core);
    close(listener);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_tls, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(tls_carries_messages_both_ways),
        TEST(a_certificate_for_another_name_is_refused),
        TEST(a_certificate_of_a_stranger_is_refused),
        TEST(a_name_that_was_never_looked_up_is_connected_to_by_nobody),
        TEST(a_hand_shake_has_4s),
    };
    return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}
