/* SPDX-License-Identifier: BSD-3-Clause
 * The published test vectors: RFC 5769, and RFC 8489 appendix B. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "crypto/digest.h"
#include "stun/message.h"

static const char short_term_password[] = "VOkJxbRl1RmTxUk/WvJxBt";
static const char username[] = "\u30DE\u30C8\u30EA\u30C3\u30AF\u30B9";

struct vector {
    uint8_t bytes[256];
    size_t length;
};

static struct vector from_hex(const char *hex)
{
    struct vector vector = {.length = 0};
    for (unsigned byte; sscanf(hex, "%2x", &byte) == 1; hex += 2 + (hex[2] == ' '))
        vector.bytes[vector.length++] = (uint8_t)byte;
    return vector;
}

static struct span text(const char *t)
{
    return (struct span){t, strlen(t)};
}

static void assert_address(const struct stun_message *message, uint16_t type, const char *expected)
{
    struct address address;
    char shown[ADDRESS_TEXT_MAX];
    assert_int_equal(stun_address_decode(message, stun_message_find(message, type), true, &address), 0);
    assert_string_equal(address_format(&address, shown), expected);
}

static void sample_request_verifies_until_a_byte_changes(void **state)
{
    (void)state;
    /* RFC 5769 §2.1, where padding is not zero. */
    struct vector vector = from_hex("00010058 2112a442 b7e7a701bc34d686fa87dfae"
                                    "80220010 5354554e207465737420636c69656e74"
                                    "00240004 6e0001ff"
                                    "80290008 932ff9b151263b36"
                                    "00060009 6576746a3a68367659202020"
                                    "00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
                                    "80280004 e57a3bcf");
    struct stun_message message;
    assert_int_equal(vector.length, 108);
    assert_int_equal(stun_message_decode(vector.bytes, vector.length, &message), 0);
    assert_int_equal(message.method, STUN_BINDING);
    assert_int_equal(message.class, STUN_REQUEST);
    assert_int_equal(message.attribute_count, 6);
    assert_int_equal(message.unknown_count, 0);
    assert_true(message.fingerprint_present);
    assert_true(stun_message_verify(&message, STUN_INTEGRITY_SHA1, text(short_term_password)));
    assert_false(stun_message_verify(&message, STUN_INTEGRITY_SHA1, text("another")));
    assert_false(stun_message_verify(&message, STUN_INTEGRITY_SHA256, text(short_term_password)));
    assert_int_equal(load_u32(stun_message_find(&message, STUN_PRIORITY)->value), 0x6e0001ff);

    vector.bytes[30] ^= 1; /* in SOFTWARE: first the checksum tells, and without one the keyed hash */
    assert_int_equal(stun_message_decode(vector.bytes, vector.length, &message), ERR_MALFORMED);
    store_u16(vector.bytes + 2, 0x50);
    assert_int_equal(stun_message_decode(vector.bytes, vector.length - 8, &message), 0);
    assert_false(stun_message_verify(&message, STUN_INTEGRITY_SHA1, text(short_term_password)));
    vector.bytes[30] ^= 1;
    assert_true(stun_message_verify(&message, STUN_INTEGRITY_SHA1, text(short_term_password)));
}

/* RFC 5769 §2.2 and §2.3 differ in the address alone. */
static void assert_sample_response(const char *hex, const char *address)
{
    struct vector vector = from_hex(hex);
    struct stun_message message;
    assert_int_equal(stun_message_decode(vector.bytes, vector.length, &message), 0);
    assert_int_equal(message.class, STUN_SUCCESS);
    assert_true(message.fingerprint_present);
    assert_true(stun_message_verify(&message, STUN_INTEGRITY_SHA1, text(short_term_password)));
    assert_address(&message, STUN_XOR_MAPPED_ADDRESS, address);
}

static void sample_responses_verify_and_name_their_address(void **state)
{
    (void)state;
    assert_sample_response("0101003c 2112a442 b7e7a701bc34d686fa87dfae"
                           "8022000b 7465737420766563746f7220"
                           "00200008 0001a147e112a643"
                           "00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7"
                           "80280004 c07d4c96",
                           "192.0.2.1:32853");
    assert_sample_response("01010048 2112a442 b7e7a701bc34d686fa87dfae"
                           "8022000b 7465737420766563746f7220"
                           "00200014 0002a1470113a9faa5d3f179bc25f4b5bed2b9d9"
                           "00080014 a382954e4be67bf11784c97c8292c275bfe3ed41"
                           "80280004 c8fb0b4c",
                           "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
}

static void long_term_request_verifies_with_the_md5_key(void **state)
{
    (void)state;
    /* RFC 5769 §2.4 */
    struct vector vector = from_hex("00010060 2112a442 78ad3433c6ad72c029da412e"
                                    "00060012 e3839ee38388e383aae38383e382afe382b90000"
                                    "0015001c 662f2f3439396b39353464364f4c33346f4c394653547679363473 41"
                                    "0014000b 6578616d706c652e6f726700"
                                    "00080014 f67024656dd64a3e02b8e0712e85c9a28ca89666");
    struct stun_message message;
    uint8_t key[MD5_SIZE];
    const struct span parts[] = {text(username), text(":example.org:"), text("TheMatrIX")};
    crypto_md5(parts, 3, key);
    assert_int_equal(stun_message_decode(vector.bytes, vector.length, &message), 0);
    assert_false(message.fingerprint_present);
    assert_true(stun_message_verify(&message, STUN_INTEGRITY_SHA1, (struct span){key, sizeof key}));
    assert_memory_equal(stun_message_find(&message, STUN_USERNAME)->value, username, strlen(username));
}

static void sha256_request_with_userhash_verifies(void **state)
{
    (void)state;
    /* RFC 8489 §B.1 as corrected by erratum 6290: PASSWORD-ALGORITHM is there, and the key is SHA-256's. */
    struct vector vector = from_hex("00010090 2112a442 78ad3433c6ad72c029da412e"
                                    "001e0020 4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704"
                                    "00150029 6f624d61744a6f7332414141"
                                    "43662f2f3439396b39353464364f4c33346f4c39465354767936347341000000"
                                    "0014000b 6578616d706c652e6f726700"
                                    "001d0004 00020000"
                                    "001c0020 b5c7bf005b6c52a21c51c5e892f81924136296cb927c43149309278cc6518e65");
    struct stun_message message;
    uint8_t key[SHA256_SIZE], userhash[SHA256_SIZE];
    const struct span parts[] = {text(username), text(":example.org:"), text("TheMatrIX")};
    crypto_sha256(parts, 3, key);
    assert_int_equal(stun_message_decode(vector.bytes, vector.length, &message), 0);
    assert_true(stun_message_verify(&message, STUN_INTEGRITY_SHA256, (struct span){key, sizeof key}));
    assert_false(stun_message_verify(&message, STUN_INTEGRITY_SHA1, (struct span){key, sizeof key}));

    const struct span named[] = {text(username), text(":example.org")};
    crypto_sha256(named, 2, userhash);
    assert_memory_equal(stun_message_find(&message, STUN_USERHASH)->value, userhash, sizeof userhash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_request_verifies_until_a_byte_changes),
        cmocka_unit_test(sample_responses_verify_and_name_their_address),
        cmocka_unit_test(long_term_request_verifies_with_the_md5_key),
        cmocka_unit_test(sha256_request_with_userhash_verifies),
    };
    return cmocka_run_group_tests_name("vectors", tests, NULL, NULL);
}
