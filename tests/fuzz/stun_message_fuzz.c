/* SPDX-License-Identifier: BSD-3-Clause
 * A message that decodes stays within its bytes, says the same after it was encoded again, and verifies once signed. */
#include "harness.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "stun/crc32.h"
#include "stun/message.h"

static const struct span key = {"a key of no worth", 17};

static bool is_integrity(uint16_t type)
{
    return type == STUN_MESSAGE_INTEGRITY || type == STUN_MESSAGE_INTEGRITY_SHA256;
}

static void check_bounds(const struct stun_message *message)
{
    const uint8_t *end = message->bytes + message->length;
    for (unsigned i = 0; i < message->attribute_count; i++) {
        const struct stun_attribute *attribute = &message->attributes[i];
        struct stun_attribute_bounds bounds;
        assert(attribute->value >= message->bytes + STUN_HEADER_SIZE && attribute->value + attribute->length <= end);
        assert(stun_attribute_bounds(attribute->type, &bounds));
        assert(attribute->length >= bounds.shortest && attribute->length <= bounds.longest);
        assert(stun_message_find(message, attribute->type) <= attribute);
    }
    for (unsigned i = 0; i < message->unknown_count; i++)
        assert(stun_comprehension_required(message->unknown[i]));
}

/* Whatever is an address reads the same after it was written by us. */
static void check_address(const struct stun_message *message, const struct stun_attribute *attribute, bool xored)
{
    struct address address, again;
    if (stun_address_decode(message, attribute, xored, &address) != 0)
        return;
    uint8_t bytes[64];
    struct stun_builder builder;
    struct stun_message other;
    stun_builder_init(&builder, bytes, sizeof bytes, STUN_SEND, STUN_INDICATION, message->transaction_id);
    if (xored)
        stun_builder_add_xor_address(&builder, STUN_XOR_PEER_ADDRESS, &address);
    else
        stun_builder_add_address(&builder, STUN_MAPPED_ADDRESS, &address);
    int length = stun_builder_finish(&builder);
    int failure = stun_message_decode(bytes, (size_t)length, &other);
    assert(failure == 0 && other.attribute_count == 1);
    assert(other.attributes[0].length == attribute->length);
    assert(memcmp(other.attributes[0].value + 1, attribute->value + 1, attribute->length - 1) == 0);
    failure = stun_address_decode(&other, &other.attributes[0], xored, &again);
    assert(failure == 0 && address_equal(&address, &again));
}

/* Encodes what |message| says without its integrity and FINGERPRINT, adds ours, and compares. */
static void check_again(const struct stun_message *message, enum stun_integrity kind)
{
    size_t size = message->length + 64, expected = 0;
    uint8_t *bytes = malloc(size);
    assert(bytes);
    struct stun_builder builder;
    struct stun_message again;
    stun_builder_init(&builder, bytes, size, message->method, message->class, message->transaction_id);
    for (unsigned i = 0; i < message->attribute_count; i++) {
        const struct stun_attribute *attribute = &message->attributes[i];
        if (!is_integrity(attribute->type) && attribute->type != STUN_FINGERPRINT) {
            stun_builder_add(&builder, attribute->type, attribute->value, attribute->length);
            expected++;
        }
    }
    stun_builder_add_integrity(&builder, kind, key);
    stun_builder_add_fingerprint(&builder);
    int length = stun_builder_finish(&builder);
    if (length > 0 && expected + 2 <= STUN_ATTRIBUTES_MAX) {
        int failure = stun_message_decode(bytes, (size_t)length, &again);
        assert(failure == 0 && again.attribute_count == expected + 2 && again.fingerprint_present);
        assert(again.method == message->method && again.class == message->class);
        assert(stun_message_verify(&again, kind, key));
        for (unsigned i = 0, j = 0; i < message->attribute_count; i++) {
            const struct stun_attribute *a = &message->attributes[i], *b = &again.attributes[j];
            if (is_integrity(a->type) || a->type == STUN_FINGERPRINT)
                continue;
            assert(a->type == b->type && a->length == b->length && memcmp(a->value, b->value, a->length) == 0);
            j++;
        }
        bytes[(size_t)length / 2] ^= 1;
        failure = stun_message_decode(bytes, (size_t)length, &again);
        assert(failure != 0 || !again.fingerprint_present);
    }
    free(bytes);
}

static void check(const uint8_t *bytes, size_t length)
{
    struct stun_message message;
    int failure = stun_message_decode(bytes, length, &message);
    assert(failure == 0 || failure == ERR_MALFORMED || failure == ERR_TOO_LARGE);
    assert(!message.transaction_id || message.transaction_id == bytes + 8);
    check_bounds(&message);
    stun_message_verify(&message, STUN_INTEGRITY_SHA1, key);
    stun_message_verify(&message, STUN_INTEGRITY_SHA256, key);
    if (failure)
        return;
    for (unsigned i = 0; i < message.attribute_count; i++) {
        check_address(&message, &message.attributes[i], true);
        check_address(&message, &message.attributes[i], false);
        stun_error_decode(&message.attributes[i]);
    }
    check_again(&message, STUN_INTEGRITY_SHA1);
    check_again(&message, STUN_INTEGRITY_SHA256);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    check(bytes, length);
    /* Once more with its FINGERPRINT mended, which chance does not find. */
    if (length >= STUN_HEADER_SIZE + 8 && load_u32(bytes + length - 8) == ((uint32_t)STUN_FINGERPRINT << 16 | 4)) {
        uint8_t *mended = malloc(length);
        assert(mended);
        memcpy(mended, bytes, length);
        store_u32(mended + length - 4, crc32_of(mended, length - 8) ^ 0x5354554eu);
        check(mended, length);
        free(mended);
    }
    return 0;
}
