/* SPDX-License-Identifier: BSD-3-Clause
 * A body ends at the same byte however it is cut up, takes nothing behind its end, and never recovers from a fault. The
 * first byte says which body, and how the rest is cut up. */
#include "harness.h"

#include <assert.h>

#include "base/error.h"
#include "http/body.h"

static struct http_body body_of_kind(uint8_t kind, size_t length)
{
    struct http_head request = {.chunked = (kind & 1) != 0, .content_length = (kind & 1) ? 0 : length / 2};
    struct http_response_head response = {.status = 200,
                                          .framing = {.chunked = (kind & 1) != 0, .has_length = (kind & 4) != 0}};
    return (kind & 2) ? http_body_of_response(&response, false) : http_body_of_request(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length < 1)
        return 0;
    uint8_t kind = *bytes++;
    length--;
    struct http_body body = body_of_kind(kind, length), cut = body;
    int taken = http_body_take(&body, bytes, length);
    assert(taken == ERR_MALFORMED || (taken >= 0 && (size_t)taken <= length));
    assert(taken < 0 || (size_t)taken == length || http_body_ended(&body));

    size_t at = 0, step = (size_t)(kind >> 3) + 1;
    int part = 0;
    while (at < length && part >= 0 && !http_body_ended(&cut)) {
        part = http_body_take(&cut, bytes + at, step < length - at ? step : length - at);
        assert(part != 0);
        at += part > 0 ? (size_t)part : 0;
    }
    assert((part < 0) == (taken < 0));
    assert(taken < 0 || (at == (size_t)taken && http_body_ended(&cut) == http_body_ended(&body)));
    if (taken < 0)
        assert(!http_body_ended(&body) && http_body_take(&body, "0\r\n\r\n", 5) == ERR_MALFORMED);
    if (http_body_ended(&body))
        assert(http_body_take(&body, bytes, length) == 0);
    return 0;
}
