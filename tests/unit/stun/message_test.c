/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "crypto/digest.h"
#include "stun/crc32.h"
#include "stun/message.h"

static const uint8_t transaction_id[STUN_TRANSACTION_ID_SIZE] = "transaction";
static const struct span key = {"a key of no worth", 17};

/* Decodes from memory of exactly |length| bytes, so that a sanitizer sees each step past the end. */
static int decode_alone(const uint8_t *bytes, size_t length)
{
    uint8_t *alone = malloc(length > 0 ? length : 1);
    struct stun_message message;
    assert_non_null(alone);
    memcpy(alone, bytes, length);
    int result = stun_message_decode(alone, length, &message);
    free(alone);
    return result;
}

static void type_carries_each_method_and_class(void **state)
{
    (void)state;
    for (uint16_t method = 0; method <= 0xfff; method++) {
        for (unsigned class = 0; class < 4; class ++) {
            uint8_t bytes[STUN_HEADER_SIZE];
            struct stun_builder builder;
            struct stun_message message;
            stun_builder_init(&builder, bytes, sizeof bytes, method, (enum stun_class) class, transaction_id);
            assert_int_equal(stun_builder_finish(&builder), STUN_HEADER_SIZE);
            assert_int_equal(bytes[0] & 0xc0, 0);
            assert_int_equal(stun_message_decode(bytes, sizeof bytes, &message), 0);
            assert_int_equal(message.method, method);
            assert_int_equal(message.class, class);
            assert_memory_equal(message.transaction_id, transaction_id, sizeof transaction_id);
        }
    }
    /* RFC 8489 §5: an Allocate error response is 0x0113. */
    uint8_t bytes[STUN_HEADER_SIZE];
    struct stun_builder builder;
    stun_builder_init(&builder, bytes, sizeof bytes, STUN_ALLOCATE, STUN_ERROR, transaction_id);
    assert_int_equal(load_u16(bytes), 0x0113);
}

static size_t build_full_message(uint8_t *bytes, size_t size)
{
    struct stun_builder builder;
    struct address v4, v6;
    assert_int_equal(address_parse("192.0.2.7:4000", &v4), 0);
    assert_int_equal(address_parse("[2001:db8::7]:4001", &v6), 0);
    stun_builder_init(&builder, bytes, size, STUN_CREATE_PERMISSION, STUN_REQUEST, transaction_id);
    stun_builder_add(&builder, STUN_USERNAME, "alice", 5);
    stun_builder_add_xor_address(&builder, STUN_XOR_PEER_ADDRESS, &v4);
    stun_builder_add_xor_address(&builder, STUN_XOR_PEER_ADDRESS, &v6);
    stun_builder_add_address(&builder, STUN_ALTERNATE_SERVER, &v6);
    stun_builder_add_u32(&builder, STUN_LIFETIME, 600);
    stun_builder_add_error(&builder, STUN_STALE_NONCE);
    stun_builder_add_integrity(&builder, STUN_INTEGRITY_SHA1, key);
    stun_builder_add_integrity(&builder, STUN_INTEGRITY_SHA256, key);
    stun_builder_add_fingerprint(&builder);
    int length = stun_builder_finish(&builder);
    return length < 0 ? 0 : (size_t)length;
}

static void message_survives_there_and_back(void **state)
{
    (void)state;
    uint8_t bytes[256];
    char text[ADDRESS_TEXT_MAX];
    struct address address;
    struct stun_message message;
    size_t length = build_full_message(bytes, sizeof bytes);
    assert_int_equal(stun_message_decode(bytes, length, &message), 0);
    assert_int_equal(message.attribute_count, 9);
    assert_true(message.fingerprint_present);
    assert_true(stun_message_verify(&message, STUN_INTEGRITY_SHA1, key));
    assert_true(stun_message_verify(&message, STUN_INTEGRITY_SHA256, key));
    assert_false(stun_message_verify(&message, STUN_INTEGRITY_NONE, key));
    assert_false(stun_message_verify(&message, STUN_INTEGRITY_SHA1, (struct span){"", 0}));

    const struct stun_attribute *peer = stun_message_find(&message, STUN_XOR_PEER_ADDRESS);
    assert_int_equal(stun_address_decode(&message, peer, true, &address), 0);
    assert_string_equal(address_format(&address, text), "192.0.2.7:4000");
    peer = stun_message_find_next(&message, peer);
    assert_int_equal(stun_address_decode(&message, peer, true, &address), 0);
    assert_string_equal(address_format(&address, text), "[2001:db8::7]:4001");
    assert_null(stun_message_find_next(&message, peer));
    const struct stun_attribute *other = stun_message_find(&message, STUN_ALTERNATE_SERVER);
    assert_int_equal(stun_address_decode(&message, other, false, &address), 0);
    assert_string_equal(address_format(&address, text), "[2001:db8::7]:4001");
    assert_int_equal(stun_error_decode(stun_message_find(&message, STUN_ERROR_CODE)), 438);
    assert_null(stun_message_find(&message, STUN_NONCE));
}

