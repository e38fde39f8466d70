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

#include "front_world.h"
#include "stun/message.h"

#define STANDS_MS 100 /* so long without room for a further byte, nobody reads any more */

static size_t binding_request(uint8_t *out, uint8_t number)
{
    uint8_t id[STUN_TRANSACTION_ID_SIZE] = {number};
    struct stun_builder builder;
    stun_builder_init(&builder, out, 64, STUN_BINDING, STUN_REQUEST, id);
    return (size_t)stun_builder_finish(&builder);
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
        cmocka_unit_test_setup_teardown(a_message_in_pieces_is_answered_and_nothing_stays_behind, front_world_set_up,
                                        front_world_tear_down),
        cmocka_unit_test_setup_teardown(a_large_announced_length_is_kept_whole_and_given_back, front_world_set_up,
                                        front_world_tear_down),
        cmocka_unit_test_setup_teardown(answers_of_one_turn_share_records, front_world_set_up, front_world_tear_down),
        cmocka_unit_test_setup_teardown(a_client_that_does_not_read_is_not_read_from, front_world_set_up,
                                        front_world_tear_down),
        cmocka_unit_test_setup_teardown(what_is_neither_stun_nor_http_is_closed_and_forgotten, front_world_set_up,
                                        front_world_tear_down),
    };
    return cmocka_run_group_tests(tests, front_world_begin, front_world_end);
}
