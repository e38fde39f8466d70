/* SPDX-License-Identifier: BSD-3-Clause */
#include "stun/message.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "crypto/digest.h"
#include "stun/crc32.h"
#include "stun/framing.h"

#define FINGERPRINT_XOR 0x5354554eu /* "STUN", RFC 8489 §14.7 */

/* RFC 8489 §5: the two bits of the class stand among the twelve of the method: M11..M7 C1 M6..M4 C0 M3..M0. */
static uint16_t type_encode(uint16_t method, enum stun_class class)
{
    return (uint16_t)((method & 0x0f80) << 2 | (method & 0x0070) << 1 | (method & 0x000f) | (class & 2) << 7 |
                      (class & 1) << 4);
}

static uint16_t type_method(uint16_t type)
{
    return (uint16_t)((type & 0x3e00) >> 2 | (type & 0x00e0) >> 1 | (type & 0x000f));
}

static enum stun_class type_class(uint16_t type)
{
    return (enum stun_class)((type & 0x0100) >> 7 | (type & 0x0010) >> 4);
}

bool stun_header_looks_right(const uint8_t *bytes, size_t length)
{
    return length >= STUN_HEADER_SIZE && (bytes[0] & 0xc0) == 0 && load_u16(bytes + 2) % 4 == 0 &&
           load_u32(bytes + 4) == STUN_MAGIC_COOKIE;
}

static enum stun_integrity integrity_kind(uint16_t type)
{
    return type == STUN_MESSAGE_INTEGRITY          ? STUN_INTEGRITY_SHA1
           : type == STUN_MESSAGE_INTEGRITY_SHA256 ? STUN_INTEGRITY_SHA256
                                                   : STUN_INTEGRITY_NONE;
}

/* RFC 8489 §14.5, §14.6: what follows an integrity attribute is not covered by it, so it does not count. */
static bool is_covered(const struct stun_message *message, uint16_t type)
{
    if (type == STUN_FINGERPRINT)
        return true;
    if (message->integrity_at[STUN_INTEGRITY_SHA256] > 0)
        return false;
    return message->integrity_at[STUN_INTEGRITY_SHA1] == 0 || type == STUN_MESSAGE_INTEGRITY_SHA256;
}

static void note_unknown(struct stun_message *message, uint16_t type)
{
    for (unsigned i = 0; i < message->unknown_count; i++) {
        if (message->unknown[i] == type)
            return;
    }
    if (message->unknown_count < STUN_UNKNOWN_MAX)
        message->unknown[message->unknown_count++] = type;
}

static bool length_is_right(const struct stun_attribute *attribute, const struct stun_attribute_bounds *bounds)
{
    if (attribute->type == STUN_MESSAGE_INTEGRITY_SHA256 && attribute->length % 4 != 0)
        return false;
    return attribute->length >= bounds->shortest && attribute->length <= bounds->longest;
}

static uint32_t fingerprint(const uint8_t *bytes, size_t length)
{
    return crc32_of(bytes, length) ^ FINGERPRINT_XOR;
}

/* Takes in the attribute whose header is |at| bytes into the message. Returns 0, or an error that drops the message. */
static int take_attribute(struct stun_message *message, size_t at, const struct stun_attribute *attribute,
                          bool *lengths_right)
{
    struct stun_attribute_bounds bounds;
    if (!is_covered(message, attribute->type))
        return 0;
    if (!stun_attribute_bounds(attribute->type, &bounds)) {
        if (stun_comprehension_required(attribute->type))
            note_unknown(message, attribute->type);
        return 0;
    }
    if (attribute->type == STUN_FINGERPRINT) {
        message->fingerprint_present =
            attribute->length == 4 && load_u32(attribute->value) == fingerprint(message->bytes, at);
        if (!message->fingerprint_present)
            return ERR_MALFORMED;
    } else if (!length_is_right(attribute, &bounds)) {
        *lengths_right = false;
        return 0;
    }
    if (message->attribute_count == STUN_ATTRIBUTES_MAX)
        return ERR_TOO_LARGE;
    enum stun_integrity kind = integrity_kind(attribute->type);
    if (kind != STUN_INTEGRITY_NONE)
        message->integrity_at[kind] = at;
    message->attributes[message->attribute_count++] = *attribute;
    return 0;
}

static int take_attributes(struct stun_message *message, bool *lengths_right)
{
    struct reader reader = reader_over(message->bytes + STUN_HEADER_SIZE, message->length - STUN_HEADER_SIZE);
    while (reader_left(&reader) > 0) {
        size_t at = (size_t)(reader.at - message->bytes);
        struct stun_attribute attribute;
        attribute.type = reader_u16(&reader);
        attribute.length = reader_u16(&reader);
        attribute.value = reader_take(&reader, attribute.length);
        reader_take(&reader, stun_padding(attribute.length));
        if (reader.failed || message->fingerprint_present) /* nothing may follow FINGERPRINT, RFC 8489 §14.7 */
            return ERR_MALFORMED;
        int failure = take_attribute(message, at, &attribute, lengths_right);
        if (failure)
            return failure;
    }
    return 0;
}

