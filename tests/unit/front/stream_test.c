/* SPDX-License-Identifier: BSD-3-Clause
 * Streams on a real loop, seen from both sides: the client's end of a socket pair, and what the server holds for it. */
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/certificate.h"
#include "front/stream.h"
#include "net/socket.h"
#include "stun/message.h"

#define PATIENCE_MS 10000
#define STANDS_MS   100 /* so long without room for a further byte, nobody reads any more */

static char directory[] = "/tmp/postern-stream-XXXXXX";
static char certificate_file[64], key_file[64];
static struct tls_context *server_tls, *client_tls;

static struct credentials *credentials;
static struct relay_ports *ports;
static struct reservations *reservations;
static struct peer_policy *policy;
static struct ledger *ledger;
static struct turn_settings turn_settings;
static struct front_settings front_settings;
static struct worker *worker;
static struct turn_server *server;
static struct front *front;

static void close_nothing(intptr_t socket)
{
    (void)socket;
}

static int make_certificate(void **state)
{
    (void)state;
    const char *name = "turn.example";
    struct tls_error error;
    assert_non_null(mkdtemp(directory));
    snprintf(certificate_file, sizeof certificate_file, "%s/certificate.pem", directory);
    snprintf(key_file, sizeof key_file, "%s/key.pem", directory);
    assert_int_equal(certificate_create_self_signed(certificate_file, key_file, &name, 1, 30, &error), 0);
    struct tls_certificate certificate = {certificate_file, key_file};
    assert_int_equal(tls_context_create_server(&certificate, 1, &server_tls, &error), 0);
    assert_int_equal(tls_context_create_client(false, NULL, &client_tls, &error), 0);
    return 0;
}

static int remove_certificate(void **state)
{
    (void)state;
    tls_context_destroy(&server_tls);
    tls_context_destroy(&client_tls);
    unlink(certificate_file);
    unlink(key_file);
    return rmdir(directory);
}

static void host_client_send(void *context, const struct turn_flow *flow, const struct turn_packet *packet)
{
    (void)context;
    struct front_link *link = flow->link;
    link->send(link, flow, packet);
}

static int set_up(void **state)
{
    (void)state;
    struct ledger_limits limits = {0};
    struct turn_host host = {.client_send = host_client_send};
    assert_int_equal(credentials_create("example.org", &credentials), 0);
    assert_int_equal(ledger_create(&limits, &ledger), 0);
    assert_int_equal(relay_ports_create(50000, 50001, &ports), 0);
    assert_int_equal(reservations_create(ports, close_nothing, &reservations), 0);
    assert_int_equal(peer_policy_create(&policy), 0);
    turn_settings = (struct turn_settings){.realm = "example.org",
                                           .credentials = credentials,
                                           .ledger = ledger,
                                           .ports = ports,
                                           .reservations = reservations,
                                           .policy = policy,
                                           .lifetime_max_s = 3600};
    front_settings =
        (struct front_settings){.tls = server_tls, .ledger = ledger, .handshake_deadline_s = 10, .idle_timeout_s = 60};
    assert_int_equal(worker_create(0, &worker), 0);
    assert_int_equal(turn_server_create(&turn_settings, &host, 0, &server), 0);
    assert_int_equal(front_create(&front_settings, worker, server, &front), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    front_destroy(&front);
    turn_server_destroy(&server);
    worker_destroy(&worker);
    peer_policy_destroy(&policy);
    reservations_destroy(&reservations);
    relay_ports_destroy(&ports);
    ledger_destroy(&ledger); /* asserts that every half-open connection was given back */
    credentials_destroy(&credentials);
    return 0;
}

/* A new client; returns its end. The worker must not be running. */
static int connect_client(enum front_listen kind)
{
    struct address peer;
    int fds[2];
    address_parse("192.0.2.1:4000", &peer);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    stream_accept(front, fds[1], &peer, kind, net_now());
    assert_int_equal(front_totals(front).streams, 1);
    return fds[0];
}

static struct stream *only_stream(void)
{
    assert_false(list_empty(&front->streams));
    return container_of(front->streams.next, struct stream, in_front);
}

static size_t binding_request(uint8_t *out, uint8_t number)
{
    uint8_t id[STUN_TRANSACTION_ID_SIZE] = {number};
    struct stun_builder builder;
    stun_builder_init(&builder, out, 64, STUN_BINDING, STUN_REQUEST, id);
    return (size_t)stun_builder_finish(&builder);
}

static void wait_for(int fd, short events)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    assert_int_equal(poll(&poll_fd, 1, PATIENCE_MS), 1);
}

