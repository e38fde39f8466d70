/* SPDX-License-Identifier: BSD-3-Clause
 * WebSockets for SIP with a user that echoes, seen from the client's end and from the user's. Time passes by hand. */
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

#include "base/cursor.h"
#include "front_world.h"
#include "net/socket.h"

#define REQUEST  "GET /sip HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
#define PROTOCOL "Sec-WebSocket-Protocol: chat, sip\r\n"
#define GOOD     REQUEST KEY PROTOCOL "\r\n"

/* What the user has seen. */
static struct {
    struct front_websocket *websocket;
    bool refuses;
    unsigned opened, messages, closed;
} user;
static uint8_t received[100000];
static uint64_t passed_ns; /* by hand */

static void *user_opened(void *context, struct front_websocket *websocket, const struct address *client, struct now now)
{
    (void)now;
    char text[ADDRESS_TEXT_MAX];
    assert_string_equal(address_format(client, text), "192.0.2.1:4000");
    user.opened++;
    user.websocket = websocket;
    return user.refuses ? NULL : context;
}

static bool says(const uint8_t *bytes, size_t length, const char *text)
{
    return length == strlen(text) && memcmp(bytes, text, length) == 0;
}

static void user_message(void *context, const uint8_t *bytes, size_t length, struct now now)
{
    (void)now;
    assert_ptr_equal(context, &user);
    user.messages++;
    if (says(bytes, length, "establish"))
        front_websocket_established(user.websocket);
    else if (says(bytes, length, "close"))
        front_websocket_close(user.websocket, WEBSOCKET_POLICY_VIOLATION, "as you wish");
    else if (says(bytes, length, "flood"))
        for (int i = 0; i < 20; i++)
            front_websocket_send(user.websocket, received, 60000);
    else
        front_websocket_send(user.websocket, bytes, length);
}

static void user_closed(void *context, struct now now)
{
    (void)now;
    assert_ptr_equal(context, &user);
    user.closed++;
}

static const struct front_websocket_user echo = {
    .context = &user, .opened = user_opened, .message = user_message, .closed = user_closed};

static int set_up(void **state)
{
    front_world_set_up(state);
    memset(&user, 0, sizeof user);
    memset(received, 'x', sizeof received);
    passed_ns = 0;
    front_set_websocket_user(front, &echo);
    assert_int_equal(worker_start(worker), 0);
    return 0;
}

static void connect_on_worker(void *fd)
{
    *(int *)fd = connect_client(FRONT_LISTEN_ANY);
}

static void connect_safely_on_worker(void *fd)
{
    connect_on_worker(fd);
    container_of(front->streams.previous, struct stream, in_front)->secure = true;
}

static int connect_safely(void)
{
    int fd;
    on_worker(connect_safely_on_worker, &fd);
    return fd;
}

/* Sends a request and returns the status. */
static int ask(int client, const char *request)
{
    char head[4096];
    size_t length = 0;
    write_all(client, (const uint8_t *)request, strlen(request));
    do {
        length += read_exactly(client, (uint8_t *)head + length, 1);
        head[length] = '\0';
    } while (!strstr(head, "\r\n\r\n"));
    return atoi(head + 9);
}

/* A WebSocket whose hand-shake is done. */
static int open_websocket(void)
{
    int client = connect_safely();
    assert_int_equal(ask(client, GOOD), 101);
    return client;
}

static void send_frame(int client, enum ws_opcode opcode, const void *payload, size_t length)
{
    static uint8_t frame[WS_FRAME_HEAD_MAX + 100000];
    const uint8_t mask[4] = {1, 2, 3, 4};
    size_t head = ws_frame_head(opcode, length, mask, frame);
    if (length > 0)
        memcpy(frame + head, payload, length);
    ws_mask(frame + head, length, mask);
    write_all(client, frame, head + length);
}

static void say(int client, const char *text)
{
    send_frame(client, WS_TEXT, text, strlen(text));
}

