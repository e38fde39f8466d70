/* SPDX-License-Identifier: BSD-3-Clause
 * Bytes that a stream has to keep between two turns of the loop: a partial frame, ciphertext that the socket did not
 * take. Three sizes from pools of the worker, so that a stream at rest holds none and a small rest costs little. */
#ifndef FRONT_BUFFERS_H
#define FRONT_BUFFERS_H

#include <stdint.h>

#include "base/pool.h"

/* A read of the socket, and what a partial TLS record from the read before adds to it at most. */
#define STREAM_READ_SIZE      65536
#define STREAM_PLAINTEXT_SIZE (STREAM_READ_SIZE + 16384)

#define BUFFER_SMALL  2016
#define BUFFER_RECORD 17000 /* one TLS record */
#define BUFFER_LARGE  84000 /* STREAM_PLAINTEXT_SIZE as TLS records; any frame */

struct buffer {
    uint32_t size;       /* of |bytes| */
    uint32_t start, end; /* what is kept */
    uint8_t bytes[];
};

struct buffers {
    struct pool small, record, large;
};

/* At most |limit| bytes in all are handed out of each size. */
void buffers_init(struct buffers *buffers, size_t limit);
void buffers_fini(struct buffers *buffers);
/* Gives |*buffer| back and sets it to NULL; accepts one that is NULL. */
void buffers_give(struct buffers *buffers, struct buffer **buffer);

static inline size_t buffer_length(const struct buffer *buffer)
{
    return buffer ? buffer->end - buffer->start : 0;
}

/* Replaces what |*slot| keeps by |length| bytes, in the smallest size that has room for |expected| of them; none is
 * held for no bytes. |bytes| may not lie in the buffer. Returns 0, ERR_TOO_LARGE or ERR_MEMORY. */
int buffers_keep(struct buffers *buffers, struct buffer **slot, const uint8_t *bytes, size_t length, size_t expected);
/* Appends |length| bytes, moving to a larger size where needed. Returns as buffers_keep(); what was kept stays. */
int buffers_append(struct buffers *buffers, struct buffer **slot, const uint8_t *bytes, size_t length);

#endif
