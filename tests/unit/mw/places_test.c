/* SPDX-License-Identifier: BSD-3-Clause
 * Which places are dead, and from whom SIP is taken, by a clock that is a variable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "edge/edge.h"
#include "mw/dns_ttl.h"
#include "mw/health.h"
#include "mw/sources.h"

static struct health health;
static struct sources sources;
static struct now now;

static int set_up(void **state)
{
    (void)state;
    memset(&health, 0, sizeof health);
    memset(&sources, 0, sizeof sources);
    now = (struct now){.monotonic_ns = 1000 * NS_PER_S};
    return 0;
}

static struct address at(const char *text)
{
    struct address address;
    assert_int_equal(address_parse(text, &address), 0);
    return address;
}

static void a_dead_place_is_asked_again_after_30s(void **state)
{
    (void)state;
    struct address place = at("192.0.2.1:5060");
    health_mark_dead(&health, &place, EDGE_TCP, now);
    assert_true(health_is_dead(&health, &place, EDGE_TCP, now));
    assert_false(health_is_dead(&health, &place, EDGE_UDP, now));
    now.monotonic_ns += 30 * NS_PER_S - 1;
    assert_true(health_is_dead(&health, &place, EDGE_TCP, now));
    now.monotonic_ns++;
    assert_false(health_is_dead(&health, &place, EDGE_TCP, now));
}

static void a_dead_place_that_speaks_lives(void **state)
{
    (void)state;
    struct address place = at("192.0.2.1:5060");
    health_mark_dead(&health, &place, EDGE_UDP, now);
    health_heard(&health, &place, EDGE_UDP, now);
    assert_false(health_is_dead(&health, &place, EDGE_UDP, now));
}

static void one_request_without_an_answer_does_not_make_a_place_silent_that_speaks_to_others(void **state)
{
    (void)state;
    struct address place = at("192.0.2.1:5060");
    assert_true(health_is_silent(&health, &place, EDGE_UDP, now));
    health_sent(&health, &place, EDGE_UDP, now);
    health_heard(&health, &place, EDGE_UDP, now);
    now.monotonic_ns += HEALTH_HEARD_NS - 1;
    assert_false(health_is_silent(&health, &place, EDGE_UDP, now));
    now.monotonic_ns++;
    assert_true(health_is_silent(&health, &place, EDGE_UDP, now));
}

static void an_error_about_what_was_never_sent_is_forged(void **state)
{
    (void)state;
    struct address place = at("192.0.2.1:5060");
    assert_false(health_is_waited_for(&health, &place, EDGE_UDP));
    health_sent(&health, &place, EDGE_UDP, now);
    assert_true(health_is_waited_for(&health, &place, EDGE_UDP));
    now.monotonic_ns++;
    health_heard(&health, &place, EDGE_UDP, now);
    assert_false(health_is_waited_for(&health, &place, EDGE_UDP));
}

static void the_place_that_was_used_least_lately_is_forgotten(void **state)
{
    (void)state;
    struct address dead = at("192.0.2.1:1"), other = at("192.0.2.2:1");
    health_mark_dead(&health, &dead, EDGE_UDP, now);
    for (uint16_t i = 0; i < HEALTH_PLACES - 1; i++) {
        now.monotonic_ns++;
        other.port++;
        health_sent(&health, &other, EDGE_UDP, now);
    }
    assert_true(health_is_dead(&health, &dead, EDGE_UDP, now));
    other.port++;
    health_sent(&health, &other, EDGE_UDP, now);
    assert_false(health_is_dead(&health, &dead, EDGE_UDP, now));
}

static void entries_and_prefixes_are_trusted_at_any_port_and_nobody_else(void **state)
{
    (void)state;
    struct address_prefix prefix;
    struct address entry = at("192.0.2.1:5060"), same = at("192.0.2.1:40000"), near = at("10.1.2.3:1"),
                   stranger = at("192.0.2.2:5060");
    address_prefix_parse("10.0.0.0/8", &prefix);
    sources.trusted = &prefix;
    sources.trusted_count = 1;
    assert_false(sources_trust(&sources, &entry));
    sources_entries_add(&sources, &entry);
    assert_true(sources_trust(&sources, &same));
    assert_true(sources_trust(&sources, &near));
    assert_false(sources_trust(&sources, &stranger));
    sources_entries_clear(&sources);
    assert_false(sources_trust(&sources, &same));
}

static void who_was_asked_may_answer_as_long_as_a_transaction_lives(void **state)
{
    (void)state;
    struct address hop = at("192.0.2.9:5060");
    assert_false(sources_may_answer(&sources, &hop, now));
    sources_ask(&sources, &hop, now);
    now.monotonic_ns += SOURCES_ASKED_NS - 1;
    assert_true(sources_may_answer(&sources, &hop, now));
    assert_false(sources_trust(&sources, &hop));
    now.monotonic_ns++;
    assert_false(sources_may_answer(&sources, &hop, now));
}

static void an_answer_lives_as_long_as_its_shortest_record(void **state)
{
    (void)state;
    /* Header, one question, two records; the second one's name is a pointer. */
    static const uint8_t message[] = {0, 1,  0x81, 0x80, 0,  1,   0,  2, 0,  0, 0, 0, 1, 'a', 0,
                                      0, 33, 0,    1,    1,  'a', 0,  0, 33, 0, 1, 0, 0, 1,   0,
                                      0, 1,  9,    0xc0, 12, 0,   33, 0, 1,  0, 0, 0, 7, 0,   0};
    uint32_t ttl = 0;
    assert_int_equal(dns_ttl_decode(message, sizeof message, &ttl), 0);
    assert_int_equal(ttl, 7);
    for (size_t length = 0; length < sizeof message; length++)
        assert_int_equal(dns_ttl_decode(message, length, &ttl), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_dead_place_is_asked_again_after_30s, set_up),
        cmocka_unit_test_setup(a_dead_place_that_speaks_lives, set_up),
        cmocka_unit_test_setup(one_request_without_an_answer_does_not_make_a_place_silent_that_speaks_to_others,
                               set_up),
        cmocka_unit_test_setup(an_error_about_what_was_never_sent_is_forged, set_up),
        cmocka_unit_test_setup(the_place_that_was_used_least_lately_is_forgotten, set_up),
        cmocka_unit_test_setup(entries_and_prefixes_are_trusted_at_any_port_and_nobody_else, set_up),
        cmocka_unit_test_setup(who_was_asked_may_answer_as_long_as_a_transaction_lives, set_up),
        cmocka_unit_test(an_answer_lives_as_long_as_its_shortest_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