static void write_all(int fd, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        wait_for(fd, POLLOUT);
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        assert_true(sent > 0);
        bytes += sent;
        length -= (size_t)sent;
    }
}

/* Returns once the server has read all that was written to |fd|. */
static void wait_until_taken(int fd)
{
    uint64_t until_ns = net_now().monotonic_ns + PATIENCE_MS * NS_PER_MS;
    int waiting;
    do {
        sched_yield();
        assert_int_equal(ioctl(fd, SIOCOUTQ, &waiting), 0);
        assert_true(net_now().monotonic_ns < until_ns);
    } while (waiting > 0);
}

static size_t read_exactly(int fd, uint8_t *out, size_t length)
{
    for (size_t got = 0; got < length;) {
        wait_for(fd, POLLIN);
        ssize_t part = recv(fd, out + got, length - got, 0);
        assert_true(part > 0);
        got += (size_t)part;
    }
    return length;
}

/* Header, XOR-MAPPED-ADDRESS with an IPv4 address. */
#define BINDING_ANSWER 32

static void a_message_in_pieces_is_answered_and_nothing_stays_behind(void **state)
{
    (void)state;
    int client = connect_client(FRONT_LISTEN_ANY);
    uint8_t request[64], answer[BINDING_ANSWER];
    size_t length = binding_request(request, 1);
    assert_int_equal(worker_start(worker), 0);
    for (size_t at = 0; at < length; at++) {
        write_all(client, request + at, 1);
        wait_until_taken(client);
    }
    read_exactly(client, answer, sizeof answer);
    assert_memory_equal(answer + 8, request + 8, STUN_TRANSACTION_ID_SIZE);
    write_all(client, request, 7);
    wait_until_taken(client);
    worker_stop(worker);
    assert_int_equal(only_stream()->rest->size, BUFFER_SMALL);
    assert_int_equal(buffer_length(only_stream()->rest), 7);
    assert_int_equal(front->buffers.large.taken + front->buffers.record.taken, 0);
    close(client);
}

static void a_large_announced_length_is_kept_whole_and_given_back(void **state)
{
    (void)state;
    int client = connect_client(FRONT_LISTEN_ANY);
    static uint8_t message[65000];
    binding_request(message, 1);
    store_u16(message + 2, sizeof message - STUN_HEADER_SIZE);
    /* One SOFTWARE-like attribute of unknown, optional type fills it. */
    store_u16(message + STUN_HEADER_SIZE, 0xC0DE);
    store_u16(message + STUN_HEADER_SIZE + 2, sizeof message - STUN_HEADER_SIZE - 4);
    uint8_t answer[BINDING_ANSWER];
    assert_int_equal(worker_start(worker), 0);
    for (size_t at = 0; at < sizeof message; at += 1000) {
        write_all(client, message + at, 1000);
        wait_until_taken(client);
    }
    read_exactly(client, answer, sizeof answer);
    worker_stop(worker);
    assert_null(only_stream()->rest);
    assert_int_equal(front->buffers.large.capacity > 0, 1);
    assert_int_equal(front->buffers.large.taken, 0);
    close(client);
}

