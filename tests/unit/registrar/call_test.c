/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "office.h"

static struct office office;

static int setup(void **state)
{
    (void)state;
    office_open(&office);
    office_let_in(&office, "alice", "a1");
    office_let_in(&office, "bob", "b1");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    office_close(&office);
    return 0;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no %s in:\n%s", part, text);
}

static const char *next(void)
{
    const char *message = office_next(&office);
    assert_non_null(message);
    return message;
}

static void assert_quiet(void)
{
    const char *message = office_next(&office);
    if (message)
        fail_msg("unexpected:\n%s", message);
}

/* A request outside of dialogs, as the edge passes it on for |user|. */
static void request(const char *method, const char *user, const char *to, const char *branch, const char *lines)
{
    office_receive(&office,
                   "%s sip:%s SIP/2.0\nVia: SIP/2.0/TCP " EDGE ";branch=z9hG4bK%s\n"
                   "Via: SIP/2.0/WSS client.invalid;branch=z9hG4bKc\nRecord-Route: <sip:a1@" EDGE ";lr>\n"
                   "Route: <sip:orig@" OFFICE ";lr>\nMax-Forwards: 69\n"
                   "From: <sip:%s@" DOMAIN ">;tag=from\nTo: <sip:%s>\nCall-ID: call\nCSeq: 1 %s\n"
                   "P-Asserted-Identity: <sip:%s@" DOMAIN ">\nContact: <sip:%s@a1.invalid;transport=ws>\n"
                   "%sContent-Length: 0\n\n",
                   method, to, branch, user, to, method, user, user, lines);
}

static void invite(const char *branch)
{
    request("INVITE", "alice", "bob@" DOMAIN, branch, "");
}

static void answer(const char *message, unsigned status)
{
    office_answer(&office, message, status);
}

static bool is(const char *message, const char *method)
{
    return strncmp(message, method, strlen(method)) == 0 && message[strlen(method)] == ' ';
}

/* alice calls bob at one place: returns the INVITE that went there. */
static const char *rung(const char *branch)
{
    invite(branch);
    assert_int_equal(status_of(next()), 100);
    const char *sent = next();
    assert_true(is(sent, "INVITE"));
    assert_quiet();
    return sent;
}

static void assert_forwarded(unsigned status)
{
    const char *message = next();
    assert_int_equal(status_of(message), status);
    assert_has(line_of(message, "Via", 0), EDGE);
    assert_has(line_of(message, "Via", 1), "client.invalid");
    assert_string_equal(line_of(message, "Via", 2), "");
}

static void call_goes_to_the_flow_behind_the_path(void **state)
{
    (void)state;
    const char *sent = rung("1");
    assert_has(sent, "INVITE sip:bob@b1.invalid;transport=ws SIP/2.0\r\n");
    assert_string_equal(line_of(sent, "Route", 0), "<sip:b1@" EDGE ";lr;ob>");
    assert_string_equal(line_of(sent, "Route", 1), "");
    assert_string_equal(line_of(sent, "Record-Route", 0), "<sip:" OFFICE ";lr>");
    assert_string_equal(line_of(sent, "Record-Route", 1), "<sip:a1@" EDGE ";lr>");
    assert_has(line_of(sent, "Via", 0), "SIP/2.0/TCP " OFFICE ";branch=z9hG4bK");
    assert_string_equal(line_of(sent, "Max-Forwards", 0), "68");
    assert_string_equal(line_of(sent, "P-Asserted-Identity", 0), "<sip:alice@" DOMAIN ">");

    answer(sent, 100);
    assert_quiet();
    answer(sent, 180);
    assert_forwarded(180);
    answer(sent, 200);
    assert_forwarded(200);
    answer(sent, 200); /* again: the callee waits for the ACK */
    assert_forwarded(200);
    assert_quiet();
}

static void in_dialog(const char *method, const char *branch, const char *routes)
{
    office_receive(&office,
                   "%s sip:bob@b1.invalid;transport=ws SIP/2.0\nVia: SIP/2.0/TCP " EDGE ";branch=z9hG4bK%s\n%s"
                   "Max-Forwards: 69\nFrom: <sip:alice@" DOMAIN ">;tag=from\nTo: <sip:bob@" DOMAIN ">;tag=tob1\n"
                   "Call-ID: call\nCSeq: 2 %s\nContent-Length: 0\n\n",
                   method, branch, routes, method);
}

