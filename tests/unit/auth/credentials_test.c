/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "auth/credentials.h"
#include "base/error.h"
#include "base/memory.h"

static struct span text(const char *s)
{
    return (struct span){s, strlen(s)};
}

static void assert_span(struct span span, const char *expected)
{
    assert_int_equal(span.length, strlen(expected));
    assert_memory_equal(span.bytes, expected, span.length);
}

static struct credentials *built(const char *const *secrets)
{
    struct credentials *credentials;
    assert_int_equal(credentials_create("example.org", &credentials), 0);
    assert_int_equal(credentials_add_account(credentials, "alice", "secret"), 0);
    for (; *secrets; secrets++)
        assert_int_equal(credentials_add_secret(credentials, *secrets), 0);
    return credentials;
}
static const char *const no_secrets[] = {NULL};
static const char *const two_secrets[] = {"north", "south", NULL};

static int find(const struct credentials *credentials, const char *name, struct credential_match *out)
{
    struct credential_claim claim = {.username = text(name)};
    return credentials_find(credentials, &claim, PASSWORD_MD5, out);
}

/* RFC 5389 §15.4 names this key: MD5 of "user:realm:pass". */
static void key_of_a_password_is_the_rfcs(void **state)
{
    (void)state;
    static const uint8_t md5[] = {0x84, 0x93, 0xfb, 0xc5, 0x3b, 0xa5, 0x82, 0xfb,
                                  0x4c, 0x04, 0x4c, 0x45, 0x6b, 0xdc, 0x40, 0xeb};
    struct credential_key key;
    credential_key_derive(PASSWORD_MD5, text("user"), text("realm"), text("pass"), &key);
    assert_int_equal(key.length, MD5_SIZE);
    assert_memory_equal(key.bytes, md5, MD5_SIZE);
    credential_key_derive(PASSWORD_SHA256, text("user"), text("realm"), text("pass"), &key);
    assert_int_equal(key.length, SHA256_SIZE);
}

static void account_is_found_by_its_name_alone(void **state)
{
    (void)state;
    struct credentials *credentials = built(no_secrets);
    struct credential_match match;
    assert_int_equal(find(credentials, "alice", &match), 0);
    assert_span(match.username, "alice");
    assert_span(match.user_part, "alice");
    assert_true(match.expires_s == UINT64_MAX);
    assert_int_equal(match.key_count, 1);
    struct credential_key key;
    credential_key_derive(PASSWORD_MD5, text("alice"), text("example.org"), text("secret"), &key);
    assert_memory_equal(&match.keys[0], &key, sizeof key);

    static const char *const strangers[] = {"Alice", "alic", "alice ", "", "1700000000:alice"};
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        assert_int_equal(find(credentials, strangers[i], &match), ERR_NOT_FOUND);
    credentials_destroy(&credentials);
    assert_null(credentials);
}

/* The vector of RFC 8489's appendix on USERHASH. */
static void userhash_finds_its_account_while_there_are_no_secrets(void **state)
{
    (void)state;
    static const char name[] = "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9";
    static const uint8_t userhash[SHA256_SIZE] = {0x4a, 0x3c, 0xf3, 0x8f, 0xef, 0x69, 0x92, 0xbd, 0xa9, 0x52, 0xc6,
                                                  0x78, 0x04, 0x17, 0xda, 0x0f, 0x24, 0x81, 0x94, 0x15, 0x56, 0x9e,
                                                  0x60, 0xb2, 0x05, 0xc4, 0x6e, 0x41, 0x40, 0x7f, 0x17, 0x04};
    struct credentials *credentials = built(no_secrets);
    assert_int_equal(credentials_add_account(credentials, name, "TheMatrIX"), 0);
    struct credential_claim claim = {.userhash = userhash};
    struct credential_match match;
    assert_true(credentials_anonymity_possible(credentials));
    assert_int_equal(credentials_find(credentials, &claim, PASSWORD_SHA256, &match), 0);
    assert_span(match.username, name);

    uint8_t other[SHA256_SIZE];
    memcpy(other, userhash, sizeof other);
    other[31] ^= 1;
    claim.userhash = other;
    assert_int_equal(credentials_find(credentials, &claim, PASSWORD_SHA256, &match), ERR_NOT_FOUND);

    assert_int_equal(credentials_add_secret(credentials, "north"), 0);
    assert_false(credentials_anonymity_possible(credentials));
    claim.userhash = userhash;
    assert_int_equal(credentials_find(credentials, &claim, PASSWORD_SHA256, &match), ERR_NOT_FOUND);
    credentials_destroy(&credentials);
}