/* What came together is answered together: for TLS in one record where it is much. */
static void answers_of_one_turn_share_records(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    int client = connect_client(FRONT_LISTEN_TLS);
    struct tls_session *session;
    static uint8_t wire[100000], received[100000], plaintext[100000], requests[COUNT * 64];
    assert_int_equal(tls_session_create_client(client_tls, "turn.example", &session), 0);
    assert_int_equal(worker_start(worker), 0);
    size_t got = 0, length = 0;
    struct tls_output output = {.bytes = wire, .size = sizeof wire};
    while (tls_session_read(session, plaintext, sizeof plaintext, &output, NULL) == 0) {
        write_all(client, wire, output.length);
        output.length = 0;
        if (tls_session_established(session))
            break;
        wait_for(client, POLLIN);
        ssize_t part = recv(client, received, sizeof received, 0);
        assert_true(part > 0);
        tls_session_feed(session, received, (size_t)part);
    }
    for (unsigned i = 0; i < COUNT; i++)
        length += binding_request(requests + length, (uint8_t)i);
    assert_int_equal(tls_session_write(session, requests, length, &output), 0);
    write_all(client, wire, output.length);

    /* Counts the records that answer; tickets were in those before. */
    unsigned small = 0, records = 0;
    for (; got < COUNT * BINDING_ANSWER; records++) {
        read_exactly(client, received, 5);
        size_t record = load_u16(received + 3);
        read_exactly(client, received + 5, record);
        output.length = 0;
        tls_session_feed(session, received, 5 + record);
        int result = tls_session_read(session, plaintext + got, sizeof plaintext - got, &output, NULL);
        assert_true(result >= 0);
        small += result <= BINDING_ANSWER;
        got += (size_t)result;
        if (result > 0)
            assert_int_equal(tls_session_read(session, plaintext, sizeof plaintext, &output, NULL), 0);
    }
    assert_in_range(records, 1, 4);
    assert_true(small <= 2); /* tickets */
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(plaintext[i * BINDING_ANSWER + 8], (uint8_t)i);
    worker_stop(worker);
    tls_session_destroy(&session);
    close(client);
}

/* Who asks without reading the answers is not read from, and gets every answer once it reads. */
static void a_client_that_does_not_read_is_not_read_from(void **state)
{
    (void)state;
    int client = connect_client(FRONT_LISTEN_ANY);
    int small = 4096;
    setsockopt(only_stream()->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    uint8_t request[64];
    size_t length = binding_request(request, 7);
    assert_int_equal(worker_start(worker), 0);
    unsigned sent = 0;
    for (bool full = false; !full;) {
        ssize_t part = send(client, request, length, MSG_NOSIGNAL);
        assert_true(part == (ssize_t)length || (part < 0 && errno == EAGAIN));
        sent += part > 0;
        if (part < 0)
            full = poll(&(struct pollfd){.fd = client, .events = POLLOUT}, 1, STANDS_MS) == 0;
        assert_true(sent < 200000);
    }
    worker_stop(worker);
    struct stream *stream = only_stream();
    assert_false(stream->watched & EPOLLIN);
    assert_true(stream_queue_answer_bytes(&stream->queue) > STREAM_ANSWERS_MAX);
    /* What one read can bring, and no more. */
    assert_true(stream_queue_answer_bytes(&stream->queue) <
                STREAM_ANSWERS_MAX + STREAM_READ_SIZE / 20 * BINDING_ANSWER);
    print_message("%u requests were taken, %zu bytes of answers wait\n", sent,
                  stream_queue_answer_bytes(&stream->queue));
    close(client);
}

static void what_is_neither_stun_nor_http_is_closed_and_forgotten(void **state)
{
    (void)state;
    int client = connect_client(FRONT_LISTEN_ANY);
    uint8_t byte;
    assert_int_equal(worker_start(worker), 0);
    write_all(client, (const uint8_t *)"\x80\x80\x80\x80", 4);
    wait_for(client, POLLIN);
    assert_true(recv(client, &byte, 1, 0) <= 0);
    worker_stop(worker);
    assert_int_equal(front_totals(front).streams, 0);
    assert_int_equal(ledger_totals(ledger).half_open, 0);
    close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_message_in_pieces_is_answered_and_nothing_stays_behind, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_large_announced_length_is_kept_whole_and_given_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answers_of_one_turn_share_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_client_that_does_not_read_is_not_read_from, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_neither_stun_nor_http_is_closed_and_forgotten, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}