static void truncated_or_extended_message_is_refused_at_every_length(void **state)
{
    (void)state;
    uint8_t bytes[256] = {0};
    size_t length = build_full_message(bytes, sizeof bytes);
    assert_int_equal(decode_alone(bytes, length), 0);
    for (size_t cut = 0; cut < length; cut++)
        assert_int_equal(decode_alone(bytes, cut), ERR_MALFORMED);
    for (size_t more = length + 1; more <= length + 8; more++)
        assert_int_equal(decode_alone(bytes, more), ERR_MALFORMED);
    /* The same with a header that agrees: then an attribute is cut, or FINGERPRINT is not there any more. */
    for (size_t cut = STUN_HEADER_SIZE; cut < length; cut += 4) {
        store_u16(bytes + 2, (uint16_t)(cut - STUN_HEADER_SIZE));
        int result = decode_alone(bytes, cut);
        assert_true(result == 0 || result == ERR_MALFORMED);
    }
}

static void what_is_not_stun_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[STUN_HEADER_SIZE] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
    assert_true(stun_header_looks_right(bytes, sizeof bytes));
    assert_false(stun_header_looks_right(bytes, sizeof bytes - 1));
    for (size_t i = 4; i < 8; i++) {
        bytes[i] ^= 0x10;
        assert_int_equal(decode_alone(bytes, sizeof bytes), ERR_MALFORMED);
        bytes[i] ^= 0x10;
    }
    assert_int_equal(decode_alone(bytes, sizeof bytes), 0);
    bytes[0] = 0x40;
    assert_int_equal(decode_alone(bytes, sizeof bytes), ERR_MALFORMED);
    bytes[0] = 0x80;
    assert_int_equal(decode_alone(bytes, sizeof bytes), ERR_MALFORMED);
}

static void bytes_beyond_the_header_s_length_are_no_attribute(void **state)
{
    (void)state;
    /* No attributes, says the header; an empty SOFTWARE follows all the same. */
    static const uint8_t bytes[24] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, [20] = 0x80, 0x22};
    assert_int_equal(decode_alone(bytes, STUN_HEADER_SIZE), 0);
    assert_int_equal(decode_alone(bytes, sizeof bytes), ERR_MALFORMED);
}

static void attribute_that_reaches_past_the_end_is_dropped_without_an_answer(void **state)
{
    (void)state;
    for (unsigned declared = 9; declared <= 0xffff; declared += declared < 40 ? 1 : 997) {
        uint8_t bytes[32];
        struct stun_builder builder;
        struct stun_message message;
        stun_builder_init(&builder, bytes, sizeof bytes, STUN_SEND, STUN_INDICATION, transaction_id);
        stun_builder_add(&builder, STUN_DATA, "12345678", 8);
        assert_int_equal(stun_builder_finish(&builder), 32);
        store_u16(bytes + 22, (uint16_t)declared);
        assert_int_equal(stun_message_decode(bytes, sizeof bytes, &message), ERR_MALFORMED);
        assert_null(message.transaction_id);
    }
}

