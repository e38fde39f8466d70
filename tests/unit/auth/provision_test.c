/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "auth/provision.h"
#include "base/error.h"
#include "base/memory.h"

#define ID        "0123456789abcdef"
#define PSEUDONYM "udc50UxDhQC8W7ho"

static const struct now now = {.wall_s = 1700000000};
static const char *const uris[] = {"turn:turn.example.org:3478?transport=udp",
                                   "turns:turn.example.org:443?transport=tcp"};
static struct credentials *credentials;
static struct nonce_key nonce_key;

static int set_up(void **state)
{
    (void)state;
    nonce_key_init(&nonce_key, "key");
    return credentials_create("example.org", &credentials) == 0 && credentials_add_secret(credentials, "north") == 0
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    credentials_destroy(&credentials);
    return 0;
}

static struct provision_settings settings_of(const char *pseudonym_key)
{
    struct provision_settings settings = {
        .credentials = credentials,
        .nonce_key = &nonce_key,
        .realm = "example.org",
        .uris = uris,
        .uri_count = 2,
        .lifetime_s = 3600,
    };
    pseudonym_key_init(settings.pseudonym_key, pseudonym_key);
    return settings;
}

static struct provision *built(const char *pseudonym_key)
{
    struct provision *provision;
    struct provision_settings settings = settings_of(pseudonym_key);
    assert_int_equal(provision_create(&settings, &provision), 0);
    return provision;
}

