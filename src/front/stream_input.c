/* SPDX-License-Identifier: BSD-3-Clause
 * From a socket to messages. One read of up to 64 KiB, every whole frame of it handled in place; only an incomplete
 * rest is copied, and held in as small a buffer as its announced length allows. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "front/proxy_header.h"
#include "front/stream.h"
#include "stun/message.h"

/* While it is not known yet whether TLS follows: a ClientHello and what is kept before it fit into |received|. */
#define RAW_READ_SIZE 16384

/* Each step looks at the first of |bytes| and returns how many it took. Taking none without a change of the stage means
 * that it needs more. */
typedef size_t step(struct stream *stream, const uint8_t *bytes, size_t length, struct now now);

static size_t take_proxy_header(struct stream *stream, const uint8_t *bytes, size_t length, struct now now)
{
    (void)now;
    struct proxy_header header;
    int taken = proxy_header_decode(bytes, length, &header);
    if (taken == ERR_SHORT)
        return 0;
    if (taken < 0) {
        stream_doom(stream, FRONT_LOG_ERROR,
                    "closed: its address is listed as a proxy's, but it sent no (right) PROXY header");
        return length;
    }
    if (header.source.family != ADDRESS_NONE) {
        stream->flow.client = header.source;
        stream->flow.server = header.destination;
    }
    stream->proxied = true;
    stream->secure = header.tls;
    if (header.tls) /* which ended at the balancer */
        stream->kind = FRONT_LISTEN_ANY;
    struct front *front = stream->front;
    if (ledger_half_open_begin(front->settings->ledger, &stream->flow.client, &stream->half_open) != 0)
        stream_doom(stream, FRONT_LOG_INFO, "closed: too many connections without an allocation");
    stream->stage = STREAM_FIRST_BYTE;
    return (size_t)taken;
}

static void start_tls(struct stream *stream)
{
    struct front *front = stream->front;
    if (!front->settings->tls)
        stream_doom(stream, FRONT_LOG_INFO, "closed: it speaks TLS, for which no certificate is set");
    else if (tls_session_create_server(front->settings->tls, &stream->tls) != 0)
        stream_doom(stream, FRONT_LOG_ERROR, error_text(ERR_MEMORY));
    stream->flow.transport = TURN_TLS;
    stream->secure = true;
    stream->stage = STREAM_FIRST_MESSAGE;
}

static size_t take_first_byte(struct stream *stream, const uint8_t *bytes, size_t length, struct now now)
{
    (void)length, (void)now;
    enum first_bytes first = first_bytes_of_stream(bytes[0]);
    if (first == FIRST_BYTES_TLS)
        start_tls(stream);
    else if (stream->kind == FRONT_LISTEN_TLS && first == FIRST_BYTES_HTTP)
        stream->stage = STREAM_HTTP; /* which refuses it in words */
    else if (stream->kind == FRONT_LISTEN_TLS)
        stream_doom(stream, FRONT_LOG_INFO, "closed: only TLS is served here");
    else
        stream->stage = STREAM_FIRST_MESSAGE;
    return 0;
}

/* What came is not TURN. */
static void refuse(struct stream *stream, const char *text, struct now now)
{
    if (stream->websocket)
        websocket_leave(stream, WEBSOCKET_PROTOCOL_ERROR, "neither STUN nor ChannelData", now);
    else
        stream_doom(stream, FRONT_LOG_INFO, text);
}

static size_t take_first_message(struct stream *stream, const uint8_t *bytes, size_t length, struct now now)
{
    enum first_bytes first = first_bytes_of_stream(bytes[0]);
    if (first == FIRST_BYTES_HTTP && !stream->websocket) {
        stream->stage = STREAM_HTTP;
        return 0;
    }
    if (first != FIRST_BYTES_STUN || (length >= STUN_HEADER_SIZE && !stun_header_looks_right(bytes, length))) {
        refuse(stream, "closed: it speaks neither STUN nor HTTP", now);
        return length;
    }
    if (length >= STUN_HEADER_SIZE && (size_t)stun_frame_length(bytes, length) <= length)
        stream->stage = STREAM_TURN;
    return 0;
}

/* A ConnectionBind request for a connection of another worker (RFC 6062) takes the whole stream there. */
static bool belongs_elsewhere(struct stream *stream, const uint8_t *frame, size_t length)
{
    struct front *front = stream->front;
    if (stream->allocated || stream->websocket || front->front_count < 2 ||
        first_bytes_of_stream(frame[0]) != FIRST_BYTES_STUN)
        return false;
    int worker = turn_connection_bind_worker(frame, length);
    if (worker < 0 || (unsigned)worker >= front->front_count || (unsigned)worker == front->worker->index)
        return false;
    stream->move_to = (unsigned)worker;
    stream->stage = STREAM_MOVING;
    return true;
}

