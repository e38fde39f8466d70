/* SPDX-License-Identifier: BSD-3-Clause
 * The operator's own HTTP server behind this one: a request of a stream that is nobody else's goes there, and its
 * answer back, WebSockets included. A stream has at most one connection to it, which waits for the next request while
 * both sides keep theirs alive. Memory is bounded by the rule of front/bridge.h. Only for the files of this folder. */
#ifndef FRONT_BACKEND_H
#define FRONT_BACKEND_H

#include "front/stream.h"
#include "http/head.h"

/* Passes a request on: the stream is in STREAM_BACKEND until it is answered. |keep_alive|: the client may ask on after
 * it. The first one joins |stream|->bridge to what this needs, which goes with the stream. */
void backend_forward(struct stream *stream, const struct http_head *head, bool keep_alive, struct now now);
/* In STREAM_BACKEND: takes what belongs to the request's body. */
size_t backend_take(struct stream *stream, const uint8_t *bytes, size_t length, struct now now);
/* In STREAM_BACKEND: all of the request has come. */
bool backend_request_ended(const struct stream *stream);

#endif
