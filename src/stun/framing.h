/* SPDX-License-Identifier: BSD-3-Clause
 * STUN messages and ChannelData on a byte stream (RFC 8656 §12.5), and ChannelData itself (§12.4). */
#ifndef STUN_FRAMING_H
#define STUN_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHANNEL_DATA_HEADER_SIZE 4
#define CHANNEL_NUMBER_FIRST     0x4000
/* RFC 8656 §12 ends the range at 0x4FFF; RFC 5766 §11 had it up to 0x7FFF, and its clients (coturn's tools among them)
 * choose from all of it. No other protocol on the port begins with those bytes, so they are served. */
#define CHANNEL_NUMBER_LAST 0x7FFF
#define STUN_FRAME_MAX      (20 + 65532) /* longest frame on a stream: a STUN message; ChannelData ends at 65,540 */

/* True for 64..127. */
static inline bool channel_data_begins_with(uint8_t first)
{
    return first >= CHANNEL_NUMBER_FIRST >> 8 && first <= CHANNEL_NUMBER_LAST >> 8;
}

/* What the first (decrypted) bytes of a flow announce (RFC 7983, RFC 8656 §12). On a stream the first frame is never
 * ChannelData, since no channel is bound yet, so there a capital letter means HTTP although 'A' to 'O' are
 * ChannelData's first bytes too. */
enum first_bytes {
    FIRST_BYTES_STUN, /* 0..3 */
    FIRST_BYTES_DTLS, /* 20..63, datagrams; on a stream only 22: a TLS hand-shake */
    FIRST_BYTES_TLS,
    FIRST_BYTES_CHANNEL_DATA, /* 64..127, datagrams */
    FIRST_BYTES_HTTP,
    FIRST_BYTES_UNKNOWN,
};
enum first_bytes first_bytes_of_datagram(uint8_t first);
enum first_bytes first_bytes_of_stream(uint8_t first);

/* Length of the frame that starts at |bytes|, padding included. Returns the length in bytes (which may be more than
 * |length|), or ERR_SHORT where fewer than four bytes are there, or ERR_MALFORMED where it is neither. */
int stun_frame_length(const uint8_t *bytes, size_t length);

/* A decoded ChannelData message; |payload| borrows. */
struct channel_data {
    uint16_t number;
    uint16_t length;
    const uint8_t *payload;
};

/* |length| is the datagram's or the frame's: padding and, in a datagram, further bytes are allowed after the payload.
 * Returns 0 or ERR_MALFORMED. */
int channel_data_decode(const uint8_t *bytes, size_t length, struct channel_data *out);
void channel_data_encode_header(uint8_t out[CHANNEL_DATA_HEADER_SIZE], uint16_t number, uint16_t length);
/* Bytes of padding (0..3) after |length| bytes. */
static inline size_t stun_padding(size_t length)
{
    return (4 - length % 4) % 4;
}

#endif