static json_t *issue(const struct provision *provision, const char *impi, uint64_t until_s, uint64_t *expires_out)
{
    char json[PROVISION_JSON_MAX];
    int length = provision_issue(provision, span_of_text(impi), ID, until_s, now, json, sizeof json, expires_out);
    assert_true(length > 0);
    json_t *page = json_loadb(json, (size_t)length, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(page);
    return page;
}

static const char *username_of(const json_t *page)
{
    const json_t *server = json_array_get(json_object_get(page, "iceServers"), 0);
    return json_string_value(json_object_get(server, "username"));
}

static void answer_has_the_form_that_browsers_take(void **state)
{
    (void)state;
    struct provision *provision = built("key");
    uint64_t expires_s;
    json_t *page = issue(provision, "alice@example.org", UINT64_MAX, &expires_s);
    const json_t *servers = json_object_get(page, "iceServers");
    assert_int_equal(json_array_size(servers), 1);
    const json_t *server = json_array_get(servers, 0), *urls = json_object_get(server, "urls");
    assert_int_equal(json_array_size(urls), 2);
    assert_string_equal(json_string_value(json_array_get(urls, 1)), uris[1]);
    assert_true(expires_s == now.wall_s + 3600);
    assert_int_equal(json_integer_value(json_object_get(page, "ttl")), 2880);

    struct credential_match match;
    struct credential_claim claim = {.username = span_of_text(username_of(page))};
    assert_int_equal(credentials_find(credentials, &claim, PASSWORD_MD5, &match), 0);
    assert_true(match.expires_s == expires_s);
    struct credential_key key;
    const char *password = json_string_value(json_object_get(server, "credential"));
    credential_key_derive(PASSWORD_MD5, claim.username, span_of_text("example.org"), span_of_text(password), &key);
    assert_memory_equal(&key, &match.keys[0], sizeof key);
    json_decref(page);
    provision_destroy(&provision);
    assert_null(provision);
}

static void username_names_the_registration_and_no_identity(void **state)
{
    (void)state;
    struct provision *provision = built("key");
    uint64_t expires_s;
    json_t *page = issue(provision, "alice@example.org", UINT64_MAX, &expires_s);
    struct credential_name name;
    assert_true(credential_name_parse(span_of_text(username_of(page)), &name));
    assert_true(span_equal(name.registration, span_of_text(ID)));
    assert_int_equal(name.user_part.length, 3 + 16);
    assert_null(strstr(username_of(page), "alice"));
    json_decref(page);
    provision_destroy(&provision);
}

/* 96 bits of HMAC-SHA-256, the key from HMAC-SHA-256("key", "postern pseudonym key"): computed by Python. */
static void pseudonym_is_the_same_in_a_fleet_and_another_for_everybody(void **state)
{
    (void)state;
    static const struct {
        const char *key, *impi;
        bool same;
    } rows[] = {{"key", "alice@example.org", true},
                {"key", "bob@example.org", false},
                {"key", "Alice@example.org", false},
                {"other", "alice@example.org", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct provision *provision = built(rows[i].key);
        uint64_t expires_s;
        json_t *page = issue(provision, rows[i].impi, UINT64_MAX, &expires_s);
        assert_true((strcmp(username_of(page), "1700003600:p1." PSEUDONYM "." ID) == 0) == rows[i].same);
        json_decref(page);
        provision_destroy(&provision);
    }
}

static void life_is_the_smaller_of_settings_and_registration(void **state)
{
    (void)state;
    static const struct {
        uint64_t left_s, life_s;
        int ttl_s;
    } rows[] = {{1, 1, 1}, {60, 60, 48}, {3600, 3600, 2880}, {7200, 3600, 2880}};
    struct provision *provision = built("key");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t expires_s;
        json_t *page = issue(provision, "alice", now.wall_s + rows[i].left_s, &expires_s);
        assert_true(expires_s == now.wall_s + rows[i].life_s);
        assert_int_equal(json_integer_value(json_object_get(page, "ttl")), rows[i].ttl_s);
        json_decref(page);
    }
    char json[PROVISION_JSON_MAX];
    uint64_t expires_s;
    assert_int_equal(
        provision_issue(provision, span_of_text("alice"), ID, now.wall_s, now, json, sizeof json, &expires_s),
        ERR_EXPIRED);
    provision_destroy(&provision);
}

static void nonce_is_good_for_that_username_from_anywhere(void **state)
{
    (void)state;
    struct provision *provision = built("key");
    uint64_t expires_s;
    json_t *page = issue(provision, "alice", UINT64_MAX, &expires_s);
    const char *nonce = json_string_value(json_object_get(page, "nonce"));
    struct address client = {.family = ADDRESS_IPV4};
    assert_string_equal(json_string_value(json_object_get(page, "realm")), "example.org");
    assert_int_equal(nonce_check(&nonce_key, &client, span_of_text(username_of(page)), span_of_text(nonce), now), 0);
    const json_t *algorithms = json_object_get(page, "passwordAlgorithms");
    assert_string_equal(json_string_value(json_array_get(algorithms, 0)), "SHA-256");
    assert_string_equal(json_string_value(json_array_get(algorithms, 1)), "MD5");
    json_decref(page);
    provision_destroy(&provision);
}

static void foreign_server_gets_no_nonce_of_ours(void **state)
{
    (void)state;
    struct provision_settings settings = settings_of("key");
    struct provision *provision;
    settings.nonce_key = NULL;
    assert_int_equal(provision_create(&settings, &provision), 0);
    uint64_t expires_s;
    json_t *page = issue(provision, "alice", UINT64_MAX, &expires_s);
    assert_int_equal(json_object_size(page), 2);
    json_decref(page);
    provision_destroy(&provision);
}

static void what_would_not_fit_is_refused_at_the_start(void **state)
{
    (void)state;
    struct provision_settings settings = settings_of("key");
    struct provision *provision = NULL;
    char *longest[PROVISION_URIS_MAX];
    for (size_t i = 0; i < PROVISION_URIS_MAX; i++) {
        longest[i] = memory_zeroed(1, 301);
        memset(longest[i], 'x', 300);
    }
    settings.uris = (const char *const *)longest;
    settings.uri_count = PROVISION_URIS_MAX;
    assert_int_equal(provision_create(&settings, &provision), ERR_TOO_LARGE);
    for (size_t i = 0; i < PROVISION_URIS_MAX; i++)
        memory_free(longest[i]);

    struct credentials *without;
    assert_int_equal(credentials_create("example.org", &without), 0);
    settings = settings_of("key");
    settings.credentials = without;
    assert_int_equal(provision_create(&settings, &provision), ERR_NOT_FOUND);
    credentials_destroy(&without);
    for (unsigned long n = 1; n <= 4; n++) {
        settings = settings_of("key");
        memory_fail_at(n);
        assert_int_equal(provision_create(&settings, &provision), ERR_MEMORY);
        memory_fail_at(0);
    }
}

static void small_room_is_told(void **state)
{
    (void)state;
    struct provision *provision = built("key");
    char json[100];
    uint64_t expires_s;
    assert_int_equal(provision_issue(provision, span_of_text("a"), ID, UINT64_MAX, now, json, sizeof json, &expires_s),
                     ERR_TOO_LARGE);
    provision_destroy(&provision);
}

static void registration_ids_differ_and_are_told_from_the_username(void **state)
{
    (void)state;
    char one[REGISTRATION_ID_SIZE], other[REGISTRATION_ID_SIZE], username[64];
    registration_id_make(one);
    registration_id_make(other);
    assert_int_equal(strlen(one), REGISTRATION_ID_LENGTH);
    assert_string_not_equal(one, other);
    struct credential_name name;
    snprintf(username, sizeof username, "1:p1.x.%s", one);
    assert_true(credential_name_parse(span_of_text(username), &name));
    assert_true(span_equal(name.registration, span_of_text(one)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_has_the_form_that_browsers_take),
        cmocka_unit_test(username_names_the_registration_and_no_identity),
        cmocka_unit_test(pseudonym_is_the_same_in_a_fleet_and_another_for_everybody),
        cmocka_unit_test(life_is_the_smaller_of_settings_and_registration),
        cmocka_unit_test(nonce_is_good_for_that_username_from_anywhere),
        cmocka_unit_test(foreign_server_gets_no_nonce_of_ours),
        cmocka_unit_test(what_would_not_fit_is_refused_at_the_start),
        cmocka_unit_test(small_room_is_told),
        cmocka_unit_test(registration_ids_differ_and_are_told_from_the_username),
    };
    return cmocka_run_group_tests_name("provision", tests, set_up, tear_down);
}
