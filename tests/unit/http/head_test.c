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
#include "http/head.h"

static struct http_head head;
static unsigned status;

/* Decodes from memory of exactly that length, so that a sanitizer sees each step past the end. The spans in |head| are
 * not to be looked at afterwards. */
static int decode_alone(const char *text, size_t length)
{
    char *alone = malloc(length > 0 ? length : 1);
    assert_non_null(alone);
    memcpy(alone, text, length);
    int result = http_head_decode(alone, length, &head, &status);
    free(alone);
    return result;
}

static int decode(const char *text)
{
    return http_head_decode(text, strlen(text), &head, &status);
}

/* The status that |text| is refused with, or 0. */
static unsigned refusal(const char *text)
{
    return decode_alone(text, strlen(text)) == ERR_MALFORMED ? status : 0;
}

static void assert_span(struct span span, const char *expected)
{
    assert_int_equal(span.length, strlen(expected));
    assert_memory_equal(span.bytes, expected, span.length);
}

static const char upgrade[] = "GET /sip?transport=wss&x=? HTTP/1.1\r\n"
                              "Host: edge.example.org:443\r\n"
                              "Connection: keep-alive , Upgrade\r\n"
                              "UPGRADE:websocket\r\n"
                              "X-Empty:\r\n"
                              "Cookie: a=b; \tc=\xc3\xa4 \t \r\n"
                              "connection: x-other\r\n"
                              "\r\n";

static void request_is_taken_apart(void **state)
{
    (void)state;
    char with_body[sizeof upgrade + 8];
    snprintf(with_body, sizeof with_body, "%sGET /", upgrade);
    assert_int_equal(decode(with_body), strlen(upgrade));
    assert_span(head.method, "GET");
    assert_true(http_span_equals(head.method, "GET"));
    assert_false(http_span_equals(head.method, "get"));
    assert_span(head.target, "/sip?transport=wss&x=?");
    assert_span(head.path, "/sip");
    assert_span(head.query, "transport=wss&x=?");
    assert_span(head.host, "edge.example.org:443");
    assert_int_equal(head.minor_version, 1);
    assert_int_equal(head.fields.count, 6);
    assert_true(head.keep_alive);
    assert_false(head.chunked);
    assert_int_equal(head.content_length, 0);

    assert_span(http_head_find(&head, "upgrade")->value, "websocket");
    assert_span(http_head_find(&head, "x-empty")->value, "");
    assert_span(http_head_find(&head, "Cookie")->value, "a=b; \tc=\xc3\xa4");
    assert_null(http_head_find(&head, "Cook"));
    const struct http_field *first = http_head_find(&head, "Connection");
    assert_span(http_head_find_next(&head, first)->value, "x-other");
    assert_true(http_head_lists(&head, "Connection", "upgrade"));
    assert_true(http_head_lists(&head, "Connection", "X-Other"));
    assert_false(http_head_lists(&head, "Connection", "close"));
    assert_false(http_head_lists(&head, "Connection", "grade"));
}

static void head_in_pieces_is_short_until_its_last_byte(void **state)
{
    (void)state;
    size_t length = strlen(upgrade);
    for (size_t cut = 0; cut < length; cut++)
        assert_int_equal(decode_alone(upgrade, cut), ERR_SHORT);
    assert_int_equal(decode_alone(upgrade, length), length);
}

static void one_empty_line_may_come_first(void **state)
{
    (void)state;
    assert_int_equal(decode("\r\nGET / HTTP/1.0\r\n\r\n"), 20);
    assert_int_equal(refusal("\r\n\r\nGET / HTTP/1.0\r\n\r\n"), 400);
}

