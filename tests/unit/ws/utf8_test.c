/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ws/utf8.h"

static const char *const good[] = {"",
                                   "plain",
                                   "\xc2\x80",
                                   "\xdf\xbf",
                                   "\xe0\xa0\x80",
                                   "\xed\x9f\xbf",
                                   "\xee\x80\x80",
                                   "\xef\xbf\xbf",
                                   "\xf0\x90\x80\x80",
                                   "\xf4\x8f\xbf\xbf",
                                   "\xce\xba\xe1\xbd\xb9"};
static const char *const bad[] = {"\x80",
                                  "\xbf",
                                  "\xc0\x80",
                                  "\xc1\xbf",
                                  "\xe0\x9f\xbf",
                                  "\xed\xa0\x80",
                                  "\xed\xbf\xbf",
                                  "\xf0\x8f\xbf\xbf",
                                  "\xf4\x90\x80\x80",
                                  "\xf5\x80\x80\x80",
                                  "\xff",
                                  "\xfe",
                                  "\xe1\x80"
                                  "a",
                                  "a\xc2"
                                  "a",
                                  "\xf0\x90\x80"
                                  "a"};

static void texts_of_utf8_are_valid_in_any_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        const uint8_t *text = (const uint8_t *)good[i];
        size_t length = strlen(good[i]);
        assert_true(ws_utf8_valid(text, length));
        for (size_t cut = 0; cut <= length; cut++) {
            struct ws_utf8 utf8 = {0};
            assert_true(ws_utf8_check(&utf8, text, cut) && ws_utf8_check(&utf8, text + cut, length - cut));
            assert_true(ws_utf8_complete(&utf8));
        }
    }
}

static void overlong_forms_surrogates_and_stray_bytes_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(ws_utf8_valid((const uint8_t *)bad[i], strlen(bad[i])));
}

static void a_cut_character_is_no_end(void **state)
{
    (void)state;
    struct ws_utf8 utf8 = {0};
    assert_true(ws_utf8_check(&utf8, (const uint8_t *)"\xf0\x90\x80", 3));
    assert_false(ws_utf8_complete(&utf8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_of_utf8_are_valid_in_any_pieces),
        cmocka_unit_test(overlong_forms_surrogates_and_stray_bytes_are_refused),
        cmocka_unit_test(a_cut_character_is_no_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