/* Reads the next frame's payload into |received|; returns its opcode. */
static enum ws_opcode read_frame(int client, size_t *length_out)
{
    uint8_t head[4];
    read_exactly(client, head, 2);
    assert_true(head[0] & 0x80);
    *length_out = head[1];
    if (head[1] == 126) {
        read_exactly(client, head + 2, 2);
        *length_out = load_u16(head + 2);
    }
    read_exactly(client, received, *length_out);
    return (enum ws_opcode)(head[0] & 15);
}

/* The code of the close frame that comes next. */
static unsigned read_close(int client)
{
    size_t length;
    assert_int_equal(read_frame(client, &length), WS_CLOSE);
    return length >= 2 ? load_u16(received) : WS_CLOSE_NO_CODE;
}

static void assert_echo(int client, const char *text)
{
    size_t length;
    say(client, text);
    assert_int_equal(read_frame(client, &length), WS_TEXT);
    assert_true(says(received, length, text));
}

static void wait_for_end(int client)
{
    uint8_t byte;
    wait_for(client, POLLIN);
    assert_true(recv(client, &byte, 1, 0) <= 0);
}

static void expire_timers(void *context)
{
    (void)context;
    struct now now = net_now();
    now.monotonic_ns += passed_ns;
    timers_expire(front_timers(front), now);
}

static void time_passes(unsigned seconds)
{
    passed_ns += seconds * NS_PER_S;
    on_worker(expire_timers, NULL);
}

static void count_streams(void *count)
{
    *(unsigned *)count = front_totals(front).streams;
}

static unsigned streams(void)
{
    unsigned count;
    on_worker(count_streams, &count);
    return count;
}

static void messages_pass_both_ways(void **state)
{
    (void)state;
    int client = open_websocket();
    assert_echo(client, "REGISTER sip:example.org SIP/2.0\r\n\r\n");
    assert_echo(client, "");
    size_t length;
    send_frame(client, WS_BINARY, "binary, but \xc3\xbc", 14);
    assert_int_equal(read_frame(client, &length), WS_TEXT);
    send_frame(client, WS_BINARY, "\xff", 1);
    assert_int_equal(read_frame(client, &length), WS_BINARY);
    send_frame(client, WS_PING, "?", 1);
    assert_int_equal(read_frame(client, &length), WS_PONG);
    assert_true(says(received, length, "?"));
    worker_stop(worker);
    assert_int_equal(user.messages, 4);
    close(client);
}

static void a_websocket_at_rest_holds_nothing_but_itself(void **state)
{
    (void)state;
    int client = open_websocket();
    assert_echo(client, "INVITE");
    worker_stop(worker);
    struct stream *stream = only_stream();
    assert_null(stream->rest);
    assert_null(stream->unsent);
    assert_int_equal(front->buffers.small.taken + front->buffers.record.taken + front->buffers.large.taken, 0);
    assert_int_equal(front->blocks.taken, 0);
    assert_non_null(front->receivers.free); /* libwslay's context has been given back */
    close(client);
}

static void refusals_say_why(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        int status;
        bool secure;
    } cases[] = {
        {GOOD, 403, false},
        {REQUEST KEY "\r\n", 400, true},
        {REQUEST KEY "Sec-WebSocket-Protocol: sips\r\n\r\n", 400, true},
        {REQUEST KEY PROTOCOL "Origin: https://evil.example\r\n\r\n", 403, true},
        {REQUEST PROTOCOL "Sec-WebSocket-Version: 13\r\n\r\n", 400, true},
        {REQUEST KEY PROTOCOL "Sec-WebSocket-Version: 8\r\n\r\n", 426, true},
        {"GET /sip HTTP/1.1\r\nHost: a\r\n\r\n", 426, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int client;
        on_worker(cases[i].secure ? connect_safely_on_worker : connect_on_worker, &client);
        assert_int_equal(ask(client, cases[i].request), cases[i].status);
        close(client);
    }
    worker_stop(worker);
    assert_int_equal(user.opened, 0);
}

