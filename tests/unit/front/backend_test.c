/* SPDX-License-Identifier: BSD-3-Clause
 * Requests that a web server behind answers: what is held for them, and what goes wrong inside. The test is the web
 * server; tests/integration/test_backend.py has what it may do to us. */
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

#include "base/memory.h"
#include "front_world.h"
#include "net/socket.h"

static int listener, client, server;
static char text[1 << 16];

static int set_up(void **state)
{
    struct address address;
    front_world_set_up(state);
    assert_int_equal(address_parse("127.0.0.1", &address), 0);
    listener = net_tcp_listen(&address, false);
    assert_true(listener >= 0);
    front_settings.backend = net_local_address(listener);
    server = -1;
    client = connect_client(FRONT_LISTEN_ANY);
    return 0;
}

static int tear_down(void **state)
{
    front_world_tear_down(state);
    close(client);
    if (server >= 0)
        close(server);
    close(listener);
    return 0;
}

static void send_text(int fd, const char *what)
{
    write_all(fd, (const uint8_t *)what, strlen(what));
}

/* Reads into |text| until |end| ends it, or the other side ends; true for the former. */
static bool read_until(int fd, const char *end)
{
    size_t length = 0, end_length = strlen(end);
    do {
        wait_for(fd, POLLIN);
        ssize_t got = recv(fd, text + length, 1, 0);
        if (got <= 0)
            return false;
        text[++length] = '\0';
    } while (length < end_length || strcmp(text + length - end_length, end) != 0);
    return true;
}

static void accept_server(void)
{
    struct address peer;
    wait_for(listener, POLLIN);
    server = net_tcp_accept(listener, &peer);
    assert_true(server >= 0);
}

static unsigned buffers_taken(void)
{
    const struct buffers *buffers = &front->buffers;
    return (unsigned)(buffers->small.taken + buffers->record.taken + buffers->large.taken);
}

#define GET    "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define CHUNKS "4;a=b\r\nbody\r\n0\r\nX: y\r\n\r\n"

static void stream_at_rest_holds_no_buffers(void **state)
{
    (void)state;
    assert_null(only_stream()->bridge.other);
    assert_int_equal(worker_start(worker), 0);
    for (unsigned i = 0; i < 3; i++) {
        send_text(client, GET);
        if (server < 0)
            accept_server();
        assert_true(read_until(server, "\r\n\r\n"));
        send_text(server, OK);
        assert_true(read_until(client, "\r\n\r\nok"));
    }
    worker_stop(worker);
    assert_int_equal(buffers_taken(), 0);
    assert_int_equal(only_stream()->stage, STREAM_HTTP);
}

static void answer_in_pieces_is_put_together(void **state)
{
    (void)state;
    static const char answer[] =
        "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" CHUNKS;
    assert_int_equal(worker_start(worker), 0);
    send_text(client, GET);
    accept_server();
    assert_true(read_until(server, "\r\n\r\n"));
    for (const char *at = answer; *at; at++) {
        write_all(server, (const uint8_t *)at, 1);
        wait_until_taken(server);
    }
    assert_true(read_until(client, CHUNKS));
    assert_string_equal(text, answer);
    worker_stop(worker);
    assert_int_equal(buffers_taken(), 0);
}

static void request_in_pieces_is_put_together(void **state)
{
    (void)state;
    static const char request[] = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "4;a=b\r\nbody\r\n0\r\n\r\n";
    assert_int_equal(worker_start(worker), 0);
    for (const char *at = request; *at; at++) {
        write_all(client, (const uint8_t *)at, 1);
        wait_until_taken(client);
    }
    send_text(client, GET); /* which waits for its turn */
    accept_server();
    assert_true(read_until(server, "\r\n\r\n4;a=b\r\nbody\r\n0\r\n\r\n"));
    send_text(server, OK);
    assert_true(read_until(client, "\r\n\r\nok"));
    assert_true(read_until(server, "\r\n\r\n"));
    assert_memory_equal(text, "GET /x ", 7);
    send_text(server, OK);
    assert_true(read_until(client, "\r\n\r\nok"));
    worker_stop(worker);
    assert_int_equal(buffers_taken(), 0);
}

static void server_that_ends_at_rest_is_let_go(void **state)
{
    (void)state;
    assert_int_equal(worker_start(worker), 0);
    send_text(client, GET);
    accept_server();
    assert_true(read_until(server, "\r\n\r\n"));
    send_text(server, OK);
    assert_true(read_until(client, "\r\n\r\nok"));
    shutdown(server, SHUT_WR);
    wait_for(server, POLLIN);
    assert_int_equal(recv(server, text, 1, 0), 0);
    worker_stop(worker);
}

static void fail_allocation(void *context)
{
    memory_fail_at(*(const unsigned long *)context);
}

static void want_of_memory_is_answered_or_ends_the_stream(void **state)
{
    bool answered = false;
    for (unsigned long n = 1; !answered; n++) {
        assert_true(n < 20);
        assert_int_equal(worker_start(worker), 0);
        on_worker(fail_allocation, &n);
        send_text(client, GET);
        struct pollfd ready[] = {{.fd = client, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
        assert_true(poll(ready, 2, PATIENCE_MS) > 0);
        if (ready[1].revents != 0) {
            accept_server();
            if (read_until(server, "\r\n\r\n"))
                send_text(server, OK);
        }
        bool has_head = read_until(client, "\r\n\r\n");
        answered = has_head && strncmp(text, "HTTP/1.1 200 ", 13) == 0;
        assert_true(!has_head || answered || strncmp(text, "HTTP/1.1 50", 11) == 0);
        on_worker(fail_allocation, &(unsigned long){0});
        worker_stop(worker);
        if (!answered) {
            tear_down(state);
            set_up(state);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(stream_at_rest_holds_no_buffers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(answer_in_pieces_is_put_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(request_in_pieces_is_put_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(server_that_ends_at_rest_is_let_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(want_of_memory_is_answered_or_ends_the_stream, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, front_world_begin, front_world_end);
}
