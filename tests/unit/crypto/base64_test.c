/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "crypto/digest.h"

static void base64_equals_the_published_vectors(void **state)
{
    (void)state;
    /* RFC 4648 §10 */
    static const char *const vectors[][2] = {{"", ""},
                                             {"f", "Zg=="},
                                             {"fo", "Zm8="},
                                             {"foo", "Zm9v"},
                                             {"foob", "Zm9vYg=="},
                                             {"fooba", "Zm9vYmE="},
                                             {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char out[CRYPTO_BASE64_SIZE(6)];
        size_t length = strlen(vectors[i][0]);
        assert_int_equal(crypto_base64(vectors[i][0], length, out), strlen(vectors[i][1]));
        assert_string_equal(out, vectors[i][1]);
    }
}

static void time_limited_password_comes_out_as_elsewhere(void **state)
{
    (void)state;
    struct span username = {"1700000000:alice", 16};
    uint8_t digest[SHA1_SIZE];
    char password[CRYPTO_BASE64_SIZE(SHA1_SIZE)];
    crypto_hmac_sha1((struct span){"north", 5}, &username, 1, digest);
    crypto_base64(digest, sizeof digest, password);
    assert_string_equal(password, "Cd/49soE35ICqcJF/bCTn8Z4OyE=");
}

static void base64url_survives_there_and_back(void **state)
{
    (void)state;
    uint8_t bytes[64] = {0}, back[64];
    char out[CRYPTO_BASE64_SIZE(sizeof bytes)];
    for (size_t length = 0; length <= sizeof bytes; length++) {
        for (size_t i = 0; i < length; i++)
            bytes[i] = (uint8_t)(0xff - 37 * i);
        size_t digits = crypto_base64url(bytes, length, out);
        assert_int_equal(digits, (length * 4 + 2) / 3);
        assert_null(strpbrk(out, "+/="));
        assert_int_equal(crypto_base64url_decode(out, digits, back, length), length);
        assert_memory_equal(back, bytes, length);
        if (length > 0)
            assert_int_equal(crypto_base64url_decode(out, digits, back, length - 1), ERR_MALFORMED);
    }
}

static void base64url_has_one_spelling_for_each_value(void **state)
{
    (void)state;
    uint8_t out[8];
    assert_int_equal(crypto_base64url_decode("_-8", 3, out, sizeof out), 2);
    assert_int_equal(out[0], 0xff);
    assert_int_equal(out[1], 0xef);
    /* padding, the other alphabet, white space, a lone digit, bits left over */
    static const char *const wrong[] = {"Zg==", "/+8", "Zm 9", "Zm9v\n", "A", "Zm9vA", "Zh", "Zm9"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(crypto_base64url_decode(wrong[i], strlen(wrong[i]), out, sizeof out), ERR_MALFORMED);
    assert_int_equal(crypto_base64url_decode("Zm8", 3, out, sizeof out), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_equals_the_published_vectors),
        cmocka_unit_test(time_limited_password_comes_out_as_elsewhere),
        cmocka_unit_test(base64url_survives_there_and_back),
        cmocka_unit_test(base64url_has_one_spelling_for_each_value),
    };
    return cmocka_run_group_tests_name("base64", tests, NULL, NULL);
}
