/* SPDX-License-Identifier: BSD-3-Clause
 * The two ends of an RFC 6062 data connection, once joined: the client's stream and the socket of the peer. Each reads
 * its own side and writes what the other has read. One rule bounds memory: a reader hands over at most
 * STREAM_PLAINTEXT_SIZE bytes at once, and none at all while the other end says that it is full. */
#ifndef FRONT_BRIDGE_H
#define FRONT_BRIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bridge_end {
    struct bridge_end *other; /* NULL: not joined, or the other end is gone */
    /* Writes |length| bytes; takes all of them. Returns false if they did not leave at once: hand over no more before
     * the resume() of your own end. */
    bool (*write)(struct bridge_end *end, const uint8_t *bytes, size_t length);
    /* This end may be read from again. */
    void (*resume)(struct bridge_end *end);
    /* The other end has read its last byte: half-close after what is still to be written. */
    void (*finish)(struct bridge_end *end);
    /* The other end is gone: send what is left, and end. |other| is NULL by then. */
    void (*part)(struct bridge_end *end);
};

static inline void bridge_join(struct bridge_end *a, struct bridge_end *b)
{
    a->other = b;
    b->other = a;
}

/* |end| is going away; the other end is told. Harmless where nothing is joined. */
static inline void bridge_leave(struct bridge_end *end)
{
    struct bridge_end *other = end->other;
    end->other = NULL;
    if (other) {
        other->other = NULL;
        other->part(other);
    }
}

#endif
