/* SPDX-License-Identifier: BSD-3-Clause
 * A head of a response that decodes is the shortest such prefix; passed on, it is one again, with the same status, and
 * the same end of its body. */
#include "harness.h"

#include <assert.h>

#include "base/error.h"
#include "http/body.h"
#include "http/forward.h"

static struct http_response_head head, again;
static uint8_t written[2 * HTTP_HEAD_MAX];

static void check_passed_on(bool keep_alive)
{
    int length = http_forward_response(&head, keep_alive, written, sizeof written);
    assert(length > 0);
    /* A head at the limit may grow past it by the space behind a colon. */
    if (length > HTTP_HEAD_MAX)
        return;
    assert(http_response_head_decode(written, (size_t)length, &again) == length);
    assert(again.status == head.status && again.minor_version == 1);
    assert(!http_fields_find(&again.fields, "Keep-Alive"));
    assert(again.keep_alive == (keep_alive || head.status < 200));
    struct http_body one = http_body_of_response(&head, false), other = http_body_of_response(&again, false);
    assert(http_body_ended(&one) == http_body_ended(&other));
    assert(http_body_until_close(&one) == http_body_until_close(&other));
    if (head.status >= 200 && head.status != 204)
        assert(again.framing.chunked == head.framing.chunked &&
               again.framing.content_length == head.framing.content_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    int consumed = http_response_head_decode(bytes, length, &head);
    assert(consumed != 0 && consumed <= HTTP_HEAD_MAX);
    assert(consumed > 0 || consumed == ERR_MALFORMED || (consumed == ERR_SHORT && length < HTTP_HEAD_MAX));
    for (size_t cut = 0; cut < length; cut += cut < 64 ? 1 : 199) {
        int now = http_response_head_decode(bytes, cut, &again);
        assert(now == ERR_SHORT || now == consumed);
    }
    if (consumed < 0)
        return 0;
    assert((size_t)consumed <= length && head.status >= 100 && head.status <= 599);
    check_passed_on(false);
    check_passed_on(true);
    return 0;
}
