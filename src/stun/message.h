/* SPDX-License-Identifier: BSD-3-Clause
 * STUN messages: decoding in place and encoding into the caller's memory (RFC 8489 §5, §14). */
#ifndef STUN_MESSAGE_H
#define STUN_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/cursor.h"
#include "base/span.h"
#include "stun/attributes.h"

#define STUN_HEADER_SIZE         20
#define STUN_TRANSACTION_ID_SIZE 12
#define STUN_MAGIC_COOKIE        0x2112A442u
#define STUN_ATTRIBUTES_MAX      32 /* understood ones kept by a decoded message; more are ERR_TOO_LARGE */
#define STUN_UNKNOWN_MAX         8  /* unknown comprehension-required ones that a 420 lists */

/* One attribute of a decoded message; |value| borrows from the message's bytes. */
struct stun_attribute {
    uint16_t type;
    uint16_t length;
    const uint8_t *value;
};

enum stun_integrity {
    STUN_INTEGRITY_NONE = 0,
    STUN_INTEGRITY_SHA1 = 1,   /* MESSAGE-INTEGRITY */
    STUN_INTEGRITY_SHA256 = 2, /* MESSAGE-INTEGRITY-SHA256 */
};

/* A decoded message. It borrows the bytes it was decoded from. Attributes after MESSAGE-INTEGRITY are not in it, save
 * MESSAGE-INTEGRITY-SHA256 and FINGERPRINT; after MESSAGE-INTEGRITY-SHA256 only FINGERPRINT (RFC 8489 §14.5, §14.6). */
struct stun_message {
    const uint8_t *bytes;
    size_t length; /* header and attributes */
    uint16_t method;
    enum stun_class class;
    const uint8_t *transaction_id;
    struct stun_attribute attributes[STUN_ATTRIBUTES_MAX];
    unsigned attribute_count;
    uint16_t unknown[STUN_UNKNOWN_MAX];
    unsigned unknown_count;   /* comprehension-required types that are not in the table */
    size_t integrity_at[3];   /* offset of the attribute header by enum stun_integrity; 0: absent */
    bool fingerprint_present; /* then it was right: a wrong one is ERR_MALFORMED */
};

/* Whether these bytes may be a STUN message: two zero bits, magic cookie, length a multiple of four. |length| ≥
 * STUN_HEADER_SIZE. */
bool stun_header_looks_right(const uint8_t *bytes, size_t length);

/* Decodes a message that fills |bytes| exactly. Returns 0, or
 *   ERR_MALFORMED  not STUN, or a length that does not add up, or a wrong FINGERPRINT   -> drop
 *   ERR_TOO_LARGE  more attributes than kept                                            -> drop
 * An attribute whose length is outside its table row makes it ERR_MALFORMED as well, but with |out->method|, |class|
 * and |transaction_id| set, so that a request can be answered with 400: |out->transaction_id| is NULL otherwise. Where
 * an attribute comes more than once, the first one counts (RFC 8489 §14); all are kept for attributes that may repeat.
 */
int stun_message_decode(const void *bytes, size_t length, struct stun_message *out);

/* The first attribute of |type|, or NULL. */
const struct stun_attribute *stun_message_find(const struct stun_message *message, uint16_t type);
/* The first one after |previous| of the same type, or NULL. */
const struct stun_attribute *stun_message_find_next(const struct stun_message *message,
                                                    const struct stun_attribute *previous);

/* True if the message carries integrity of |kind| and it verifies with |key| (constant time). A truncated SHA-256 value
 * (RFC 8489 §14.6) of 16..28 bytes is checked over its length. */
bool stun_message_verify(const struct stun_message *message, enum stun_integrity kind, struct span key);

/* How enum address_family is written in attributes (RFC 8489 §14.1). An unknown number decodes to ADDRESS_NONE. */
static inline uint8_t stun_family_encode(uint8_t family)
{
    return family == ADDRESS_IPV4 ? 1 : 2;
}
static inline uint8_t stun_family_decode(uint8_t number)
{
    return number == 1 ? ADDRESS_IPV4 : number == 2 ? ADDRESS_IPV6 : ADDRESS_NONE;
}

/* The value of an XOR-*-ADDRESS (|xored|) or MAPPED-ADDRESS / ALTERNATE-SERVER. Returns 0, ERR_FAMILY for a family that
 * is neither 1 nor 2, or ERR_MALFORMED. */
int stun_address_decode(const struct stun_message *message, const struct stun_attribute *attribute, bool xored,
                        struct address *out);
/* The number in an ERROR-CODE, 300..699, or ERR_MALFORMED. */
int stun_error_decode(const struct stun_attribute *attribute);

/* Encoding: begin, add attributes, end. The writer's error is sticky; stun_builder_finish() reports it. */
struct stun_builder {
    struct writer writer;
};

/* Starts a message in |memory|. |transaction_id| is 12 bytes. */
void stun_builder_init(struct stun_builder *builder, void *memory, size_t size, uint16_t method, enum stun_class class,
                       const uint8_t transaction_id[STUN_TRANSACTION_ID_SIZE]);
void stun_builder_add(struct stun_builder *builder, uint16_t type, const void *value, size_t length);
void stun_builder_add_u32(struct stun_builder *builder, uint16_t type, uint32_t value);
/* XOR-PEER-ADDRESS, XOR-RELAYED-ADDRESS or XOR-MAPPED-ADDRESS. */
void stun_builder_add_xor_address(struct stun_builder *builder, uint16_t type, const struct address *address);
/* MAPPED-ADDRESS or ALTERNATE-SERVER. */
void stun_builder_add_address(struct stun_builder *builder, uint16_t type, const struct address *address);
/* ERROR-CODE without a reason phrase. */
void stun_builder_add_error(struct stun_builder *builder, int code);
/* UNKNOWN-ATTRIBUTES: what |request| was refused for. */
void stun_builder_add_unknown_attributes(struct stun_builder *builder, const struct stun_message *request);
void stun_builder_add_integrity(struct stun_builder *builder, enum stun_integrity kind, struct span key);
void stun_builder_add_fingerprint(struct stun_builder *builder);
/* Writes the final length. Returns the message's size in bytes, or ERR_FULL. */
int stun_builder_finish(struct stun_builder *builder);

#endif
