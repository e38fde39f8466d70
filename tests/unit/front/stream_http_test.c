/* SPDX-License-Identifier: BSD-3-Clause
 * Requests and their answers; above all services, which the program itself adds. */
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
#include "front_world.h"
#include "http/response.h"

static char answer[1 << 20];
static unsigned asked;

/* Tells what it was asked; at /v1/fails it fails. */
static int tell(void *context, const struct front_http_request *request, bool keep_alive, void *memory, size_t size)
{
    asked++;
    if (context)
        return ERR_FULL;
    struct http_response response;
    char text[128];
    int length = snprintf(text, sizeof text, "%s %.*s", request->secure ? "secure" : "plain",
                          (int)request->head->query.length, (const char *)request->head->query.bytes);
    http_response_init(&response, memory, size, 200, request->now.wall_s, keep_alive);
    return http_response_finish(&response, text, (size_t)length, true);
}

static const struct front_http_service services[] = {
    {.path = "/v1/tell", .methods = "GET, OPTIONS", .answer = tell},
    {.path = "/v1/secret", .methods = "GET", .secure_only = true, .answer = tell},
    {.path = "/v1/fails", .methods = "GET", .context = answer, .answer = tell},
};

static int set_up(void **state)
{
    front_world_set_up(state);
    front_settings.services = services;
    front_settings.service_count = 3;
    asked = 0;
    return 0;
}

/* Reads until |end| has come. */
static void read_until(int client, const char *end)
{
    size_t length = 0;
    do {
        wait_for(client, POLLIN);
        ssize_t got = recv(client, answer + length, sizeof answer - 1 - length, 0);
        assert_true(got > 0);
        length += (size_t)got;
        answer[length] = '\0';
    } while (!strstr(answer, end));
}

static void send_text(int client, const char *text)
{
    write_all(client, (const uint8_t *)text, strlen(text));
}

/* Asks, and leaves the answer, up to |end|, in |answer|. */
static void ask(bool secure, const char *request, const char *end)
{
    int client = connect_client(FRONT_LISTEN_ANY);
    only_stream()->secure = secure;
    assert_int_equal(worker_start(worker), 0);
    send_text(client, request);
    read_until(client, end);
    worker_stop(worker);
    front_destroy(&front); /* the stream goes */
    close(client);
}

static void a_service_is_asked_and_the_connection_lives_on(void **state)
{
    (void)state;
    int client = connect_client(FRONT_LISTEN_ANY);
    assert_int_equal(worker_start(worker), 0);
    for (int i = 0; i < 3; i++) {
        send_text(client, "GET /v1/tell?x=1 HTTP/1.1\r\nHost: a\r\n\r\n");
        read_until(client, "\r\n\r\nplain x=1");
        assert_null(strstr(answer, "Connection: close"));
    }
    worker_stop(worker);
    assert_int_equal(asked, 3);
    assert_int_equal(only_stream()->stage, STREAM_HTTP);
    assert_null(only_stream()->rest);
    close(client);
}

