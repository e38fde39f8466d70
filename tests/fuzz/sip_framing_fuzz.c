/* SPDX-License-Identifier: BSD-3-Clause
 * The length of a message on a stream does not depend on how many bytes of it came at once; what it frames is what the
 * decoder takes for one message. */
#include "harness.h"

#include <assert.h>

#include "base/error.h"
#include "sip/framing.h"
#include "sip/message.h"

static void check_cuts(const uint8_t *bytes, size_t length, int whole)
{
    int before = ERR_SHORT;
    for (size_t cut = 0; cut < length; cut += cut < 256 ? 1 : 97) {
        int now = sip_frame_length(bytes, cut);
        assert(before == ERR_SHORT || now == before);
        assert(now == ERR_SHORT || now == whole);
        before = now;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static bool begun;
    if (!begun)
        sip_init();
    begun = true;
    unsigned pings, none;
    size_t skipped = sip_keep_alive_length(bytes, length, &pings);
    assert(skipped <= length && pings <= skipped / 4);
    bytes += skipped;
    length -= skipped;
    assert(sip_keep_alive_length(bytes, length, &none) == 0 && none == 0);

    int whole = sip_frame_length(bytes, length);
    assert(whole > 0 || whole == ERR_SHORT || whole == ERR_MALFORMED || whole == ERR_TOO_LARGE);
    assert(whole <= SIP_MESSAGE_MAX);
    check_cuts(bytes, length, whole);
    if (whole <= 0 || (size_t)whole > length)
        return 0;
    osip_message_t *message;
    unsigned status;
    if (sip_message_decode(bytes, (size_t)whole, &message, &status) == 0) {
        struct span body = sip_message_body(message);
        assert(body.length == 0 || memcmp(body.bytes, bytes + whole - body.length, body.length) == 0);
    }
    sip_message_destroy(&message);
    return 0;
}
