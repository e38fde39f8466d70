/* SPDX-License-Identifier: BSD-3-Clause
 * A stream that has become a WebSocket: its messages are SIP for the worker's user (RFC 7118), or, all together, the
 * bytes of a TURN connection (docs/turn-over-websocket.md). */
#include "front/websocket.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "front/stream.h"

struct front_websocket {
    struct stream *stream;
    struct ws_session session;
    const struct front_websocket_user *user; /* NULL: it carries TURN */
    void *of_user;
    struct ledger_source *counted;
    struct buffer *message; /* what has come of one */
    uint64_t patience_ns;   /* until then a further message has to come; TIME_NEVER where it is established */
    bool pinged;            /* and nothing has come since */
};

static struct now now_of(const struct stream *stream)
{
    return loop_now(stream->front->worker->loop);
}

/* Sends a control frame. It may overtake messages that wait. */
static void control_send(struct stream *stream, enum ws_opcode opcode, const uint8_t *payload, size_t length,
                         struct now now)
{
    uint8_t frame[WS_FRAME_HEAD_MAX + WS_CONTROL_MAX];
    size_t head_length = ws_frame_head(opcode, length, NULL, frame);
    if (length > 0)
        memcpy(frame + head_length, payload, length);
    stream_write(stream, frame, head_length + length, now);
}

void websocket_leave(struct stream *stream, uint16_t code, const char *reason, struct now now)
{
    if (stream->doomed || stream->stage == STREAM_LEAVING)
        return;
    uint8_t payload[WS_CONTROL_MAX];
    if (stream->front->staging.stream == stream)
        staging_flush(stream->front, now);
    stream_queue_clear(&stream->queue, &stream->front->blocks);
    size_t length = code == WS_CLOSE_NO_CODE ? 0 : ws_close_payload(code, reason, payload);
    control_send(stream, WS_CLOSE, payload, length, now);
    if (*reason && !stream->doomed)
        front_log(stream->front, FRONT_LOG_DEBUG, "websocket", &stream->flow.client, reason);
    stream_leave(stream, now);
}

/* The next time at which something is to be done about one that is quiet. */
static void rearm(struct front_websocket *websocket, struct now now)
{
    struct stream *stream = websocket->stream;
    uint64_t ping_ns = now.monotonic_ns + stream->front->settings->websocket_keepalive_s * NS_PER_S;
    if (!websocket->user || stream->stage != STREAM_WEBSOCKET)
        return;
    stream->quiet_deadline_ns = websocket->patience_ns < ping_ns ? websocket->patience_ns : ping_ns;
    stream_rearm(stream);
}

bool websocket_wait(struct stream *stream, struct now now)
{
    struct front_websocket *websocket = stream->websocket;
    if (websocket->patience_ns <= now.monotonic_ns || websocket->pinged)
        return false;
    websocket->pinged = true;
    control_send(stream, WS_PING, NULL, 0, now);
    rearm(websocket, now);
    return true;
}

/* Takes the stream for SIP; the user may refuse. */
static unsigned open_for_user(struct front_websocket *websocket, struct now now)
{
    struct stream *stream = websocket->stream;
    struct front *front = stream->front;
    websocket->user = front->websocket_user;
    websocket->patience_ns = now.monotonic_ns + front->settings->handshake_deadline_s * NS_PER_S;
    if (ledger_websocket_begin(front->settings->ledger, &stream->flow.client, &websocket->counted) != 0)
        return 503;
    websocket->of_user = websocket->user->opened(websocket->user->context, websocket, &stream->flow.client, now);
    if (!websocket->of_user) {
        ledger_websocket_end(front->settings->ledger, &websocket->counted);
        return 503;
    }
    stream->stage = STREAM_WEBSOCKET;
    rearm(websocket, now);
    return 0;
}

static void open_for_turn(struct stream *stream, struct now now)
{
    stream->stage = STREAM_FIRST_MESSAGE;
    stream->flow.transport = TURN_WEBSOCKET;
    stream->in_messages = true;
    stream->quiet_deadline_ns = now.monotonic_ns + stream->front->settings->handshake_deadline_s * NS_PER_S;
    stream_rearm(stream);
}

unsigned websocket_open(struct stream *stream, bool turn, struct now now)
{
    struct front_websocket *websocket = memory_zeroed(1, sizeof *websocket);
    if (!websocket)
        return 503;
    websocket->stream = stream;
    ws_session_init(&websocket->session, WS_SERVER, &stream->front->receivers, turn ? 0 : FRONT_WEBSOCKET_MESSAGE_MAX);
    unsigned refusal = turn ? 0 : open_for_user(websocket, now);
    if (refusal != 0) {
        memory_free(websocket);
        return refusal;
    }
    if (turn)
        open_for_turn(stream, now);
    stream->websocket = websocket;
    return 0;
}

void websocket_destroy(struct stream *stream, struct now now)
{
    struct front_websocket *websocket = stream->websocket;
    if (!websocket)
        return;
    if (websocket->user)
        websocket->user->closed(websocket->of_user, now);
    ledger_websocket_end(stream->front->settings->ledger, &websocket->counted);
    buffers_give(&stream->front->buffers, &websocket->message);
    ws_session_fini(&websocket->session);
    memory_free(websocket);
    stream->websocket = NULL;
}

