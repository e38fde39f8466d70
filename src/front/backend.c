/* SPDX-License-Identifier: BSD-3-Clause
 * Requests to the operator's HTTP server, and its answers: what belongs to which, and what to say where that fails. */
#include "front/backend.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "front/backend_socket.h"
#include "http/body.h"
#include "http/forward.h"
#include "ws/upgrade.h"

enum backend_state {
    BACKEND_RESTS,   /* between two requests */
    BACKEND_ASKED,   /* the head of an answer is to come */
    BACKEND_ANSWERS, /* the rest of it */
    BACKEND_TUNNEL,  /* a WebSocket: bytes either way */
};

struct backend {
    struct bridge_end end;
    struct backend_socket socket;
    struct timer timer;
    struct stream *stream;
    struct ledger_source *counted; /* a tunnel is a WebSocket */
    struct buffer *again;          /* the head of a request that may be asked once more; NULL: it may not */
    struct http_body request, response;
    uint8_t state;  /* enum backend_state */
    bool upgrade;   /* a WebSocket is asked for */
    bool to_head;   /* by HEAD */
    bool old;       /* by HTTP/1.0: neither chunks nor interim answers are understood */
    bool keep;      /* the client may ask on after this */
    bool keep_self; /* and so may we */
};

static struct backend *of_end(struct bridge_end *end)
{
    return container_of(end, struct backend, end);
}

/* In the stages of HTTP nothing else is joined to a stream. */
static struct backend *of_stream(const struct stream *stream)
{
    return stream->bridge.other ? of_end(stream->bridge.other) : NULL;
}

static struct now now_of(const struct backend *backend)
{
    return loop_now(backend->stream->front->worker->loop);
}

/* For the log: the operator's business once, until it answers again, however many clients ask. */
static void complain(struct backend *backend, const char *what, const char *why)
{
    struct front *front = backend->stream->front;
    char server[ADDRESS_TEXT_MAX], text[ADDRESS_TEXT_MAX + 160];
    snprintf(text, sizeof text, "http.backend %s %s%s%s", address_format(&front->settings->backend, server), what,
             *why ? ": " : "", why);
    front_log(front, front->backend_failed ? FRONT_LOG_INFO : FRONT_LOG_BACKEND, "http", &backend->stream->flow.client,
              text);
    front->backend_failed = true;
}

static void forget_head(struct backend *backend)
{
    buffers_give(&backend->stream->front->buffers, &backend->again);
}

static void disconnect(struct backend *backend)
{
    forget_head(backend);
    backend_socket_close(&backend->socket);
    backend->state = BACKEND_RESTS;
    timers_cancel(front_timers(backend->stream->front), &backend->timer);
}

/* Nothing further is to be had for this request: says so to the client if that can still be said, and otherwise cuts
 * the answer short, which the client sees by its length, its chunks or the missing good-bye of TLS. */
static void give_up(struct backend *backend, unsigned status, const char *text)
{
    struct stream *stream = backend->stream;
    struct now now = now_of(backend);
    bool unanswered = backend->state == BACKEND_ASKED;
    bool until_close = backend->state == BACKEND_ANSWERS && http_body_until_close(&backend->response);
    bool to_head = backend->to_head;
    disconnect(backend);
    if (stream->doomed)
        return;
    if (unanswered)
        stream_http_refuse(stream, status, text, to_head, now);
    else if (until_close) {
        stream->goodbye_said = true; /* it would say that this was all */
        stream_doom(stream, FRONT_LOG_DEBUG, "closed: its answer is cut short");
    } else {
        stream_leave(stream, now);
    }
}

static void fail(struct backend *backend, const char *what, const char *why)
{
    complain(backend, what, why);
    give_up(backend, 502, "The web server behind this one does not answer as it should.\n");
}

/* Something went on, or waits for somebody else: sets the time by which more has to happen. */
static void rearm(struct backend *backend)
{
    struct front *front = backend->stream->front;
    bool exchange = backend->state == BACKEND_ASKED || backend->state == BACKEND_ANSWERS;
    bool half = backend->state == BACKEND_TUNNEL && (backend->stream->input_ended || backend->socket.input_ended);
    bool stuck = backend->state == BACKEND_TUNNEL && backend->socket.held;
    uint64_t deadline = TIME_NEVER;
    if ((exchange && !backend->socket.paused) || half || stuck)
        deadline = now_of(backend).monotonic_ns + front->settings->idle_timeout_s * NS_PER_S;
    if (timers_update(front_timers(front), &backend->timer, deadline) != 0)
        give_up(backend, 503, "Out of memory.\n");
}

