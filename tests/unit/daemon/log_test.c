/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/now.h"
#include "daemon/log.h"

static void line_has_time_level_event_and_pairs(void **state)
{
    (void)state;
    char line[128];
    log_format(line, sizeof line, 1700000000, 7, LOG_REFUSED, 0, "client=192.0.2.1:5 error=401");
    assert_string_equal(line, "2023-11-14T22:13:20.007Z info refused client=192.0.2.1:5 error=401");
    log_format(line, sizeof line, 0, 999, LOG_EXHAUSTED, 12, "");
    assert_string_equal(line, "1970-01-01T00:00:00.999Z warning exhausted left_out=12");
}

static void line_stays_one_line_whatever_it_is_told(void **state)
{
    (void)state;
    char line[64];
    log_format(line, sizeof line, 0, 0, LOG_NOTICE, 0, "a\nb\x1b[2J");
    assert_null(strpbrk(line, "\n\x1b"));
    assert_non_null(strstr(line, "a\\x0ab\\x1b[2J"));

    char text[200];
    memset(text, '\n', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (unsigned size = 40; size < sizeof line; size++) {
        memset(line, '#', sizeof line);
        log_format(line, size, 0, 0, LOG_NOTICE, 3, text);
        assert_true(strlen(line) < size);
    }
}

static void one_kind_of_event_is_limited_and_says_what_was_left_out(void **state)
{
    (void)state;
    struct log_limiter limiter = {0};
    unsigned long long now = 77 * NS_PER_S;
    for (int i = 0; i < LOG_BURST; i++)
        assert_int_equal(log_limiter_ask(&limiter, now), 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(log_limiter_ask(&limiter, now), -1);
    now += NS_PER_S / LOG_PER_SECOND;
    assert_int_equal(log_limiter_ask(&limiter, now), 1000);
    assert_int_equal(log_limiter_ask(&limiter, now), -1);
    /* After a rest the whole burst is there again. */
    now += 3600 * NS_PER_S;
    assert_int_equal(log_limiter_ask(&limiter, now), 1);
    for (int i = 1; i < LOG_BURST; i++)
        assert_int_equal(log_limiter_ask(&limiter, now), 0);
    assert_int_equal(log_limiter_ask(&limiter, now), -1);
}

static void levels_are_read_by_name(void **state)
{
    (void)state;
    enum log_level level = LOG_LEVEL_INFO;
    assert_int_equal(log_level_parse("debug", &level), 0);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
    assert_int_not_equal(log_level_parse("loud", &level), 0);
    assert_int_equal(level, LOG_LEVEL_DEBUG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_has_time_level_event_and_pairs),
        cmocka_unit_test(line_stays_one_line_whatever_it_is_told),
        cmocka_unit_test(one_kind_of_event_is_limited_and_says_what_was_left_out),
        cmocka_unit_test(levels_are_read_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
