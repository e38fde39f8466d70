/* SPDX-License-Identifier: BSD-3-Clause
 * A request that is passed on is one again for the next reader: the same method, path and body, one Host, and about the
 * client only what we say. */
#include "harness.h"

#include <assert.h>
#include <string.h>

#include "http/forward.h"

static struct http_head head, again;
static uint8_t written[HTTP_HEAD_MAX + HTTP_FORWARD_MAX];

static bool is_once(const char *name, const char *value)
{
    const struct http_field *field = http_head_find(&again, name);
    return field && !http_head_find_next(&again, field) && http_span_equals(field->value, value);
}

static void check_fields(bool upgrade)
{
    assert(is_once("X-Forwarded-For", "192.0.2.1") && is_once("X-Forwarded-Proto", "https"));
    assert(!http_head_find(&again, "Forwarded") && !http_head_find(&again, "X_Forwarded_For"));
    assert(!http_head_find(&again, "TE") && !http_head_find(&again, "Keep-Alive"));
    assert((http_head_find(&again, "Connection") != NULL) == upgrade);
    assert((http_head_find(&again, "Upgrade") != NULL) == upgrade);
    assert(again.chunked == head.chunked && again.content_length == head.content_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    unsigned status;
    if (http_head_decode(bytes, length, &head, &status) < 0 || http_span_equals(head.method, "CONNECT"))
        return 0;
    struct address address = address_ipv4((const uint8_t[4]){192, 0, 2, 1}, 4711);
    struct http_client client = {.address = &address, .secure = true};
    bool upgrade = http_head_lists(&head, "Upgrade", "websocket");
    int size = http_forward_request(&head, &client, upgrade, written, sizeof written);
    assert(size > 0);
    /* What is at the limits may grow past them. */
    if (size > HTTP_HEAD_MAX || head.fields.count + 6 > HTTP_FIELDS_MAX)
        return 0;
    assert(http_head_decode(written, (size_t)size, &again, &status) == size);
    assert(span_equal(again.method, head.method) && span_equal(again.host, head.host));
    assert(span_equal(again.path, head.path) && span_equal(again.query, head.query));
    check_fields(upgrade);
    return 0;
}