int stun_message_decode(const void *bytes, size_t length, struct stun_message *out)
{
    /* Not all of |*out|: the arrays are large, and only what the counts cover is ever read. */
    out->bytes = bytes;
    out->length = length;
    out->transaction_id = NULL;
    out->attribute_count = out->unknown_count = 0;
    memset(out->integrity_at, 0, sizeof out->integrity_at);
    out->fingerprint_present = false;

    if (!stun_header_looks_right(bytes, length) || (size_t)load_u16(out->bytes + 2) + STUN_HEADER_SIZE != length)
        return ERR_MALFORMED;
    uint16_t type = load_u16(bytes);
    out->method = type_method(type);
    out->class = type_class(type);

    bool lengths_right = true;
    int failure = take_attributes(out, &lengths_right);
    if (failure)
        return failure;
    out->transaction_id = out->bytes + 8;
    return lengths_right ? 0 : ERR_MALFORMED;
}

static const struct stun_attribute *find_from(const struct stun_message *message, unsigned index, uint16_t type)
{
    for (; index < message->attribute_count; index++) {
        if (message->attributes[index].type == type)
            return &message->attributes[index];
    }
    return NULL;
}

const struct stun_attribute *stun_message_find(const struct stun_message *message, uint16_t type)
{
    return find_from(message, 0, type);
}

const struct stun_attribute *stun_message_find_next(const struct stun_message *message,
                                                    const struct stun_attribute *previous)
{
    return find_from(message, (unsigned)(previous - message->attributes) + 1, previous->type);
}

/* The keyed hash over the first |covered| bytes of a message, computed as if an integrity attribute with a value of
 * |value_length| bytes came next and were the last one (RFC 8489 §14.5). */
static void integrity_compute(const uint8_t *bytes, size_t covered, enum stun_integrity kind, size_t value_length,
                              struct span key, uint8_t out[SHA256_SIZE])
{
    uint8_t header_start[4] = {bytes[0], bytes[1]};
    store_u16(header_start + 2, (uint16_t)(covered + 4 + value_length - STUN_HEADER_SIZE));
    const struct span spans[] = {{header_start, sizeof header_start}, {bytes + 4, covered - 4}};
    if (kind == STUN_INTEGRITY_SHA1)
        crypto_hmac_sha1(key, spans, 2, out);
    else
        crypto_hmac_sha256(key, spans, 2, out);
}

bool stun_message_verify(const struct stun_message *message, enum stun_integrity kind, struct span key)
{
    if (kind == STUN_INTEGRITY_NONE || message->integrity_at[kind] == 0)
        return false;
    size_t at = message->integrity_at[kind];
    size_t value_length = load_u16(message->bytes + at + 2); /* 20, or 16..32: checked when decoded */
    uint8_t expected[SHA256_SIZE];
    integrity_compute(message->bytes, at, kind, value_length, key, expected);
    return crypto_equal(expected, message->bytes + at + 4, value_length);
}

/* Lays the magic cookie, and for IPv6 the transaction id, over |bytes| (RFC 8489 §14.2). */
static void address_mask(uint8_t *bytes, size_t length, const uint8_t *message)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] ^= message[4 + i];
}

int stun_address_decode(const struct stun_message *message, const struct stun_attribute *attribute, bool xored,
                        struct address *out)
{
    struct reader reader = reader_over(attribute->value, attribute->length);
    reader_u8(&reader); /* reserved: ignored */
    uint8_t family = stun_family_decode(reader_u8(&reader));
    uint16_t port = reader_u16(&reader);
    if (reader.failed)
        return ERR_MALFORMED;
    if (family == ADDRESS_NONE)
        return ERR_FAMILY;

    size_t ip_length = address_ip_length(family);
    if (reader_left(&reader) != ip_length)
        return ERR_MALFORMED;
    uint8_t ip[16];
    memcpy(ip, reader_take(&reader, ip_length), ip_length);
    if (xored) {
        address_mask(ip, ip_length, message->bytes);
        port ^= STUN_MAGIC_COOKIE >> 16;
    }
    *out = family == ADDRESS_IPV4 ? address_ipv4(ip, port) : address_ipv6(ip, port);
    return 0;
}

int stun_error_decode(const struct stun_attribute *attribute)
{
    struct reader reader = reader_over(attribute->value, attribute->length);
    reader_u16(&reader); /* reserved: ignored */
    unsigned hundreds = reader_u8(&reader) & 7;
    unsigned number = reader_u8(&reader);
    if (reader.failed || hundreds < 3 || hundreds > 6 || number > 99)
        return ERR_MALFORMED;
    return (int)(hundreds * 100 + number);
}