static void deadline_passed(struct timer *timer, struct now now)
{
    (void)now;
    struct backend *backend = container_of(timer, struct backend, timer);
    bool client_is_late = !http_body_ended(&backend->request) && !backend->socket.held && !backend->socket.connecting;
    if (backend->state == BACKEND_TUNNEL) {
        stream_doom(backend->stream, FRONT_LOG_INFO, "closed: its WebSocket to http.backend is stuck");
        return;
    }
    if (client_is_late) {
        give_up(backend, 408, "The rest of the request did not come in time.\n");
        return;
    }
    complain(backend, backend->socket.connecting ? "takes no connection in time" : "does not go on in time", "");
    give_up(backend, 504, "The web server behind this one does not answer in time.\n");
}

/* Hands on what the socket has brought; if the client does not take it at once, no more is read. */
static void write_to_client(struct backend *backend, const uint8_t *bytes, size_t length, struct now now)
{
    stream_write(backend->stream, bytes, length, now);
    if (stream_congested(backend->stream))
        backend_socket_pause(&backend->socket, true);
}

/* The answer is complete. |surplus|: the server said more than that, which belongs to no request and is forgotten with
 * the connection. The next request may be under way when this returns. */
static void finish(struct backend *backend, bool surplus, struct now now)
{
    bool asked_in_full = http_body_ended(&backend->request);
    struct front *front = backend->stream->front;
    front->backend_failed = false;
    if (surplus || !asked_in_full || !backend->keep_self || backend->socket.held || backend->socket.deaf) {
        disconnect(backend);
    } else {
        backend->state = BACKEND_RESTS;
        backend_socket_pause(&backend->socket, false);
        rearm(backend);
    }
    stream_http_answered(backend->stream, backend->keep && asked_in_full, now);
}

/* A server that has accepted a WebSocket is the one to say how long it may be silent. */
static void tunnel_begin(struct backend *backend, struct now now)
{
    struct stream *stream = backend->stream;
    struct ledger *ledger = stream->front->settings->ledger;
    ledger_half_open_end(ledger, &stream->half_open);
    stream->front->backend_failed = false;
    backend->state = BACKEND_TUNNEL;
    stream->stage = STREAM_JOINED;
    stream->bridge_full = false;
    rearm(backend);
    stream_go_on(stream, now);
    stream_watch(stream);
}

static bool is_websocket(const struct http_response_head *head)
{
    return http_fields_list(&head->fields, "Upgrade", span_of_text("websocket"));
}

/* Writes the head of an answer. False where it was not possible. */
static bool pass_head(struct backend *backend, const struct http_response_head *head, bool keep, struct now now)
{
    struct staging *staging = &backend->stream->front->staging;
    staging_flush(backend->stream->front, now); /* its memory takes the head */
    int length = http_forward_response(head, keep, staging->bytes, sizeof staging->bytes);
    if (length > 0)
        write_to_client(backend, staging->bytes, (size_t)length, now);
    return length > 0;
}

/* 1xx. RFC 9110 §15.2: who speaks HTTP/1.0 does not know them. */
static void take_interim(struct backend *backend, const struct http_response_head *head, struct now now)
{
    if (head->status != 101) {
        if (!backend->old)
            pass_head(backend, head, true, now);
        return;
    }
    struct stream *stream = backend->stream;
    if (!backend->upgrade || !is_websocket(head)) {
        fail(backend, "changes to a protocol that nobody asked for", "");
    } else if (ledger_websocket_begin(stream->front->settings->ledger, &stream->flow.client, &backend->counted) != 0) {
        give_up(backend, 503, "No further WebSocket can be served now.\n");
    } else {
        pass_head(backend, head, true, now);
        tunnel_begin(backend, now);
    }
}

/* Takes the head of an answer. Returns its length, 0 where it is not complete or refused. */
static size_t take_head(struct backend *backend, const uint8_t *bytes, size_t length, struct now now)
{
    struct http_response_head head;
    int taken = http_response_head_decode(bytes, length, &head);
    if (taken == ERR_SHORT)
        return 0;
    if (taken < 0 || (backend->old && head.framing.chunked)) {
        fail(backend, "answers something that is no right HTTP/1.1", "");
        return 0;
    }
    if (head.status < 200) {
        take_interim(backend, &head, now);
        return (size_t)taken;
    }
    backend->response = http_body_of_response(&head, backend->to_head);
    backend->keep_self = head.keep_alive && !http_body_until_close(&backend->response);
    backend->keep = backend->keep && http_body_ended(&backend->request) && !http_body_until_close(&backend->response);
    backend->state = BACKEND_ANSWERS;
    pass_head(backend, &head, backend->keep, now);
    if (!http_body_ended(&backend->response))
        return (size_t)taken;
    finish(backend, (size_t)taken < length, now);
    return length;
}

