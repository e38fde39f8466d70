/* SPDX-License-Identifier: BSD-3-Clause
 * The payload of a measured packet: the head of an RTP packet, so that a server that tells media from files sees media,
 * then what the client needs to know when the packet comes back. Host byte order: it never leaves this process. */
#ifndef CLI_LOAD_PACKET_H
#define CLI_LOAD_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LOAD_PACKET_MIN 40
#define RTP_HEAD_SIZE   12
#define RTP_VERSION_2   0x80
#define RTP_TYPE        111

struct load_packet {
    uint32_t client;
    uint32_t slot, sequence; /* which of the packets in flight, and for the how many-th time */
    uint32_t measured;       /* sent within the measured time */
    uint64_t due_ns;         /* when it was sent, or should have been */
};
_Static_assert(RTP_HEAD_SIZE + sizeof(struct load_packet) <= LOAD_PACKET_MIN, "a packet holds what is measured by");

static inline void load_packet_write(uint8_t *bytes, const struct load_packet *packet)
{
    bytes[0] = RTP_VERSION_2;
    bytes[1] = RTP_TYPE;
    memcpy(bytes + RTP_HEAD_SIZE, packet, sizeof *packet);
}

static inline bool load_packet_read(const uint8_t *bytes, size_t length, struct load_packet *out)
{
    if (length < LOAD_PACKET_MIN || bytes[0] != RTP_VERSION_2 || bytes[1] != RTP_TYPE)
        return false;
    memcpy(out, bytes + RTP_HEAD_SIZE, sizeof *out);
    return true;
}

#endif
