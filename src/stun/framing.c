/* SPDX-License-Identifier: BSD-3-Clause */
#include "stun/framing.h"

#include "base/cursor.h"
#include "base/error.h"
#include "stun/message.h"

#define TLS_HANDSHAKE_RECORD 22

static bool is_stun(uint8_t first)
{
    return first <= 3;
}

static bool is_letter(uint8_t first)
{
    return (first >= 'A' && first <= 'Z') || (first >= 'a' && first <= 'z');
}

enum first_bytes first_bytes_of_datagram(uint8_t first)
{
    if (is_stun(first))
        return FIRST_BYTES_STUN;
    if (first >= 20 && first <= 63)
        return FIRST_BYTES_DTLS;
    if (channel_data_begins_with(first))
        return FIRST_BYTES_CHANNEL_DATA;
    return FIRST_BYTES_UNKNOWN;
}

enum first_bytes first_bytes_of_stream(uint8_t first)
{
    if (is_stun(first))
        return FIRST_BYTES_STUN;
    if (first == TLS_HANDSHAKE_RECORD)
        return FIRST_BYTES_TLS;
    if (is_letter(first))
        return FIRST_BYTES_HTTP;
    return FIRST_BYTES_UNKNOWN;
}

int stun_frame_length(const uint8_t *bytes, size_t length)
{
    if (length < CHANNEL_DATA_HEADER_SIZE)
        return ERR_SHORT;
    size_t declared = load_u16(bytes + 2);
    if (channel_data_begins_with(bytes[0]))
        return (int)(CHANNEL_DATA_HEADER_SIZE + declared + stun_padding(declared));
    if (!is_stun(bytes[0]) || stun_padding(declared) != 0)
        return ERR_MALFORMED;
    /* The sooner nonsense shows, the less of it has to be waited for. */
    if (length >= 8 && load_u32(bytes + 4) != STUN_MAGIC_COOKIE)
        return ERR_MALFORMED;
    return (int)(STUN_HEADER_SIZE + declared);
}

int channel_data_decode(const uint8_t *bytes, size_t length, struct channel_data *out)
{
    struct reader reader = reader_over(bytes, length);
    uint16_t number = reader_u16(&reader);
    uint16_t payload_length = reader_u16(&reader);
    const uint8_t *payload = reader_take(&reader, payload_length);
    if (reader.failed || number < CHANNEL_NUMBER_FIRST || number > CHANNEL_NUMBER_LAST)
        return ERR_MALFORMED;
    *out = (struct channel_data){.number = number, .length = payload_length, .payload = payload};
    return 0;
}

void channel_data_encode_header(uint8_t out[CHANNEL_DATA_HEADER_SIZE], uint16_t number, uint16_t length)
{
    store_u16(out, number);
    store_u16(out + 2, length);
}