void stun_builder_init(struct stun_builder *builder, void *memory, size_t size, uint16_t method, enum stun_class class,
                       const uint8_t transaction_id[STUN_TRANSACTION_ID_SIZE])
{
    builder->writer = writer_over(memory, size);
    writer_u16(&builder->writer, type_encode(method, class));
    writer_u16(&builder->writer, 0);
    writer_u32(&builder->writer, STUN_MAGIC_COOKIE);
    writer_bytes(&builder->writer, transaction_id, STUN_TRANSACTION_ID_SIZE);
}

/* Reserves an attribute and returns its value, to be filled, padded with zeros; NULL where it does not fit. */
static uint8_t *reserve_attribute(struct stun_builder *builder, uint16_t type, size_t length)
{
    struct writer *writer = &builder->writer;
    size_t size = 4 + length + stun_padding(length);
    /* The header counts 16 bits of attributes: more must not be cut down to a smaller number. */
    if (writer->failed || length > UINT16_MAX || writer_length(writer) - STUN_HEADER_SIZE + size > UINT16_MAX) {
        writer->failed = true;
        return NULL;
    }
    uint8_t *at = writer_reserve(writer, size);
    if (!at)
        return NULL;
    store_u16(at, type);
    store_u16(at + 2, (uint16_t)length);
    memset(at + 4 + length, 0, stun_padding(length));
    return at + 4;
}

void stun_builder_add(struct stun_builder *builder, uint16_t type, const void *value, size_t length)
{
    uint8_t *to = reserve_attribute(builder, type, length);
    if (to && length > 0)
        memcpy(to, value, length);
}

void stun_builder_add_u32(struct stun_builder *builder, uint16_t type, uint32_t value)
{
    uint8_t bytes[4];
    store_u32(bytes, value);
    stun_builder_add(builder, type, bytes, sizeof bytes);
}

static void add_address(struct stun_builder *builder, uint16_t type, const struct address *address, bool xored)
{
    size_t ip_length = address_ip_length(address->family);
    assert(ip_length > 0);
    uint8_t *to = reserve_attribute(builder, type, 4 + ip_length);
    if (!to)
        return;
    to[0] = 0;
    to[1] = stun_family_encode(address->family);
    store_u16(to + 2, (uint16_t)(address->port ^ (xored ? STUN_MAGIC_COOKIE >> 16 : 0)));
    memcpy(to + 4, address->ip, ip_length);
    if (xored)
        address_mask(to + 4, ip_length, builder->writer.start);
}

void stun_builder_add_xor_address(struct stun_builder *builder, uint16_t type, const struct address *address)
{
    add_address(builder, type, address, true);
}

void stun_builder_add_address(struct stun_builder *builder, uint16_t type, const struct address *address)
{
    add_address(builder, type, address, false);
}

void stun_builder_add_error(struct stun_builder *builder, int code)
{
    assert(code >= 300 && code <= 699);
    stun_builder_add_u32(builder, STUN_ERROR_CODE, (uint32_t)(code / 100) << 8 | (uint32_t)(code % 100));
}

void stun_builder_add_unknown_attributes(struct stun_builder *builder, const struct stun_message *request)
{
    uint8_t *to = reserve_attribute(builder, STUN_UNKNOWN_ATTRIBUTES, 2 * request->unknown_count);
    for (unsigned i = 0; to && i < request->unknown_count; i++)
        store_u16(to + 2 * i, request->unknown[i]);
}

void stun_builder_add_integrity(struct stun_builder *builder, enum stun_integrity kind, struct span key)
{
    assert(kind != STUN_INTEGRITY_NONE);
    size_t covered = writer_length(&builder->writer);
    bool sha1 = kind == STUN_INTEGRITY_SHA1;
    size_t size = sha1 ? SHA1_SIZE : SHA256_SIZE;
    uint8_t *to = reserve_attribute(builder, sha1 ? STUN_MESSAGE_INTEGRITY : STUN_MESSAGE_INTEGRITY_SHA256, size);
    if (!to)
        return;
    uint8_t value[SHA256_SIZE];
    integrity_compute(builder->writer.start, covered, kind, size, key, value);
    memcpy(to, value, size);
}

/* Writes the length of the attributes so far into the header. */
static void store_length(struct stun_builder *builder)
{
    store_u16(builder->writer.start + 2, (uint16_t)(writer_length(&builder->writer) - STUN_HEADER_SIZE));
}

void stun_builder_add_fingerprint(struct stun_builder *builder)
{
    size_t covered = writer_length(&builder->writer);
    uint8_t *to = reserve_attribute(builder, STUN_FINGERPRINT, 4);
    if (!to)
        return;
    store_length(builder); /* the checksum covers the header with its final length */
    store_u32(to, fingerprint(builder->writer.start, covered));
}

int stun_builder_finish(struct stun_builder *builder)
{
    if (builder->writer.failed)
        return ERR_FULL;
    store_length(builder);
    return (int)writer_length(&builder->writer);
}