static void attribute_of_impossible_length_allows_a_400(void **state)
{
    (void)state;
    static const struct {
        uint16_t type;
        size_t length;
    } wrong[] = {{STUN_LIFETIME, 3},          {STUN_LIFETIME, 8},  {STUN_CHANNEL_NUMBER, 0},
                 {STUN_XOR_PEER_ADDRESS, 4},  {STUN_USERNAME, 0},  {STUN_USERNAME, 509},
                 {STUN_MESSAGE_INTEGRITY, 4}, {STUN_USERHASH, 31}, {STUN_MESSAGE_INTEGRITY_SHA256, 12},
                 {STUN_NONCE, 764},           {STUN_EVEN_PORT, 0}, {STUN_MESSAGE_INTEGRITY_SHA256, 18},
                 {STUN_DONT_FRAGMENT, 4},     {STUN_EVEN_PORT, 4}, {STUN_MESSAGE_INTEGRITY_SHA256, 36}};
    static const uint8_t value[800];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t bytes[900];
        struct stun_builder builder;
        struct stun_message message;
        stun_builder_init(&builder, bytes, sizeof bytes, STUN_REFRESH, STUN_REQUEST, transaction_id);
        stun_builder_add(&builder, wrong[i].type, value, wrong[i].length);
        int length = stun_builder_finish(&builder);
        assert_int_equal(stun_message_decode(bytes, (size_t)length, &message), ERR_MALFORMED);
        assert_int_equal(message.method, STUN_REFRESH);
        assert_memory_equal(message.transaction_id, transaction_id, sizeof transaction_id);
        assert_null(stun_message_find(&message, wrong[i].type));
        assert_false(stun_message_verify(&message, STUN_INTEGRITY_SHA1, key));
        assert_false(stun_message_verify(&message, STUN_INTEGRITY_SHA256, key));
    }
}

static void nothing_after_message_integrity_is_honoured(void **state)
{
    (void)state;
    uint8_t bytes[256];
    struct stun_builder builder;
    struct stun_message message;
    stun_builder_init(&builder, bytes, sizeof bytes, STUN_REFRESH, STUN_REQUEST, transaction_id);
    stun_builder_add_u32(&builder, STUN_LIFETIME, 600);
    stun_builder_add_integrity(&builder, STUN_INTEGRITY_SHA1, key);
    stun_builder_add_u32(&builder, STUN_LIFETIME, 0);
    stun_builder_add_u32(&builder, STUN_CHANNEL_NUMBER, 0x40000000);
    stun_builder_add_u32(&builder, 0x7ffe, 0);                     /* unknown: not even refused */
    stun_builder_add(&builder, STUN_REQUESTED_TRANSPORT, NULL, 0); /* of a wrong length: not even seen */
    stun_builder_add_integrity(&builder, STUN_INTEGRITY_SHA1, (struct span){"another", 7});
    stun_builder_add_integrity(&builder, STUN_INTEGRITY_SHA256, key);
    stun_builder_add_u32(&builder, STUN_PRIORITY, 1);
    stun_builder_add_integrity(&builder, STUN_INTEGRITY_SHA256, (struct span){"another", 7});
    stun_builder_add_fingerprint(&builder);
    int length = stun_builder_finish(&builder);

    assert_int_equal(stun_message_decode(bytes, (size_t)length, &message), 0);
    assert_int_equal(message.attribute_count, 4);
    assert_int_equal(message.unknown_count, 0);
    assert_int_equal(load_u32(stun_message_find(&message, STUN_LIFETIME)->value), 600);
    assert_null(stun_message_find(&message, STUN_CHANNEL_NUMBER));
    assert_null(stun_message_find(&message, STUN_PRIORITY));
    assert_true(message.fingerprint_present);
    assert_true(stun_message_verify(&message, STUN_INTEGRITY_SHA1, key));
    assert_true(stun_message_verify(&message, STUN_INTEGRITY_SHA256, key));
}

static void message_integrity_after_the_sha256_one_does_not_count(void **state)
{
    (void)state;
    uint8_t bytes[128];
    struct stun_builder builder;
    struct stun_message message;
    stun_builder_init(&builder, bytes, sizeof bytes, STUN_REFRESH, STUN_REQUEST, transaction_id);
    stun_builder_add_integrity(&builder, STUN_INTEGRITY_SHA256, key);
    stun_builder_add_integrity(&builder, STUN_INTEGRITY_SHA1, key);
    int length = stun_builder_finish(&builder);
    assert_int_equal(stun_message_decode(bytes, (size_t)length, &message), 0);
    assert_true(stun_message_verify(&message, STUN_INTEGRITY_SHA256, key));
    assert_false(stun_message_verify(&message, STUN_INTEGRITY_SHA1, key));
}