static void own_origin_and_none_are_accepted(void **state)
{
    (void)state;
    int client = connect_safely();
    assert_int_equal(ask(client, REQUEST KEY PROTOCOL "Origin: https://a.example\r\n\r\n"), 101);
    worker_stop(worker);
    close(client);
}

static void forget_user(void *context)
{
    (void)context;
    front_set_websocket_user(front, NULL);
}

static void without_a_user_there_is_no_sip(void **state)
{
    (void)state;
    on_worker(forget_user, NULL);
    int client = connect_safely();
    assert_int_equal(ask(client, GOOD), 404);
    worker_stop(worker);
    close(client);
}

static void a_user_may_refuse_and_hears_no_more(void **state)
{
    (void)state;
    user.refuses = true;
    int client = connect_safely();
    assert_int_equal(ask(client, GOOD), 503);
    worker_stop(worker);
    close(client);
    front_destroy(&front);
    assert_int_equal(user.opened, 1);
    assert_int_equal(user.closed, 0);
}

static void websockets_of_one_source_are_limited(void **state)
{
    (void)state;
    int clients[WEBSOCKETS_PER_SOURCE + 1];
    for (int i = 0; i <= WEBSOCKETS_PER_SOURCE; i++) {
        clients[i] = connect_safely();
        assert_int_equal(ask(clients[i], GOOD), i < WEBSOCKETS_PER_SOURCE ? 101 : 503);
    }
    worker_stop(worker);
    for (int i = 0; i <= WEBSOCKETS_PER_SOURCE; i++)
        close(clients[i]);
    assert_int_equal(user.opened, WEBSOCKETS_PER_SOURCE);
}

static void the_end_of_the_server_closes_once(void **state)
{
    (void)state;
    int client = open_websocket();
    worker_stop(worker);
    assert_int_equal(user.closed, 0);
    front_destroy(&front);
    assert_int_equal(user.closed, 1);
    close(client);
}

static void the_clients_goodbye_is_answered_and_closes_once(void **state)
{
    (void)state;
    int client = open_websocket();
    send_frame(client, WS_CLOSE, "\x03\xe9", 2);
    assert_int_equal(read_close(client), 1001);
    wait_for_end(client);
    close(client);
    worker_stop(worker);
    front_destroy(&front);
    assert_int_equal(user.closed, 1);
}

static void the_users_goodbye_is_sent_and_closes_once(void **state)
{
    (void)state;
    int client = open_websocket();
    say(client, "close");
    assert_int_equal(read_close(client), WEBSOCKET_POLICY_VIOLATION);
    assert_memory_equal(received + 2, "as you wish", 11);
    wait_for_end(client);
    say(client, "too late");
    close(client);
    worker_stop(worker);
    front_destroy(&front);
    assert_int_equal(user.messages, 1);
    assert_int_equal(user.closed, 1);
}

static void a_message_as_long_as_allowed_passes_and_a_longer_one_is_1009(void **state)
{
    (void)state;
    static uint8_t message[FRONT_WEBSOCKET_MESSAGE_MAX + 1];
    memset(message, 'a', sizeof message);
    int client = open_websocket();
    size_t length;
    send_frame(client, WS_TEXT, message, sizeof message - 1);
    assert_int_equal(read_frame(client, &length), WS_TEXT);
    assert_int_equal(length, sizeof message - 1);
    send_frame(client, WS_TEXT, message, sizeof message);
    assert_int_equal(read_close(client), WEBSOCKET_TOO_BIG);
    worker_stop(worker);
    assert_int_equal(user.messages, 1);
    close(client);
}