static void targets_come_in_the_form_of_their_method(void **state)
{
    (void)state;
    assert_true(decode("GET http://a.example?q HTTP/1.1\r\nHost: b.example\r\n\r\n") > 0);
    assert_span(head.host, "a.example"); /* the target's wins, RFC 9112 §3.2.2 */
    assert_span(head.path, "/");
    assert_span(head.query, "q");
    assert_true(decode("GET HTTPS://[2001:db8::1]:8443/p HTTP/1.1\r\nHost: b\r\n\r\n") > 0);
    assert_span(head.host, "[2001:db8::1]:8443");
    assert_span(head.path, "/p");
    assert_true(decode("OPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n") > 0);
    assert_span(head.path, "");
    assert_true(decode("CONNECT relay.example:443 HTTP/1.1\r\nHost: b\r\n\r\n") > 0);
    assert_span(head.host, "relay.example:443");
    assert_span(head.path, "");

    static const char *const wrong[] = {"GET *",
                                        "CONNECT /",
                                        "GET relay.example:443",
                                        "GET path",
                                        "GET http:/a/",
                                        "GET http:///",
                                        "GET ftp://a/",
                                        "GET http://user@a/",
                                        "GET http://a b/",
                                        "GET /#fragment",
                                        "GET /\xc3\xa4",
                                        "GET ",
                                        "GET  /",
                                        "GET /  ",
                                        " GET /",
                                        "\tGET /",
                                        "GET\t/",
                                        "G(T /",
                                        "G\xc3\xa4T /"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char text[128];
        snprintf(text, sizeof text, "%s HTTP/1.1\r\nHost: b\r\n\r\n", wrong[i]);
        assert_int_equal(refusal(text), 400);
    }
}

static void versions_other_than_one_are_refused(void **state)
{
    (void)state;
    assert_true(decode("GET / HTTP/1.0\r\n\r\n") > 0);
    assert_false(head.keep_alive);
    assert_true(decode("GET / HTTP/1.9\r\nHost: a\r\n\r\n") > 0);
    assert_int_equal(refusal("PRI * HTTP/2.0\r\n\r\n"), 505);
    assert_int_equal(refusal("GET / HTTP/3.0\r\n"), 505);
    assert_int_equal(refusal("GET / http/1.1\r\n"), 400);
    assert_int_equal(refusal("GET / HTTP/1.10\r\n"), 400);
    assert_int_equal(refusal("GET / HTTP/1\r\n"), 400);
    assert_int_equal(refusal("GET / HTTP/1,1\r\n"), 400);
    assert_int_equal(refusal("GET /\r\n"), 400);
    assert_int_equal(refusal("GET\r\n"), 400);
}

