/* SPDX-License-Identifier: BSD-3-Clause
 * A transport address: family, IP and port. A plain value: copied, compared and hashed as its bytes, which
 * are always all set (unused ones to zero). net/ turns it into a sockaddr. */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum address_family {
    ADDRESS_NONE = 0,
    ADDRESS_IPV4 = 4,
    ADDRESS_IPV6 = 6,
};

struct address {
    uint8_t ip[16]; /* network order; IPv4 uses the first four bytes */
    uint16_t port;  /* host order */
    uint8_t family; /* enum address_family */
    uint8_t zero;
};

/* Longest text that address_format() writes, with its NUL. */
#define ADDRESS_TEXT_MAX 56

static inline bool address_equal(const struct address *a, const struct address *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* Equal but for the port. */
static inline bool address_same_ip(const struct address *a, const struct address *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

/* True for 0.0.0.0 and ::. */
static inline bool address_is_unspecified(const struct address *address)
{
    static const uint8_t zeros[sizeof address->ip];
    return memcmp(address->ip, zeros, sizeof zeros) == 0;
}

/* Bytes of an IP of |family|: 4, 16, or 0 for none. */
static inline size_t address_ip_length(uint8_t family)
{
    return family == ADDRESS_IPV4 ? 4 : family == ADDRESS_IPV6 ? 16 : 0;
}

struct address address_ipv4(const uint8_t ip[4], uint16_t port);
struct address address_ipv6(const uint8_t ip[16], uint16_t port);

/* Reads "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]" or "[2001:db8::1]:80"; the port is 0
 * where none is given. Returns 0, or ERR_MALFORMED with |*out| untouched. */
int address_parse(const char *text, struct address *out);

/* Writes "192.0.2.1:80" or "[2001:db8::1]:80", without ":port" if the port is 0. Returns |text|. */
const char *address_format(const struct address *address, char text[ADDRESS_TEXT_MAX]);

/* A range of IP addresses: CIDR prefix. */
struct address_prefix {
    struct address base; /* port 0, host bits zero */
    uint8_t bits;
};

/* Reads "10.0.0.0/8", "2001:db8::/32", or one address (a full-length prefix). Host bits that are set are an
 * error: the writer meant something else. Returns 0 or ERR_MALFORMED. */
int address_prefix_parse(const char *text, struct address_prefix *out);

/* True if |address|'s IP lies in |prefix|. The families must match; no spelling is folded here. */
bool address_prefix_contains(const struct address_prefix *prefix, const struct address *address);

/* |address| with port 0 and everything after the first |bits| bits cleared. */
struct address address_masked(const struct address *address, unsigned bits);

#endif
