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
#include "http/body.h"

static struct http_body request_body(const char *fields)
{
    static struct http_head head;
    static char text[1024];
    unsigned status;
    snprintf(text, sizeof text, "POST / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    assert_true(http_head_decode(text, strlen(text), &head, &status) > 0);
    return http_body_of_request(&head);
}

static struct http_body response_body(const char *status_and_fields, bool to_head)
{
    static struct http_response_head head;
    static char text[1024];
    snprintf(text, sizeof text, "HTTP/1.1 %s\r\n", status_and_fields);
    assert_true(http_response_head_decode(text, strlen(text), &head) > 0);
    return http_body_of_response(&head, to_head);
}

/* Takes |text| at once from memory of just that length, and then byte by byte, which must come to the same. */
static int take(struct http_body *body, const char *text)
{
    struct http_body again = *body;
    size_t length = strlen(text);
    char *alone = malloc(length > 0 ? length : 1);
    assert_non_null(alone);
    memcpy(alone, text, length);
    int taken = http_body_take(body, alone, length);
    free(alone);
    int sum = 0, one = 1;
    for (size_t i = 0; i < length && one == 1; i++) {
        one = http_body_take(&again, text + i, 1);
        sum += one;
    }
    assert_int_equal(one < 0 ? one : sum, taken);
    assert_int_equal(http_body_ended(&again), http_body_ended(body));
    return taken;
}

static void body_of_length_ends_after_its_bytes(void **state)
{
    (void)state;
    struct http_body body = request_body("Content-Length: 5\r\n");
    assert_int_equal(take(&body, "abc"), 3);
    assert_false(http_body_ended(&body));
    assert_int_equal(take(&body, "deGET /"), 2);
    assert_true(http_body_ended(&body));
    assert_int_equal(take(&body, "GET /"), 0);
}

static void request_without_length_has_no_body(void **state)
{
    (void)state;
    struct http_body body = request_body("");
    assert_true(http_body_ended(&body));
    body = request_body("Content-Length: 0\r\n");
    assert_true(http_body_ended(&body));
}

static void chunked_body_ends_behind_its_last_chunk(void **state)
{
    (void)state;
    static const char chunks[] =
        "5\r\nabcde\r\n00A;name=\"v;\t\"\r\n0123456789\r\nb;x\r\n0\r\n\r\nGET /\r\r\n0\r\n\r\n";
    struct http_body body = request_body("Transfer-Encoding: chunked\r\n");
    assert_int_equal(take(&body, chunks), strlen(chunks));
    assert_true(http_body_ended(&body));

    body = request_body("Transfer-Encoding: chunked\r\n");
    assert_int_equal(take(&body, "1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1"), strlen("1\r\nx\r\n0\r\n\r\n"));
    assert_true(http_body_ended(&body));
}

/* Each of these is an end somewhere else to somebody. */
static void chunks_that_could_be_read_in_two_ways_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "\r\n",
        "x\r\n",
        "-1\r\n",
        "+1\r\n",
        "0x1\r\n",
        " 1\r\n",
        "1 \r\na",
        "1 ;x\r\na",
        "1\n",
        "1\r\r\n",
        "1;a\nb\r\n",
        "1;a\rb\r\n",
        "1\r\nab",
        "1\r\na\n",
        "1\r\na\r0",
        "1\r\na\r\n\r\n",
        "8000000000000000\r\n",
        "10000000000000000\r\n",
        "fffffffffffffffff\r\n",
        "0\n\r\n",
        "0\r\n\n",
        "0\r\n\rx",
        "0\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n",
        "0\r\n: x\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_body body = request_body("Transfer-Encoding: chunked\r\n");
        assert_int_equal(take(&body, cases[i]), ERR_MALFORMED);
        assert_int_equal(take(&body, "0\r\n\r\n"), ERR_MALFORMED);
        assert_false(http_body_ended(&body));
    }
}

static void nul_in_a_chunk_line_is_refused(void **state)
{
    (void)state;
    struct http_body body = request_body("Transfer-Encoding: chunked\r\n");
    assert_int_equal(http_body_take(&body, "1;\0\r\n", 5), ERR_MALFORMED);
}

