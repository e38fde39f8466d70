/* SPDX-License-Identifier: BSD-3-Clause
 * The attributes, methods and error codes that postern knows, as tables: one row gives the constant, its number, its
 * name and what may be checked without context. RFC 8489 §14, RFC 8656 §18, RFC 6062 §6.2, RFC 8445 §16.1. */
#ifndef STUN_ATTRIBUTES_H
#define STUN_ATTRIBUTES_H

#include <stdbool.h>
#include <stdint.h>

/* Constant, number, name, shortest and longest value in bytes. */
#define STUN_ATTRIBUTE_TABLE(X)                                                  \
    X(STUN_MAPPED_ADDRESS, 0x0001, "MAPPED-ADDRESS", 8, 20)                      \
    X(STUN_USERNAME, 0x0006, "USERNAME", 1, 508)                                 \
    X(STUN_MESSAGE_INTEGRITY, 0x0008, "MESSAGE-INTEGRITY", 20, 20)               \
    X(STUN_ERROR_CODE, 0x0009, "ERROR-CODE", 4, 767)                             \
    X(STUN_UNKNOWN_ATTRIBUTES, 0x000A, "UNKNOWN-ATTRIBUTES", 0, 65532)           \
    X(STUN_CHANNEL_NUMBER, 0x000C, "CHANNEL-NUMBER", 4, 4)                       \
    X(STUN_LIFETIME, 0x000D, "LIFETIME", 4, 4)                                   \
    X(STUN_XOR_PEER_ADDRESS, 0x0012, "XOR-PEER-ADDRESS", 8, 20)                  \
    X(STUN_DATA, 0x0013, "DATA", 0, 65532)                                       \
    X(STUN_REALM, 0x0014, "REALM", 1, 763)                                       \
    X(STUN_NONCE, 0x0015, "NONCE", 1, 763)                                       \
    X(STUN_XOR_RELAYED_ADDRESS, 0x0016, "XOR-RELAYED-ADDRESS", 8, 20)            \
    X(STUN_REQUESTED_ADDRESS_FAMILY, 0x0017, "REQUESTED-ADDRESS-FAMILY", 4, 4)   \
    X(STUN_EVEN_PORT, 0x0018, "EVEN-PORT", 1, 1)                                 \
    X(STUN_REQUESTED_TRANSPORT, 0x0019, "REQUESTED-TRANSPORT", 4, 4)             \
    X(STUN_DONT_FRAGMENT, 0x001A, "DONT-FRAGMENT", 0, 0)                         \
    X(STUN_MESSAGE_INTEGRITY_SHA256, 0x001C, "MESSAGE-INTEGRITY-SHA256", 16, 32) \
    X(STUN_PASSWORD_ALGORITHM, 0x001D, "PASSWORD-ALGORITHM", 4, 64)              \
    X(STUN_USERHASH, 0x001E, "USERHASH", 32, 32)                                 \
    X(STUN_XOR_MAPPED_ADDRESS, 0x0020, "XOR-MAPPED-ADDRESS", 8, 20)              \
    X(STUN_RESERVATION_TOKEN, 0x0022, "RESERVATION-TOKEN", 8, 8)                 \
    X(STUN_PRIORITY, 0x0024, "PRIORITY", 4, 4)                                   \
    X(STUN_USE_CANDIDATE, 0x0025, "USE-CANDIDATE", 0, 0)                         \
    X(STUN_CONNECTION_ID, 0x002A, "CONNECTION-ID", 4, 4)                         \
    X(STUN_ADDITIONAL_ADDRESS_FAMILY, 0x8000, "ADDITIONAL-ADDRESS-FAMILY", 4, 4) \
    X(STUN_ADDRESS_ERROR_CODE, 0x8001, "ADDRESS-ERROR-CODE", 4, 767)             \
    X(STUN_PASSWORD_ALGORITHMS, 0x8002, "PASSWORD-ALGORITHMS", 4, 256)           \
    X(STUN_ALTERNATE_DOMAIN, 0x8003, "ALTERNATE-DOMAIN", 1, 255)                 \
    X(STUN_ICMP, 0x8004, "ICMP", 8, 8)                                           \
    X(STUN_SOFTWARE, 0x8022, "SOFTWARE", 0, 763)                                 \
    X(STUN_ALTERNATE_SERVER, 0x8023, "ALTERNATE-SERVER", 8, 20)                  \
    X(STUN_FINGERPRINT, 0x8028, "FINGERPRINT", 4, 4)                             \
    X(STUN_ICE_CONTROLLED, 0x8029, "ICE-CONTROLLED", 8, 8)                       \
    X(STUN_ICE_CONTROLLING, 0x802A, "ICE-CONTROLLING", 8, 8)                     \
    X(STUN_DRAFT_ADDITIONAL_ADDRESS_FAMILY, 0x8032, "draft ADDITIONAL-ADDRESS-FAMILY", 4, 4)