static size_t take_frames(struct stream *stream, const uint8_t *bytes, size_t length, struct now now)
{
    struct turn_server *server = stream->front->server;
    size_t at = 0;
    bool any = false;
    while (!stream->doomed && stream->stage == STREAM_TURN) {
        int frame = stun_frame_length(bytes + at, length - at);
        if (frame == ERR_SHORT || (frame > 0 && (size_t)frame > length - at))
            break;
        if (frame > 0 && belongs_elsewhere(stream, bytes + at, (size_t)frame))
            break;
        if (frame < 0 || turn_server_receive(server, &stream->flow, bytes + at, (size_t)frame, now) < 0) {
            refuse(stream, "closed: it sent something that is neither STUN nor ChannelData", now);
            break;
        }
        at += (size_t)frame;
        any = true;
    }
    if (any && !stream->doomed && stream->stage == STREAM_TURN)
        stream_alive(stream, now);
    return at;
}

static size_t take_bytes_for_peer(struct stream *stream, const uint8_t *bytes, size_t length, struct now now)
{
    (void)now;
    struct bridge_end *other = stream->bridge.other;
    if (other && !other->write(other, bytes, length)) {
        stream->bridge_full = true;
        stream_watch(stream);
    }
    return length;
}

static size_t take_nothing(struct stream *stream, const uint8_t *bytes, size_t length, struct now now)
{
    (void)stream, (void)bytes, (void)length, (void)now;
    return 0;
}

static size_t take_and_forget(struct stream *stream, const uint8_t *bytes, size_t length, struct now now)
{
    (void)stream, (void)bytes, (void)now;
    return length;
}

static step *const steps[STREAM_STAGES] = {
    [STREAM_PROXY_HEADER] = take_proxy_header,
    [STREAM_FIRST_BYTE] = take_first_byte,
    [STREAM_FIRST_MESSAGE] = take_first_message,
    [STREAM_TURN] = take_frames,
    [STREAM_HTTP] = stream_http,
    [STREAM_WEBSOCKET] = take_nothing, /* it has no bytes but messages */
    [STREAM_JOINED] = take_bytes_for_peer,
    [STREAM_MOVING] = take_nothing,
    [STREAM_LEAVING] = take_and_forget,
};

/* Bytes that the message at |bytes|, of which |length| are here, will have in all; 0 where that is not known. */
static size_t announced(const struct stream *stream, const uint8_t *bytes, size_t length)
{
    if (stream->stage != STREAM_TURN && stream->stage != STREAM_FIRST_MESSAGE)
        return 0;
    int frame = stun_frame_length(bytes, length);
    return frame > 0 ? (size_t)frame : 0;
}

/* Takes what can be taken of |bytes| and returns how many that were. Stops where TLS or a WebSocket begins. */
static size_t consume(struct stream *stream, const uint8_t *bytes, size_t length, struct now now)
{
    const struct tls_session *tls = stream->tls;
    const struct front_websocket *websocket = stream->websocket;
    size_t at = 0;
    while (at < length && !stream->doomed && stream->tls == tls && stream->websocket == websocket) {
        uint8_t stage = stream->stage;
        size_t taken = steps[stage](stream, bytes + at, length - at, now);
        at += taken;
        if (taken == 0 && stream->stage == stage)
            break;
    }
    return at;
}

static void keep(struct stream *stream, const uint8_t *bytes, size_t length)
{
    if (stream->doomed)
        return;
    size_t expected = length > 0 ? announced(stream, bytes, length) : 0;
    if (buffers_keep(&stream->front->buffers, &stream->rest, bytes, length, expected) != 0)
        stream_doom(stream, FRONT_LOG_INFO, "closed: no room for an incomplete message");
}

/* What consume() has left of bytes that were no WebSocket's when it began. */
static void settle(struct stream *stream, const uint8_t *bytes, size_t length, struct now now)
{
    keep(stream, bytes, stream->websocket ? 0 : length);
    if (stream->websocket)
        websocket_receive(stream, bytes, length, now);
}

void stream_continue(struct stream *stream, const uint8_t *bytes, size_t length, struct now now)
{
    if (stream->websocket) {
        websocket_receive(stream, bytes, length, now);
        return;
    }
    size_t taken = consume(stream, bytes, length, now);
    settle(stream, bytes + taken, length - taken, now);
}

/* Puts what was kept at the start of |into|, which nobody may borrow from any more. Returns its length. */
static size_t restore_into(struct stream *stream, uint8_t *into)
{
    front_flush_datagrams(stream->front);
    size_t length = buffer_length(stream->rest);
    if (length > 0)
        memcpy(into, stream->rest->bytes + stream->rest->start, length);
    return length;
}

