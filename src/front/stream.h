/* SPDX-License-Identifier: BSD-3-Clause
 * One accepted TCP connection. Layers are taken off in order: PROXY header (listed sources only), TLS or not by the
 * first byte, then STUN or HTTP by the first decrypted bytes; of HTTP may become a WebSocket, and of that TURN again.
 * Only for the files of this folder. */
#ifndef FRONT_STREAM_H
#define FRONT_STREAM_H

#include "front/bridge.h"
#include "front/front_state.h"
#include "front/pace.h"

enum stream_stage {
    STREAM_PROXY_HEADER,  /* a listed source: its header comes first */
    STREAM_FIRST_BYTE,    /* TLS or not */
    STREAM_FIRST_MESSAGE, /* STUN or HTTP, decrypted; with TLS from the hand-shake on */
    STREAM_TURN,          /* frames for the core */
    STREAM_HTTP,          /* requests */
    STREAM_WEBSOCKET,     /* SIP. A WebSocket that carries TURN is in the stages of TURN */
    STREAM_JOINED,        /* RFC 6062: bytes for a peer */
    STREAM_MOVING,        /* RFC 6062: what is read is kept for another worker */
    STREAM_LEAVING,       /* our last byte is written: what still comes is thrown away */
    STREAM_STAGES,
};

/* Whole packets that are written at once: what a socket that always took everything is given grows to the first, what a
 * full one gets is the second, so that little of what cannot leave is beyond recall. */
#define STREAM_ALLOWANCE_MAX     65536
#define STREAM_ALLOWANCE_INITIAL 16384
#define STREAM_ALLOWANCE_MIN     3000

/* A client that asks so much without reading the answers is not read from. */
#define STREAM_ANSWERS_MAX (64 * 1024)

struct stream {
    struct front_link link;
    struct turn_flow flow;
    struct front *front;
    struct list in_front;      /* front->streams or front->doomed */
    struct loop_source source; /* |fd| is -1 while nothing is waited for */
    struct timer timer;        /* the earlier of the two deadlines */
    uint64_t quiet_deadline_ns, blocked_deadline_ns;
    int fd;
    uint32_t watched; /* epoll events */
    uint32_t allowance;
    struct pace pace;
    uint8_t stage; /* enum stream_stage */
    uint8_t kind;  /* enum front_listen */
    bool allocated;
    bool doomed;
    bool input_ended;   /* the client's last byte has been read */
    bool output_ended;  /* nothing more is written after what waits */
    bool goodbye_said;  /* close_notify has been written */
    bool output_closed; /* and the socket has sent FIN */
    bool bridge_full;   /* the peer's end wants no more for now */
    bool secure;        /* TLS, here or at the balancer */
    bool proxied;       /* came through a listed balancer */
    bool in_messages;   /* what is staged goes out in WebSocket messages */
    bool http_ends;     /* no request is answered behind the one at hand */
    uint8_t requests;   /* answered */
    unsigned move_to;   /* STREAM_MOVING: which worker */
    struct tls_session *tls;
    struct ledger_source *half_open; /* while it has no allocation and is not joined */
    struct buffer *rest;             /* read but not complete */
    struct buffer *unsent;           /* written but not taken by the socket; ciphertext where there is TLS */
    struct stream_queue queue;       /* behind |unsent| */
    struct bridge_end bridge;
    struct front_websocket *websocket; /* NULL: none */
    struct span http_body;             /* static bytes of an answer that are still to be written */
};

/* Serves |fd|, a new connection from |peer|; closes it where it cannot. */
void stream_accept(struct front *front, int fd, const struct address *peer, enum front_listen kind, struct now now);
/* Closes at the end of the turn. The first reason counts; |text| is copied to the log. */
void stream_doom(struct stream *stream, enum front_log_level level, const char *text);
/* Closes the doomed ones. */
void streams_reap(struct loop_task *task, struct now now);
/* Says good-bye: after what waits to be written the output is shut, and what still comes is thrown away for some
 * seconds, so that the client reads our last words before it learns that we are gone. */
void stream_leave(struct stream *stream, struct now now);
/* A whole message came: the time without an allocation starts anew. */
void stream_alive(struct stream *stream, struct now now);
/* Asks epoll for what the stream can do now. */
void stream_watch(struct stream *stream);
void stream_rearm(struct stream *stream);

/* Input: stream_input.c */
void stream_readable(struct stream *stream, struct now now);
/* Goes on with decrypted |bytes|, which lie in front->input. */
void stream_continue(struct stream *stream, const uint8_t *bytes, size_t length, struct now now);
/* Goes on with what was kept, where the stream waited for something else than bytes. */
void stream_go_on(struct stream *stream, struct now now);
/* Within a WebSocket: puts what was kept of its payload at the start of front->payload; returns its length. Then takes
 * what can be taken of that and what has been put behind it. */
size_t stream_payload_begin(struct stream *stream);
void stream_payload_end(struct stream *stream, size_t length, struct now now);

/* Output: stream_output.c */
void stream_link_send(struct front_link *link, const struct turn_flow *flow, const struct turn_packet *packet);
void stream_writable(struct stream *stream, struct now now);
void staging_flush(struct front *front, struct now now);
void staging_run(struct loop_task *task, struct now now);
/* Writes up to STREAM_PLAINTEXT_SIZE bytes, encrypted where there is TLS; what the socket does not take is held. */
void stream_write(struct stream *stream, const uint8_t *bytes, size_t length, struct now now);
/* Writes bytes as they are. */
void stream_write_raw(struct stream *stream, const uint8_t *bytes, size_t length, struct now now);
/* Ends the output once all that waits has been written. */
void stream_output_end(struct stream *stream, struct now now);
static inline bool stream_congested(const struct stream *stream)
{
    return stream->unsent || stream->pace.full || !stream_queue_empty(&stream->queue);
}

/* RFC 6062: stream_bridge.c */
void stream_link_join(struct front_link *link, struct bridge_end *peer);
void stream_bridge_init(struct stream *stream);
/* Hands |stream| with the bytes that it keeps to the front of worker |stream->move_to|; it is gone after that. */
void stream_move(struct stream *stream, struct now now);

/* HTTP: stream_http.c. Takes a whole request head and answers it; returns the bytes taken, 0 where more are needed or
 * the answers before it have not left yet. */
size_t stream_http(struct stream *stream, const uint8_t *bytes, size_t length, struct now now);
/* All that was written has left: goes on. */
void stream_http_drained(struct stream *stream, struct now now);

/* WebSockets: websocket.c. Makes of the stream one that carries SIP for |front|->websocket_user, or TURN. Returns 0, or
 * the HTTP status to refuse the hand-shake with. */
unsigned websocket_open(struct stream *stream, bool turn, struct now now);
/* Bytes came in. */
void websocket_receive(struct stream *stream, const uint8_t *bytes, size_t length, struct now now);
/* Nothing came in for as long as was set, on one that carries SIP. False where the stream is to be closed for it. */
bool websocket_wait(struct stream *stream, struct now now);
/* Says good-bye; what waits is dropped. */
void websocket_leave(struct stream *stream, uint16_t code, const char *reason, struct now now);
/* Harmless where there is none. */
void websocket_destroy(struct stream *stream, struct now now);

#endif
