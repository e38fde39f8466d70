/* SPDX-License-Identifier: BSD-3-Clause
 * A head that decodes is the shortest such prefix of its stream, carries no control bytes, and written anew says the
 * same; a refusal does not change with what follows. */
#include "harness.h"

#include <assert.h>
#include <string.h>

#include "base/cursor.h"
#include "base/error.h"
#include "http/head.h"

static struct http_head head, again;

static void assert_same(struct span a, struct span b)
{
    assert(a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0));
}

static void check_span(struct span span, const uint8_t *bytes, size_t length)
{
    const uint8_t *first = span.bytes;
    assert(first >= bytes && first + span.length <= bytes + length);
    for (size_t i = 0; i < span.length; i++)
        assert((first[i] >= ' ' || first[i] == '\t') && first[i] != 0x7f);
}

static void check_spans(const uint8_t *bytes, size_t consumed)
{
    check_span(head.method, bytes, consumed);
    check_span(head.target, bytes, consumed);
    if (head.host.length > 0)
        check_span(head.host, bytes, consumed);
    if (head.path.length > 1)
        check_span(head.path, bytes, consumed);
    if (head.query.length > 0)
        check_span(head.query, bytes, consumed);
    for (unsigned i = 0; i < head.fields.count; i++) {
        check_span(head.fields.items[i].name, bytes, consumed);
        check_span(head.fields.items[i].value, bytes, consumed);
    }
    /* A path is a path: what serves files or compares names can rely on it. */
    assert(head.path.length == 0 || *(const char *)head.path.bytes == '/');
    assert(!head.chunked || head.content_length == 0);
}

static void write_span(struct writer *writer, struct span span)
{
    writer_bytes(writer, span.bytes, span.length);
}

static void check_written_anew(void)
{
    static uint8_t bytes[2 * HTTP_HEAD_MAX];
    struct writer writer = writer_over(bytes, sizeof bytes);
    write_span(&writer, head.method);
    writer_u8(&writer, ' ');
    write_span(&writer, head.target);
    writer_bytes(&writer, " HTTP/1.", 8);
    writer_u8(&writer, (uint8_t)('0' + head.minor_version));
    for (unsigned i = 0; i < head.fields.count; i++) {
        writer_bytes(&writer, "\r\n", 2);
        write_span(&writer, head.fields.items[i].name);
        writer_u8(&writer, ':');
        write_span(&writer, head.fields.items[i].value);
    }
    writer_bytes(&writer, "\r\n\r\n", 4);

    unsigned status;
    int consumed = http_head_decode(bytes, writer_length(&writer), &again, &status);
    assert(!writer.failed && consumed == (int)writer_length(&writer));
    assert_same(head.path, again.path);
    assert_same(head.query, again.query);
    assert_same(head.host, again.host);
    assert(head.fields.count == again.fields.count && head.keep_alive == again.keep_alive);
    assert(head.chunked == again.chunked && head.content_length == again.content_length);
    for (unsigned i = 0; i < head.fields.count; i++) {
        assert_same(head.fields.items[i].name, again.fields.items[i].name);
        assert_same(head.fields.items[i].value, again.fields.items[i].value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    unsigned status, status_before = 0;
    int consumed = http_head_decode(bytes, length, &head, &status);
    assert(consumed != 0 && consumed <= HTTP_HEAD_MAX + 2);
    if (consumed == ERR_SHORT)
        assert(length < HTTP_HEAD_MAX + 2);

    int before = ERR_SHORT;
    for (size_t cut = 0; cut < length; cut += cut < 64 ? 1 : 199) {
        int now = http_head_decode(bytes, cut, &again, &status_before);
        assert(before == ERR_SHORT || now == before);
        assert(now == ERR_SHORT || (now == consumed && (now > 0 || status_before == status)));
        before = now;
    }
    if (consumed < 0) {
        assert(consumed == ERR_SHORT || consumed == ERR_MALFORMED);
        assert((consumed == ERR_MALFORMED) == (status >= 400 && status <= 599));
        return 0;
    }
    assert((size_t)consumed <= length);
    check_spans(bytes, (size_t)consumed);
    check_written_anew();
    http_head_lists(&head, "Connection", "upgrade");
    return 0;
}
