/* SPDX-License-Identifier: BSD-3-Clause */
#include "front/proxy_header.h"

#include <string.h>

#include "base/cursor.h"
#include "base/error.h"

#define V1_LINE_MAX    107 /* with CR LF: two longest IPv6 addresses and ports */
#define V2_HEADER_SIZE 16
#define V2_LENGTH_MAX  (PROXY_HEADER_MAX - V2_HEADER_SIZE)

enum v2_command {
    V2_LOCAL = 0x20,
    V2_PROXY = 0x21,
};

/* Address family and transport. The transport changes nothing here: what was relayed to a stream is one now. */
enum v2_family {
    V2_UNSPECIFIED = 0x00,
    V2_TCP4 = 0x11,
    V2_UDP4 = 0x12,
    V2_TCP6 = 0x21,
    V2_UDP6 = 0x22,
    V2_UNIX_STREAM = 0x31,
    V2_UNIX_DATAGRAM = 0x32,
};
#define V2_UNIX_ADDRESSES_SIZE 216

enum {
    V2_TYPE_SSL = 0x20,
    V2_CLIENT_SSL = 0x01,
};

static const uint8_t v1_signature[6] = "PROXY ";
static const uint8_t v2_signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static struct address unmapped(struct address address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, 0xff};
    if (address.family == ADDRESS_IPV6 && memcmp(address.ip, mapped, sizeof mapped) == 0)
        return address_ipv4(address.ip + 12, address.port);
    return address;
}

/* Takes the text up to |separator|, which is taken too, as a string. Returns false where there is none within |size|.
 */
static bool take_word(struct reader *reader, char separator, char *out, size_t size)
{
    const uint8_t *end = memchr(reader->at, separator, reader_left(reader));
    if (!end || (size_t)(end - reader->at) >= size)
        return false;
    size_t length = (size_t)(end - reader->at);
    memcpy(out, reader->at, length);
    out[length] = '\0';
    reader->at = end + 1;
    return true;
}

static bool take_ip(struct reader *reader, uint8_t family, struct address *out)
{
    char text[40];
    if (!take_word(reader, ' ', text, sizeof text))
        return false;
    /* address_parse() knows further spellings, with brackets and ports. */
    const char *alphabet = family == ADDRESS_IPV4 ? "0123456789." : "0123456789abcdefABCDEF:.";
    return text[strspn(text, alphabet)] == '\0' && address_parse(text, out) == 0 && out->family == family;
}