static void anonymity_needs_an_account(void **state)
{
    (void)state;
    struct credentials *credentials;
    assert_int_equal(credentials_create("r", &credentials), 0);
    assert_false(credentials_anonymity_possible(credentials));
    credentials_destroy(&credentials);
}

static void issued_credentials_are_found_with_a_key_for_each_secret(void **state)
{
    (void)state;
    struct credentials *credentials = built(two_secrets);
    char username[USERNAME_MAX + 1], password[CRYPTO_BASE64_SIZE(SHA1_SIZE)];
    assert_int_equal(credentials_issue(credentials, "alice", 1700000000, username, password), 0);
    assert_string_equal(username, "1700000000:alice");
    assert_string_equal(password, "Cd/49soE35ICqcJF/bCTn8Z4OyE=");

    struct credential_match match;
    assert_int_equal(find(credentials, username, &match), 0);
    assert_span(match.username, username);
    assert_span(match.user_part, "alice");
    assert_true(match.expires_s == 1700000000);
    assert_int_equal(match.key_count, 2);
    struct credential_key key;
    credential_key_derive(PASSWORD_MD5, text(username), text("example.org"), text(password), &key);
    assert_memory_equal(&match.keys[0], &key, sizeof key);
    assert_memory_not_equal(&match.keys[1], &key, sizeof key);
    credentials_destroy(&credentials);
}

static void expiry_alone_counts_as_its_own_user(void **state)
{
    (void)state;
    struct credentials *credentials = built(two_secrets);
    char username[USERNAME_MAX + 1], password[CRYPTO_BASE64_SIZE(SHA1_SIZE)];
    struct credential_match match;
    assert_int_equal(credentials_issue(credentials, "", 1700000000, username, password), 0);
    assert_string_equal(username, "1700000000");
    assert_int_equal(find(credentials, username, &match), 0);
    assert_span(match.user_part, "1700000000");
    assert_int_equal(find(credentials, "1700000000:", &match), 0);
    assert_span(match.user_part, "1700000000:");
    assert_int_equal(find(credentials, "1700000000:a:b", &match), 0);
    assert_span(match.user_part, "a:b");
    credentials_destroy(&credentials);
}

static void expiry_in_an_odd_spelling_is_none(void **state)
{
    (void)state;
    struct credentials *credentials = built(two_secrets);
    static const char *const names[] = {"18446744073709551616:eve",
                                        "99999999999999999999:eve",
                                        "000000000000000000001:eve",
                                        "+1700000000:eve",
                                        "-1:eve",
                                        " 1700000000:eve",
                                        "1700000000x:eve",
                                        "0x7fffffff:eve",
                                        ":eve",
                                        "eve",
                                        "1700000000 :eve",
                                        "\xd9\xa1:eve"};
    struct credential_match match;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(find(credentials, names[i], &match), ERR_NOT_FOUND);
    assert_int_equal(find(credentials, "18446744073709551615:eve", &match), 0);
    credentials_destroy(&credentials);
}