static size_t take_body(struct backend *backend, const uint8_t *bytes, size_t length, struct now now)
{
    int taken = http_body_take(&backend->response, bytes, length);
    if (taken < 0) {
        fail(backend, "sends chunks that are none", "");
        return 0;
    }
    write_to_client(backend, bytes, (size_t)taken, now);
    if (!http_body_ended(&backend->response))
        return (size_t)taken;
    finish(backend, (size_t)taken < length, now);
    return length;
}

/* Takes what can be taken of what the server sent; returns how much that was. */
static size_t receive(struct backend_socket *socket, const uint8_t *bytes, size_t length, struct now now)
{
    struct backend *backend = container_of(socket, struct backend, socket);
    size_t at = 0, taken = 1;
    forget_head(backend);
    while (at < length && taken > 0 && !backend->stream->doomed && backend_socket_reads(socket)) {
        taken = 0;
        switch ((enum backend_state)backend->state) {
        case BACKEND_RESTS:
            disconnect(backend); /* it speaks without being asked */
            break;
        case BACKEND_ASKED:
            taken = take_head(backend, bytes + at, length - at, now);
            break;
        case BACKEND_ANSWERS:
            taken = take_body(backend, bytes + at, length - at, now);
            break;
        case BACKEND_TUNNEL:
            taken = length - at;
            write_to_client(backend, bytes + at, taken, now);
            break;
        }
        at += taken;
    }
    rearm(backend);
    return at;
}

/* A connection that rested may have ended just when it was used again. Nothing was answered then, and the request may
 * be asked twice: it goes out once more, on a new connection. False where that cannot be. */
static bool ask_again(struct backend *backend)
{
    struct buffer *head = backend->again;
    struct front *front = backend->stream->front;
    backend->again = NULL;
    if (!head)
        return false;
    backend_socket_close(&backend->socket);
    bool connects = backend_socket_open(&backend->socket, &front->settings->backend) == 0;
    if (connects)
        backend_socket_write(&backend->socket, head->bytes + head->start, buffer_length(head));
    buffers_give(&front->buffers, &head);
    return connects;
}

/* The server has said its last. */
static void input_ended(struct backend_socket *socket, int error, struct now now)
{
    struct backend *backend = container_of(socket, struct backend, socket);
    switch ((enum backend_state)backend->state) {
    case BACKEND_RESTS:
        disconnect(backend);
        break;
    case BACKEND_ASKED:
        if (ask_again(backend))
            break;
        fail(backend, socket->connecting ? "takes no connection" : "ended the connection instead of answering",
             error != 0 ? strerror(error) : "");
        break;
    case BACKEND_ANSWERS:
        if (error == 0 && http_body_until_close(&backend->response))
            finish(backend, false, now);
        else
            fail(backend, "ended the connection within an answer", error != 0 ? strerror(error) : "");
        break;
    case BACKEND_TUNNEL:
        if (error != 0) {
            give_up(backend, 0, "");
        } else {
            stream_output_end(backend->stream, now);
            rearm(backend);
        }
        break;
    }
}

/* The server takes bytes again. */
static void drained(struct backend_socket *socket, struct now now)
{
    (void)now;
    struct backend *backend = container_of(socket, struct backend, socket);
    rearm(backend);
    if (backend->end.other)
        backend->end.other->resume(backend->end.other);
}

static const struct backend_socket_owner socket_owner = {
    .receive = receive, .input_ended = input_ended, .drained = drained};

static bool end_write(struct bridge_end *end, const uint8_t *bytes, size_t length)
{
    struct backend *backend = of_end(end);
    backend_socket_write(&backend->socket, bytes, length);
    rearm(backend);
    return !backend->socket.held;
}

static void end_resume(struct bridge_end *end)
{
    struct backend *backend = of_end(end);
    if (!backend->socket.paused)
        return;
    backend_socket_pause(&backend->socket, false);
    rearm(backend);
    backend_socket_go_on(&backend->socket, now_of(backend));
}

static void end_finish(struct bridge_end *end)
{
    backend_socket_output_end(&of_end(end)->socket);
    rearm(of_end(end));
}

static void end_part(struct bridge_end *end)
{
    struct backend *backend = of_end(end);
    disconnect(backend);
    ledger_websocket_end(backend->stream->front->settings->ledger, &backend->counted);
    memory_free(backend);
}