static bool take_port(struct reader *reader, char separator, uint16_t *out)
{
    char text[6];
    if (!take_word(reader, separator, text, sizeof text) || text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
        return false;
    unsigned port = 0;
    for (const char *at = text; *at; at++) {
        if (*at < '0' || *at > '9')
            return false;
        port = 10 * port + (unsigned)(*at - '0');
    }
    *out = (uint16_t)port;
    return port <= UINT16_MAX;
}

/* "PROXY TCP4 192.0.2.1 198.51.100.2 4000 443\r\n" */
static int decode_v1(const uint8_t *bytes, size_t length, struct proxy_header *out)
{
    size_t searched = length < V1_LINE_MAX ? length : V1_LINE_MAX;
    const uint8_t *line_end = memchr(bytes, '\r', searched);
    if (!line_end || line_end + 1 == bytes + length)
        return searched < V1_LINE_MAX ? ERR_SHORT : ERR_MALFORMED;
    size_t consumed = (size_t)(line_end - bytes) + 2;
    if (line_end[1] != '\n' || consumed > V1_LINE_MAX)
        return ERR_MALFORMED;

    struct reader reader = reader_over(bytes + sizeof v1_signature, consumed - 1 - sizeof v1_signature);
    size_t rest = reader_left(&reader);
    if (rest >= 8 && memcmp(reader.at, "UNKNOWN", 7) == 0 && (reader.at[7] == ' ' || reader.at[7] == '\r'))
        return (int)consumed;

    char protocol[sizeof "TCP4"];
    if (!take_word(&reader, ' ', protocol, sizeof protocol))
        return ERR_MALFORMED;
    uint8_t family = strcmp(protocol, "TCP4") == 0   ? ADDRESS_IPV4
                     : strcmp(protocol, "TCP6") == 0 ? ADDRESS_IPV6
                                                     : ADDRESS_NONE;
    if (family == ADDRESS_NONE)
        return ERR_MALFORMED;
    struct address source, destination;
    if (!take_ip(&reader, family, &source) || !take_ip(&reader, family, &destination) ||
        !take_port(&reader, ' ', &source.port) || !take_port(&reader, '\r', &destination.port))
        return ERR_MALFORMED;
    out->source = unmapped(source);
    out->destination = unmapped(destination);
    return (int)consumed;
}

static bool take_v2_addresses(struct reader *reader, uint8_t family, struct proxy_header *out)
{
    if (family == V2_UNIX_STREAM || family == V2_UNIX_DATAGRAM)
        return reader_take(reader, V2_UNIX_ADDRESSES_SIZE) != NULL;

    bool ipv6 = family == V2_TCP6 || family == V2_UDP6;
    size_t ip_length = ipv6 ? 16 : 4;
    const uint8_t *source = reader_take(reader, ip_length);
    const uint8_t *destination = reader_take(reader, ip_length);
    uint16_t source_port = reader_u16(reader);
    uint16_t destination_port = reader_u16(reader);
    if (reader->failed)
        return false;
    out->source = ipv6 ? unmapped(address_ipv6(source, source_port)) : address_ipv4(source, source_port);
    out->destination =
        ipv6 ? unmapped(address_ipv6(destination, destination_port)) : address_ipv4(destination, destination_port);
    return true;
}

/* Type, length, value; all but PP2_TYPE_SSL are passed over. */
static bool take_v2_extensions(struct reader *reader, struct proxy_header *out)
{
    while (!reader->failed && reader_left(reader) > 0) {
        uint8_t type = reader_u8(reader);
        uint16_t length = reader_u16(reader);
        const uint8_t *value = reader_take(reader, length);
        if (!value || type != V2_TYPE_SSL)
            continue;
        /* One byte of flags, four of the verification's result, then further extensions. */
        if (length < 5)
            return false;
        out->tls = (value[0] & V2_CLIENT_SSL) != 0;
    }
    return !reader->failed;
}

static bool v2_family_is_known(uint8_t family)
{
    switch (family) {
    case V2_UNSPECIFIED:
    case V2_TCP4:
    case V2_UDP4:
    case V2_TCP6:
    case V2_UDP6:
    case V2_UNIX_STREAM:
    case V2_UNIX_DATAGRAM:
        return true;
    default:
        return false;
    }
}

static int decode_v2(const uint8_t *bytes, size_t length, struct proxy_header *out)
{
    if (length < V2_HEADER_SIZE)
        return ERR_SHORT;
    uint8_t command = bytes[12], family = bytes[13];
    size_t rest = load_u16(bytes + 14);
    if ((command != V2_LOCAL && command != V2_PROXY) || rest > V2_LENGTH_MAX)
        return ERR_MALFORMED;
    if (command == V2_PROXY && !v2_family_is_known(family))
        return ERR_MALFORMED;
    if (length < V2_HEADER_SIZE + rest)
        return ERR_SHORT;

    /* LOCAL's family and what follows it are to be ignored, and so is what follows no family. */
    struct reader reader = reader_over(bytes + V2_HEADER_SIZE, rest);
    if (command == V2_PROXY && family != V2_UNSPECIFIED &&
        (!take_v2_addresses(&reader, family, out) || !take_v2_extensions(&reader, out)))
        return ERR_MALFORMED;
    return (int)(V2_HEADER_SIZE + rest);
}

static bool starts_like(const uint8_t *bytes, size_t length, const uint8_t *signature, size_t size)
{
    return memcmp(bytes, signature, length < size ? length : size) == 0;
}

int proxy_header_decode(const uint8_t *bytes, size_t length, struct proxy_header *out)
{
    memset(out, 0, sizeof *out);
    if (length == 0)
        return ERR_SHORT;
    if (starts_like(bytes, length, v1_signature, sizeof v1_signature))
        return decode_v1(bytes, length, out);
    if (starts_like(bytes, length, v2_signature, sizeof v2_signature))
        return decode_v2(bytes, length, out);
    return ERR_MALFORMED;
}
