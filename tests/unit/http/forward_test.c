/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "http/forward.h"

static char written[HTTP_HEAD_MAX + HTTP_FORWARD_MAX];

static struct http_client client_at(const char *text, bool secure, bool proxied)
{
    static struct address address;
    assert_int_equal(address_parse(text, &address), 0);
    return (struct http_client){.address = &address, .secure = secure, .proxied = proxied};
}

/* What |text| is forwarded as. */
static const char *request_by(struct http_client client, const char *text, bool upgrade)
{
    static struct http_head head;
    unsigned status;
    assert_int_equal(http_head_decode(text, strlen(text), &head, &status), strlen(text));
    int length = http_forward_request(&head, &client, upgrade, written, sizeof written - 1);
    assert_true(length > 0);
    written[length] = '\0';
    return written;
}

static const char *request(const char *text)
{
    return request_by(client_at("192.0.2.7:4711", true, false), text, false);
}

static const char *response(const char *text, bool keep_alive)
{
    static struct http_response_head head;
    assert_int_equal(http_response_head_decode(text, strlen(text), &head), strlen(text));
    int length = http_forward_response(&head, keep_alive, written, sizeof written - 1);
    assert_true(length > 0);
    written[length] = '\0';
    return written;
}

static void request_goes_on_with_who_the_client_is(void **state)
{
    (void)state;
    assert_string_equal(
        request("GET /a?b=c HTTP/1.1\r\naccept:  x/y \r\nHost: example.org\r\nCookie: a\r\nCookie: b\r\n\r\n"),
        "GET /a?b=c HTTP/1.1\r\nHost: example.org\r\naccept: x/y\r\nCookie: a\r\nCookie: b\r\n"
        "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: example.org\r\n"
        "\r\n");
    assert_string_equal(
        request_by(client_at("[2001:db8::7]:4711", false, false), "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false),
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 2001:db8::7\r\nX-Forwarded-Proto: http\r\n"
        "X-Forwarded-Host: a\r\n\r\n");
}

static void what_a_client_says_about_itself_is_not_passed_on(void **state)
{
    (void)state;
    static const char *const lies[] = {
        "X-Forwarded-For: 10.0.0.1",
        "x-forwarded-for: 10.0.0.1",
        "X_Forwarded_For: 10.0.0.1",
        "X-Forwarded_For: 10.0.0.1",
        "X-Forwarded-Proto: lie",
        "X-Forwarded-Host: lie",
        "X-Forwarded-Port: 1",
        "X-Forwarded-User: lie",
        "X-Real-IP: 10.0.0.1",
        "X_Real_IP: 10.0.0.1",
        "Forwarded: for=10.0.0.1",
        "Proxy: http://10.0.0.1/",
        "Connection: X-Forwarded-For, X-Forwarded-Proto, Host",
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        char text[256];
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", lies[i]);
        assert_string_equal(request(text),
                            "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n"
                            "X-Forwarded-Host: a\r\n\r\n");
    }
}

static void what_a_listed_proxy_says_of_the_way_is_kept(void **state)
{
    (void)state;
    struct http_client client = client_at("192.0.2.7:4711", true, true);
    const char *text = request_by(client,
                                  "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n"
                                  "X-Forwarded-For: 10.0.0.3\r\nX-Forwarded-Proto: lie\r\n\r\n",
                                  false);
    assert_string_equal(text,
                        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 10.0.0.1, 10.0.0.2, 10.0.0.3, 192.0.2.7\r\n"
                        "X-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\n\r\n");
}

/* RFC 9110 §7.6.1 */
static void what_is_for_one_hop_stays_here(void **state)
{
    (void)state;
    assert_string_equal(
        request("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Mine ,te\r\nX-Mine: 1\r\nx-MINE: 2\r\n"
                "Keep-Alive: 5\r\nProxy-Connection: x\r\nTE: trailers\r\nUpgrade: h2c\r\n"
                "HTTP2-Settings: x\r\nProxy-Authorization: secret\r\nX-Mine-Too: 3\r\n\r\n"),
        "GET / HTTP/1.1\r\nHost: a\r\nX-Mine-Too: 3\r\nX-Forwarded-For: 192.0.2.7\r\n"
        "X-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\n\r\n");
}

static void body_is_announced_once_and_plainly(void **state)
{
    (void)state;
    assert_non_null(
        strstr(request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:  007\r\n\r\n"), "\r\nContent-Length: 7\r\n"));
    assert_non_null(
        strstr(request("POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 0\r\n\r\n"), "\r\nContent-Length: 0\r\n"));
    assert_null(strstr(request("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "Content-Length"));
    const char *text =
        request("POST / HTTP/1.1\r\nHost: a\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: Chunked\r\n\r\n");
    assert_non_null(strstr(text, "\r\nTransfer-Encoding: chunked\r\n"));
    assert_null(strstr(text, "Content-Length"));
}

/* RFC 9112 §3.2.2: the target's host counts, and a server behind is asked in origin form. */
static void absolute_target_becomes_a_path(void **state)
{
    (void)state;
    const char *rest = "\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: one:81\r\n\r\n";
    char expected[256];
    snprintf(expected, sizeof expected, "GET /a?b=c HTTP/1.1\r\nHost: one:81%s", rest);
    assert_string_equal(request("GET http://one:81/a?b=c HTTP/1.1\r\nHost: two\r\n\r\n"), expected);
    snprintf(expected, sizeof expected, "GET / HTTP/1.1\r\nHost: one:81%s", rest);
    assert_string_equal(request("GET http://one:81 HTTP/1.1\r\nHost: two\r\n\r\n"), expected);
    assert_memory_equal(request("OPTIONS * HTTP/1.1\r\nHost: one:81\r\n\r\n"), "OPTIONS * HTTP/1.1\r\n", 20);
}

static void old_client_is_passed_on_as_an_old_one(void **state)
{
    (void)state;
    /* Without a Host it stays without one: nginx answers an empty one with 400. */
    assert_string_equal(request("GET / HTTP/1.0\r\n\r\n"),
                        "GET / HTTP/1.0\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n\r\n");
}

static void websocket_is_asked_for_anew(void **state)
{
    (void)state;
    const char *text =
        request_by(client_at("192.0.2.7", true, false),
                   "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket, h2c\r\n"
                   "Sec-WebSocket-Key: k\r\n\r\n",
                   true);
    assert_string_equal(text, "GET /ws HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: k\r\nX-Forwarded-For: 192.0.2.7\r\n"
                              "X-Forwarded-Proto: https\r\nX-Forwarded-Host: a\r\nConnection: Upgrade\r\n"
                              "Upgrade: websocket\r\n\r\n");
}

static void response_goes_on_without_what_is_for_one_hop(void **state)
{
    (void)state;
    assert_string_equal(
        response("HTTP/1.0 200 Fine\r\nServer: x\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n"
                 "Keep-Alive: 5\r\nContent-Length: 05\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n",
                 true),
        "HTTP/1.1 200 Fine\r\nServer: x\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 5\r\n\r\n");
    assert_string_equal(response("HTTP/1.1 200 \r\nTransfer-Encoding: CHUNKED\r\n\r\n", false),
                        "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    assert_string_equal(response("HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", true),
                        "HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n");
}

/* RFC 9112 §6.1, RFC 9110 §8.6 */
static void response_that_has_no_body_announces_none(void **state)
{
    (void)state;
    assert_string_equal(response("HTTP/1.1 204 x\r\nContent-Length: 5\r\n\r\n", true), "HTTP/1.1 204 x\r\n\r\n");
    assert_string_equal(response("HTTP/1.1 103 x\r\nLink: y\r\nTransfer-Encoding: chunked\r\n\r\n", false),
                        "HTTP/1.1 103 x\r\nLink: y\r\n\r\n");
}

static void change_to_a_websocket_is_passed_on(void **state)
{
    (void)state;
    assert_string_equal(
        response("HTTP/1.1 101 x\r\nUPGRADE: WebSocket\r\nconnection: upgrade\r\n"
                 "Sec-WebSocket-Accept: y\r\n\r\n",
                 true),
        "HTTP/1.1 101 x\r\nSec-WebSocket-Accept: y\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

static void largest_head_fits_and_no_room_is_noticed(void **state)
{
    (void)state;
    static struct http_head head;
    static char text[HTTP_HEAD_MAX + 1];
    unsigned status;
    int length = snprintf(text, sizeof text, "GET / HTTP/1.1\r\n");
    for (unsigned i = 0; i < HTTP_FIELDS_MAX - 1; i++)
        length += snprintf(text + length, sizeof text - (size_t)length, "a:b\r\n");
    length += snprintf(text + length, sizeof text - (size_t)length, "Host:");
    memset(text + length, 'h', sizeof text - (size_t)length);
    memcpy(text + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
    assert_int_equal(http_head_decode(text, HTTP_HEAD_MAX, &head, &status), HTTP_HEAD_MAX);
    struct http_client client = client_at("192.0.2.7", true, true);
    int needed = http_forward_request(&head, &client, false, written, sizeof written);
    assert_true(needed > 0);
    assert_int_equal(http_forward_request(&head, &client, false, written, (size_t)needed - 1), ERR_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_goes_on_with_who_the_client_is),
        cmocka_unit_test(what_a_client_says_about_itself_is_not_passed_on),
        cmocka_unit_test(what_a_listed_proxy_says_of_the_way_is_kept),
        cmocka_unit_test(what_is_for_one_hop_stays_here),
        cmocka_unit_test(body_is_announced_once_and_plainly),
        cmocka_unit_test(absolute_target_becomes_a_path),
        cmocka_unit_test(old_client_is_passed_on_as_an_old_one),
        cmocka_unit_test(websocket_is_asked_for_anew),
        cmocka_unit_test(response_goes_on_without_what_is_for_one_hop),
        cmocka_unit_test(response_that_has_no_body_announces_none),
        cmocka_unit_test(change_to_a_websocket_is_passed_on),
        cmocka_unit_test(largest_head_fits_and_no_room_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