static void line_of_a_chunk_is_bounded(void **state)
{
    (void)state;
    char line[HTTP_CHUNK_LINE_MAX + 2] = "1;";
    memset(line + 2, 'x', sizeof line - 3);
    struct http_body body = request_body("Transfer-Encoding: chunked\r\n");
    assert_int_equal(take(&body, line), ERR_MALFORMED);
    line[HTTP_CHUNK_LINE_MAX - 2] = '\0';
    body = request_body("Transfer-Encoding: chunked\r\n");
    assert_int_equal(take(&body, line), HTTP_CHUNK_LINE_MAX - 2);
    assert_int_equal(take(&body, "\r\n"), 2);

    static const char zeros[] = "0000000000000000000000000000000000000001\r\nx\r\n0\r\n\r\n";
    body = request_body("Transfer-Encoding: chunked\r\n");
    assert_int_equal(take(&body, zeros), strlen(zeros));
}

static void response_may_have_trailers_up_to_a_limit(void **state)
{
    (void)state;
    static const char trailers[] = "0\r\nServer-Timing: a;dur=1\r\nX: \r\n\r\n";
    struct http_body body = response_body("200 OK\r\nTransfer-Encoding: chunked\r\n", false);
    assert_int_equal(take(&body, trailers), strlen(trailers));
    assert_true(http_body_ended(&body));

    body = response_body("200 OK\r\nTransfer-Encoding: chunked\r\n", false);
    assert_int_equal(take(&body, "0\r\n"), 3);
    int taken = 0;
    for (unsigned i = 0; taken >= 0; i++) {
        assert_true(i * 9 <= HTTP_TRAILERS_MAX);
        taken = take(&body, "A: 2345\r\n");
    }
    assert_int_equal(taken, ERR_MALFORMED);
}

static void bad_trailers_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {"0\r\nA: b\n\r\n", "0\r\nA: \r\r\n", "0\r\n A: b\r\n",
                                        "0\r\nA: b\r\n\tc\r\n\r\n", "0\r\nA: \001\r\n"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_body body = response_body("200 OK\r\nTransfer-Encoding: chunked\r\n", false);
        assert_int_equal(take(&body, cases[i]), ERR_MALFORMED);
    }
}

/* RFC 9112 §6.3 */
static void response_has_a_body_as_request_and_status_say(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        bool to_head, ended, until_close;
    } cases[] = {
        {"200 OK\r\n", false, false, true},
        {"200 OK\r\n", true, true, false},
        {"200 OK\r\nContent-Length: 0\r\n", false, true, false},
        {"200 OK\r\nContent-Length: 7\r\n", false, false, false},
        {"200 OK\r\nContent-Length: 7\r\n", true, true, false},
        {"200 OK\r\nTransfer-Encoding: chunked\r\n", true, true, false},
        {"204 No Content\r\nContent-Length: 7\r\n", false, true, false},
        {"304 Not Modified\r\nContent-Length: 7\r\n", false, true, false},
        {"304 Not Modified\r\nTransfer-Encoding: chunked\r\n", false, true, false},
        {"100 Continue\r\n", false, true, false},
        {"500 No\r\n", false, false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct http_body body = response_body(cases[i].head, cases[i].to_head);
        assert_int_equal(http_body_ended(&body), cases[i].ended);
        assert_int_equal(http_body_until_close(&body), cases[i].until_close);
    }
}

static void body_until_close_takes_everything(void **state)
{
    (void)state;
    struct http_body body = response_body("200 OK\r\n", false);
    assert_int_equal(take(&body, "0\r\n\r\nHTTP/1.1 200 OK"), 20);
    assert_false(http_body_ended(&body));
}

static void longest_length_does_not_wrap(void **state)
{
    (void)state;
    struct http_body body = request_body("Content-Length: 18446744073709551615\r\n");
    assert_int_equal(take(&body, "abc"), 3);
    assert_false(http_body_ended(&body));
    body = request_body("Transfer-Encoding: chunked\r\n");
    assert_int_equal(take(&body, "7fffffffffffffff\r\nabc"), 21);
    assert_false(http_body_ended(&body));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_of_length_ends_after_its_bytes),
        cmocka_unit_test(request_without_length_has_no_body),
        cmocka_unit_test(chunked_body_ends_behind_its_last_chunk),
        cmocka_unit_test(chunks_that_could_be_read_in_two_ways_are_refused),
        cmocka_unit_test(nul_in_a_chunk_line_is_refused),
        cmocka_unit_test(line_of_a_chunk_is_bounded),
        cmocka_unit_test(response_may_have_trailers_up_to_a_limit),
        cmocka_unit_test(bad_trailers_are_refused),
        cmocka_unit_test(response_has_a_body_as_request_and_status_say),
        cmocka_unit_test(body_until_close_takes_everything),
        cmocka_unit_test(longest_length_does_not_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