static void shortened_sha256_integrity_is_checked_over_its_length(void **state)
{
    (void)state;
    for (size_t size = 16; size <= SHA256_SIZE; size += 4) {
        uint8_t bytes[64], hash[SHA256_SIZE];
        struct stun_builder builder;
        struct stun_message message;
        stun_builder_init(&builder, bytes, sizeof bytes, STUN_BINDING, STUN_REQUEST, transaction_id);
        assert_int_equal(stun_builder_finish(&builder), STUN_HEADER_SIZE);
        store_u16(bytes + 2, (uint16_t)(4 + size)); /* RFC 8489 §14.6: the length counts the shortened attribute */
        struct span covered = {bytes, STUN_HEADER_SIZE};
        crypto_hmac_sha256(key, &covered, 1, hash);
        stun_builder_add(&builder, STUN_MESSAGE_INTEGRITY_SHA256, hash, size);
        int length = stun_builder_finish(&builder);
        assert_int_equal(stun_message_decode(bytes, (size_t)length, &message), 0);
        assert_true(stun_message_verify(&message, STUN_INTEGRITY_SHA256, key));
        for (size_t i = STUN_HEADER_SIZE + 4; i < (size_t)length; i++) {
            bytes[i] ^= 0x80;
            assert_false(stun_message_verify(&message, STUN_INTEGRITY_SHA256, key));
            bytes[i] ^= 0x80;
        }
    }
}

static void unknown_attributes_are_listed_once_and_the_optional_not(void **state)
{
    (void)state;
    uint8_t bytes[512], answer_bytes[64];
    struct stun_builder builder;
    struct stun_message message, answer;
    stun_builder_init(&builder, bytes, sizeof bytes, STUN_ALLOCATE, STUN_REQUEST, transaction_id);
    stun_builder_add(&builder, 0x7001, "x", 1);
    stun_builder_add(&builder, 0xC001, "x", 1); /* comprehension-optional */
    stun_builder_add(&builder, 0x0026, NULL, 0);
    stun_builder_add(&builder, 0x7001, "y", 1);
    int length = stun_builder_finish(&builder);
    assert_int_equal(stun_message_decode(bytes, (size_t)length, &message), 0);
    assert_int_equal(message.attribute_count, 0);
    assert_int_equal(message.unknown_count, 2);

    stun_builder_init(&builder, answer_bytes, sizeof answer_bytes, STUN_ALLOCATE, STUN_ERROR, message.transaction_id);
    stun_builder_add_error(&builder, STUN_UNKNOWN_ATTRIBUTE);
    stun_builder_add_unknown_attributes(&builder, &message);
    length = stun_builder_finish(&builder);
    assert_int_equal(stun_message_decode(answer_bytes, (size_t)length, &answer), 0);
    assert_int_equal(stun_error_decode(stun_message_find(&answer, STUN_ERROR_CODE)), 420);
    const struct stun_attribute *list = stun_message_find(&answer, STUN_UNKNOWN_ATTRIBUTES);
    assert_int_equal(list->length, 4);
    assert_memory_equal(list->value, "\x70\x01\x00\x26", 4);

    /* More than a 420 lists: the first ones, and the answer stays small. */
    stun_builder_init(&builder, bytes, sizeof bytes, STUN_ALLOCATE, STUN_REQUEST, transaction_id);
    for (uint16_t i = 0; i < 40; i++)
        stun_builder_add(&builder, (uint16_t)(0x6000 + i), NULL, 0);
    length = stun_builder_finish(&builder);
    assert_int_equal(stun_message_decode(bytes, (size_t)length, &message), 0);
    assert_int_equal(message.unknown_count, STUN_UNKNOWN_MAX);
}

static void first_of_repeated_attributes_counts(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct stun_builder builder;
    struct stun_message message;
    stun_builder_init(&builder, bytes, sizeof bytes, STUN_REFRESH, STUN_REQUEST, transaction_id);
    stun_builder_add_u32(&builder, STUN_LIFETIME, 1);
    stun_builder_add_u32(&builder, STUN_LIFETIME, 2);
    int length = stun_builder_finish(&builder);
    assert_int_equal(stun_message_decode(bytes, (size_t)length, &message), 0);
    assert_int_equal(load_u32(stun_message_find(&message, STUN_LIFETIME)->value), 1);
}