enum stun_attribute_type {
#define X(constant, number, name, shortest, longest) constant = number,
    STUN_ATTRIBUTE_TABLE(X)
#undef X
};

/* A receiver that does not know such an attribute must refuse the message (RFC 8489 §14). */
static inline bool stun_comprehension_required(uint16_t type)
{
    return type < 0x8000;
}

struct stun_attribute_bounds {
    uint16_t shortest, longest; /* bytes of the value */
};
/* The bounds of |type|'s table row. Returns false where the table has none. */
bool stun_attribute_bounds(uint16_t type, struct stun_attribute_bounds *out);

/* Constant, number, name. */
#define STUN_METHOD_TABLE(X)                             \
    X(STUN_BINDING, 0x001, "Binding")                    \
    X(STUN_ALLOCATE, 0x003, "Allocate")                  \
    X(STUN_REFRESH, 0x004, "Refresh")                    \
    X(STUN_SEND, 0x006, "Send")                          \
    X(STUN_DATA_INDICATION, 0x007, "Data")               \
    X(STUN_CREATE_PERMISSION, 0x008, "CreatePermission") \
    X(STUN_CHANNEL_BIND, 0x009, "ChannelBind")           \
    X(STUN_CONNECT, 0x00A, "Connect")                    \
    X(STUN_CONNECTION_BIND, 0x00B, "ConnectionBind")     \
    X(STUN_CONNECTION_ATTEMPT, 0x00C, "ConnectionAttempt")

enum stun_method {
#define X(constant, number, name) constant = number,
    STUN_METHOD_TABLE(X)
#undef X
};

enum stun_class {
    STUN_REQUEST = 0,
    STUN_INDICATION = 1,
    STUN_SUCCESS = 2,
    STUN_ERROR = 3,
};

/* Constant (0 means no error), number, reason for a person. The reason never goes on the wire: every byte of an answer
 * to a stranger counts. */
#define STUN_ERROR_TABLE(X)                                                     \
    X(STUN_TRY_ALTERNATE, 300, "Try Alternate")                                 \
    X(STUN_BAD_REQUEST, 400, "Bad Request")                                     \
    X(STUN_UNAUTHENTICATED, 401, "Unauthenticated")                             \
    X(STUN_FORBIDDEN, 403, "Forbidden")                                         \
    X(STUN_UNKNOWN_ATTRIBUTE, 420, "Unknown Attribute")                         \
    X(STUN_ALLOCATION_MISMATCH, 437, "Allocation Mismatch")                     \
    X(STUN_STALE_NONCE, 438, "Stale Nonce")                                     \
    X(STUN_ADDRESS_FAMILY_NOT_SUPPORTED, 440, "Address Family not Supported")   \
    X(STUN_WRONG_CREDENTIALS, 441, "Wrong Credentials")                         \
    X(STUN_UNSUPPORTED_TRANSPORT, 442, "Unsupported Transport Protocol")        \
    X(STUN_PEER_ADDRESS_FAMILY_MISMATCH, 443, "Peer Address Family Mismatch")   \
    X(STUN_CONNECTION_ALREADY_EXISTS, 446, "Connection Already Exists")         \
    X(STUN_CONNECTION_TIMEOUT_OR_FAILURE, 447, "Connection Timeout or Failure") \
    X(STUN_ALLOCATION_QUOTA_REACHED, 486, "Allocation Quota Reached")           \
    X(STUN_SERVER_ERROR, 500, "Server Error")                                   \
    X(STUN_INSUFFICIENT_CAPACITY, 508, "Insufficient Capacity")

enum stun_error_code {
    STUN_OK = 0,
#define X(constant, number, reason) constant = number,
    STUN_ERROR_TABLE(X)
#undef X
};

/* Names for logs and tools; static; "unknown" where the number is not in the table. */
const char *stun_attribute_name(uint16_t type);
const char *stun_method_name(uint16_t method);
const char *stun_error_reason(int code);

#endif
