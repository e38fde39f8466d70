/* SPDX-License-Identifier: BSD-3-Clause
 * What waits for a client that takes bytes more slowly than they come. Bounded by age before bytes: a late packet of
 * speech is worth nothing and delays those behind it. No sockets, no clock. */
#ifndef FRONT_STREAM_QUEUE_H
#define FRONT_STREAM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "turn/server.h"

/* Half of what a listener bears is 200 ms; a jitter buffer absorbs 100 ms and drops what is later. */
#define QUEUE_LIVE_AGE_NS (100 * NS_PER_MS)
/* Patience is for a stall that passes. Where live packets have been kept waiting for longer than the first time during
 * all of the second, more comes than the client takes: a long queue would then only make all of it late. */
#define QUEUE_STANDING_AGE_NS (40 * NS_PER_MS)
#define QUEUE_STANDING_NS     (200 * NS_PER_MS)
/* Loss makes SCTP slow down, so bulk is dropped as well, but late: a queue shorter than a usual round trip would starve
 * it. */
#define QUEUE_BULK_AGE_NS (200 * NS_PER_MS)
/* 100 ms of 40 Mbit/s, 200 ms of 20 Mbit/s. */
#define QUEUE_CLASS_BYTES_MAX (512 * 1024)
/* Of live and bulk packets that both wait, each so many-th is bulk: DTLS hand-shakes and SCTP heartbeats are bulk, and
 * video alone may be more than the client takes. */
#define QUEUE_BULK_EVERY 8

#define QUEUE_BLOCK_SIZE 2048 /* a usual packet and its note */

struct queued_packet;

struct stream_queue_class {
    struct queued_packet *first, *last;
    size_t bytes;
};

struct stream_queue {
    struct stream_queue_class classes[3]; /* by enum turn_class */
    unsigned live_in_a_row;
    uint64_t standing_since_ns; /* live packets have waited too long since then; 0: they do not */
};

/* The blocks that queues of one worker share; |limit| bytes at most. */
void stream_queue_blocks_init(struct pool *blocks, size_t limit);

/* An all-zero queue is an empty one. Forgets what waits. */
void stream_queue_clear(struct stream_queue *queue, struct pool *blocks);

/* Copies |packet| to the end of its class; older ones of its class are dropped to make room. Returns 0, or ERR_FULL
 * where there is no room all the same: live and bulk are then lost; a client whose answer (TURN_CLASS_ANSWER) was lost
 * is to be disconnected. */
int stream_queue_push(struct stream_queue *queue, struct pool *blocks, const struct turn_packet *packet,
                      uint64_t now_ns);

/* Drops what is stale, then moves whole packets to |out|, most important first, until |wanted| bytes have been reached
 * (at least one packet) or the next does not fit into |size|. Returns the number of bytes. */
size_t stream_queue_take(struct stream_queue *queue, struct pool *blocks, uint8_t *out, size_t wanted, size_t size,
                         uint64_t now_ns);

static inline bool stream_queue_empty(const struct stream_queue *queue)
{
    return !queue->classes[TURN_CLASS_ANSWER].first && !queue->classes[TURN_CLASS_LIVE].first &&
           !queue->classes[TURN_CLASS_BULK].first;
}

/* Bytes of answers that wait: a client that asks without reading is not read from either. */
static inline size_t stream_queue_answer_bytes(const struct stream_queue *queue)
{
    return queue->classes[TURN_CLASS_ANSWER].bytes;
}

#endif
