/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ws/upgrade.h"

#define LINE    "GET /sip HTTP/1.1\r\nHost: a\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"

static enum ws_upgrade check(const char *text)
{
    struct http_head head;
    unsigned status;
    assert_true(http_head_decode(text, strlen(text), &head, &status) > 0);
    return ws_upgrade_check(&head);
}

static void the_accept_of_the_rfcs_key_is_the_rfcs(void **state)
{
    (void)state;
    char accept[WS_ACCEPT_SIZE];
    ws_accept(span_of_text("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); /* RFC 6455 §1.3 */
}

static void a_request_with_all_that_is_demanded_is_good(void **state)
{
    (void)state;
    assert_int_equal(check(LINE UPGRADE KEY VERSION "\r\n"), WS_UPGRADE_GOOD);
    assert_int_equal(check(LINE "upgrade: h2c, WebSocket\r\nconnection: UPGRADE\r\n" KEY VERSION "\r\n"),
                     WS_UPGRADE_GOOD);
}

static void an_ordinary_request_asks_for_nothing(void **state)
{
    (void)state;
    assert_int_equal(check(LINE "\r\n"), WS_UPGRADE_NOT_ASKED);
    assert_int_equal(check(LINE "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n"), WS_UPGRADE_NOT_ASKED);
}

static void another_version_is_told_from_a_bad_request(void **state)
{
    (void)state;
    assert_int_equal(check(LINE UPGRADE KEY "Sec-WebSocket-Version: 8\r\n\r\n"), WS_UPGRADE_VERSION);
    assert_int_equal(check(LINE UPGRADE KEY "\r\n"), WS_UPGRADE_VERSION);
    assert_int_equal(check(LINE UPGRADE KEY VERSION VERSION "\r\n"), WS_UPGRADE_VERSION);
}

static void what_lacks_or_doubles_something_is_bad(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "POST /sip HTTP/1.1\r\nHost: a\r\n" UPGRADE KEY VERSION "\r\n",
        "GET /sip HTTP/1.0\r\nHost: a\r\n" UPGRADE KEY VERSION "\r\n",
        LINE "Upgrade: websocket\r\n" KEY VERSION "\r\n",
        LINE "Upgrade: websocket\r\nConnection: close\r\n" KEY VERSION "\r\n",
        LINE UPGRADE VERSION "\r\n",
        LINE UPGRADE KEY KEY VERSION "\r\n",
        LINE UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n\r\n",
        LINE UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n\r\n",
        LINE UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j!Q==\r\n\r\n",
        LINE UPGRADE KEY VERSION "Content-Length: 5\r\n\r\n",
        LINE UPGRADE KEY VERSION "Transfer-Encoding: chunked\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(check(bad[i]), WS_UPGRADE_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_accept_of_the_rfcs_key_is_the_rfcs),
        cmocka_unit_test(a_request_with_all_that_is_demanded_is_good),
        cmocka_unit_test(an_ordinary_request_asks_for_nothing),
        cmocka_unit_test(another_version_is_told_from_a_bad_request),
        cmocka_unit_test(what_lacks_or_doubles_something_is_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
