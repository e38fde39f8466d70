/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "stun/framing.h"

static void first_byte_tells_protocols_apart(void **state)
{
    (void)state;
    for (unsigned first = 0; first <= 255; first++) {
        enum first_bytes datagram = first <= 3                    ? FIRST_BYTES_STUN
                                    : first >= 20 && first <= 63  ? FIRST_BYTES_DTLS
                                    : first >= 64 && first <= 127 ? FIRST_BYTES_CHANNEL_DATA
                                                                  : FIRST_BYTES_UNKNOWN;
        assert_int_equal(first_bytes_of_datagram((uint8_t)first), datagram);
    }
    assert_int_equal(first_bytes_of_stream(0), FIRST_BYTES_STUN);
    assert_int_equal(first_bytes_of_stream(3), FIRST_BYTES_STUN);
    assert_int_equal(first_bytes_of_stream(22), FIRST_BYTES_TLS);
    assert_int_equal(first_bytes_of_stream('G'), FIRST_BYTES_HTTP); /* a ChannelData byte, but never a stream's first */
    assert_int_equal(first_bytes_of_stream('Z'), FIRST_BYTES_HTTP);
    assert_int_equal(first_bytes_of_stream('@'), FIRST_BYTES_UNKNOWN);
    assert_int_equal(first_bytes_of_stream('['), FIRST_BYTES_UNKNOWN);
    assert_int_equal(first_bytes_of_stream(21), FIRST_BYTES_UNKNOWN);
    assert_int_equal(first_bytes_of_stream(4), FIRST_BYTES_UNKNOWN);
    assert_int_equal(first_bytes_of_stream(0x80), FIRST_BYTES_UNKNOWN);
}

static void frame_length_counts_header_and_padding(void **state)
{
    (void)state;
    static const uint8_t stun[] = {0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42};
    static const uint8_t channel[] = {0x40, 0, 0, 5};
    static const uint8_t largest_channel[] = {0x4f, 0xff, 0xff, 0xff};
    static const uint8_t largest_stun[] = {0, 1, 0xff, 0xfc};
    assert_int_equal(stun_frame_length(stun, sizeof stun), 28);
    assert_int_equal(stun_frame_length(stun, 4), 28);
    assert_int_equal(stun_frame_length(stun, 3), ERR_SHORT);
    assert_int_equal(stun_frame_length(stun, 0), ERR_SHORT);
    assert_int_equal(stun_frame_length(channel, sizeof channel), 12);
    assert_int_equal(stun_frame_length(largest_channel, sizeof largest_channel), 65540);
    assert_int_equal(stun_frame_length(largest_stun, sizeof largest_stun), STUN_FRAME_MAX);
}

static void frame_that_is_neither_is_refused_at_once(void **state)
{
    (void)state;
    static const uint8_t odd_length[] = {0, 1, 0, 7};
    static const uint8_t no_cookie[] = {0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x43};
    static const uint8_t reserved_number[] = {0x80, 0, 0, 4};
    static const uint8_t other[] = {22, 3, 1, 0};
    assert_int_equal(stun_frame_length(odd_length, sizeof odd_length), ERR_MALFORMED);
    assert_int_equal(stun_frame_length(no_cookie, sizeof no_cookie), ERR_MALFORMED);
    assert_int_equal(stun_frame_length(reserved_number, sizeof reserved_number), ERR_MALFORMED);
    assert_int_equal(stun_frame_length(other, sizeof other), ERR_MALFORMED);
}

static void channel_data_stays_within_what_arrived(void **state)
{
    (void)state;
    uint8_t bytes[CHANNEL_DATA_HEADER_SIZE + 8] = {0};
    struct channel_data data;
    channel_data_encode_header(bytes, 0x4123, 5);
    for (size_t length = 0; length < 9; length++)
        assert_int_equal(channel_data_decode(bytes, length, &data), ERR_MALFORMED);
    for (size_t length = 9; length <= sizeof bytes; length++) {
        assert_int_equal(channel_data_decode(bytes, length, &data), 0);
        assert_int_equal(data.number, 0x4123);
        assert_int_equal(data.length, 5);
        assert_ptr_equal(data.payload, bytes + 4);
    }
    channel_data_encode_header(bytes, CHANNEL_NUMBER_LAST, 0);
    assert_int_equal(channel_data_decode(bytes, 4, &data), 0);
    assert_int_equal(data.length, 0);
    channel_data_encode_header(bytes, CHANNEL_NUMBER_LAST + 1, 0);
    assert_int_equal(channel_data_decode(bytes, 4, &data), ERR_MALFORMED);
    channel_data_encode_header(bytes, CHANNEL_NUMBER_FIRST - 1, 0);
    assert_int_equal(channel_data_decode(bytes, 4, &data), ERR_MALFORMED);
    channel_data_encode_header(bytes, CHANNEL_NUMBER_FIRST, 0xffff);
    assert_int_equal(channel_data_decode(bytes, sizeof bytes, &data), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_byte_tells_protocols_apart),
        cmocka_unit_test(frame_length_counts_header_and_padding),
        cmocka_unit_test(frame_that_is_neither_is_refused_at_once),
        cmocka_unit_test(channel_data_stays_within_what_arrived),
    };
    return cmocka_run_group_tests_name("framing", tests, NULL, NULL);
}
