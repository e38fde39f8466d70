/* SPDX-License-Identifier: BSD-3-Clause
 * A stream is cut into the same frames however it arrives, and ChannelData's payload is what its frame says. */
#include "harness.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "stun/framing.h"
#include "stun/message.h"

/* What a reader learns from the first bytes it sees never changes but from "short" to an answer, and from a length to
 * a refusal when the cookie comes to light. */
static int check_prefixes(const uint8_t *bytes, size_t length)
{
    int before = ERR_SHORT;
    for (size_t seen = 0; seen <= length && seen <= 24; seen++) {
        int now = stun_frame_length(bytes, seen);
        assert((now == ERR_SHORT) == (seen < CHANNEL_DATA_HEADER_SIZE));
        assert(now == before || before == ERR_SHORT || (seen == 8 && now == ERR_MALFORMED));
        before = now;
    }
    int whole = stun_frame_length(bytes, length);
    assert(whole == before);
    return whole;
}

static void check_channel_data(const uint8_t *frame, size_t length)
{
    struct channel_data data;
    uint8_t header[CHANNEL_DATA_HEADER_SIZE];
    int failure = channel_data_decode(frame, length, &data);
    assert(failure == 0);
    assert(data.payload == frame + CHANNEL_DATA_HEADER_SIZE);
    assert(CHANNEL_DATA_HEADER_SIZE + data.length + stun_padding(data.length) == length);
    channel_data_encode_header(header, data.number, data.length);
    assert(memcmp(header, frame, sizeof header) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    size_t at = 0;
    while (at < length) {
        int frame = check_prefixes(bytes + at, length - at);
        if (frame < 0)
            break;
        assert(frame >= CHANNEL_DATA_HEADER_SIZE && frame <= STUN_FRAME_MAX && frame % 4 == 0);
        if ((size_t)frame > length - at)
            break;
        struct stun_message message;
        if (bytes[at] >= 0x40)
            check_channel_data(bytes + at, (size_t)frame);
        else if (stun_message_decode(bytes + at, (size_t)frame, &message) == 0)
            assert(message.length == (size_t)frame);
        at += (size_t)frame;
    }

    struct channel_data data;
    if (channel_data_decode(bytes, length, &data) == 0) {
        assert(data.number >= CHANNEL_NUMBER_FIRST && data.number <= CHANNEL_NUMBER_LAST);
        assert((size_t)data.length + CHANNEL_DATA_HEADER_SIZE <= length);
    }
    return 0;
}