static void dialog_follows_its_record_routes(void **state)
{
    (void)state;
    static const char *const routes = "Route: <sip:" OFFICE ";lr>\nRoute: <sip:b1@" EDGE ";lr>\n";
    const char *sent = rung("1");
    answer(sent, 200);
    next();
    in_dialog("ACK", "2", routes);
    sent = next();
    assert_true(is(sent, "ACK"));
    assert_string_equal(line_of(sent, "Route", 0), "<sip:b1@" EDGE ";lr>");
    assert_string_equal(line_of(sent, "Route", 1), "");
    assert_has(line_of(sent, "Via", 0), OFFICE);

    in_dialog("BYE", "3", routes);
    sent = next();
    assert_true(is(sent, "BYE"));
    assert_has(sent, "BYE sip:bob@b1.invalid;transport=ws SIP/2.0\r\n");
    answer(sent, 200);
    assert_int_equal(status_of(next()), 200);

    /* What pretends to be in a dialog, but did not come through us, is not passed on. */
    in_dialog("BYE", "4", "Route: <sip:b1@" EDGE ";lr>\n");
    assert_int_equal(status_of(next()), 403);
    in_dialog("ACK", "5", "");
    assert_quiet();
}

static void two_places_ring_and_the_first_to_answer_has_the_call(void **state)
{
    (void)state;
    office_let_in(&office, "bob", "b2");
    invite("1");
    assert_int_equal(status_of(next()), 100);
    const char *one = next(), *two = next();
    assert_has(one, "b1.invalid");
    assert_has(two, "b2.invalid");
    assert_string_not_equal(line_of(one, "Via", 0), line_of(two, "Via", 0));
    answer(one, 180);
    assert_forwarded(180);
    answer(two, 180);
    assert_forwarded(180);
    answer(two, 200);
    assert_forwarded(200);
    const char *cancel = next();
    assert_has(cancel, "CANCEL sip:bob@b1.invalid;transport=ws SIP/2.0\r\n");
    assert_string_equal(line_of(cancel, "Via", 0), line_of(one, "Via", 0));
    assert_string_equal(line_of(cancel, "Route", 0), line_of(one, "Route", 0));
    assert_string_equal(line_of(cancel, "CSeq", 0), "1 CANCEL");
    answer(cancel, 200);
    answer(one, 487);
    const char *ack = next();
    assert_true(is(ack, "ACK"));
    assert_string_equal(line_of(ack, "Via", 0), line_of(one, "Via", 0));
    assert_quiet(); /* and nothing of it reaches the caller */
}

static void second_2xx_reaches_the_caller_who_ends_it(void **state)
{
    (void)state;
    office_let_in(&office, "bob", "b2");
    invite("1");
    next();
    const char *one = next(), *two = next();
    answer(one, 200);
    assert_forwarded(200);
    assert_quiet(); /* no CANCEL before a provisional answer */
    answer(two, 200);
    assert_forwarded(200);
    assert_quiet();
}

static void branch_is_cancelled_as_soon_as_it_rings(void **state)
{
    (void)state;
    office_let_in(&office, "bob", "b2");
    invite("1");
    next();
    const char *one = next(), *two = next();
    answer(one, 200);
    assert_forwarded(200);
    answer(two, 180);
    assert_true(is(next(), "CANCEL"));
    assert_quiet();
}

static void best_answer_comes_when_all_have_refused(void **state)
{
    (void)state;
    static const struct {
        unsigned one, two, best;
    } rows[] = {{486, 480, 486}, {480, 486, 486}, {500, 404, 404}, {486, 302, 302}, {415, 486, 415},
                {503, 503, 500}, {486, 603, 603}, {408, 500, 408}, {404, 486, 404}};
    office_let_in(&office, "bob", "b2");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char branch[16];
        snprintf(branch, sizeof branch, "best%zu", i);
        invite(branch);
        next();
        const char *one = next(), *two = next();
        answer(one, rows[i].one);
        assert_true(is(next(), "ACK"));
        assert_quiet();
        answer(two, rows[i].two);
        assert_true(is(next(), "ACK"));
        assert_forwarded(rows[i].best);
        assert_quiet();
    }
}

static void decline_everywhere_ends_the_others(void **state)
{
    (void)state;
    office_let_in(&office, "bob", "b2");
    invite("1");
    next();
    const char *one = next(), *two = next();
    answer(two, 180);
    assert_forwarded(180);
    answer(one, 603);
    assert_true(is(next(), "ACK"));
    assert_true(is(next(), "CANCEL"));
    answer(two, 487);
    assert_true(is(next(), "ACK"));
    assert_forwarded(603);
    assert_quiet();
}