static void more_attributes_than_kept_drop_the_message(void **state)
{
    (void)state;
    for (unsigned count = STUN_ATTRIBUTES_MAX; count <= STUN_ATTRIBUTES_MAX + 1; count++) {
        uint8_t bytes[512];
        struct stun_builder builder;
        struct stun_message message;
        stun_builder_init(&builder, bytes, sizeof bytes, STUN_REFRESH, STUN_REQUEST, transaction_id);
        for (unsigned i = 0; i < count; i++)
            stun_builder_add_u32(&builder, STUN_LIFETIME, i);
        int length = stun_builder_finish(&builder);
        assert_true(length > 0);
        bool fits = count == STUN_ATTRIBUTES_MAX;
        assert_int_equal(stun_message_decode(bytes, (size_t)length, &message), fits ? 0 : ERR_TOO_LARGE);
        assert_int_equal(message.transaction_id != NULL, fits);
    }
}

static void fingerprint_is_right_and_last_or_the_message_is_dropped(void **state)
{
    (void)state;
    uint8_t bytes[64];
    struct stun_builder builder;
    struct stun_message message;
    stun_builder_init(&builder, bytes, sizeof bytes, STUN_BINDING, STUN_REQUEST, transaction_id);
    stun_builder_add_fingerprint(&builder);
    size_t length = (size_t)stun_builder_finish(&builder);
    assert_int_equal(stun_message_decode(bytes, length, &message), 0);
    for (size_t bit = 0; bit < 8 * length; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        /* Only a FINGERPRINT that became an unknown, optional attribute leaves a message. */
        if (stun_message_decode(bytes, length, &message) == 0)
            assert_false(message.fingerprint_present);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }

    /* One that is right where it stands, but does not stand last. */
    stun_builder_init(&builder, bytes, sizeof bytes, STUN_BINDING, STUN_REQUEST, transaction_id);
    store_u16(bytes + 2, 16);
    stun_builder_add_u32(&builder, STUN_FINGERPRINT, crc32_of(bytes, STUN_HEADER_SIZE) ^ 0x5354554e);
    stun_builder_add(&builder, STUN_SOFTWARE, "x", 1);
    length = (size_t)stun_builder_finish(&builder);
    assert_int_equal(length, STUN_HEADER_SIZE + 16);
    assert_int_equal(stun_message_decode(bytes, length, &message), ERR_MALFORMED);
    assert_null(message.transaction_id);
}

static void address_of_wrong_family_or_length_is_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t family;
        size_t length;
        int expected;
    } cases[] = {{0, 8, ERR_FAMILY},
                 {3, 20, ERR_FAMILY},
                 {1, 20, ERR_MALFORMED},
                 {2, 8, ERR_MALFORMED},
                 {1, 12, ERR_MALFORMED},
                 {2, 16, ERR_MALFORMED},
                 {1, 8, 0},
                 {2, 20, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t bytes[64], value[20] = {0xff, cases[i].family};
        struct stun_builder builder;
        struct stun_message message;
        struct address address;
        stun_builder_init(&builder, bytes, sizeof bytes, STUN_SEND, STUN_INDICATION, transaction_id);
        stun_builder_add(&builder, STUN_XOR_PEER_ADDRESS, value, cases[i].length);
        int length = stun_builder_finish(&builder);
        assert_int_equal(stun_message_decode(bytes, (size_t)length, &message), 0);
        const struct stun_attribute *attribute = stun_message_find(&message, STUN_XOR_PEER_ADDRESS);
        assert_int_equal(stun_address_decode(&message, attribute, true, &address), cases[i].expected);
    }
}

static void padding_does_not_leak_what_the_memory_held(void **state)
{
    (void)state;
    uint8_t bytes[64];
    for (size_t value_length = 1; value_length <= 4; value_length++) {
        struct stun_builder builder;
        memset(bytes, 0xee, sizeof bytes);
        stun_builder_init(&builder, bytes, sizeof bytes, STUN_BINDING, STUN_SUCCESS, transaction_id);
        stun_builder_add(&builder, STUN_SOFTWARE, "abcd", value_length);
        int length = stun_builder_finish(&builder);
        assert_int_equal(length, STUN_HEADER_SIZE + 8);
        for (size_t i = STUN_HEADER_SIZE + 4 + value_length; i < (size_t)length; i++)
            assert_int_equal(bytes[i], 0);
    }
}

