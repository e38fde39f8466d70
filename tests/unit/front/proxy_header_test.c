/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cursor.h"
#include "base/error.h"
#include "front/proxy_header.h"

static struct proxy_header header;

/* Decodes from memory of exactly that length, so that a sanitizer sees each step past the end. */
static int decode(const void *bytes, size_t length)
{
    uint8_t *alone = malloc(length > 0 ? length : 1);
    assert_non_null(alone);
    memcpy(alone, bytes, length);
    int result = proxy_header_decode(alone, length, &header);
    free(alone);
    return result;
}

static int decode_text(const char *text)
{
    return decode(text, strlen(text));
}

static void assert_address(const struct address *address, const char *expected)
{
    char text[ADDRESS_TEXT_MAX];
    assert_string_equal(address_format(address, text), expected);
}

/* A version 2 header under construction. */
static uint8_t v2[16 + 65536];
static size_t v2_length;

static void v2_begin(uint8_t command, uint8_t family)
{
    memcpy(v2, "\r\n\r\n\0\r\nQUIT\n", 12);
    v2[12] = command;
    v2[13] = family;
    store_u16(v2 + 14, 0);
    v2_length = 16;
}

static void v2_add(const void *bytes, size_t length)
{
    memcpy(v2 + v2_length, bytes, length);
    v2_length += length;
    store_u16(v2 + 14, (uint16_t)(v2_length - 16));
}

static void v2_begin_tcp4(void)
{
    v2_begin(0x21, 0x11);
    v2_add("\xc0\x00\x02\x01\xcb\x00\x71\x05\x0f\xa0\x01\xbb", 12);
}

static void version_1_names_both_addresses(void **state)
{
    (void)state;
    static const char tcp4[] = "PROXY TCP4 192.0.2.1 203.0.113.5 4000 443\r\nGET / HTTP/1.1\r\n";
    assert_int_equal(decode_text(tcp4), 43);
    assert_address(&header.source, "192.0.2.1:4000");
    assert_address(&header.destination, "203.0.113.5:443");
    assert_false(header.tls);

    static const char tcp6[] = "PROXY TCP6 2001:DB8::1 2001:db8:0:0:0:0:0:5 65535 1\r\n";
    assert_int_equal(decode_text(tcp6), strlen(tcp6));
    assert_address(&header.source, "[2001:db8::1]:65535");
    assert_address(&header.destination, "[2001:db8::5]:1");

    static const char mapped[] = "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:203.0.113.5 1 2\r\n";
    assert_int_equal(decode_text(mapped), strlen(mapped));
    assert_address(&header.source, "192.0.2.1:1");
    assert_address(&header.destination, "203.0.113.5:2");

    static const char *const unknown[] = {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN ff:: whatever\t\r\n"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(decode_text(unknown[i]), strlen(unknown[i]));
        assert_int_equal(header.source.family, ADDRESS_NONE);
        assert_int_equal(header.destination.family, ADDRESS_NONE);
    }
}

static void version_1_is_short_until_its_line_ends(void **state)
{
    (void)state;
    static const char line[] = "PROXY TCP6 ffff:f:f:f:f:f:f:ffff 2001:db8::5 65535 65535\r\n";
    for (size_t cut = 0; cut < strlen(line); cut++)
        assert_int_equal(decode(line, cut), ERR_SHORT);
    assert_int_equal(decode_text(line), strlen(line));
}

static void version_1_line_ends_within_107_bytes(void **state)
{
    (void)state;
    char line[120];
    memset(line, 'x', sizeof line);
    memcpy(line, "PROXY UNKNOWN ", 14);
    assert_int_equal(decode(line, 106), ERR_SHORT);
    assert_int_equal(decode(line, 107), ERR_MALFORMED);
    assert_int_equal(decode(line, 120), ERR_MALFORMED);
    memcpy(line + 105, "\r\n", 2);
    assert_int_equal(decode(line, 120), 107);
    memcpy(line + 105, "x\r\n", 3);
    assert_int_equal(decode(line, 120), ERR_MALFORMED);
    assert_int_equal(decode(line, 107), ERR_MALFORMED);
}

