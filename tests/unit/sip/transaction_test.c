/* SPDX-License-Identifier: BSD-3-Clause
 * Each test is a story: what arrives and when, and what is sent and when. Time stands where after() puts it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/list.h"
#include "base/memory.h"
#include "sip/transaction.h"

#define CLIENT_BRANCH "z9hG4bKours"
#define SERVER_BRANCH "z9hG4bKtheirs"
#define SENT_BY       "client.example.org:5060"
#define LOG_MAX       64

struct world {
    struct timers timers;
    struct sip_transactions table;
    struct sip_client_transaction client;
    struct sip_server_transaction server;
    struct now now;
    unsigned sent;           /* messages since the last look */
    char last[64];           /* the newest of them */
    uint64_t at_ms[LOG_MAX]; /* when each was sent */
    unsigned ended;
    enum sip_client_end end;
};
static struct world world;

static void note(const void *bytes, size_t length)
{
    assert_true(length < sizeof world.last && world.sent < LOG_MAX);
    memcpy(world.last, bytes, length);
    world.last[length] = '\0';
    world.at_ms[world.sent++] = world.now.monotonic_ns / NS_PER_MS;
}

static void client_send(struct sip_client_transaction *transaction, const void *bytes, size_t length)
{
    assert_ptr_equal(transaction, &world.client);
    note(bytes, length);
}

static void client_ended(struct sip_client_transaction *transaction, enum sip_client_end end, struct now now)
{
    assert_ptr_equal(transaction, &world.client);
    assert_true(now.monotonic_ns == world.now.monotonic_ns);
    world.ended++;
    world.end = end;
    memset(transaction, 0xA5, sizeof *transaction);
}

static void server_send(struct sip_server_transaction *transaction, const void *bytes, size_t length)
{
    assert_ptr_equal(transaction, &world.server);
    note(bytes, length);
}

static void server_ended(struct sip_server_transaction *transaction, struct now now)
{
    assert_ptr_equal(transaction, &world.server);
    assert_true(now.monotonic_ns == world.now.monotonic_ns);
    world.ended++;
    memset(transaction, 0xA5, sizeof *transaction);
}

static const struct sip_client_events client_events = {.send = client_send, .ended = client_ended};
static const struct sip_server_events server_events = {.send = server_send, .ended = server_ended};

static int setup(void **state)
{
    (void)state;
    world = (struct world){0};
    timers_init(&world.timers);
    return sip_transactions_init(&world.table, &world.timers);
}

/* Nothing is left behind: not in the tables, not in the heap, and (under a sanitizer) not in memory. */
static int teardown(void **state)
{
    (void)state;
    assert_int_equal(world.table.clients.count, 0);
    assert_int_equal(world.table.servers.count, 0);
    assert_int_equal(world.timers.count, 0);
    sip_transactions_fini(&world.table);
    timers_fini(&world.timers);
    return 0;
}

/* Lets the time pass, deadline by deadline. */
static void after_ms(uint64_t ms)
{
    uint64_t until = world.now.monotonic_ns + ms * NS_PER_MS;
    for (;;) {
        uint64_t deadline = timers_deadline(&world.timers);
        if (deadline > until)
            break;
        if (deadline > world.now.monotonic_ns)
            world.now.monotonic_ns = deadline;
        timers_expire(&world.timers, world.now);
    }
    world.now.monotonic_ns = until;
}

/* How many messages were sent since it was last asked. */
static unsigned sent(void)
{
    unsigned count = world.sent;
    world.sent = 0;
    return count;
}

static void assert_sent(const char *text)
{
    assert_int_equal(sent(), 1);
    assert_string_equal(world.last, text);
}