static void registration_is_told_from_the_user_that_quotas_count(void **state)
{
    (void)state;
    struct credentials *credentials = built(two_secrets);
    static const struct {
        const char *username, *user_part, *registration;
    } rows[] = {
        {"1700000000:p1.Pseudo-nym_.0123456789abcdef", "p1.Pseudo-nym_", "0123456789abcdef"},
        {"1700000000:p1.x.-_AZaz09AZaz09AZ", "p1.x", "-_AZaz09AZaz09AZ"},
        {"1700000000:p1..0123456789abcdef", "p1..0123456789abcdef", ""},
        {"1700000000:p1.x.0123456789abcde", "p1.x.0123456789abcde", ""},
        {"1700000000:p1.x.0123456789abcdefg", "p1.x.0123456789abcdefg", ""},
        {"1700000000:p1.x.0123456789abcde.", "p1.x.0123456789abcde.", ""},
        {"1700000000:p1.x.y.0123456789abcdef", "p1.x.y.0123456789abcdef", ""},
        {"1700000000:p1.x:.0123456789abcdef", "p1.x:.0123456789abcdef", ""},
        {"1700000000:p2.x.0123456789abcdef", "p2.x.0123456789abcdef", ""},
        {"1700000000:.0123456789abcdef", ".0123456789abcdef", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct credential_match match;
        assert_int_equal(find(credentials, rows[i].username, &match), 0);
        assert_span(match.username, rows[i].username);
        assert_span(match.user_part, rows[i].user_part);
        assert_span(match.registration, rows[i].registration);
    }
    credentials_destroy(&credentials);
}

static void static_account_belongs_to_no_registration(void **state)
{
    (void)state;
    struct credentials *credentials = built(two_secrets);
    struct credential_match match;
    assert_int_equal(credentials_add_account(credentials, "1:p1.x.0123456789abcdef", "secret"), 0);
    assert_int_equal(find(credentials, "1:p1.x.0123456789abcdef", &match), 0);
    assert_span(match.user_part, "1:p1.x.0123456789abcdef");
    assert_int_equal(match.registration.length, 0);
    credentials_destroy(&credentials);
}

static void digest_key_is_that_of_the_account(void **state)
{
    (void)state;
    struct credentials *credentials = built(two_secrets);
    struct credential_key key, expected;
    assert_int_equal(credentials_find_digest_key(credentials, text("alice"), PASSWORD_SHA256, &key), 0);
    credential_key_derive(PASSWORD_SHA256, text("alice"), text("example.org"), text("secret"), &expected);
    assert_memory_equal(&key, &expected, sizeof key);
    assert_int_equal(credentials_find_digest_key(credentials, text("alice"), PASSWORD_MD5, &key), 0);
    assert_int_equal(key.length, MD5_SIZE);
    assert_int_equal(credentials_find_digest_key(credentials, text("1700000000:alice"), PASSWORD_MD5, &key),
                     ERR_NOT_FOUND);
    credentials_destroy(&credentials);
}

static void account_named_like_a_number_is_no_expired_credential(void **state)
{
    (void)state;
    struct credentials *credentials = built(two_secrets);
    assert_int_equal(credentials_add_account(credentials, "4930123456", "secret"), 0);
    struct credential_match match;
    assert_int_equal(find(credentials, "4930123456", &match), 0);
    assert_true(match.expires_s == UINT64_MAX);
    assert_int_equal(match.key_count, 1);
    credentials_destroy(&credentials);
}

static void unusable_names_and_secrets_are_refused(void **state)
{
    (void)state;
    struct credentials *credentials = built(no_secrets);
    char long_name[USERNAME_MAX + 2], password[64], username[USERNAME_MAX + 1];
    memset(long_name, 'a', sizeof long_name);
    long_name[USERNAME_MAX + 1] = '\0';
    assert_int_equal(credentials_issue(credentials, "x", 1, username, password), ERR_NOT_FOUND);
    assert_int_equal(credentials_add_account(credentials, long_name, "x"), ERR_TOO_LARGE);
    assert_int_equal(credentials_add_account(credentials, "", "x"), ERR_MALFORMED);
    assert_int_equal(credentials_add_account(credentials, "alice", "other"), ERR_EXISTS);
    assert_int_equal(credentials_add_secret(credentials, ""), ERR_MALFORMED);
    for (char secret[2] = "a"; secret[0] < 'a' + CREDENTIALS_SECRETS_MAX; secret[0]++)
        assert_int_equal(credentials_add_secret(credentials, secret), 0);
    assert_int_equal(credentials_add_secret(credentials, "more"), ERR_FULL);
    assert_int_equal(credentials_issue(credentials, long_name, 1, username, password), ERR_TOO_LARGE);
    credentials_destroy(&credentials);
}

static void want_of_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    for (unsigned long n = 1; n <= 8; n++) {
        struct credentials *credentials = NULL;
        memory_fail_at(n);
        int result = credentials_create("example.org", &credentials);
        if (result == 0)
            result = credentials_add_account(credentials, "alice", "secret");
        memory_fail_at(0);
        assert_int_equal(result, n <= 6 ? ERR_MEMORY : 0);
        credentials_destroy(&credentials);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_of_a_password_is_the_rfcs),
        cmocka_unit_test(account_is_found_by_its_name_alone),
        cmocka_unit_test(userhash_finds_its_account_while_there_are_no_secrets),
        cmocka_unit_test(anonymity_needs_an_account),
        cmocka_unit_test(issued_credentials_are_found_with_a_key_for_each_secret),
        cmocka_unit_test(expiry_alone_counts_as_its_own_user),
        cmocka_unit_test(expiry_in_an_odd_spelling_is_none),
        cmocka_unit_test(registration_is_told_from_the_user_that_quotas_count),
        cmocka_unit_test(static_account_belongs_to_no_registration),
        cmocka_unit_test(digest_key_is_that_of_the_account),
        cmocka_unit_test(account_named_like_a_number_is_no_expired_credential),
        cmocka_unit_test(unusable_names_and_secrets_are_refused),
        cmocka_unit_test(want_of_memory_leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("credentials", tests, NULL, NULL);
}