static void version_1_in_another_spelling_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"PROXY TCP4 192.0.2.1 203.0.113.5 4000\r\n",
                                        "PROXY TCP4 192.0.2.1 203.0.113.5 4000 443 \r\n",
                                        "PROXY TCP4  192.0.2.1 203.0.113.5 4000 443\r\n",
                                        "PROXY TCP4 192.0.2.1 203.0.113.5 4000 443\n\r\n",
                                        "PROXY TCP4 192.0.2.1 203.0.113.5 65536 443\r\n",
                                        "PROXY TCP4 192.0.2.1 203.0.113.5 04000 443\r\n",
                                        "PROXY TCP4 192.0.2.1 203.0.113.5 -1 443\r\n",
                                        "PROXY TCP4 192.0.2.1 203.0.113.5 4000 \r\n",
                                        "PROXY TCP4 192.0.2.1 203.0.113.5 4000 443\r ",
                                        "PROXY TCP4 192.0.2 203.0.113.5 4000 443\r\n",
                                        "PROXY TCP4 192.0.2.1:80 203.0.113.5 4000 443\r\n",
                                        "PROXY TCP4 2001:db8::1 2001:db8::2 4000 443\r\n",
                                        "PROXY TCP6 192.0.2.1 203.0.113.5 4000 443\r\n",
                                        "PROXY TCP6 192.0.2.1:1 2001:db8::2 4000 443\r\n",
                                        "PROXY TCP6 [2001:db8::1] 2001:db8::2 4000 443\r\n",
                                        "PROXY TCP6 fe80::1%lo 2001:db8::2 4000 443\r\n",
                                        "PROXY TCP6 2001:db8::g 2001:db8::2 4000 443\r\n",
                                        "PROXY TCP 192.0.2.1 203.0.113.5 4000 443\r\n",
                                        "PROXY TCP5 192.0.2.1 203.0.113.5 4000 443\r\n",
                                        "PROXY UDP4 192.0.2.1 203.0.113.5 4000 443\r\n",
                                        "PROXY tcp4 192.0.2.1 203.0.113.5 4000 443\r\n",
                                        "PROXY UNKNOWNS\r\n",
                                        "PROXY \r\n",
                                        "PROXY\tTCP4 192.0.2.1 203.0.113.5 4000 443\r\n",
                                        "proxy TCP4 192.0.2.1 203.0.113.5 4000 443\r\n",
                                        "GET / HTTP/1.1\r\n",
                                        "P ",
                                        "\r\n\r\nG",
                                        "PROXY TCP4 192.0.2.1 203.0.113.5 4000 443000443\r\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(decode_text(wrong[i]), ERR_MALFORMED);
        assert_int_equal(header.source.family, ADDRESS_NONE);
    }
}

static void version_2_names_both_addresses(void **state)
{
    (void)state;
    v2_begin_tcp4();
    assert_int_equal(decode(v2, v2_length + 100), 28);
    assert_address(&header.source, "192.0.2.1:4000");
    assert_address(&header.destination, "203.0.113.5:443");
    for (size_t cut = 0; cut < v2_length; cut++)
        assert_int_equal(decode(v2, cut), ERR_SHORT);
    v2[13] = 0x12; /* a datagram that the balancer put on a stream */
    assert_int_equal(decode(v2, v2_length), 28);
    assert_address(&header.source, "192.0.2.1:4000");

    uint8_t ipv6[36] = {0x20, 1, 0xd, 0xb8, [15] = 1, [26] = 0xff, 0xff, 192, 0, 2, 9, 0, 80, 0, 81};
    v2_begin(0x21, 0x21);
    v2_add(ipv6, sizeof ipv6);
    assert_int_equal(decode(v2, v2_length), 52);
    assert_address(&header.source, "[2001:db8::1]:80");
    assert_address(&header.destination, "192.0.2.9:81");
    v2[13] = 0x22;
    assert_int_equal(decode(v2, v2_length), 52);
}

