/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "front/routes.h"

#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define SIP     UPGRADE "Sec-WebSocket-Protocol: sip\r\n"

static const struct front_http_service services[] = {{.path = "/v1/turn"}};
static struct http_head head;

static void decode(const char *target, const char *fields)
{
    static char text[1024];
    unsigned status;
    int length = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: www.example.org:8443\r\n%s\r\n", target, fields);
    assert_true(http_head_decode(text, (size_t)length, &head, &status) > 0);
}

/* All that can be served is. */
static struct front_settings everything(void)
{
    struct front_settings settings = {
        .pages = true, .acme_directory = "/nowhere", .services = services, .service_count = 1};
    address_parse("127.0.0.1:8080", &settings.backend);
    return settings;
}

static enum front_route_kind kind_of(const struct front_settings *settings, bool sip, const char *target,
                                     const char *fields)
{
    decode(target, fields);
    return front_route_find(settings, sip, &head).kind;
}

static void each_path_has_its_owner(void **state)
{
    (void)state;
    struct front_settings settings = everything();
    assert_int_equal(kind_of(&settings, true, "/", ""), ROUTE_PAGE);
    assert_int_equal(kind_of(&settings, true, "/?a=/sip", ""), ROUTE_PAGE);
    assert_int_equal(kind_of(&settings, true, "https://www.example.org/sip", ""), ROUTE_SIP);
    assert_int_equal(kind_of(&settings, true, "/sip", SIP), ROUTE_SIP);
    assert_int_equal(kind_of(&settings, true, "/", SIP), ROUTE_SIP);
    assert_int_equal(kind_of(&settings, true, "/turn", ""), ROUTE_TURN);
    assert_int_equal(kind_of(&settings, true, "/v1/turn", ""), ROUTE_SERVICE);
    assert_int_equal(kind_of(&settings, true, "/.well-known/acme-challenge/x", ""), ROUTE_CHALLENGE);
    assert_true(http_span_equals(front_route_find(&settings, true, &head).token, "x"));
}

static void what_is_nobodys_is_the_backends(void **state)
{
    (void)state;
    static const char *const paths[] = {"/index.html",
                                        "/sip/",
                                        "/Sip",
                                        "/turn/",
                                        "/v1/turn/",
                                        "/v1",
                                        "//",
                                        "/sip%20",
                                        "/.well-known/acme-challenge/",
                                        "/.well-known/acme-challenge"};
    struct front_settings settings = everything();
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_int_equal(kind_of(&settings, true, paths[i], ""), ROUTE_BACKEND);
    /* WebSockets of another subprotocol at a path that is ours for SIP. */
    assert_int_equal(kind_of(&settings, true, "/", UPGRADE), ROUTE_BACKEND);
    settings.backend.family = ADDRESS_NONE;
    assert_int_equal(kind_of(&settings, true, "/index.html", ""), ROUTE_NOBODY);
    assert_int_equal(kind_of(&settings, true, "/", UPGRADE), ROUTE_SIP); /* which says what it lacks */
}

static void what_is_turned_off_is_the_backends(void **state)
{
    (void)state;
    struct front_settings settings = everything();
    settings.pages = false;
    settings.acme_directory = NULL;
    assert_int_equal(kind_of(&settings, false, "/", ""), ROUTE_BACKEND);
    assert_int_equal(kind_of(&settings, false, "/", SIP), ROUTE_BACKEND);
    assert_int_equal(kind_of(&settings, false, "/sip", SIP), ROUTE_BACKEND);
    assert_int_equal(kind_of(&settings, false, "/.well-known/acme-challenge/x", ""), ROUTE_BACKEND);
}

static bool allowed(const char *listed, const char *fields)
{
    char *origins[] = {(char *)listed};
    struct front_settings settings = {.origins = origins, .origin_count = listed ? 1 : 0};
    decode("/sip", fields);
    return front_origin_allowed(&settings, &head);
}

static void own_pages_and_whoever_is_no_page_are_allowed(void **state)
{
    (void)state;
    assert_true(allowed(NULL, ""));
    assert_true(allowed(NULL, "Origin: https://www.example.org:8443\r\n"));
    assert_true(allowed(NULL, "Origin: https://WWW.example.org:8443\r\n"));
}

static void other_origins_are_refused_in_every_spelling(void **state)
{
    (void)state;
    static const char *const origins[] = {"https://evil.example",
                                          "http://www.example.org:8443",
                                          "https://www.example.org",
                                          "https://www.example.org:8443/",
                                          "https://www.example.org:8443.evil.example",
                                          "www.example.org:8443",
                                          "null",
                                          "",
                                          "https://",
                                          "https://www.example.org:8443, https://evil.example",
                                          "*"};
    for (size_t i = 0; i < sizeof origins / sizeof origins[0]; i++) {
        char field[128];
        snprintf(field, sizeof field, "Origin: %s\r\n", origins[i]);
        assert_false(allowed(NULL, field));
        assert_false(allowed("https://app.example.org", field));
    }
    assert_false(allowed(NULL, "Origin: https://www.example.org:8443\r\nOrigin: https://www.example.org:8443\r\n"));
}

static void listed_origins_are_allowed_and_a_star_allows_all(void **state)
{
    (void)state;
    assert_true(allowed("https://app.example.org", "Origin: https://app.example.org\r\n"));
    assert_false(allowed("https://app.example.org", "Origin: https://app.example.org:444\r\n"));
    assert_true(allowed("*", "Origin: https://evil.example\r\n"));
    assert_true(allowed("*", "Origin: null\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_path_has_its_owner),
        cmocka_unit_test(what_is_nobodys_is_the_backends),
        cmocka_unit_test(what_is_turned_off_is_the_backends),
        cmocka_unit_test(own_pages_and_whoever_is_no_page_are_allowed),
        cmocka_unit_test(other_origins_are_refused_in_every_spelling),
        cmocka_unit_test(listed_origins_are_allowed_and_a_star_allows_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
