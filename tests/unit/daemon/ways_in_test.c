/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ways_in.h"

static struct settings *parse(const char *yaml)
{
    struct settings *settings;
    struct settings_error error;
    if (settings_parse("test.yaml", yaml, strlen(yaml), &settings, &error) != 0)
        fail_msg("%s", error.text);
    return settings;
}

/* The object that is printed, parsed again. */
static json_t *printed(const struct ways_in *ways, const char *username, const char *password)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    assert_int_equal(ways_in_print_servers(out, ways, username, password), 0);
    fclose(out);
    json_t *page = json_loads(text, 0, NULL);
    assert_non_null(page);
    free(text);
    return page;
}

static void assert_urls(const struct ways_in *ways, const char *const *expected, size_t count)
{
    json_t *page = printed(ways, "u", "p");
    json_t *urls = json_object_get(json_array_get(json_object_get(page, "iceServers"), 0), "urls");
    assert_int_equal(json_array_size(urls), count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(json_string_value(json_array_get(urls, i)), expected[i]);
    json_decref(page);
}

static struct settings_relay_address relay(const char *public_address, const char *private_address)
{
    struct settings_relay_address address = {.line = 0};
    assert_int_equal(address_parse(public_address, &address.public_address), 0);
    assert_int_equal(address_parse(private_address, &address.private_address), 0);
    return address;
}

static void every_listener_is_a_way_in_by_the_public_address(void **state)
{
    (void)state;
    struct settings *settings = parse("listen:\n"
                                      "  - udp://0.0.0.0:3478\n"
                                      "  - udp://[::]:3478\n"
                                      "  - tcp://10.0.0.5:80\n"
                                      "  - tcp://10.0.0.6:80\n" /* no address that clients are told */
                                      "  - tls://0.0.0.0:443\n"
                                      "  - {url: 'tls://0.0.0.0:8443', plain: true}\n"
                                      "tls: {certificate: a, key: b}\n"
                                      "users: {carol: kT5xPq}\n");
    const struct settings_relay_address addresses[] = {relay("203.0.113.5", "10.0.0.5"),
                                                       relay("2001:db8::5", "2001:db8::5")};
    struct ways_in ways = {.settings = settings, .addresses = addresses, .address_count = 2};
    static const char *const by_address[] = {
        "turn:203.0.113.5:3478?transport=udp", "turn:[2001:db8::5]:3478?transport=udp",
        "turn:203.0.113.5:80?transport=tcp",   "turn:203.0.113.5:8443?transport=tcp",
        "turns:203.0.113.5:443?transport=tcp", "turns:203.0.113.5:8443?transport=tcp",
    };
    assert_urls(&ways, by_address, 6);

    ways.tls_name = "turn.example.org";
    static const char *const by_name[] = {
        "turn:203.0.113.5:3478?transport=udp",      "turn:[2001:db8::5]:3478?transport=udp",
        "turn:203.0.113.5:80?transport=tcp",        "turn:203.0.113.5:8443?transport=tcp",
        "turns:turn.example.org:443?transport=tcp", "turns:turn.example.org:8443?transport=tcp",
    };
    assert_urls(&ways, by_name, 6);
    settings_destroy(&settings);
}

static void one_name_for_two_families_is_one_way_in(void **state)
{
    (void)state;
    struct settings *settings = parse("listen: ['tls://0.0.0.0:443', 'tls://[::]:443']\n"
                                      "tls: {certificate: a, key: b}\nusers: {carol: kT5xPq}\n");
    const struct settings_relay_address addresses[] = {relay("203.0.113.5", "203.0.113.5"),
                                                       relay("2001:db8::5", "2001:db8::5")};
    const struct ways_in ways = {
        .settings = settings, .addresses = addresses, .address_count = 2, .tls_name = "turn.example.org"};
    static const char *const once[] = {"turns:turn.example.org:443?transport=tcp"};
    assert_urls(&ways, once, 1);
    settings_destroy(&settings);
}

static void credentials_come_out_as_they_went_in(void **state)
{
    (void)state;
    struct settings *settings = parse("users: {carol: kT5xPq}\n");
    const struct ways_in ways = {.settings = settings};
    json_t *page = printed(&ways, "a\"b\\c", "</script>\n");
    const json_t *server = json_array_get(json_object_get(page, "iceServers"), 0);
    assert_string_equal(json_string_value(json_object_get(server, "username")), "a\"b\\c");
    assert_string_equal(json_string_value(json_object_get(server, "credential")), "</script>\n");
    json_decref(page);
    settings_destroy(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_listener_is_a_way_in_by_the_public_address),
        cmocka_unit_test(one_name_for_two_families_is_one_way_in),
        cmocka_unit_test(credentials_come_out_as_they_went_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