static void a_service_is_asked_by_its_methods_only(void **state)
{
    (void)state;
    ask(true, "POST /v1/tell HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "\r\n\r\n");
    assert_non_null(strstr(answer, "HTTP/1.1 405 "));
    assert_non_null(strstr(answer, "Allow: GET, OPTIONS\r\n"));
    assert_int_equal(asked, 0);
}

static void part_of_a_methods_name_is_no_method(void **state)
{
    (void)state;
    ask(true, "OPTION /v1/tell HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n");
    assert_non_null(strstr(answer, "HTTP/1.1 405 "));
}

static void what_needs_tls_is_refused_without(void **state)
{
    (void)state;
    ask(false, "GET /v1/secret HTTP/1.1\r\nHost: a\r\n\r\n", "https:// only.\n");
    assert_non_null(strstr(answer, "HTTP/1.1 403 "));
    assert_int_equal(asked, 0);
}

static void what_needs_tls_is_served_with_it(void **state)
{
    (void)state;
    ask(true, "GET /v1/secret HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\nsecure ");
    assert_int_equal(asked, 1);
}

static void a_service_that_fails_is_answered_500(void **state)
{
    (void)state;
    ask(true, "GET /v1/fails HTTP/1.1\r\nHost: a\r\n\r\n", ".\n");
    assert_non_null(strstr(answer, "HTTP/1.1 500 "));
}

enum { ASKED = 20 };

static void look_while_full(void *context)
{
    (void)context;
    struct stream *stream = only_stream();
    assert_true(stream_congested(stream));
    assert_false(stream->watched & EPOLLIN);
    assert_true(stream->requests < ASKED);
}

static void requests_wait_while_answers_do(void **state)
{
    (void)state;
    int client = connect_client(FRONT_LISTEN_ANY), small = 1;
    setsockopt(only_stream()->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    assert_int_equal(worker_start(worker), 0);
    for (int i = 0; i < ASKED; i++)
        send_text(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_for(client, POLLIN);
    on_worker(look_while_full, NULL);
    /* Every one is answered once they are read. */
    size_t length = 0;
    for (unsigned ended = 0; ended < ASKED;) {
        wait_for(client, POLLIN);
        ssize_t got = recv(client, answer + length, sizeof answer - 1 - length, 0);
        assert_true(got > 0);
        length += (size_t)got;
        answer[length] = '\0';
        ended = 0;
        for (const char *at = answer; (at = strstr(at, "</html>")); at++)
            ended++;
    }
    worker_stop(worker);
    assert_false(stream_congested(only_stream()));
    assert_int_equal(only_stream()->requests, ASKED);
    assert_true(only_stream()->watched & EPOLLIN);
    close(client);
}

static void look_at_last_answer(void *context)
{
    (void)context;
    const struct stream *stream = only_stream();
    assert_true(stream_congested(stream));
    assert_int_equal(stream->http_body.length, 0);
    assert_int_equal(stream->stage, STREAM_HTTP);
    assert_true(stream->quiet_deadline_ns == TIME_NEVER);
}

/* It had three seconds from when the last byte was written, read or not. */
static void last_answer_may_be_read_slowly(void **state)
{
    (void)state;
    int client = connect_client(FRONT_LISTEN_ANY), small = 1;
    setsockopt(only_stream()->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    assert_int_equal(worker_start(worker), 0);
    send_text(client, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    wait_for(client, POLLIN);
    on_worker(look_at_last_answer, NULL);
    read_until(client, "</html>");
    wait_for(client, POLLIN);
    assert_int_equal(recv(client, answer, sizeof answer, 0), 0);
    worker_stop(worker);
    close(client);
}

/* RFC 9110 §7.8: Upgrade is a field of one hop. */
static void what_has_to_be_a_websocket_says_so_for_this_hop(void **state)
{
    (void)state;
    ask(false, "GET /turn HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\n");
    assert_memory_equal(answer, "HTTP/1.1 426 ", 13);
    assert_non_null(strstr(answer, "\r\nConnection: Upgrade\r\n"));
    assert_non_null(strstr(answer, "\r\nUpgrade: websocket\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, front_world_tear_down)
        TEST(a_service_is_asked_and_the_connection_lives_on),
        TEST(a_service_is_asked_by_its_methods_only),
        TEST(part_of_a_methods_name_is_no_method),
        TEST(what_needs_tls_is_refused_without),
        TEST(what_needs_tls_is_served_with_it),
        TEST(a_service_that_fails_is_answered_500),
        TEST(requests_wait_while_answers_do),
        TEST(last_answer_may_be_read_slowly),
        TEST(what_has_to_be_a_websocket_says_so_for_this_hop),
    };
    return cmocka_run_group_tests(tests, front_world_begin, front_world_end);
}
