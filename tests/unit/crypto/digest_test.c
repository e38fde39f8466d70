/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/digest.h"

static struct span text(const char *t)
{
    return (struct span){t, strlen(t)};
}

static void assert_hex(const uint8_t *bytes, size_t length, const char *expected)
{
    char hex[2 * SHA256_SIZE + 1];
    for (size_t i = 0; i < length; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    assert_string_equal(hex, expected);
}

static void hashes_equal_the_published_ones(void **state)
{
    (void)state;
    uint8_t out[SHA256_SIZE];
    crypto_md5(NULL, 0, out);
    assert_hex(out, MD5_SIZE, "d41d8cd98f00b204e9800998ecf8427e"); /* RFC 1321 §A.5 */
    struct span abc = text("abc");
    crypto_md5(&abc, 1, out);
    assert_hex(out, MD5_SIZE, "900150983cd24fb0d6963f7d28e17f72");
    crypto_sha1(&abc, 1, out); /* FIPS 180-4 */
    assert_hex(out, SHA1_SIZE, "a9993e364706816aba3e25717850c26c9cd0d89d");
    crypto_sha256(&abc, 1, out); /* FIPS 180-4 */
    assert_hex(out, SHA256_SIZE, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void keyed_hashes_equal_the_published_ones(void **state)
{
    (void)state;
    uint8_t out[SHA256_SIZE];
    struct span what = text("what do ya want for nothing?");
    crypto_hmac_sha1(text("Jefe"), &what, 1, out); /* RFC 2202 §3, case 2 */
    assert_hex(out, SHA1_SIZE, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    crypto_hmac_sha256(text("Jefe"), &what, 1, out); /* RFC 4231 §4.3 */
    assert_hex(out, SHA256_SIZE, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");

    uint8_t long_key[131];
    memset(long_key, 0xaa, sizeof long_key);
    struct span larger = text("Test Using Larger Than Block-Size Key - Hash Key First");
    crypto_hmac_sha256((struct span){long_key, sizeof long_key}, &larger, 1, out); /* RFC 4231 §4.7 */
    assert_hex(out, SHA256_SIZE, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void spans_hash_as_if_they_stood_together(void **state)
{
    (void)state;
    const struct span parts[] = {text("what do ya "), {NULL, 0}, text("want for"), text(" nothing?")};
    const struct span whole = text("what do ya want for nothing?");
    uint8_t a[SHA256_SIZE], b[SHA256_SIZE];
    crypto_sha256(parts, 4, a);
    crypto_sha256(&whole, 1, b);
    assert_memory_equal(a, b, sizeof a);
    crypto_hmac_sha1(text("Jefe"), parts, 4, a);
    crypto_hmac_sha1(text("Jefe"), &whole, 1, b);
    assert_memory_equal(a, b, SHA1_SIZE);
}

static void empty_key_is_not_the_key_before(void **state)
{
    (void)state;
    uint8_t out[SHA256_SIZE];
    crypto_hmac_sha256(text("a key before"), NULL, 0, out);
    crypto_hmac_sha256((struct span){NULL, 0}, NULL, 0, out);
    assert_hex(out, SHA256_SIZE, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
    crypto_hmac_sha1((struct span){NULL, 0}, NULL, 0, out);
    assert_hex(out, SHA1_SIZE, "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
}

static void *hash_many_times(void *wrong)
{
    struct span what = text("what do ya want for nothing?");
    uint8_t first[SHA256_SIZE], out[SHA256_SIZE];
    crypto_hmac_sha256(text("Jefe"), &what, 1, first);
    for (unsigned i = 0; i < 2000; i++) {
        crypto_hmac_sha256(text("Jefe"), &what, 1, out);
        if (memcmp(first, out, sizeof out) != 0)
            *(int *)wrong = 1;
    }
    return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
    (void)state;
    pthread_t threads[4];
    int wrong[4] = {0};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hash_many_times, &wrong[i]), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(wrong[i], 0);
    }
}

static void random_numbers_stay_below_their_bound_and_reach_all_of_it(void **state)
{
    (void)state;
    unsigned seen[3] = {0};
    for (unsigned i = 0; i < 300; i++) {
        uint32_t number = crypto_random_below(3);
        assert_in_range(number, 0, 2);
        seen[number]++;
    }
    /* Each is missed by all 300 with a chance of (2/3)^300 < 10^-52. */
    assert_true(seen[0] && seen[1] && seen[2]);
    assert_int_equal(crypto_random_below(1), 0);

    uint8_t a[16], b[16];
    crypto_random(a, sizeof a);
    crypto_random(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void comparison_sees_each_byte(void **state)
{
    (void)state;
    uint8_t a[20] = {0}, b[20] = {0};
    assert_true(crypto_equal(a, b, sizeof a));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] = 1;
        assert_false(crypto_equal(a, b, sizeof a));
        b[i] = 0;
    }
    b[3] = 7;
    crypto_erase(b, sizeof b);
    assert_true(crypto_equal(a, b, sizeof a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_equal_the_published_ones),
        cmocka_unit_test(keyed_hashes_equal_the_published_ones),
        cmocka_unit_test(spans_hash_as_if_they_stood_together),
        cmocka_unit_test(empty_key_is_not_the_key_before),
        cmocka_unit_test(threads_do_not_disturb_each_other),
        cmocka_unit_test(random_numbers_stay_below_their_bound_and_reach_all_of_it),
        cmocka_unit_test(comparison_sees_each_byte),
    };
    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