/* A part of a SIP message came, perhaps the last one. */
static void take_message(struct front_websocket *websocket, const struct ws_event *event, struct now now)
{
    struct stream *stream = websocket->stream;
    struct buffers *buffers = &stream->front->buffers;
    if (buffers_append(buffers, &websocket->message, event->bytes, event->length) != 0) {
        websocket_leave(stream, WEBSOCKET_INTERNAL_ERROR, "no memory for the message", now);
        return;
    }
    if (!event->last)
        return;
    if (websocket->patience_ns != TIME_NEVER)
        websocket->patience_ns = now.monotonic_ns + stream->front->settings->idle_timeout_s * NS_PER_S;
    struct buffer *message = websocket->message;
    websocket->message = NULL;
    websocket->user->message(websocket->of_user, message->bytes + message->start, buffer_length(message), now);
    buffers_give(buffers, &message);
}

/* Answers a control frame. */
static void take_control(struct stream *stream, const struct ws_event *event, struct now now)
{
    if (event->kind == WS_EVENT_PING)
        control_send(stream, WS_PONG, event->bytes, event->length, now);
    else if (event->kind == WS_EVENT_CLOSE)
        websocket_leave(stream, event->code, "", now);
}

static void receive_messages(struct front_websocket *websocket, struct now now)
{
    struct stream *stream = websocket->stream;
    struct ws_event event;
    while (!stream->doomed && stream->stage == STREAM_WEBSOCKET && ws_session_next(&websocket->session, &event) == 1) {
        websocket->pinged = false;
        if (event.kind == WS_EVENT_PAYLOAD)
            take_message(websocket, &event, now);
        else
            take_control(stream, &event, now);
    }
    rearm(websocket, now);
}

/* Payload is gathered, whatever messages it came in, and taken as what a TCP connection brings. */
static void receive_turn(struct front_websocket *websocket, struct now now)
{
    struct stream *stream = websocket->stream;
    struct front *front = stream->front;
    struct ws_event event;
    size_t length = stream_payload_begin(stream);
    bool text = false, ended = false;
    while (!stream->doomed && !text && !ended && ws_session_next(&websocket->session, &event) == 1) {
        text = event.kind == WS_EVENT_PAYLOAD && event.text;
        ended = event.kind == WS_EVENT_CLOSE;
        if (event.kind == WS_EVENT_PAYLOAD && !text && event.length > 0) {
            assert(event.length <= sizeof front->payload - length);
            memcpy(front->payload + length, event.bytes, event.length);
            length += event.length;
        } else if (event.kind == WS_EVENT_PING) {
            take_control(stream, &event, now);
        }
    }
    stream_payload_end(stream, length, now);
    if (text)
        websocket_leave(stream, WEBSOCKET_UNSUPPORTED_DATA, "TURN comes in binary messages", now);
    else if (ended)
        take_control(stream, &event, now);
}

static const char *failure_text(uint16_t code)
{
    switch (code) {
    case WS_CLOSE_TOO_LARGE:
        return "the message is too long";
    case WS_CLOSE_BAD_TEXT:
        return "the text is not UTF-8";
    default:
        return "the frame is not as RFC 6455 has it";
    }
}

void websocket_receive(struct stream *stream, const uint8_t *bytes, size_t length, struct now now)
{
    struct front_websocket *websocket = stream->websocket;
    struct ws_session *session = &websocket->session;
    if (stream->doomed || stream->stage == STREAM_LEAVING)
        return;
    if (ws_session_feed(session, bytes, length) != 0) {
        websocket_leave(stream, WEBSOCKET_INTERNAL_ERROR, error_text(ERR_MEMORY), now);
        return;
    }
    if (websocket->user)
        receive_messages(websocket, now);
    else
        receive_turn(websocket, now);
    if (session->failure != 0)
        websocket_leave(stream, session->failure, failure_text(session->failure), now);
}

void front_websocket_send(struct front_websocket *websocket, const void *bytes, size_t length)
{
    struct stream *stream = websocket->stream;
    if (stream->stage != STREAM_WEBSOCKET || length > FRONT_WEBSOCKET_MESSAGE_MAX)
        return;
    uint8_t head[WS_FRAME_HEAD_MAX];
    enum ws_opcode opcode = ws_utf8_valid(bytes, length) ? WS_TEXT : WS_BINARY;
    struct turn_packet packet = {.head = head,
                                 .head_length = ws_frame_head(opcode, length, NULL, head),
                                 .payload = bytes,
                                 .payload_length = length,
                                 .class = TURN_CLASS_ANSWER};
    stream_link_send(&stream->link, &stream->flow, &packet);
    if (stream_queue_answer_bytes(&stream->queue) > FRONT_WEBSOCKET_QUEUE_MAX)
        stream_doom(stream, FRONT_LOG_INFO, "closed: it does not read what it is sent");
}

void front_websocket_close(struct front_websocket *websocket, enum front_websocket_close code, const char *reason)
{
    websocket_leave(websocket->stream, (uint16_t)code, reason, now_of(websocket->stream));
}

void front_websocket_established(struct front_websocket *websocket)
{
    struct stream *stream = websocket->stream;
    if (stream->doomed)
        return;
    ledger_half_open_end(stream->front->settings->ledger, &stream->half_open);
    websocket->patience_ns = TIME_NEVER;
    rearm(websocket, now_of(stream));
}
