/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "office.h"

static struct office office;

static int setup(void **state)
{
    (void)state;
    office_open(&office);
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

static void subscribe(const char *user, const char *identity, const char *to_tag, unsigned expires)
{
    static unsigned cseq;
    cseq++;
    office_receive(&office,
                   "SUBSCRIBE sip:%s@" DOMAIN " SIP/2.0\nVia: SIP/2.0/TCP " EDGE ";branch=z9hG4bKs%u\n"
                   "Max-Forwards: 70\nFrom: <sip:" EDGE ">;tag=watch\nTo: <sip:%s@" DOMAIN ">%s%s\n"
                   "Call-ID: watch@edge\nCSeq: %u SUBSCRIBE\nContact: <sip:token@" EDGE ">\nEvent: reg\n"
                   "Accept: application/reginfo+xml\nExpires: %u\n%sContent-Length: 0\n\n",
                   user, cseq, user, to_tag[0] ? ";tag=" : "", to_tag, cseq, expires, identity);
}

#define BY_EDGE "P-Asserted-Identity: <sip:" EDGE ">\n"

static void answer(const char *notify, unsigned status)
{
    office_answer(&office, notify, status);
}

/* The next message is a NOTIFY that says that; it is answered. */
static void assert_told(const char *registration, const char *contact)
{
    char notify[8192];
    snprintf(notify, sizeof notify, "%s", next());
    assert_has(notify, "NOTIFY sip:token@" EDGE " SIP/2.0\r\n");
    assert_has(notify, registration);
    if (contact)
        assert_has(notify, contact);
    answer(notify, 200);
}

static void edge_subscribes(const char *user)
{
    subscribe(user, BY_EDGE, "", 3600);
    const char *response = next();
    assert_int_equal(status_of(response), 200);
    assert_string_equal(line_of(response, "Expires", 0), "3600");
    assert_has(line_of(response, "Contact", 0), OFFICE);
}

static void edge_is_told_all_at_once_and_then_each_change(void **state)
{
    (void)state;
    office_let_in(&office, "alice", "a1");
    edge_subscribes("alice");
    const char *notify = next();
    assert_has(notify, "state=\"full\"");
    assert_has(notify, "version=\"0\"");
    assert_has(notify, "aor=\"sip:alice@" DOMAIN "\"");
    assert_has(notify, "<uri>sip:alice@a1.invalid;transport=ws</uri>");
    assert_string_equal(line_of(notify, "Event", 0), "reg");
    assert_string_equal(line_of(notify, "Subscription-State", 0), "active;expires=3600");
    assert_string_equal(line_of(notify, "Content-Type", 0), "application/reginfo+xml");
    assert_string_equal(line_of(notify, "Call-ID", 0), "watch@edge");
    assert_has(line_of(notify, "To", 0), "tag=watch");
    answer(notify, 200);

    office_let_in(&office, "alice", "a2");
    assert_told("state=\"active\"", "a2.invalid");
    office_let_in(&office, "bob", "b1"); /* is somebody else's affair */
    assert_null(office_next(&office));
}

static void end_by_time_is_told(void **state)
{
    (void)state;
    office_register(&office, &(struct device){.user = "alice", .flow = "a1", .expires = 60});
    edge_subscribes("alice");
    assert_told("state=\"active\"", NULL);
    office_wait(&office, 60 * 1000);
    assert_told("id=\"r", "state=\"terminated\" event=\"expired\"");
    assert_null(office_next(&office));
}

static void removal_of_the_account_ends_the_registration_and_is_told(void **state)
{
    (void)state;
    char file[] = "/tmp/postern-office-XXXXXX";
    close(mkstemp(file));
    unlink(file);
    struct accounts_error error;
    struct accounts *by_hand;
    assert_int_equal(accounts_open(file, DOMAIN, 100, &by_hand, &error), 0);
    assert_int_equal(accounts_add(by_hand, "alice", "alice's", 1), 0);
    office_reopen(&office, file);

    const char *challenge =
        office_register(&office, &(struct device){.user = "alice", .flow = "a1", .authorization = "none"});
    const char *authorization =
        digest_answer(line_of(challenge, "WWW-Authenticate", 0), "alice", "alice's", "REGISTER", 1);
    assert_int_equal(status_of(office_register(
                         &office, &(struct device){.user = "alice", .flow = "a1", .authorization = authorization})),
                     200);
    edge_subscribes("alice");
    assert_told("state=\"active\"", NULL);
    office_wait(&office, 10 * 1000);
    assert_null(office_next(&office));
    assert_int_equal(accounts_remove(by_hand, "alice"), 0);
    office_wait(&office, 2000);
    assert_told("state=\"terminated\"", "event=\"rejected\"");
    accounts_close(&by_hand);
    unlink(file);
}

static void changes_in_between_are_told_when_the_answer_comes(void **state)
{
    (void)state;
    edge_subscribes("alice");
    char first[8192];
    snprintf(first, sizeof first, "%s", next());
    assert_has(first, "state=\"init\"");
    office_let_in(&office, "alice", "a1");
    office_let_in(&office, "alice", "a2");
    assert_null(office_next(&office));
    answer(first, 200);
    office_wait(&office, 1);
    assert_told("a1.invalid", "a2.invalid");
    assert_null(office_next(&office));
}

static void subscription_is_refreshed_and_ended_by_its_tag(void **state)
{
    (void)state;
    subscribe("alice", BY_EDGE, "", 100);
    char tag[64];
    snprintf(tag, sizeof tag, "%s", between(line_of(next(), "To", 0), ";tag=", ";"));
    assert_told("init", NULL);
    office_wait(&office, 90 * 1000);
    subscribe("alice", BY_EDGE, tag, 100);
    assert_int_equal(status_of(next()), 200);
    assert_told("init", NULL);
    office_wait(&office, 99 * 1000);
    assert_null(office_next(&office));
    subscribe("alice", BY_EDGE, tag, 0);
    assert_int_equal(status_of(next()), 200);
    assert_string_equal(line_of(next(), "Subscription-State", 0), "terminated;reason=timeout");
    subscribe("alice", BY_EDGE, tag, 100);
    assert_int_equal(status_of(next()), 481);
    assert_null(office_next(&office));
}

static void subscriber_who_knows_of_nothing_is_forgotten(void **state)
{
    (void)state;
    edge_subscribes("alice");
    answer(next(), 481);
    office_let_in(&office, "alice", "a1");
    assert_null(office_next(&office));
    edge_subscribes("alice");
    next(); /* stays without an answer */
    office_wait(&office, 33 * 1000);
    office_let_in(&office, "alice", "a2");
    assert_null(office_next(&office));
}

static void nobody_watches_somebody_else(void **state)
{
    (void)state;
    office_let_in(&office, "alice", "a1");
    subscribe("alice", "P-Asserted-Identity: <sip:bob@" DOMAIN ">\n", "", 100);
    assert_int_equal(status_of(next()), 403);
    subscribe("alice", "P-Asserted-Identity: <sip:alice@example.com>\n", "", 100);
    assert_int_equal(status_of(next()), 403);
    subscribe("alice", "P-Asserted-Identity: \"x\n", "", 100);
    assert_int_equal(status_of(next()), 403);
    subscribe("alice", "P-Asserted-Identity: <sip:alice@" DOMAIN ">\n", "", 100);
    assert_int_equal(status_of(next()), 200);
    subscribe("nobody", BY_EDGE, "", 100);
    next();
    assert_int_equal(status_of(next()), 404);
}

static void watchers_of_one_user_have_a_limit(void **state)
{
    (void)state;
    unsigned good = 0;
    for (int i = 0; i < 20; i++) {
        subscribe("alice", BY_EDGE, "", 3600);
        unsigned status = status_of(next());
        good += status == 200;
        assert_true(status == 200 || status == 503);
        while (office_next(&office))
            ;
    }
    assert_int_equal(good, 16);
}

static void want_of_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    for (unsigned long n = 1; n < 60; n++) {
        memory_fail_at(n);
        subscribe("alice", BY_EDGE, "", 100);
        memory_fail_at(0);
        office_wait(&office, 101 * 1000);
        while (office_next(&office))
            ;
    }
    edge_subscribes("alice");
    assert_told("init", NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(edge_is_told_all_at_once_and_then_each_change),
        TEST(end_by_time_is_told),
        TEST(removal_of_the_account_ends_the_registration_and_is_told),
        TEST(changes_in_between_are_told_when_the_answer_comes),
        TEST(subscription_is_refreshed_and_ended_by_its_tag),
        TEST(subscriber_who_knows_of_nothing_is_forgotten),
        TEST(nobody_watches_somebody_else),
        TEST(watchers_of_one_user_have_a_limit),
        TEST(want_of_memory_leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("subscription", tests, NULL, NULL);
}