static void caller_cancels(void **state)
{
    (void)state;
    const char *sent = rung("1");
    answer(sent, 180);
    assert_forwarded(180);
    request("CANCEL", "alice", "bob@" DOMAIN, "1", "");
    assert_int_equal(status_of(next()), 200);
    const char *cancel = next();
    assert_true(is(cancel, "CANCEL"));
    answer(cancel, 200);
    answer(sent, 487);
    assert_true(is(next(), "ACK"));
    assert_forwarded(487);
    assert_quiet();
    request("CANCEL", "alice", "bob@" DOMAIN, "other", "");
    assert_int_equal(status_of(next()), 481);
    assert_quiet();
}

static void cancelled_branch_that_stays_silent_is_given_up(void **state)
{
    (void)state;
    const char *sent = rung("1");
    answer(sent, 180);
    assert_forwarded(180);
    request("CANCEL", "alice", "bob@" DOMAIN, "1", "");
    next();
    assert_true(is(next(), "CANCEL"));
    office_wait(&office, 31999);
    assert_quiet();
    office_wait(&office, 1);
    assert_forwarded(408);
}

static void ringing_has_an_end(void **state)
{
    (void)state;
    const char *sent = rung("1");
    answer(sent, 180);
    assert_forwarded(180);
    office_wait(&office, 184999);
    assert_quiet();
    office_wait(&office, 1);
    assert_true(is(next(), "CANCEL"));
    answer(sent, 487);
    assert_true(is(next(), "ACK"));
    assert_forwarded(487);
}

static void silence_is_answered_with_408_for_invite_and_with_nothing_for_others(void **state)
{
    (void)state;
    rung("1");
    office_wait(&office, 31999);
    assert_quiet();
    office_wait(&office, 1);
    assert_forwarded(408);
    request("MESSAGE", "alice", "bob@" DOMAIN, "2", "");
    assert_true(is(next(), "MESSAGE"));
    office_wait(&office, 40000);
    assert_quiet(); /* RFC 4320 */
}

static void other_methods_pass(void **state)
{
    (void)state;
    static const char *const methods[] = {"MESSAGE", "OPTIONS", "REFER", "SUBSCRIBE", "PUBLISH", "INFO", "X-OWN"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        request(methods[i], "alice", "bob@" DOMAIN, methods[i], "");
        const char *sent = next();
        assert_true(is(sent, methods[i]));
        bool dialog = strcmp(methods[i], "REFER") == 0 || strcmp(methods[i], "SUBSCRIBE") == 0;
        assert_int_equal(strstr(line_of(sent, "Record-Route", 0), OFFICE) != NULL, dialog);
        answer(sent, 202);
        assert_forwarded(202);
        assert_quiet();
    }
}

static void nobody_there_is_told_from_nobody_known(void **state)
{
    (void)state;
    static const struct {
        const char *to;
        unsigned status;
    } rows[] = {
        {"carol@" DOMAIN, 480}, {"nobody@" DOMAIN, 404},      {"bob@example.com", 404},       {"b1.invalid", 404},
        {DOMAIN, 404},          {"bob@" DOMAIN ":5061", 404}, {"%27%20OR%201=1@" DOMAIN, 404}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        request("MESSAGE", "alice", rows[i].to, "1", "");
        assert_int_equal(status_of(next()), rows[i].status);
        assert_quiet();
    }
}

static void caller_is_who_the_edge_says_and_registered(void **state)
{
    (void)state;
    /* Not registered. */
    request("MESSAGE", "carol", "bob@" DOMAIN, "1", "");
    assert_int_equal(status_of(next()), 403);
    /* Another From than the asserted identity, or none asserted at all. */
    static const char *const identities[] = {
        "", "P-Asserted-Identity: <sip:alice@" DOMAIN ">\n", "P-Asserted-Identity: <sip:bob@example.com>\n",
        "P-Asserted-Identity: garbage\n", "P-Preferred-Identity: <sip:bob@" DOMAIN ">\n"};
    for (size_t i = 0; i < sizeof identities / sizeof *identities; i++) {
        office_receive(&office,
                       "MESSAGE sip:bob@" DOMAIN " SIP/2.0\nVia: SIP/2.0/TCP " EDGE ";branch=z9hG4bKi%zu\n"
                       "From: <sip:bob@" DOMAIN ">;tag=f\nTo: <sip:bob@" DOMAIN ">\nCall-ID: c\nCSeq: 1 MESSAGE\n"
                       "%sMax-Forwards: 70\nContent-Length: 0\n\n",
                       i, identities[i]);
        assert_int_equal(status_of(next()), 403);
        assert_quiet();
    }
}