/* The same for |input|. What a WebSocket keeps is payload, and does not stand before the bytes that are read. */
static size_t restore(struct stream *stream)
{
    if (!stream->websocket)
        return restore_into(stream, stream->front->input);
    front_flush_datagrams(stream->front);
    return 0;
}

size_t stream_payload_begin(struct stream *stream)
{
    return restore_into(stream, stream->front->payload);
}

void stream_payload_end(struct stream *stream, size_t length, struct now now)
{
    const uint8_t *bytes = stream->front->payload;
    size_t taken = consume(stream, bytes, length, now);
    keep(stream, bytes + taken, length - taken);
}

void stream_go_on(struct stream *stream, struct now now)
{
    size_t length = restore(stream);
    if (length > 0)
        stream_continue(stream, stream->front->input, length, now);
    front_flush_datagrams(stream->front);
}

/* The client's last byte has been read. */
static void input_end(struct stream *stream)
{
    if (stream->doomed)
        return;
    stream->input_ended = true;
    if (stream->stage == STREAM_JOINED && stream->bridge.other)
        stream->bridge.other->finish(stream->bridge.other);
    bool speaks_on = stream->stage == STREAM_JOINED || stream->stage == STREAM_LEAVING ||
                     (stream->stage == STREAM_HTTP && stream_congested(stream));
    if (!speaks_on || stream->output_closed)
        stream_doom(stream, FRONT_LOG_DEBUG, "closed by the client");
    stream_watch(stream);
}

/* Decrypts all that the session was fed with. */
static void tls_readable(struct stream *stream, struct now now)
{
    struct front *front = stream->front;
    struct tls_error error;
    int result;
    do {
        size_t kept = restore(stream);
        struct tls_output output = {.bytes = front->output, .size = sizeof front->output};
        result = tls_session_read(stream->tls, front->input + kept, sizeof front->input - kept, &output, &error);
        stream_write_raw(stream, output.bytes, output.length, now);
        if (result > 0)
            stream_continue(stream, front->input, kept + (size_t)result, now);
    } while (result > 0 && !stream->doomed);
    if (stream->doomed || result == 0)
        return;
    if (result == ERR_CLOSED) {
        input_end(stream);
        return;
    }
    front_log(front, FRONT_LOG_INFO, "tls", &stream->flow.client, error.text);
    stream->goodbye_said = true; /* by the alert */
    if (stream->stage == STREAM_FIRST_MESSAGE)
        stream_leave(stream, now);
    else
        stream_doom(stream, FRONT_LOG_DEBUG, "closed");
}

/* Reads into |into|. Returns the number of bytes, 0 where there are none now, or because the stream ended. */
static size_t socket_read(struct stream *stream, uint8_t *into, size_t size)
{
    ssize_t got = recv(stream->fd, into, size, 0);
    if (got > 0)
        return (size_t)got;
    if (got == 0)
        input_end(stream);
    else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        stream_doom(stream, FRONT_LOG_DEBUG, strerror(errno));
    return 0;
}

static void tls_feed(struct stream *stream, size_t length, struct now now)
{
    tls_session_feed(stream->tls, stream->front->received, length);
    tls_readable(stream, now);
}

static void plain_readable(struct stream *stream, struct now now)
{
    struct front *front = stream->front;
    size_t kept = restore(stream);
    bool undecided = stream->stage == STREAM_PROXY_HEADER || stream->stage == STREAM_FIRST_BYTE;
    size_t room = sizeof front->input - kept;
    size_t most = undecided ? RAW_READ_SIZE : STREAM_READ_SIZE;
    size_t got = socket_read(stream, front->input + kept, room < most ? room : most);
    if (got == 0)
        return;
    size_t length = kept + got;
    if (!undecided) {
        stream_continue(stream, front->input, length, now);
        return;
    }
    size_t taken = consume(stream, front->input, length, now);
    if (stream->doomed || !stream->tls) {
        settle(stream, front->input + taken, length - taken, now);
        return;
    }
    /* What TLS decrypts goes to |input|. */
    buffers_give(&front->buffers, &stream->rest);
    assert(length - taken <= sizeof front->received);
    memcpy(front->received, front->input + taken, length - taken);
    tls_feed(stream, length - taken, now);
}

void stream_readable(struct stream *stream, struct now now)
{
    struct front *front = stream->front;
    if (stream->stage == STREAM_LEAVING) {
        socket_read(stream, front->received, sizeof front->received);
    } else if (stream->tls) {
        size_t got = socket_read(stream, front->received, sizeof front->received);
        if (got > 0)
            tls_feed(stream, got, now);
    } else {
        plain_readable(stream, now);
    }
    front_flush_datagrams(front);
    if (!stream->doomed && stream->stage == STREAM_MOVING)
        stream_move(stream, now);
}
