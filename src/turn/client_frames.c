/* SPDX-License-Identifier: BSD-3-Clause */
#include "turn/client_frames.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "stun/framing.h"

#define FRAME_HEADER_SIZE 4 /* the bytes that tell a frame's length */
#define PARTIAL_SIZE_MIN  2048

void client_frames_fini(struct client_frames *frames)
{
    memory_free(frames->partial);
    *frames = (struct client_frames){0};
}

static int reserve(struct client_frames *frames, size_t size)
{
    if (size <= frames->size)
        return 0;
    size_t grown = PARTIAL_SIZE_MIN;
    while (grown < size)
        grown *= 2;
    uint8_t *partial = memory_resize(frames->partial, grown);
    if (!partial)
        return ERR_MEMORY;
    frames->partial = partial;
    frames->size = grown;
    return 0;
}

/* Moves bytes into the partial frame until it is |goal| long. Returns 1 once it is, 0 where the bytes ran out first. */
static int fill(struct client_frames *frames, size_t goal, const uint8_t **bytes, size_t *length)
{
    if (frames->length >= goal)
        return 1;
    if (reserve(frames, goal) != 0)
        return ERR_MEMORY;
    size_t missing = goal - frames->length;
    size_t taken = *length < missing ? *length : missing;
    memcpy(frames->partial + frames->length, *bytes, taken);
    frames->length += taken;
    *bytes += taken;
    *length -= taken;
    return frames->length == goal;
}

int client_frames_next(struct client_frames *frames, const uint8_t **bytes, size_t *length, const uint8_t **frame_out)
{
    if (*length == 0)
        return 0;
    if (frames->length == 0) {
        int whole = stun_frame_length(*bytes, *length);
        if (whole == ERR_MALFORMED)
            return whole;
        if (whole > 0 && (size_t)whole <= *length) {
            *frame_out = *bytes;
            *bytes += whole;
            *length -= (size_t)whole;
            return whole;
        }
    }
    int filled = fill(frames, FRAME_HEADER_SIZE, bytes, length);
    if (filled != 1)
        return filled;
    int whole = stun_frame_length(frames->partial, frames->length);
    if (whole < 0)
        return ERR_MALFORMED;
    filled = fill(frames, (size_t)whole, bytes, length);
    if (filled != 1)
        return filled;
    frames->length = 0; /* handed out; its bytes stay until the next call */
    *frame_out = frames->partial;
    return whole;
}
