/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "daemon/quote.h"

static void control_characters_are_escaped(void **state)
{
    (void)state;
    char out[64];
    assert_string_equal(quote(out, sizeof out, "a\n\"b\\\x1b[31m\xc3\xa9\0z", 14),
                        "\"a\\x0a\\\"b\\\\\\x1b[31m\\xc3\\xa9\\x00z\"");
    assert_string_equal(quote(out, sizeof out, "", 0), "\"\"");
}

static void long_text_is_cut_without_passing_the_end(void **state)
{
    (void)state;
    char text[100];
    memset(text, '\n', sizeof text);
    for (size_t size = 8; size < 60; size++) {
        char out[64];
        memset(out, '#', sizeof out);
        quote(out, size, text, sizeof text);
        size_t length = strlen(out);
        assert_true(length < size);
        assert_int_equal(out[size], '#');
        assert_string_equal(out + length - 4, "...\"");
    }
}

static void values_are_quoted_only_where_logfmt_needs_it(void **state)
{
    (void)state;
    char out[64];
    assert_string_equal(quote_value(out, sizeof out, "192.0.2.1:80", 12), "192.0.2.1:80");
    assert_string_equal(quote_value(out, sizeof out, "a b", 3), "\"a b\"");
    assert_string_equal(quote_value(out, sizeof out, "a=b", 3), "\"a=b\"");
    assert_string_equal(quote_value(out, sizeof out, "", 0), "\"\"");
    assert_string_equal(quote_value(out, 8, "123456789", 9), "\"12...\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_characters_are_escaped),
        cmocka_unit_test(long_text_is_cut_without_passing_the_end),
        cmocka_unit_test(values_are_quoted_only_where_logfmt_needs_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
