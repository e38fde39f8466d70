/* SPDX-License-Identifier: BSD-3-Clause
 * A client's end of a byte stream, cut into frames (RFC 8656 §12.5): whole ones are handed out where they lie, only a
 * frame that arrives in pieces is copied together. */
#ifndef TURN_CLIENT_FRAMES_H
#define TURN_CLIENT_FRAMES_H

#include <stddef.h>
#include <stdint.h>

/* All zero is a valid beginning. */
struct client_frames {
    uint8_t *partial; /* grows to the longest frame that came in pieces, and stays */
    size_t size, length;
};

void client_frames_fini(struct client_frames *frames);

/* Takes bytes from |*bytes|, moving it and |*length| on. Returns the length of the frame at |*frame_out|, which is
 * borrowed until the next call, or
 *   0              all was taken, no further frame is whole
 *   ERR_MALFORMED  neither STUN nor ChannelData          -> close the stream
 *   ERR_MEMORY     the frame's beginning cannot be kept  -> close the stream */
int client_frames_next(struct client_frames *frames, const uint8_t **bytes, size_t *length, const uint8_t **frame_out);

#endif
