/* SPDX-License-Identifier: BSD-3-Clause
 * A header that decodes is the shortest such prefix of its stream, and written anew in either version says the same. */
#include "harness.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/cursor.h"
#include "base/error.h"
#include "front/proxy_header.h"

static const char *ip_text(struct address address, char text[ADDRESS_TEXT_MAX])
{
    address.port = 0;
    return address_format(&address, text);
}

static void assert_same_addresses(const struct proxy_header *a, const struct proxy_header *b)
{
    assert(address_equal(&a->source, &b->source) && address_equal(&a->destination, &b->destination));
}

static void check_as_version_1(const struct proxy_header *header)
{
    char line[128], source[ADDRESS_TEXT_MAX], destination[ADDRESS_TEXT_MAX];
    int length = snprintf(line, sizeof line, "PROXY TCP%d %s %s %u %u\r\n", header->source.family,
                          ip_text(header->source, source), ip_text(header->destination, destination),
                          header->source.port, header->destination.port);
    struct proxy_header again;
    int consumed = proxy_header_decode((const uint8_t *)line, (size_t)length, &again);
    assert(consumed == length && !again.tls);
    assert_same_addresses(header, &again);
}

static void check_as_version_2(const struct proxy_header *header)
{
    uint8_t bytes[128];
    struct writer writer = writer_over(bytes, sizeof bytes);
    size_t ip_length = address_ip_length(header->source.family);
    writer_bytes(&writer, "\r\n\r\n\0\r\nQUIT\n\x21", 13);
    writer_u8(&writer, ip_length == 4 ? 0x11 : 0x21);
    writer_u16(&writer, (uint16_t)(2 * ip_length + 4 + 8));
    writer_bytes(&writer, header->source.ip, ip_length);
    writer_bytes(&writer, header->destination.ip, ip_length);
    writer_u16(&writer, header->source.port);
    writer_u16(&writer, header->destination.port);
    const uint8_t ssl[] = {0x20, 0, 5, header->tls, 0, 0, 0, 0};
    writer_bytes(&writer, ssl, sizeof ssl);
    struct proxy_header again;
    int consumed = proxy_header_decode(bytes, writer_length(&writer), &again);
    assert(consumed == (int)writer_length(&writer) && again.tls == header->tls);
    assert_same_addresses(header, &again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct proxy_header header, other;
    int consumed = proxy_header_decode(bytes, length, &header);
    assert(consumed != 0 && consumed >= ERR_MALFORMED && consumed <= PROXY_HEADER_MAX);
    if (consumed == ERR_SHORT)
        assert(length < PROXY_HEADER_MAX);
    if (consumed < 0) {
        assert(consumed == ERR_SHORT || consumed == ERR_MALFORMED);
        return 0;
    }
    assert((size_t)consumed <= length);
    for (int cut = 0; cut < consumed; cut += cut < 128 ? 1 : 61)
        assert(proxy_header_decode(bytes, (size_t)cut, &other) == ERR_SHORT);
    assert(proxy_header_decode(bytes, (size_t)consumed, &other) == consumed);
    assert_same_addresses(&header, &other);

    assert((header.source.family == ADDRESS_NONE) == (header.destination.family == ADDRESS_NONE));
    /* Only an IPv4-mapped address makes the two families differ. */
    if (header.source.family != ADDRESS_NONE && header.source.family == header.destination.family) {
        check_as_version_1(&header);
        check_as_version_2(&header);
    }
    return 0;
}