static void assert_sent_at(const uint64_t *ms, unsigned count)
{
    assert_int_equal(world.sent, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(world.at_ms[i], ms[i]);
    world.sent = 0;
}

static void begin_client(bool invite, bool reliable)
{
    const char *request = invite ? "INVITE" : "OPTIONS";
    assert_int_equal(sip_client_begin(&world.table, &world.client, &client_events, invite, reliable, CLIENT_BRANCH,
                                      request, strlen(request), world.now),
                     0);
}

static bool client_receives(unsigned status)
{
    return sip_client_receive(&world.client, status, "ACK", 3, world.now);
}

static void begin_server(const char *method, bool reliable)
{
    assert_int_equal(sip_server_begin(&world.table, &world.server, &server_events, reliable, SERVER_BRANCH, SENT_BY,
                                      method, world.now),
                     0);
}

static int respond(unsigned status, const char *text)
{
    return sip_server_respond(&world.server, status, text, strlen(text), world.now);
}

static bool server_receives(bool ack)
{
    return sip_server_receive(&world.server, ack, world.now);
}

static void assert_alive(void)
{
    assert_int_equal(world.ended, 0);
}

static void assert_done(void)
{
    assert_int_equal(world.ended, 1);
    assert_int_equal(world.end, SIP_CLIENT_DONE);
}

/* INVITE, client: Timers A, B, D and M */

static void invite_is_sent_again_at_doubled_intervals_and_times_out(void **state)
{
    (void)state;
    begin_client(true, false);
    after_ms(31999);
    assert_sent_at((const uint64_t[]){0, 500, 1500, 3500, 7500, 15500, 31500}, 7);
    assert_alive();
    after_ms(1);
    assert_int_equal(world.ended, 1);
    assert_int_equal(world.end, SIP_CLIENT_TIMEOUT);
    assert_null(sip_client_find(&world.table, CLIENT_BRANCH, "INVITE"));
    assert_int_equal(sent(), 0);
}

static void invite_on_a_reliable_transport_is_sent_once_and_times_out(void **state)
{
    (void)state;
    begin_client(true, true);
    assert_null(world.client.bytes);
    after_ms(31999);
    assert_sent("INVITE");
    assert_alive();
    after_ms(1);
    assert_int_equal(world.end, SIP_CLIENT_TIMEOUT);
}

static void ringing_stops_retransmissions_and_may_last(void **state)
{
    (void)state;
    begin_client(true, false);
    after_ms(600);
    assert_int_equal(sent(), 2);
    assert_true(client_receives(100));
    assert_null(world.client.bytes);
    assert_true(client_receives(180));
    assert_true(client_receives(180));
    after_ms(10 * 60 * 1000);
    assert_int_equal(sent(), 0);
    assert_alive();
    assert_true(client_receives(200));
    after_ms(32000);
    assert_done();
}

static void each_2xx_is_passed_on_for_32_seconds(void **state)
{
    (void)state;
    begin_client(true, false);
    sent();
    assert_true(client_receives(200));
    after_ms(31000);
    assert_true(client_receives(200));
    assert_ptr_equal(sip_client_find(&world.table, CLIENT_BRANCH, "INVITE"), &world.client);
    assert_alive();
    after_ms(1000);
    assert_done();
    assert_int_equal(sent(), 0); /* neither the INVITE nor an ACK: that one is the caller's */
}

static void late_failure_and_ringing_after_2xx_are_swallowed(void **state)
{
    (void)state;
    begin_client(true, false);
    assert_true(client_receives(200));
    sent();
    assert_false(client_receives(180));
    assert_false(client_receives(486));
    assert_int_equal(sent(), 0);
    after_ms(32000);
    assert_done();
}

static void failure_is_acknowledged_and_so_is_each_repetition(void **state)
{
    (void)state;
    begin_client(true, false);
    sent();
    assert_true(client_receives(180));
    assert_true(client_receives(486));
    assert_sent("ACK");
    for (unsigned i = 0; i < 3; i++) {
        after_ms(4000);
        assert_false(client_receives(486));
        assert_sent("ACK");
    }
    assert_false(client_receives(180));
    assert_false(client_receives(200));
    assert_int_equal(sent(), 0);
    after_ms(32000 - 3 * 4000 - 1);
    assert_alive();
    after_ms(1);
    assert_done();
}

static void failure_on_a_reliable_transport_ends_it_at_once(void **state)
{
    (void)state;
    begin_client(true, true);
    sent();
    assert_true(client_receives(486));
    assert_sent("ACK");
    assert_alive(); /* not while its owner is still at work on the response */
    after_ms(0);
    assert_done();
}

static void failure_without_an_ack_at_hand_is_absorbed(void **state)
{
    (void)state;
    begin_client(true, false);
    sent();
    assert_true(sip_client_receive(&world.client, 503, NULL, 0, world.now));
    assert_false(sip_client_receive(&world.client, 503, NULL, 0, world.now));
    assert_int_equal(sent(), 0);
    after_ms(32000);
    assert_done();
}

static void failure_is_acknowledged_once_where_memory_is_short(void **state)
{
    (void)state;
    begin_client(true, false);
    sent();
    memory_fail_at(1);
    assert_true(client_receives(486));
    memory_fail_at(0);
    assert_sent("ACK");
    assert_false(client_receives(486));
    assert_int_equal(sent(), 0);
    after_ms(32000);
    assert_done();
}

/* Other methods, client: Timers E, F and K */

static void request_is_sent_again_up_to_every_4_seconds_and_times_out(void **state)
{
    (void)state;
    begin_client(false, false);
    after_ms(31999);
    assert_sent_at((const uint64_t[]){0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500}, 11);
    assert_alive();
    after_ms(1);
    assert_int_equal(world.end, SIP_CLIENT_TIMEOUT);
}

static void provisional_response_slows_retransmissions_and_stops_no_clock(void **state)
{
    (void)state;
    begin_client(false, false);
    after_ms(600);
    assert_true(client_receives(100));
    after_ms(31399);
    assert_sent_at((const uint64_t[]){0, 500, 1500, 5500, 9500, 13500, 17500, 21500, 25500, 29500}, 10);
    assert_alive();
    after_ms(1);
    assert_int_equal(world.end, SIP_CLIENT_TIMEOUT);
}

static void final_response_is_passed_on_once_and_repetitions_absorbed_for_5_seconds(void **state)
{
    (void)state;
    begin_client(false, false);
    sent();
    assert_true(client_receives(200));
    assert_null(world.client.bytes);
    after_ms(4999);
    assert_false(client_receives(200));
    assert_false(client_receives(404));
    assert_alive();
    after_ms(1);
    assert_done();
    assert_int_equal(sent(), 0);
}

static void final_response_on_a_reliable_transport_ends_it_at_once(void **state)
{
    (void)state;
    begin_client(false, true);
    assert_true(client_receives(100));
    assert_true(client_receives(200));
    assert_false(client_receives(200));
    assert_alive();
    after_ms(0);
    assert_done();
    assert_int_equal(sent(), 1);
}

static void cancel_is_not_taken_for_its_invite(void **state)
{
    (void)state;
    begin_client(true, true);
    assert_ptr_equal(sip_client_find(&world.table, CLIENT_BRANCH, "INVITE"), &world.client);
    assert_null(sip_client_find(&world.table, CLIENT_BRANCH, "CANCEL"));
    sip_client_cancel(&world.client);
    begin_client(false, true);
    assert_ptr_equal(sip_client_find(&world.table, CLIENT_BRANCH, "CANCEL"), &world.client);
    assert_null(sip_client_find(&world.table, CLIENT_BRANCH, "INVITE"));
    assert_null(sip_client_find(&world.table, "z9hG4bKother", "CANCEL"));
    sip_client_cancel(&world.client);
    assert_alive();
}

static void client_that_cannot_begin_leaves_nothing(void **state)
{
    (void)state;
    char branch[SIP_BRANCH_SIZE + 1];
    memset(branch, 'b', SIP_BRANCH_SIZE);
    branch[SIP_BRANCH_SIZE] = '\0';
    assert_int_equal(
        sip_client_begin(&world.table, &world.client, &client_events, true, false, branch, "INVITE", 6, world.now),
        ERR_TOO_LARGE);
    unsigned failures = 0;
    for (unsigned long n = 1;; n++) {
        memory_fail_at(n);
        int result = sip_client_begin(&world.table, &world.client, &client_events, true, false, CLIENT_BRANCH, "INVITE",
                                      6, world.now);
        memory_fail_at(0);
        if (result == 0)
            break;
        assert_int_equal(result, ERR_MEMORY);
        assert_int_equal(world.timers.count, 0);
        failures++;
    }
    assert_true(failures >= 2);
    assert_sent("INVITE");
    sip_client_cancel(&world.client);
}

/* INVITE, server: Timers G, H, I and L */

static void repeated_invite_gets_the_last_response(void **state)
{
    (void)state;
    begin_server("INVITE", false);
    assert_false(server_receives(false));
    assert_int_equal(sent(), 0);
    assert_int_equal(respond(100, "100"), 0);
    assert_sent("100");
    assert_int_equal(respond(180, "180 and more"), 0);
    assert_sent("180 and more");
    after_ms(500);
    assert_false(server_receives(false));
    assert_sent("180 and more");
    after_ms(10 * 60 * 1000);
    assert_int_equal(sent(), 0);
    assert_alive();
    sip_server_cancel(&world.server);
}

static void further_2xx_after_2xx_is_sent(void **state)
{
    (void)state;
    begin_server("INVITE", false);
    assert_int_equal(respond(200, "200"), 0);
    assert_sent("200");
    assert_false(server_receives(false)); /* absorbed: who made the 2xx sends it again */
    assert_int_equal(sent(), 0);
    after_ms(20000);
    assert_int_equal(respond(200, "200 again"), 0);
    assert_sent("200 again");
    assert_int_equal(respond(486, "486"), ERR_CLOSED);
    assert_int_equal(respond(180, "180"), ERR_CLOSED);
    assert_true(server_receives(true)); /* its ACK belongs to somebody else */
    after_ms(11999);
    assert_alive();
    after_ms(1);
    assert_done();
    assert_int_equal(sent(), 0);
}

static void failure_is_sent_until_its_ack_comes(void **state)
{
    (void)state;
    begin_server("INVITE", false);
    assert_int_equal(respond(486, "486"), 0);
    after_ms(8000);
    assert_sent_at((const uint64_t[]){0, 500, 1500, 3500, 7500}, 5);
    assert_false(server_receives(false));
    assert_sent("486");
    assert_false(server_receives(true));
    assert_null(world.server.response);
    after_ms(4999);
    assert_false(server_receives(true));
    assert_false(server_receives(false));
    assert_int_equal(sent(), 0);
    assert_alive();
    after_ms(1);
    assert_done();
}

static void failure_whose_ack_is_lost_is_given_up(void **state)
{
    (void)state;
    begin_server("INVITE", false);
    assert_int_equal(respond(486, "486"), 0);
    after_ms(31999);
    assert_sent_at((const uint64_t[]){0, 500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500}, 11);
    assert_alive();
    after_ms(1);
    assert_int_equal(world.ended, 1);
    assert_null(sip_server_find(&world.table, SERVER_BRANCH, SENT_BY, "ACK"));
}

static void failure_on_a_reliable_transport_is_sent_once_and_ends_with_its_ack(void **state)
{
    (void)state;
    begin_server("INVITE", true);
    assert_int_equal(respond(486, "486"), 0);
    assert_null(world.server.response);
    after_ms(20000);
    assert_sent("486");
    assert_alive();
    assert_false(server_receives(true));
    after_ms(0);
    assert_done();
}

static void response_after_the_final_one_is_refused(void **state)
{
    (void)state;
    begin_server("INVITE", false);
    assert_int_equal(respond(486, "486"), 0);
    assert_sent("486");
    assert_int_equal(respond(200, "200"), ERR_CLOSED);
    assert_int_equal(respond(180, "180"), ERR_CLOSED);
    assert_false(server_receives(true));
    assert_int_equal(respond(200, "200"), ERR_CLOSED);
    assert_int_equal(sent(), 0);
    sip_server_cancel(&world.server);
}

/* Other methods, server: Timer J */

static void repeated_request_gets_the_answer_for_32_seconds(void **state)
{
    (void)state;
    begin_server("OPTIONS", false);
    assert_false(server_receives(false));
    assert_int_equal(sent(), 0);
    assert_int_equal(respond(100, "100"), 0);
    assert_sent("100");
    assert_false(server_receives(false));
    assert_sent("100");
    assert_int_equal(respond(200, "200"), 0);
    assert_sent("200");
    assert_int_equal(respond(200, "200"), ERR_CLOSED);
    after_ms(31999);
    assert_int_equal(sent(), 0);
    assert_false(server_receives(false));
    assert_sent("200");
    assert_alive();
    after_ms(1);
    assert_done();
}

static void answer_on_a_reliable_transport_ends_it_at_once(void **state)
{
    (void)state;
    begin_server("OPTIONS", true);
    assert_int_equal(respond(200, "200"), 0);
    assert_sent("200");
    assert_alive();
    after_ms(0);
    assert_done();
}

static void server_is_found_by_branch_sent_by_and_method(void **state)
{
    (void)state;
    begin_server("INVITE", true);
    assert_ptr_equal(sip_server_find(&world.table, SERVER_BRANCH, SENT_BY, "INVITE"), &world.server);
    assert_ptr_equal(sip_server_find(&world.table, SERVER_BRANCH, SENT_BY, "ACK"), &world.server);
    assert_null(sip_server_find(&world.table, SERVER_BRANCH, SENT_BY, "CANCEL"));
    assert_null(sip_server_find(&world.table, SERVER_BRANCH, "client.example.org", "INVITE"));
    assert_null(sip_server_find(&world.table, SERVER_BRANCH "x", SENT_BY, "INVITE"));
    sip_server_cancel(&world.server);
    assert_null(sip_server_find(&world.table, SERVER_BRANCH, SENT_BY, "INVITE"));
}

static void server_that_cannot_begin_leaves_nothing(void **state)
{
    (void)state;
    char branch[SIP_BRANCH_MAX + 2];
    memset(branch, 'b', sizeof branch - 1);
    branch[sizeof branch - 1] = '\0';
    assert_int_equal(
        sip_server_begin(&world.table, &world.server, &server_events, false, branch, SENT_BY, "INVITE", world.now),
        ERR_TOO_LARGE);
    assert_null(sip_server_find(&world.table, branch, SENT_BY, "INVITE"));
    for (unsigned long n = 1;; n++) {
        memory_fail_at(n);
        int result = sip_server_begin(&world.table, &world.server, &server_events, false, SERVER_BRANCH, SENT_BY,
                                      "INVITE", world.now);
        memory_fail_at(0);
        if (result == 0)
            break;
        assert_int_equal(result, ERR_MEMORY);
        assert_int_equal(world.timers.count, 0);
    }
    sip_server_cancel(&world.server);
}

static void response_that_cannot_be_kept_is_not_sent(void **state)
{
    (void)state;
    begin_server("INVITE", false);
    memory_fail_at(1);
    assert_int_equal(respond(486, "486"), ERR_MEMORY);
    memory_fail_at(0);
    assert_int_equal(sent(), 0);
    assert_int_equal(respond(486, "486"), 0);
    assert_sent("486");
    sip_server_cancel(&world.server);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(invite_is_sent_again_at_doubled_intervals_and_times_out),
        STORY(invite_on_a_reliable_transport_is_sent_once_and_times_out),
        STORY(ringing_stops_retransmissions_and_may_last),
        STORY(each_2xx_is_passed_on_for_32_seconds),
        STORY(late_failure_and_ringing_after_2xx_are_swallowed),
        STORY(failure_is_acknowledged_and_so_is_each_repetition),
        STORY(failure_on_a_reliable_transport_ends_it_at_once),
        STORY(failure_without_an_ack_at_hand_is_absorbed),
        STORY(failure_is_acknowledged_once_where_memory_is_short),
        STORY(request_is_sent_again_up_to_every_4_seconds_and_times_out),
        STORY(provisional_response_slows_retransmissions_and_stops_no_clock),
        STORY(final_response_is_passed_on_once_and_repetitions_absorbed_for_5_seconds),
        STORY(final_response_on_a_reliable_transport_ends_it_at_once),
        STORY(cancel_is_not_taken_for_its_invite),
        STORY(client_that_cannot_begin_leaves_nothing),
        STORY(repeated_invite_gets_the_last_response),
        STORY(further_2xx_after_2xx_is_sent),
        STORY(failure_is_sent_until_its_ack_comes),
        STORY(failure_whose_ack_is_lost_is_given_up),
        STORY(failure_on_a_reliable_transport_is_sent_once_and_ends_with_its_ack),
        STORY(response_after_the_final_one_is_refused),
        STORY(repeated_request_gets_the_answer_for_32_seconds),
        STORY(answer_on_a_reliable_transport_ends_it_at_once),
        STORY(server_is_found_by_branch_sent_by_and_method),
        STORY(server_that_cannot_begin_leaves_nothing),
        STORY(response_that_cannot_be_kept_is_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