static void new_request_takes_no_route_of_the_callers_own(void **state)
{
    (void)state;
    request("INVITE", "alice", "bob@" DOMAIN, "1", "Route: <sip:secret@" EDGE ";lr>\n");
    assert_int_equal(status_of(next()), 403);
    request("INVITE", "alice", "bob@" DOMAIN, "2", "Proxy-Require: teleport\n");
    const char *refusal = next();
    assert_int_equal(status_of(refusal), 420);
    assert_string_equal(line_of(refusal, "Unsupported", 0), "teleport");
    assert_quiet();
}

static void hops_are_counted(void **state)
{
    (void)state;
    office_receive(&office,
                   "MESSAGE sip:bob@" DOMAIN " SIP/2.0\nVia: SIP/2.0/TCP " EDGE ";branch=z9hG4bK1\n"
                   "From: <sip:alice@" DOMAIN ">;tag=f\nTo: <sip:bob@" DOMAIN ">\nCall-ID: c\nCSeq: 1 MESSAGE\n"
                   "P-Asserted-Identity: <sip:alice@" DOMAIN ">\nMax-Forwards: 0\nContent-Length: 0\n\n");
    assert_int_equal(status_of(next()), 483);
    assert_quiet();
}

static void flow_that_failed_is_forgotten_and_the_next_of_the_instance_asked(void **state)
{
    (void)state;
    office_register(&office, &(struct device){.user = "carol", .flow = "c1", .instance = "i", .reg_id = 1});
    office_register(&office, &(struct device){.user = "carol", .flow = "c2", .instance = "i", .reg_id = 2});
    request("INVITE", "alice", "carol@" DOMAIN, "1", "");
    next();
    const char *sent = next();
    assert_has(sent, "c2.invalid"); /* the latest flow of the instance, and no other */
    assert_quiet();
    answer(sent, 430);
    const char *second = next(), *third = next();
    const char *again = is(second, "ACK") ? third : second;
    assert_has(again, "INVITE sip:carol@c1.invalid");
    assert_quiet();
    answer(again, 430);
    assert_true(is(next(), "ACK"));
    assert_forwarded(480);
    request("INVITE", "alice", "carol@" DOMAIN, "2", "");
    assert_int_equal(status_of(next()), 480);
}

static void repeated_request_is_not_sent_twice(void **state)
{
    (void)state;
    const char *sent = rung("1");
    invite("1");
    assert_quiet();
    answer(sent, 486);
    next();
    assert_forwarded(486);
}

static void stray_responses_go_nowhere(void **state)
{
    (void)state;
    const char *sent = rung("1");
    answer(sent, 486);
    next();
    assert_forwarded(486);
    office_wait(&office, 100);
    answer(sent, 200);
    assert_quiet();
}

/* Every allocation fails in its turn; afterwards the same call works. */
static void want_of_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    for (unsigned long n = 1; n < 200; n++) {
        char branch[16];
        snprintf(branch, sizeof branch, "m%lu", n);
        memory_fail_at(n);
        invite(branch);
        memory_fail_at(0);
        while (office_next(&office))
            ;
        office_wait(&office, 300 * 1000);
        while (office_next(&office))
            ;
        office_let_in(&office, "alice", "a1");
        office_let_in(&office, "bob", "b1");
    }
    const char *sent = rung("last");
    for (unsigned long n = 1; n < 30; n++) {
        memory_fail_at(n);
        answer(sent, n % 2 ? 180 : 183);
        memory_fail_at(0);
    }
    while (office_next(&office))
        ;
    answer(sent, 200);
    assert_forwarded(200);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(call_goes_to_the_flow_behind_the_path),
        TEST(dialog_follows_its_record_routes),
        TEST(two_places_ring_and_the_first_to_answer_has_the_call),
        TEST(second_2xx_reaches_the_caller_who_ends_it),
        TEST(branch_is_cancelled_as_soon_as_it_rings),
        TEST(best_answer_comes_when_all_have_refused),
        TEST(decline_everywhere_ends_the_others),
        TEST(caller_cancels),
        TEST(cancelled_branch_that_stays_silent_is_given_up),
        TEST(ringing_has_an_end),
        TEST(silence_is_answered_with_408_for_invite_and_with_nothing_for_others),
        TEST(other_methods_pass),
        TEST(nobody_there_is_told_from_nobody_known),
        TEST(caller_is_who_the_edge_says_and_registered),
        TEST(new_request_takes_no_route_of_the_callers_own),
        TEST(hops_are_counted),
        TEST(flow_that_failed_is_forgotten_and_the_next_of_the_instance_asked),
        TEST(repeated_request_is_not_sent_twice),
        TEST(stray_responses_go_nowhere),
        TEST(want_of_memory_leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("call", tests, NULL, NULL);
}
