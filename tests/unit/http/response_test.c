/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "http/response.h"

#define WALL_S 784111777 /* the example of RFC 9110 §5.6.7 */

static void assert_response(const char *bytes, int length, const char *expected)
{
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(bytes, expected, (size_t)length);
}

static void page_is_written_with_its_length(void **state)
{
    (void)state;
    char bytes[512];
    struct http_response response;
    http_response_init(&response, bytes, sizeof bytes, 200, WALL_S, true);
    http_response_add(&response, "Content-Type", "text/html");
    int length = http_response_finish(&response, "<p>hello", 8, true);
    assert_response(bytes, length,
                    "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/html\r\n"
                    "Content-Length: 8\r\n\r\n<p>hello");
}

static void answer_to_head_tells_the_length_and_sends_no_body(void **state)
{
    (void)state;
    char bytes[512];
    struct http_response response;
    http_response_init(&response, bytes, sizeof bytes, 200, WALL_S, false);
    int length = http_response_finish(&response, "<p>hello", 8, false);
    assert_response(bytes, length,
                    "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: close\r\n"
                    "Content-Length: 8\r\n\r\n");
}

static void status_without_body_has_no_length(void **state)
{
    (void)state;
    char bytes[512];
    struct http_response response;
    http_response_init(&response, bytes, sizeof bytes, 101, WALL_S, true);
    http_response_add(&response, "Upgrade", "websocket");
    int length = http_response_finish(&response, NULL, 0, true);
    assert_response(bytes, length,
                    "HTTP/1.1 101 Switching Protocols\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                    "Upgrade: websocket\r\n\r\n");
}

/* A response with a body, as a refusal is. */
static int refuse(void *memory, size_t size, unsigned status)
{
    struct http_response response;
    const char *reason = http_status_reason(status);
    http_response_init(&response, memory, size, status, WALL_S, false);
    http_response_add(&response, "Content-Type", "text/plain; charset=utf-8");
    return http_response_finish(&response, reason, strlen(reason), true);
}

static void refusal_is_whole_and_closes(void **state)
{
    (void)state;
    char bytes[512];
    int length = refuse(bytes, sizeof bytes, 431);
    assert_response(bytes, length,
                    "HTTP/1.1 431 Request Header Fields Too Large\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                    "Connection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 31\r\n\r\n"
                    "Request Header Fields Too Large");
}

static void response_that_does_not_fit_is_an_error(void **state)
{
    (void)state;
    char bytes[512];
    int length = refuse(bytes, sizeof bytes, 404);
    assert_true(length > 0);
    for (size_t size = 0; size < (size_t)length; size++) {
        memset(bytes, 0x55, sizeof bytes);
        assert_int_equal(refuse(bytes, size, 404), ERR_FULL);
        assert_int_equal(bytes[size], 0x55);
    }
}

static void value_cannot_bring_a_field_of_its_own(void **state)
{
    (void)state;
    static const char *const values[] = {"a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\x7f"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char bytes[512];
        struct http_response response;
        http_response_init(&response, bytes, sizeof bytes, 308, WALL_S, false);
        http_response_add(&response, "Location", values[i]);
        assert_int_equal(http_response_finish(&response, NULL, 0, true), ERR_FULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page_is_written_with_its_length),
        cmocka_unit_test(answer_to_head_tells_the_length_and_sends_no_body),
        cmocka_unit_test(status_without_body_has_no_length),
        cmocka_unit_test(refusal_is_whole_and_closes),
        cmocka_unit_test(response_that_does_not_fit_is_an_error),
        cmocka_unit_test(value_cannot_bring_a_field_of_its_own),
    };
    return cmocka_run_group_tests_name("response", tests, NULL, NULL);
}