static void version_2_without_ip_leaves_the_addresses_out(void **state)
{
    (void)state;
    static const uint8_t zeros[216];
    v2_begin(0x20, 0x00); /* LOCAL */
    assert_int_equal(decode(v2, v2_length), 16);
    assert_int_equal(header.source.family, ADDRESS_NONE);
    v2_begin(0x20, 0xff); /* whose family and contents are to be ignored */
    v2_add("abc", 3);
    assert_int_equal(decode(v2, v2_length), 19);
    v2_begin(0x21, 0x00);
    v2_add("abc", 3);
    assert_int_equal(decode(v2, v2_length), 19);
    assert_int_equal(header.source.family, ADDRESS_NONE);
    for (uint8_t family = 0x31; family <= 0x32; family++) {
        v2_begin(0x21, family);
        v2_add(zeros, 215);
        assert_int_equal(decode(v2, v2_length), ERR_MALFORMED);
        v2_add(zeros, 1);
        v2_add("\x20\0\5\1\0\0\0\0", 8);
        assert_int_equal(decode(v2, v2_length), 240);
        assert_int_equal(header.source.family, ADDRESS_NONE);
        assert_true(header.tls);
    }
}

static void version_2_tells_whether_the_client_came_by_tls(void **state)
{
    (void)state;
    v2_begin_tcp4();
    v2_add("\x03\0\4abcd", 7);                         /* another extension, passed over */
    v2_add("\x20\0\x0f\1\0\0\0\0\x21\0\7TLSv1.3", 18); /* flags, verification, a version within */
    v2_add("\x04\0\0", 3);
    assert_int_equal(decode(v2, v2_length), v2_length);
    assert_true(header.tls);
    v2_begin_tcp4();
    v2_add("\x20\0\5\6\0\0\0\0", 8); /* certificate flags, but not TLS's */
    assert_int_equal(decode(v2, v2_length), v2_length);
    assert_false(header.tls);
}

static void version_2_extension_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
    } wrong[] = {{"\x03", 1},
                 {"\x03\0", 2},
                 {"\x03\0\1", 3},
                 {"\x03\xff\xff"
                  "abc",
                  6},
                 {"\x20\0\4\1\0\0\0", 7}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        v2_begin_tcp4();
        v2_add(wrong[i].bytes, wrong[i].length);
        assert_int_equal(decode(v2, v2_length), ERR_MALFORMED);
    }
}

static void version_2_of_unknown_kind_or_length_is_refused(void **state)
{
    (void)state;
    static const uint8_t commands[] = {0x00, 0x01, 0x11, 0x22, 0x2f, 0x31};
    for (size_t i = 0; i < sizeof commands; i++) {
        v2_begin_tcp4();
        v2[12] = commands[i];
        assert_int_equal(decode(v2, v2_length), ERR_MALFORMED);
    }
    static const uint8_t families[] = {0x01, 0x10, 0x13, 0x20, 0x30, 0x33, 0x41};
    for (size_t i = 0; i < sizeof families; i++) {
        v2_begin_tcp4();
        v2[13] = families[i];
        assert_int_equal(decode(v2, v2_length), ERR_MALFORMED);
    }
    v2_begin(0x21, 0x11);
    v2_add("short", 5);
    assert_int_equal(decode(v2, v2_length), ERR_MALFORMED);
    /* refused by its announced length, before that much has come */
    v2_begin(0x20, 0x00);
    store_u16(v2 + 14, PROXY_HEADER_MAX - 16);
    assert_int_equal(decode(v2, 16), ERR_SHORT);
    assert_int_equal(decode(v2, PROXY_HEADER_MAX), PROXY_HEADER_MAX);
    store_u16(v2 + 14, PROXY_HEADER_MAX - 16 + 1);
    assert_int_equal(decode(v2, 16), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_1_names_both_addresses),
        cmocka_unit_test(version_1_is_short_until_its_line_ends),
        cmocka_unit_test(version_1_line_ends_within_107_bytes),
        cmocka_unit_test(version_1_in_another_spelling_is_refused),
        cmocka_unit_test(version_2_names_both_addresses),
        cmocka_unit_test(version_2_without_ip_leaves_the_addresses_out),
        cmocka_unit_test(version_2_tells_whether_the_client_came_by_tls),
        cmocka_unit_test(version_2_extension_that_does_not_fit_is_refused),
        cmocka_unit_test(version_2_of_unknown_kind_or_length_is_refused),
    };
    return cmocka_run_group_tests_name("proxy_header", tests, NULL, NULL);
}
