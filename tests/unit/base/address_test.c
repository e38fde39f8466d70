/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/address.h"
#include "base/error.h"

static void address_survives_text_and_back(void **state)
{
    (void)state;
    static const char *const texts[] = {"192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:65535"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct address address;
        char text[ADDRESS_TEXT_MAX];
        assert_int_equal(address_parse(texts[i], &address), 0);
        assert_string_equal(address_format(&address, text), texts[i]);
    }
}

static void address_text_that_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",          "192.0.2",        "192.0.2.1:",      "192.0.2.1:65536", "192.0.2.1:-1",
        "[::1",      "[192.0.2.1]:80", "[::1]80",         "example.org",     "192.0.2.1: 80",
        "::1:80:::", "[::1]:",         "192.0.2.1:000080"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct address address;
        assert_int_equal(address_parse(texts[i], &address), ERR_MALFORMED);
    }
}

static void prefix_contains_its_range_and_nothing_else(void **state)
{
    (void)state;
    struct address_prefix prefix;
    struct address inside, outside;
    assert_int_equal(address_prefix_parse("172.16.0.0/12", &prefix), 0);
    assert_int_equal(address_parse("172.31.255.255", &inside), 0);
    assert_int_equal(address_parse("172.32.0.0", &outside), 0);
    assert_true(address_prefix_contains(&prefix, &inside));
    assert_false(address_prefix_contains(&prefix, &outside));

    assert_int_equal(address_prefix_parse("::/0", &prefix), 0);
    assert_false(address_prefix_contains(&prefix, &inside));
    assert_int_equal(address_parse("2001:db8::1", &inside), 0);
    assert_true(address_prefix_contains(&prefix, &inside));

    assert_int_equal(address_prefix_parse("192.0.2.7", &prefix), 0);
    assert_int_equal(prefix.bits, 32);
}

static void prefix_with_host_bits_is_refused(void **state)
{
    (void)state;
    struct address_prefix prefix;
    assert_int_equal(address_prefix_parse("10.1.0.0/8", &prefix), ERR_MALFORMED);
    assert_int_equal(address_prefix_parse("10.0.0.0/33", &prefix), ERR_MALFORMED);
    assert_int_equal(address_prefix_parse("2001:db8::/129", &prefix), ERR_MALFORMED);
    assert_int_equal(address_prefix_parse("10.0.0.0/", &prefix), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(address_survives_text_and_back),
        cmocka_unit_test(address_text_that_is_none_is_refused),
        cmocka_unit_test(prefix_contains_its_range_and_nothing_else),
        cmocka_unit_test(prefix_with_host_bits_is_refused),
    };
    return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
