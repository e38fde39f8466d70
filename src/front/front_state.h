/* SPDX-License-Identifier: BSD-3-Clause
 * struct front itself: what listener, stream and DTLS share within a worker. Only for the files of this folder. */
#ifndef FRONT_FRONT_STATE_H
#define FRONT_FRONT_STATE_H

#include "base/hash.h"
#include "base/list.h"
#include "base/siphash.h"
#include "front/buffers.h"
#include "front/front.h"
#include "front/stream_queue.h"
#include "stun/framing.h"
#include "ws/session.h"

struct stream;
struct dtls_client;

/* Longest message to a client: head and payload of any frame, with room for what the core puts in front. */
#define STAGING_SIZE       (STUN_FRAME_MAX + 1024)
#define STAGED_MAX         1024
#define INPUT_SIZE         (STUN_FRAME_MAX + STREAM_PLAINTEXT_SIZE)
#define CIPHERTEXT_SIZE    (TLS_CIPHERTEXT_BOUND(STREAM_PLAINTEXT_SIZE) + TLS_FLIGHT_MAX)
#define DTLS_PLAINTEXT_MAX TLS_RECORD_MAX /* RFC 6347 §4.1 has the same limit */

/* Before the first packet of a batch there is room for the head of the WebSocket message that carries it. */
#define STAGING_HEADROOM 16
_Static_assert(STAGING_HEADROOM >= WS_FRAME_HEAD_MAX, "a head fits");

/* What is ready for one stream in this turn of the loop. */
struct staging {
    struct stream *stream; /* whose; NULL: nobody's */
    struct loop_task flush;
    size_t length; /* with the headroom */
    unsigned count;
    struct {
        uint32_t end; /* where the packet ends in |bytes| */
        uint8_t class;
    } packets[STAGED_MAX];
    uint8_t bytes[STAGING_HEADROOM + STAGING_SIZE];
    uint8_t scratch[STAGING_SIZE]; /* one message put together for DTLS */
};

struct front {
    const struct front_settings *settings;
    struct worker *worker;
    struct turn_server *server;
    struct front *const *fronts;
    unsigned front_count;

    const struct front_websocket_user *websocket_user;

    struct list listeners;
    struct list streams, doomed; /* doomed ones are closed at the end of the turn */
    unsigned stream_count;
    struct loop_task reap;

    struct buffers buffers;
    struct pool blocks; /* of the streams' queues */
    struct staging staging;
    struct ws_receivers receivers;
    uint8_t input[INPUT_SIZE];          /* a kept partial frame and what was read after it */
    uint8_t payload[INPUT_SIZE];        /* the same, unpacked from a WebSocket */
    uint8_t received[STREAM_READ_SIZE]; /* ciphertext from a socket */
    uint8_t output[CIPHERTEXT_SIZE];    /* ciphertext for a socket */

    struct dtls_listener *dtls_listener; /* NULL: not served */
    struct hash dtls_clients;
    struct list dtls_doomed;
    struct loop_task dtls_reap;
    struct siphash_key dtls_key;
    size_t dtls_plaintext_used; /* of |dtls_plaintext|: the core's batch may borrow it until it is sent */
    uint8_t dtls_plaintext[8 * DTLS_PLAINTEXT_MAX];
};

static inline struct timers *front_timers(struct front *front)
{
    return loop_timers(front->worker->loop);
}

/* Logs "|what| |client|: |text|". */
void front_log(const struct front *front, enum front_log_level level, const char *what, const struct address *client,
               const char *text);
/* Datagrams to peers may borrow bytes of ours until they are sent: before those bytes are overwritten. */
void front_flush_datagrams(struct front *front);

#endif
