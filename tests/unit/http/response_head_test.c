/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "http/response_head.h"

static struct http_response_head head;

/* From memory of exactly that length. The spans in |head| are not to be looked at afterwards. */
static int decode_alone(const char *text, size_t length)
{
    char *alone = malloc(length > 0 ? length : 1);
    assert_non_null(alone);
    memcpy(alone, text, length);
    int result = http_response_head_decode(alone, length, &head);
    free(alone);
    return result;
}

static int decode(const char *text)
{
    return http_response_head_decode(text, strlen(text), &head);
}

static void response_is_taken_apart(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 404 Not \xc3\xa4  Found\r\nServer: x\r\nSet-Cookie: a\r\nset-cookie:b \r\n"
                               "Content-Length: 12\r\n\r\nHTTP/1.1";
    assert_int_equal(decode(text), sizeof text - 1 - 8);
    assert_int_equal(head.minor_version, 1);
    assert_int_equal(head.status, 404);
    assert_true(http_span_equals(head.reason, "Not \xc3\xa4  Found"));
    assert_int_equal(head.fields.count, 4);
    const struct http_field *cookie = http_fields_find(&head.fields, "Set-Cookie");
    assert_true(http_span_equals(cookie->value, "a"));
    assert_true(http_span_equals(http_fields_find_next(&head.fields, cookie)->value, "b"));
    assert_true(head.framing.has_length);
    assert_int_equal(head.framing.content_length, 12);
    assert_true(head.keep_alive);
}

static void every_cut_needs_more(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.0 200 OK\r\nConnection: x, close\r\n\r\n";
    for (size_t cut = 0; cut < sizeof text - 1; cut++)
        assert_int_equal(decode_alone(text, cut), ERR_SHORT);
    assert_int_equal(decode_alone(text, sizeof text - 1), sizeof text - 1);
}

static void reason_may_be_empty_or_missing(void **state)
{
    (void)state;
    assert_true(decode("HTTP/1.1 200 \r\n\r\n") > 0);
    assert_int_equal(head.reason.length, 0);
    assert_true(decode("HTTP/1.1 200\r\n\r\n") > 0);
    assert_int_equal(head.reason.length, 0);
}

static void connection_ends_where_it_says_so_or_is_old(void **state)
{
    (void)state;
    assert_true(decode("HTTP/1.1 200 OK\r\nConnection: Close\r\n\r\n") > 0);
    assert_false(head.keep_alive);
    assert_true(decode("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n") > 0);
    assert_false(head.keep_alive);
}

static void what_is_no_response_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 600 OK\r\n\r\n",
        "HTTP/1.1 -20 OK\r\n\r\n",
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 O\rK\r\n\r\n",
        "HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: \001\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(decode_alone(cases[i], strlen(cases[i])), ERR_MALFORMED);
}

static void length_and_number_of_fields_are_limited(void **state)
{
    (void)state;
    static char text[HTTP_HEAD_MAX + 64];
    int length = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nA: ");
    memset(text + length, 'x', sizeof text - (size_t)length);
    assert_int_equal(decode_alone(text, HTTP_HEAD_MAX - 1), ERR_SHORT);
    assert_int_equal(decode_alone(text, HTTP_HEAD_MAX), ERR_MALFORMED);
    memcpy(text + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
    assert_int_equal(decode_alone(text, HTTP_HEAD_MAX), HTTP_HEAD_MAX);

    length = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n");
    for (unsigned i = 0; i < HTTP_FIELDS_MAX; i++)
        length += snprintf(text + length, sizeof text - (size_t)length, "A: b\r\n");
    snprintf(text + length, sizeof text - (size_t)length, "\r\n");
    assert_true(decode(text) > 0);
    snprintf(text + length, sizeof text - (size_t)length, "A: b\r\n\r\n");
    assert_int_equal(decode(text), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(response_is_taken_apart),        cmocka_unit_test(every_cut_needs_more),
        cmocka_unit_test(reason_may_be_empty_or_missing), cmocka_unit_test(connection_ends_where_it_says_so_or_is_old),
        cmocka_unit_test(what_is_no_response_is_refused), cmocka_unit_test(length_and_number_of_fields_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
