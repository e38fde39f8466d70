/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "auth/digest.h"
#include "base/error.h"
#include "daemon/turn_login.h"

#define NOW   UINT64_C(1700000000)
#define REALM "ims.example.org"

static struct turn_login login;

static int find(void *context, struct span username, enum password_algorithm algorithm, struct credential_key *out)
{
    (void)context;
    if (!span_equal(username, span_of_text("alice")))
        return ERR_NOT_FOUND;
    credential_key_derive(algorithm, username, span_of_text(REALM), span_of_text("wonderland"), out);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    struct nonce_key key;
    nonce_key_init(&key, "key");
    turn_login_init(&login, REALM, &key);
    login.find = find;
    return 0;
}

/* The nonce of a challenge made at |wall_s|. */
static void nonce_of(uint64_t wall_s, bool stale, char out[64])
{
    char memory[4096];
    struct http_response response;
    struct turn_login_result result = {.stale = stale};
    http_response_init(&response, memory, sizeof memory - 1, 401, wall_s, true);
    turn_login_challenge(&login, &result, wall_s, &response);
    int length = http_response_finish(&response, "", 0, true);
    assert_true(length > 0);
    memory[length] = '\0';
    const char *first = strstr(memory, "algorithm=SHA-256"), *second = strstr(memory, "algorithm=MD5");
    assert_true(first && second && first < second);
    assert_int_equal(strstr(memory, "stale=true") != NULL, stale);
    assert_int_equal(sscanf(strstr(memory, "nonce=\""), "nonce=\"%63[^\"]", out), 1);
}

static int check(const char *user, const char *password, const char *nonce, uint64_t wall_s,
                 struct turn_login_result *result)
{
    char ha1[DIGEST_HEX_SIZE], response[DIGEST_HEX_SIZE], request[1024];
    const struct digest_request parts = {.method = span_of_text("GET"),
                                         .uri = span_of_text("/v1/turn"),
                                         .nonce = span_of_text(nonce),
                                         .nc = span_of_text("00000001"),
                                         .cnonce = span_of_text("c"),
                                         .qop = span_of_text("auth")};
    digest_ha1(DIGEST_SHA256, span_of_text(user), span_of_text(REALM), span_of_text(password), ha1);
    digest_response(DIGEST_SHA256, ha1, &parts, response);
    int length = snprintf(request, sizeof request,
                          "GET /v1/turn HTTP/1.1\r\nHost: x\r\nAuthorization: Digest username=\"%s\", realm=\"" REALM
                          "\", nonce=\"%s\", uri=\"/v1/turn\", qop=auth, nc=00000001, cnonce=\"c\", algorithm=SHA-256, "
                          "response=\"%s\"\r\n\r\n",
                          user, nonce, response);
    struct http_head head;
    unsigned status;
    assert_int_equal(http_head_decode(request, (size_t)length, &head, &status), length);
    return turn_login_check(&login, &head, wall_s, result);
}

static void nonce_is_good_for_a_minute_and_then_stale(void **state)
{
    (void)state;
    struct turn_login_result result;
    char nonce[64];
    nonce_of(NOW, false, nonce);
    assert_int_equal(check("alice", "wonderland", nonce, NOW, &result), 0);
    assert_string_equal(result.identity, "alice");
    assert_true(result.expires_s == UINT64_MAX);
    assert_int_equal(check("alice", "wonderland", nonce, NOW + TURN_LOGIN_NONCE_LIFETIME_S, &result), 0);
    assert_int_equal(check("alice", "wonderland", nonce, NOW + TURN_LOGIN_NONCE_LIFETIME_S + 1, &result), ERR_EXPIRED);
    assert_true(result.stale);
    nonce_of(NOW, true, nonce);
}

/* Or it would tell who tries passwords with an old nonce that one was right. */
static void old_nonce_is_stale_only_for_who_knows_the_password(void **state)
{
    (void)state;
    struct turn_login_result result;
    char nonce[64];
    nonce_of(NOW, false, nonce);
    assert_int_equal(check("alice", "looking glass", nonce, NOW + 3600, &result), ERR_FORBIDDEN);
    assert_false(result.stale);
    assert_int_equal(check("mallory", "wonderland", nonce, NOW, &result), ERR_FORBIDDEN);
    assert_false(result.stale);
}

static void nonce_with_any_character_changed_is_none_of_ours(void **state)
{
    (void)state;
    struct turn_login_result result;
    char nonce[64];
    nonce_of(NOW, false, nonce);
    for (size_t i = 0; nonce[i]; i++) {
        char kept = nonce[i];
        nonce[i] = kept == 'A' ? 'B' : 'A';
        assert_int_equal(check("alice", "wonderland", nonce, NOW, &result), ERR_FORBIDDEN);
        assert_false(result.stale);
        nonce[i] = kept;
    }
}

static void login_without_credentials_or_with_two_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        int result;
    } rows[] = {
        {"", ERR_NOT_FOUND},
        {"Authorization: Basic YTpi\r\n", ERR_NOT_FOUND},
        {"Authorization: Bearer abc\r\n", ERR_NOT_FOUND}, /* no tokens are taken */
        {"Authorization: Digest username=\"alice\"\r\n", ERR_MALFORMED},
        {"Authorization: Digest username=\"a\", username=\"b\"\r\n", ERR_MALFORMED},
        {"Authorization: Basic YTpi\r\nAuthorization: Basic YTpi\r\n", ERR_MALFORMED},
        {"Authorization: \r\n", ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char request[512];
        struct http_head head;
        unsigned status;
        struct turn_login_result result;
        int length = snprintf(request, sizeof request, "GET /v1/turn HTTP/1.1\r\nHost: x\r\n%s\r\n", rows[i].fields);
        assert_int_equal(http_head_decode(request, (size_t)length, &head, &status), length);
        assert_int_equal(turn_login_check(&login, &head, NOW, &result), rows[i].result);
        assert_non_null(result.reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nonce_is_good_for_a_minute_and_then_stale),
        cmocka_unit_test(old_nonce_is_stale_only_for_who_knows_the_password),
        cmocka_unit_test(nonce_with_any_character_changed_is_none_of_ours),
        cmocka_unit_test(login_without_credentials_or_with_two_is_refused),
    };
    return cmocka_run_group_tests_name("turn_login", tests, set_up, NULL);
}