static void what_two_readers_could_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        unsigned status;
    } cases[] = {
        {"Content-Length: 5\r\nContent-Length: 5\r\n", 400},
        {"Content-Length: 5\r\ncontent-length: 6\r\n", 400},
        {"Content-Length: 5, 5\r\n", 400},
        {"Content-Length: +5\r\n", 400},
        {"Content-Length: -5\r\n", 400},
        {"Content-Length: 0x5\r\n", 400},
        {"Content-Length: 5 5\r\n", 400},
        {"Content-Length:\r\n", 400},
        {"Content-Length: 18446744073709551616\r\n", 400},
        {"Content-Length: 99999999999999999999\r\n", 400},
        {"Content-Length : 5\r\n", 400},
        {"Content-Length\t: 5\r\n", 400},
        {"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400},
        {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400},
        {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400},
        {"Transfer-Encoding: gzip, chunked\r\n", 501},
        {"Transfer-Encoding: xchunked\r\n", 501},
        {"Transfer-Encoding: chunked, identity\r\n", 501},
        {"Transfer-Encoding:\r\n", 501},
        {"Transfer-Encoding: \x0b"
         "chunked\r\n",
         400},
        {"X: a\r\n folded\r\n", 400},
        {"X: a\r\n\tfolded\r\n", 400},
        {" X: a\r\n", 400},
        {"X: a\nY: b\r\n", 400},
        {"X: a\rY: b\r\n", 400},
        {"X: a\r\r\n", 400},
        {"X: a\r Y: b\r\n", 400},
        {"X\r\n", 400},
        {": a\r\n", 400},
        {"X Y: a\r\n", 400},
        {"X: \x7f\r\n", 400},
        {"X: \x01\r\n", 400},
        {"Host: b\r\n", 400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n", cases[i].fields);
        assert_int_equal(refusal(text), cases[i].status);
    }
    static const char nul[] = "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n";
    assert_int_equal(decode_alone(nul, sizeof nul - 1), ERR_MALFORMED);
    assert_int_equal(refusal("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
    assert_int_equal(refusal("GET / HTTP/1.0\n\n"), 400);
}

static void host_is_there_once_and_could_be_one(void **state)
{
    (void)state;
    assert_int_equal(refusal("GET / HTTP/1.1\r\n\r\n"), 400);
    assert_int_equal(refusal("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(refusal("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"), 400);
    assert_int_equal(refusal("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400);
    assert_int_equal(refusal("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400);
    assert_int_equal(refusal("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"), 400);
    assert_int_equal(refusal("GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n"), 400);
    assert_true(decode("GET / HTTP/1.1\r\nHost:\r\n\r\n") > 0);
    assert_true(decode("GET / HTTP/1.0\r\n\r\n") > 0);
    assert_span(head.host, "");
}

static void body_and_persistence_are_told(void **state)
{
    (void)state;
    assert_true(decode("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\n") > 0);
    assert_true(head.content_length == UINT64_MAX);
    assert_true(decode("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n") > 0);
    assert_true(head.chunked);
    assert_true(decode("GET / HTTP/1.1\r\nHost: a\r\nConnection: x,, CLOSE\r\n\r\n") > 0);
    assert_false(head.keep_alive);
}

static void floods_end_at_fixed_bounds(void **state)
{
    (void)state;
    static char text[3 * HTTP_HEAD_MAX];

    /* a target that is too long, complete or not */
    memset(text, 'a', sizeof text);
    memcpy(text, "GET /", 5);
    assert_int_equal(decode_alone(text, HTTP_HEAD_MAX - 1), ERR_SHORT);
    assert_int_equal(decode_alone(text, HTTP_HEAD_MAX), ERR_MALFORMED);
    assert_int_equal(status, 414);
    assert_int_equal(decode_alone(text, sizeof text), ERR_MALFORMED);
    assert_int_equal(status, 414);
    for (size_t target = HTTP_TARGET_MAX; target <= HTTP_TARGET_MAX + 1; target++) {
        memset(text, 'a', sizeof text);
        memcpy(text, "GET /", 5);
        strcpy(text + 4 + target, " HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_int_equal(refusal(text), target > HTTP_TARGET_MAX ? 414 : 0);
    }

    /* a field that never ends */
    memset(text, 'a', sizeof text);
    memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
    assert_int_equal(decode_alone(text, HTTP_HEAD_MAX - 1), ERR_SHORT);
    assert_int_equal(decode_alone(text, HTTP_HEAD_MAX), ERR_MALFORMED);
    assert_int_equal(status, 431);

    /* a head of exactly the longest length, and one byte more */
    for (size_t length = HTTP_HEAD_MAX; length <= HTTP_HEAD_MAX + 1; length++) {
        memset(text, 'a', sizeof text);
        memcpy(text, "GET / HTTP/1.1\r\nHost: ", 22);
        memcpy(text + length - 4, "\r\n\r\n", 4);
        assert_int_equal(decode_alone(text, length), length > HTTP_HEAD_MAX ? ERR_MALFORMED : (int)length);
    }

    /* fields without number */
    for (unsigned count = HTTP_FIELDS_MAX; count <= HTTP_FIELDS_MAX + 1; count++) {
        size_t at = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");
        for (unsigned i = 1; i < count; i++)
            at += (size_t)sprintf(text + at, "X%u: y\r\n", i);
        strcpy(text + at, "\r\n");
        assert_int_equal(refusal(text), count > HTTP_FIELDS_MAX ? 431 : 0);
    }
}

static void wrong_start_is_refused_before_the_end_is_there(void **state)
{
    (void)state;
    assert_int_equal(refusal("GET / HTTP/2.0\r\n"), 505);
    assert_int_equal(refusal("GET / HT\nTP/1.1"), 400);
    assert_int_equal(refusal("A\x01"), 400);
    assert_int_equal(refusal("GET / HTTP/1.1\r\nno colon\r\n"), 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_is_taken_apart),
        cmocka_unit_test(head_in_pieces_is_short_until_its_last_byte),
        cmocka_unit_test(one_empty_line_may_come_first),
        cmocka_unit_test(targets_come_in_the_form_of_their_method),
        cmocka_unit_test(versions_other_than_one_are_refused),
        cmocka_unit_test(what_two_readers_could_read_in_two_ways_is_refused),
        cmocka_unit_test(host_is_there_once_and_could_be_one),
        cmocka_unit_test(body_and_persistence_are_told),
        cmocka_unit_test(floods_end_at_fixed_bounds),
        cmocka_unit_test(wrong_start_is_refused_before_the_end_is_there),
    };
    return cmocka_run_group_tests_name("head", tests, NULL, NULL);
}
