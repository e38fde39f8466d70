/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "auth/nonce.h"
#include "base/error.h"

#define BOTH (NONCE_PASSWORD_ALGORITHMS | NONCE_USERNAME_ANONYMITY)

static struct nonce_key key;
static const struct now now = {.wall_s = 1700000000};
static const struct span nobody = {"", 0};

static struct address client_of(const char *text)
{
    struct address address;
    assert_int_equal(address_parse(text, &address), 0);
    return address;
}

static int check(const struct address *client, const char *nonce, struct now at)
{
    return nonce_check(&key, client, nobody, (struct span){nonce, NONCE_LENGTH}, at);
}

static void nonce_says_its_features_behind_the_cookie(void **state)
{
    (void)state;
    struct address client = client_of("192.0.2.1");
    static const struct {
        uint32_t features;
        const char *start;
    } rows[] = {{0, "obMatJos2AAAA"},
                {NONCE_PASSWORD_ALGORITHMS, "obMatJos2gAAA"},
                {NONCE_USERNAME_ANONYMITY, "obMatJos2QAAA"},
                {BOTH, "obMatJos2wAAA"}};
    for (size_t i = 0; i < 4; i++) {
        char nonce[NONCE_LENGTH];
        nonce_make(&key, &client, rows[i].features, now, nonce);
        assert_memory_equal(nonce, rows[i].start, 13);
        assert_int_equal(nonce_features((uint8_t *)nonce, NONCE_LENGTH), rows[i].features);
    }
    assert_int_equal(nonce_features((const uint8_t *)"obMatJos2/+//", 13), 0xFFEFFF);
    assert_int_equal(nonce_features((const uint8_t *)"obMatJos2wAA", 12), 0);
    assert_int_equal(nonce_features((const uint8_t *)"obMatJos2w AA", 13), 0);
    assert_int_equal(nonce_features((const uint8_t *)"ObMatJos2wAAA", 13), 0);
}