static struct backend *create(struct stream *stream)
{
    struct backend *backend = memory_zeroed(1, sizeof *backend);
    if (!backend)
        return NULL;
    backend->end =
        (struct bridge_end){.write = end_write, .resume = end_resume, .finish = end_finish, .part = end_part};
    backend->timer.callback = deadline_passed;
    backend->stream = stream;
    backend_socket_init(&backend->socket, stream->front, &socket_owner);
    bridge_join(&stream->bridge, &backend->end);
    return backend;
}

/* What the request is, and that nothing of its answer has come. */
static void begin(struct backend *backend, const struct http_head *head, bool upgrade, bool keep_alive)
{
    backend->state = BACKEND_ASKED;
    backend->request = http_body_of_request(head);
    backend->upgrade = upgrade;
    backend->to_head = http_span_equals(head->method, "HEAD");
    backend->old = head->minor_version == 0;
    backend->keep = keep_alive;
    backend->stream->stage = STREAM_BACKEND;
    backend->stream->quiet_deadline_ns = TIME_NEVER; /* ours governs */
    stream_rearm(backend->stream);
}

/* Why a request cannot be passed on, as a status and in words; 0 where it can. */
static unsigned objection(const struct http_head *head, const char **text_out)
{
    *text_out = "This is no right request for a WebSocket (RFC 6455).\n";
    if (ws_upgrade_asked(head) && ws_upgrade_check(head) == WS_UPGRADE_BAD)
        return 400;
    *text_out = "This is no proxy.\n";
    return http_span_equals(head->method, "CONNECT") ? 501 : 0;
}

/* RFC 9110 §9.2.1 */
static bool may_be_asked_twice(const struct http_head *head)
{
    static const char *const safe[] = {"GET", "HEAD", "OPTIONS"};
    if (head->chunked || head->content_length > 0)
        return false;
    for (size_t i = 0; i < sizeof safe / sizeof *safe; i++)
        if (http_span_equals(head->method, safe[i]))
            return true;
    return false;
}

/* Writes the head of the request. One that may not be asked twice never goes to a connection that may just be ending.
 * Returns 0, or ERR_SYSTEM with errno set. */
static int send_head(struct backend *backend, const struct http_head *head, struct now now)
{
    struct stream *stream = backend->stream;
    struct front *front = stream->front;
    bool twice = may_be_asked_twice(head);
    if (!twice)
        backend_socket_close(&backend->socket);
    if (backend_socket_open(&backend->socket, &front->settings->backend) != 0)
        return ERR_SYSTEM;
    struct http_client client = {.address = &stream->flow.client, .secure = stream->secure, .proxied = stream->proxied};
    staging_flush(front, now); /* its memory takes the head */
    uint8_t *bytes = front->staging.bytes;
    int length = http_forward_request(head, &client, backend->upgrade, bytes, sizeof front->staging.bytes);
    assert(length > 0);
    if (twice && !backend->socket.connecting)
        (void)!buffers_keep(&front->buffers, &backend->again, bytes, (size_t)length, 0);
    backend_socket_write(&backend->socket, bytes, (size_t)length);
    return 0;
}

void backend_forward(struct stream *stream, const struct http_head *head, bool keep_alive, struct now now)
{
    const char *text;
    unsigned status = objection(head, &text);
    struct backend *backend = of_stream(stream);
    if (status == 0 && !backend && !(backend = create(stream))) {
        status = 503;
        text = "Out of memory.\n";
    }
    if (status != 0) {
        stream_http_refuse(stream, status, text, http_span_equals(head->method, "HEAD"), now);
        return;
    }
    begin(backend, head, ws_upgrade_asked(head), keep_alive);
    if (send_head(backend, head, now) != 0)
        fail(backend, "cannot be connected to", strerror(errno));
    else
        rearm(backend);
}

/* The client is not read from until the server takes more, or has answered. */
static void hold_client(struct stream *stream)
{
    stream->bridge_full = true;
    stream_watch(stream);
}

size_t backend_take(struct stream *stream, const uint8_t *bytes, size_t length, struct now now)
{
    (void)now;
    struct backend *backend = of_stream(stream);
    size_t room = backend_socket_room(&backend->socket);
    if (http_body_ended(&backend->request) || room == 0) {
        hold_client(stream);
        return 0;
    }
    int taken = http_body_take(&backend->request, bytes, length < room ? length : room);
    if (taken < 0) {
        give_up(backend, 400, "The chunks of the request are none.\n");
        return length;
    }
    backend_socket_write(&backend->socket, bytes, (size_t)taken);
    if (backend->socket.held)
        hold_client(stream);
    rearm(backend);
    return (size_t)taken;
}

bool backend_request_ended(const struct stream *stream)
{
    return http_body_ended(&of_stream(stream)->request);
}
