/* SPDX-License-Identifier: BSD-3-Clause
 * A WebSocket of subprotocol `sip` (RFC 6455, RFC 7118) as its user, the edge, sees it. It lives in its stream; one
 * worker's thread. */
#ifndef FRONT_WEBSOCKET_H
#define FRONT_WEBSOCKET_H

#include "base/address.h"
#include "base/now.h"
#include "base/span.h"

struct front_websocket;

/* Longest message that comes in; a longer one closes with 1009. */
#define FRONT_WEBSOCKET_MESSAGE_MAX 65535
/* Bytes of messages that wait for a client that reads more slowly than they come; one with more is closed. */
#define FRONT_WEBSOCKET_QUEUE_MAX (256 * 1024)

/* Close codes, RFC 6455 §7.4.1. */
enum front_websocket_close {
    WEBSOCKET_NORMAL = 1000,
    WEBSOCKET_GOING_AWAY = 1001,
    WEBSOCKET_PROTOCOL_ERROR = 1002,
    WEBSOCKET_UNSUPPORTED_DATA = 1003,
    WEBSOCKET_POLICY_VIOLATION = 1008,
    WEBSOCKET_TOO_BIG = 1009,
    WEBSOCKET_INTERNAL_ERROR = 1011,
};

/* Who uses the WebSockets of one worker. */
struct front_websocket_user {
    void *context;
    /* A hand-shake is about to be accepted. Returns NULL to refuse (503), or what belongs to this WebSocket from now
     * on. */
    void *(*opened)(void *context, struct front_websocket *websocket, const struct address *client, struct now now);
    /* A whole message, text or binary. front_websocket_send() and _close() may be called from here. */
    void (*message)(void *user, const uint8_t *bytes, size_t length, struct now now);
    /* It is gone: called once for each that was opened, never from inside front_websocket_send() or _close(). */
    void (*closed)(void *user, struct now now);
};

/* Sends one message, as text where it is UTF-8 and binary where not; |bytes| is copied. One longer than
 * FRONT_WEBSOCKET_MESSAGE_MAX is dropped. A client that does not read is closed, never waited for. */
void front_websocket_send(struct front_websocket *websocket, const void *bytes, size_t length);
/* Says good-bye with |code| and |reason| (at most 123 bytes). closed() follows at the end of the turn or later. */
void front_websocket_close(struct front_websocket *websocket, enum front_websocket_close code, const char *reason);

/* Its client has proved who it is: the WebSocket may stay as long as it answers pings. Before that it counts as a
 * connection half open, and is closed when its first message fails to come within the hand-shake's deadline, or a
 * further one within the idle time. */
void front_websocket_established(struct front_websocket *websocket);

#endif