static void nonce_is_good_for_an_hour_and_a_little_skew(void **state)
{
    (void)state;
    struct address client = client_of("2001:db8::1");
    char nonce[NONCE_LENGTH];
    nonce_make(&key, &client, BOTH, now, nonce);
    static const struct {
        int64_t after_s;
        int result;
    } rows[] = {{0, 0}, {3600, 0}, {3601, ERR_EXPIRED}, {1 << 30, ERR_EXPIRED}, {-60, 0}, {-61, ERR_EXPIRED}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(check(&client, nonce, (struct now){.wall_s = now.wall_s + (uint64_t)rows[i].after_s}),
                         rows[i].result);
}

static void nonce_survives_the_end_of_32_bit_time(void **state)
{
    (void)state;
    struct address client = client_of("192.0.2.1");
    char nonce[NONCE_LENGTH];
    nonce_make(&key, &client, BOTH, (struct now){.wall_s = UINT32_MAX - 10}, nonce);
    assert_int_equal(check(&client, nonce, (struct now){.wall_s = (uint64_t)UINT32_MAX + 100}), 0);
    assert_int_equal(check(&client, nonce, (struct now){.wall_s = (uint64_t)UINT32_MAX + 4000}), ERR_EXPIRED);
}

static void nonce_with_any_character_changed_is_refused(void **state)
{
    (void)state;
    struct address client = client_of("192.0.2.1");
    char nonce[NONCE_LENGTH];
    nonce_make(&key, &client, BOTH, now, nonce);
    for (size_t i = 0; i < NONCE_LENGTH; i++) {
        for (int c = 0; c < 256; c++) {
            char changed[NONCE_LENGTH];
            memcpy(changed, nonce, NONCE_LENGTH);
            changed[i] = (char)c;
            assert_int_equal(check(&client, changed, now), changed[i] == nonce[i] ? 0 : ERR_EXPIRED);
        }
    }
    assert_int_equal(nonce_check(&key, &client, nobody, (struct span){nonce, NONCE_LENGTH - 1}, now), ERR_EXPIRED);
    assert_int_equal(nonce_check(&key, &client, nobody, nobody, now), ERR_EXPIRED);
}

static void nonce_belongs_to_the_clients_ip_whatever_its_port(void **state)
{
    (void)state;
    struct address client = client_of("192.0.2.1:1000"), moved = client_of("192.0.2.1:2000");
    struct address other = client_of("192.0.2.2:1000");
    char nonce[NONCE_LENGTH];
    nonce_make(&key, &client, BOTH, now, nonce);
    assert_int_equal(check(&moved, nonce, now), 0);
    assert_int_equal(check(&other, nonce, now), ERR_EXPIRED);
}

static void nonce_key_is_shared_by_text_and_random_without(void **state)
{
    (void)state;
    struct address client = client_of("192.0.2.1");
    struct nonce_key one, same, other, random[2];
    nonce_key_init(&one, "fleet");
    nonce_key_init(&same, "fleet");
    nonce_key_init(&other, "fleet ");
    nonce_key_init(&random[0], "");
    nonce_key_init(&random[1], "");
    assert_memory_equal(&one, &same, sizeof one);
    assert_memory_not_equal(&one, &other, sizeof one);
    assert_memory_not_equal(&random[0], &random[1], sizeof one);
    char nonce[NONCE_LENGTH];
    nonce_make(&one, &client, 0, now, nonce);
    assert_int_equal(nonce_check(&same, &client, nobody, (struct span){nonce, NONCE_LENGTH}, now), 0);
    assert_int_equal(nonce_check(&other, &client, nobody, (struct span){nonce, NONCE_LENGTH}, now), ERR_EXPIRED);
}

#define ALICE "1700000600:p1.alice.0123456789abcdef"

static int check_bound(const char *username, const char *nonce, uint64_t wall_s)
{
    struct address client = client_of("192.0.2.1");
    return nonce_check(&key, &client, span_of_text(username), (struct span){nonce, NONCE_BOUND_LENGTH},
                       (struct now){.wall_s = wall_s});
}

static void bound_nonce_is_good_for_its_username_until_it_expires(void **state)
{
    (void)state;
    char nonce[NONCE_BOUND_LENGTH];
    nonce_make_bound(&key, span_of_text(ALICE), 1700000600, NONCE_PASSWORD_ALGORITHMS, nonce);
    assert_memory_equal(nonce, "obMatJos2gAAA", 13);
    assert_int_equal(nonce_features((uint8_t *)nonce, sizeof nonce), NONCE_PASSWORD_ALGORITHMS);
    assert_int_equal(check_bound(ALICE, nonce, 1700000000), 0);
    assert_int_equal(check_bound(ALICE, nonce, 1700000599), 0);
    assert_int_equal(check_bound(ALICE, nonce, 1700000600), ERR_EXPIRED);
    assert_int_equal(check_bound(ALICE, nonce, 1800000000), ERR_EXPIRED);
}

static void bound_nonce_is_nothing_to_another_username(void **state)
{
    (void)state;
    char nonce[NONCE_BOUND_LENGTH], twin[NONCE_BOUND_LENGTH];
    nonce_make_bound(&key, span_of_text(ALICE), 1700000600, NONCE_PASSWORD_ALGORITHMS, nonce);
    assert_int_equal(check_bound("1700000601:p1.alice.0123456789abcdef", nonce, 1700000000), ERR_EXPIRED);
    assert_int_equal(check_bound("1700000600:p1.alice.0123456789abcdeF", nonce, 1700000000), ERR_EXPIRED);
    assert_int_equal(check_bound("", nonce, 1700000000), ERR_EXPIRED);
    /* An empty name, as of a request with a USERHASH, is no name that one can be bound to. */
    nonce_make_bound(&key, span_of_text(""), 1700000600, NONCE_PASSWORD_ALGORITHMS, twin);
    assert_int_equal(check_bound("", twin, 1700000000), ERR_EXPIRED);
}

static void bound_nonce_with_any_character_changed_is_refused(void **state)
{
    (void)state;
    char nonce[NONCE_BOUND_LENGTH];
    nonce_make_bound(&key, span_of_text(ALICE), 1700000600, NONCE_PASSWORD_ALGORITHMS, nonce);
    for (size_t i = 0; i < sizeof nonce; i++) {
        for (int c = 0; c < 256; c++) {
            char changed[NONCE_BOUND_LENGTH];
            memcpy(changed, nonce, sizeof nonce);
            changed[i] = (char)c;
            assert_int_equal(check_bound(ALICE, changed, 1700000000), changed[i] == nonce[i] ? 0 : ERR_EXPIRED);
        }
    }
}

static void nonce_of_an_address_is_good_for_every_username(void **state)
{
    (void)state;
    struct address client = client_of("192.0.2.1");
    char nonce[NONCE_LENGTH];
    nonce_make(&key, &client, BOTH, now, nonce);
    assert_int_equal(nonce_check(&key, &client, span_of_text(ALICE), (struct span){nonce, NONCE_LENGTH}, now), 0);
}

int main(void)
{
    nonce_key_init(&key, "key");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nonce_says_its_features_behind_the_cookie),
        cmocka_unit_test(nonce_is_good_for_an_hour_and_a_little_skew),
        cmocka_unit_test(nonce_survives_the_end_of_32_bit_time),
        cmocka_unit_test(nonce_with_any_character_changed_is_refused),
        cmocka_unit_test(nonce_belongs_to_the_clients_ip_whatever_its_port),
        cmocka_unit_test(nonce_key_is_shared_by_text_and_random_without),
        cmocka_unit_test(bound_nonce_is_good_for_its_username_until_it_expires),
        cmocka_unit_test(bound_nonce_is_nothing_to_another_username),
        cmocka_unit_test(bound_nonce_with_any_character_changed_is_refused),
        cmocka_unit_test(nonce_of_an_address_is_good_for_every_username),
    };
    return cmocka_run_group_tests_name("nonce", tests, NULL, NULL);
}