static void who_does_not_read_is_closed_not_queued_for(void **state)
{
    (void)state;
    int client = open_websocket();
    say(client, "flood");
    uint64_t until_ns = net_now().monotonic_ns + PATIENCE_MS * NS_PER_MS;
    while (streams() > 0)
        assert_true(net_now().monotonic_ns < until_ns);
    worker_stop(worker);
    assert_int_equal(user.closed, 1);
    assert_int_equal(front->blocks.taken, 0);
    close(client);
}

static void it_is_half_open_until_its_user_says_otherwise(void **state)
{
    (void)state;
    int client = open_websocket();
    assert_echo(client, "hello");
    assert_int_equal(ledger_totals(ledger).half_open, 1);
    say(client, "establish");
    assert_echo(client, "done?");
    assert_int_equal(ledger_totals(ledger).half_open, 0);
    worker_stop(worker);
    assert_int_equal(ledger_totals(ledger).sources, 1);
    close(client);
}

static void a_stranger_that_says_nothing_meets_the_deadline(void **state)
{
    (void)state;
    int client = open_websocket();
    time_passes(front_settings.handshake_deadline_s - 1);
    assert_int_equal(streams(), 1);
    time_passes(2);
    wait_for_end(client);
    worker_stop(worker);
    close(client);
}

/* Lets a ping become due, and answers it. */
static void stay_quiet_but_answer(int client)
{
    size_t length;
    time_passes(front_settings.websocket_keepalive_s + 1);
    assert_int_equal(read_frame(client, &length), WS_PING);
    send_frame(client, WS_PONG, received, length);
    wait_until_taken(client);
}

static void a_stranger_is_pinged_but_does_not_stay_by_pongs(void **state)
{
    (void)state;
    int client = open_websocket();
    assert_echo(client, "hello");
    stay_quiet_but_answer(client);
    stay_quiet_but_answer(client);
    time_passes(front_settings.idle_timeout_s - 2 * front_settings.websocket_keepalive_s);
    wait_for_end(client);
    worker_stop(worker);
    close(client);
}

static void who_is_established_stays_while_pings_are_answered(void **state)
{
    (void)state;
    int client = open_websocket();
    size_t length;
    say(client, "establish");
    assert_echo(client, "done?");
    for (int i = 0; i < 10; i++)
        stay_quiet_but_answer(client);
    time_passes(front_settings.websocket_keepalive_s + 1);
    assert_int_equal(read_frame(client, &length), WS_PING);
    time_passes(front_settings.websocket_keepalive_s - 1);
    assert_int_equal(streams(), 1);
    time_passes(2);
    wait_for_end(client);
    worker_stop(worker);
    close(client);
}

static void a_client_that_vanishes_closes_once(void **state)
{
    (void)state;
    int client = open_websocket();
    close(client);
    worker_stop(worker);
    front_destroy(&front);
    assert_int_equal(user.closed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, front_world_tear_down)
        TEST(messages_pass_both_ways),
        TEST(a_websocket_at_rest_holds_nothing_but_itself),
        TEST(refusals_say_why),
        TEST(own_origin_and_none_are_accepted),
        TEST(without_a_user_there_is_no_sip),
        TEST(a_user_may_refuse_and_hears_no_more),
        TEST(websockets_of_one_source_are_limited),
        TEST(the_end_of_the_server_closes_once),
        TEST(the_clients_goodbye_is_answered_and_closes_once),
        TEST(the_users_goodbye_is_sent_and_closes_once),
        TEST(a_message_as_long_as_allowed_passes_and_a_longer_one_is_1009),
        TEST(who_does_not_read_is_closed_not_queued_for),
        TEST(it_is_half_open_until_its_user_says_otherwise),
        TEST(a_stranger_that_says_nothing_meets_the_deadline),
        TEST(a_stranger_is_pinged_but_does_not_stay_by_pongs),
        TEST(who_is_established_stays_while_pings_are_answered),
        TEST(a_client_that_vanishes_closes_once),
    };
    return cmocka_run_group_tests(tests, front_world_begin, front_world_end);
}