static void builder_that_has_no_room_says_so_at_the_end(void **state)
{
    (void)state;
    uint8_t bytes[256], guarded[257];
    size_t length = build_full_message(bytes, sizeof bytes);
    assert_true(length > 0);
    for (size_t size = 0; size < length; size++) {
        memset(guarded, 0xee, sizeof guarded);
        assert_int_equal(build_full_message(guarded, size), 0);
        assert_int_equal(guarded[size], 0xee);
    }
}

static void length_beyond_16_bits_is_refused_not_wrapped(void **state)
{
    (void)state;
    static uint8_t bytes[140000], value[65536];
    struct stun_builder builder;
    stun_builder_init(&builder, bytes, sizeof bytes, STUN_SEND, STUN_INDICATION, transaction_id);
    stun_builder_add(&builder, STUN_DATA, value, 65536);
    assert_int_equal(stun_builder_finish(&builder), ERR_FULL);
    stun_builder_init(&builder, bytes, sizeof bytes, STUN_SEND, STUN_INDICATION, transaction_id);
    stun_builder_add(&builder, STUN_DATA, value, 65533);
    assert_int_equal(stun_builder_finish(&builder), ERR_FULL);
    stun_builder_init(&builder, bytes, sizeof bytes, STUN_SEND, STUN_INDICATION, transaction_id);
    stun_builder_add(&builder, STUN_DATA, value, 65528);
    assert_int_equal(stun_builder_finish(&builder), STUN_HEADER_SIZE + 65532);
    stun_builder_add_fingerprint(&builder);
    assert_int_equal(stun_builder_finish(&builder), ERR_FULL);
}

static void error_code_is_read_only_within_its_range(void **state)
{
    (void)state;
    static const struct {
        uint8_t value[4];
        int expected;
    } cases[] = {{{0, 0, 4, 1}, 401},           {{0xff, 0xff, 0xfb, 0}, 300},  {{0, 0, 6, 99}, 699},
                 {{0, 0, 2, 0}, ERR_MALFORMED}, {{0, 0, 7, 0}, ERR_MALFORMED}, {{0, 0, 4, 100}, ERR_MALFORMED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stun_attribute attribute = {STUN_ERROR_CODE, 4, cases[i].value};
        assert_int_equal(stun_error_decode(&attribute), cases[i].expected);
    }
}

static void names_come_from_the_tables(void **state)
{
    (void)state;
    assert_string_equal(stun_attribute_name(STUN_XOR_RELAYED_ADDRESS), "XOR-RELAYED-ADDRESS");
    assert_string_equal(stun_attribute_name(0x7fff), "unknown");
    assert_string_equal(stun_method_name(STUN_CHANNEL_BIND), "ChannelBind");
    assert_string_equal(stun_method_name(2), "unknown");
    assert_string_equal(stun_error_reason(STUN_STALE_NONCE), "Stale Nonce");
    assert_string_equal(stun_error_reason(0), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(type_carries_each_method_and_class),
        cmocka_unit_test(message_survives_there_and_back),
        cmocka_unit_test(truncated_or_extended_message_is_refused_at_every_length),
        cmocka_unit_test(what_is_not_stun_is_refused),
        cmocka_unit_test(bytes_beyond_the_header_s_length_are_no_attribute),
        cmocka_unit_test(attribute_that_reaches_past_the_end_is_dropped_without_an_answer),
        cmocka_unit_test(attribute_of_impossible_length_allows_a_400),
        cmocka_unit_test(nothing_after_message_integrity_is_honoured),
        cmocka_unit_test(message_integrity_after_the_sha256_one_does_not_count),
        cmocka_unit_test(shortened_sha256_integrity_is_checked_over_its_length),
        cmocka_unit_test(unknown_attributes_are_listed_once_and_the_optional_not),
        cmocka_unit_test(first_of_repeated_attributes_counts),
        cmocka_unit_test(more_attributes_than_kept_drop_the_message),
        cmocka_unit_test(fingerprint_is_right_and_last_or_the_message_is_dropped),
        cmocka_unit_test(address_of_wrong_family_or_length_is_refused),
        cmocka_unit_test(padding_does_not_leak_what_the_memory_held),
        cmocka_unit_test(builder_that_has_no_room_says_so_at_the_end),
        cmocka_unit_test(length_beyond_16_bits_is_refused_not_wrapped),
        cmocka_unit_test(error_code_is_read_only_within_its_range),
        cmocka_unit_test(names_come_from_the_tables),
    };
    return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
