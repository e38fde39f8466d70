/* SPDX-License-Identifier: BSD-3-Clause
 * The life of a stream: accepted, watched, given deadlines, closed. */
#include "front/stream.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "net/socket.h"

/* How long a stream that we have said good-bye to may take to close. */
#define LEAVE_NS (3 * NS_PER_S)

static bool is_proxy(const struct front_settings *settings, const struct address *peer)
{
    for (size_t i = 0; i < settings->proxy_count; i++)
        if (address_prefix_contains(&settings->proxies[i], peer))
            return true;
    return false;
}

void stream_watch(struct stream *stream)
{
    if (stream->doomed)
        return;
    struct loop *loop = stream->front->worker->loop;
    bool reads = !stream->input_ended && !stream->bridge_full && stream->stage != STREAM_MOVING &&
                 !(stream->stage == STREAM_HTTP && stream_congested(stream)) &&
                 stream_queue_answer_bytes(&stream->queue) <= STREAM_ANSWERS_MAX;
    uint32_t events = (reads ? EPOLLIN : 0u) | (stream_congested(stream) ? EPOLLOUT : 0u);
    if (events == stream->watched)
        return;
    int result = 0;
    /* A source that waits for nothing must leave epoll: it would be told of a hang-up again and again. */
    if (events == 0)
        loop_remove(loop, &stream->source);
    else if (stream->source.fd < 0)
        result = loop_add(loop, &stream->source, stream->fd, events);
    else
        result = loop_modify(loop, &stream->source, events);
    stream->watched = events;
    if (result != 0)
        stream_doom(stream, FRONT_LOG_ERROR, "epoll failed");
}

void stream_rearm(struct stream *stream)
{
    uint64_t deadline = stream->quiet_deadline_ns < stream->blocked_deadline_ns ? stream->quiet_deadline_ns
                                                                                : stream->blocked_deadline_ns;
    if (!stream->doomed && timers_update(front_timers(stream->front), &stream->timer, deadline) != 0)
        stream_doom(stream, FRONT_LOG_ERROR, error_text(ERR_MEMORY));
}

void stream_alive(struct stream *stream, struct now now)
{
    if (stream->allocated)
        return;
    stream->quiet_deadline_ns = now.monotonic_ns + stream->front->settings->idle_timeout_s * NS_PER_S;
    stream_rearm(stream);
}

/* What the client failed to do in time. */
static const char *lateness(const struct stream *stream, struct now now)
{
    if (stream->blocked_deadline_ns <= now.monotonic_ns)
        return "closed: it does not read what it is sent";
    switch ((enum stream_stage)stream->stage) {
    case STREAM_PROXY_HEADER:
        return "closed: no PROXY header in time, although its address is listed as a proxy's";
    case STREAM_FIRST_BYTE:
        return "closed: it sent nothing in time";
    case STREAM_FIRST_MESSAGE:
        return stream->tls && !tls_session_established(stream->tls) ? "closed: TLS hand-shake not done in time"
                                                                    : "closed: no whole message in time";
    case STREAM_HTTP:
        return "closed: no whole HTTP request in time";
    case STREAM_WEBSOCKET:
        return "closed: it said nothing in time";
    default:
        return "closed: idle without an allocation";
    }
}

static void deadline_passed(struct timer *timer, struct now now)
{
    struct stream *stream = container_of(timer, struct stream, timer);
    bool blocked = stream->blocked_deadline_ns <= now.monotonic_ns;
    if (stream->stage == STREAM_WEBSOCKET && !blocked && websocket_wait(stream, now))
        return;
    bool expected = stream->stage == STREAM_LEAVING || stream->stage == STREAM_TURN ||
                    (stream->stage == STREAM_HTTP && stream->requests > 0);
    stream_doom(stream, expected ? FRONT_LOG_DEBUG : FRONT_LOG_INFO, lateness(stream, now));
}

static void ready(struct loop_source *source, uint32_t events, struct now now)
{
    struct stream *stream = container_of(source, struct stream, source);
    uint32_t watched = stream->watched;
    if ((watched & EPOLLOUT) && (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)))
        stream_writable(stream, now);
    if (!stream->doomed && (watched & EPOLLIN) && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        stream_readable(stream, now);
}

static void link_allocation(struct front_link *link, struct turn_allocation *allocation)
{
    struct stream *stream = container_of(link, struct stream, link);
    struct ledger *ledger = stream->front->settings->ledger;
    stream->allocated = allocation != NULL;
    if (stream->doomed)
        return;
    if (allocation) {
        ledger_half_open_end(ledger, &stream->half_open);
        stream->quiet_deadline_ns = TIME_NEVER;
        stream_rearm(stream);
        return;
    }
    /* It counts again, or one account could pile up connections by giving each one's allocation back. */
    if (ledger_half_open_begin(ledger, &stream->flow.client, &stream->half_open) != 0)
        stream_doom(stream, FRONT_LOG_INFO, "closed: too many connections without an allocation");
    stream_alive(stream, loop_now(stream->front->worker->loop));
}

void stream_accept(struct front *front, int fd, const struct address *peer, enum front_listen kind, struct now now)
{
    bool proxied = is_proxy(front->settings, peer);
    struct ledger *ledger = front->settings->ledger;
    struct ledger_source *half_open = NULL;
    if (!proxied && ledger_half_open_begin(ledger, peer, &half_open) != 0) {
        close(fd);
        return;
    }
    struct stream *stream = memory_zeroed(1, sizeof *stream);
    if (!stream) {
        ledger_half_open_end(ledger, &half_open);
        close(fd);
        return;
    }
    *stream = (struct stream){
        .link = {.send = stream_link_send, .allocation = link_allocation, .join = stream_link_join},
        .flow = {.client = *peer, .server = net_local_address(fd), .transport = TURN_TCP, .link = &stream->link},
        .front = front,
        .source = {.ready = ready, .fd = -1},
        .timer = {.callback = deadline_passed},
        .quiet_deadline_ns = now.monotonic_ns + front->settings->handshake_deadline_s * NS_PER_S,
        .blocked_deadline_ns = TIME_NEVER,
        .fd = fd,
        .allowance = STREAM_ALLOWANCE_INITIAL,
        .stage = proxied ? STREAM_PROXY_HEADER : STREAM_FIRST_BYTE,
        .kind = (uint8_t)kind,
        .half_open = half_open,
    };
    stream_bridge_init(stream);
    list_append(&front->streams, &stream->in_front);
    front->stream_count++;
    net_tcp_tune(fd, front->settings->keepalive_s);
    stream_rearm(stream);
    stream_watch(stream);
}

void stream_doom(struct stream *stream, enum front_log_level level, const char *text)
{
    if (stream->doomed)
        return;
    struct front *front = stream->front;
    const char *what = stream->websocket ? "websocket" : stream->tls ? "tls" : "tcp";
    front_log(front, level, what, &stream->flow.client, text);
    stream->doomed = true;
    loop_remove(front->worker->loop, &stream->source);
    timers_cancel(front_timers(front), &stream->timer);
    list_remove(&stream->in_front);
    list_append(&front->doomed, &stream->in_front);
    loop_defer(front->worker->loop, &front->reap);
}

/* Our close_notify, if it can leave at once. */
static void say_goodbye(struct stream *stream)
{
    if (!stream->tls || stream->unsent || stream->goodbye_said)
        return;
    struct tls_output output = {.bytes = stream->front->output, .size = sizeof stream->front->output};
    tls_session_close(stream->tls, &output);
    if (output.length > 0)
        (void)!send(stream->fd, output.bytes, output.length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void stream_destroy(struct stream *stream, struct now now)
{
    struct front *front = stream->front;
    if (front->staging.stream == stream)
        front->staging.stream = NULL;
    /* Both may lead to calls of our link: the stream is still whole. */
    if (stream->allocated)
        turn_server_flow_closed(front->server, &stream->flow, now);
    bridge_leave(&stream->bridge);
    websocket_destroy(stream, now);
    say_goodbye(stream);
    list_remove(&stream->in_front);
    front->stream_count--;
    buffers_give(&front->buffers, &stream->rest);
    buffers_give(&front->buffers, &stream->unsent);
    stream_queue_clear(&stream->queue, &front->blocks);
    tls_session_destroy(&stream->tls);
    ledger_half_open_end(front->settings->ledger, &stream->half_open);
    close(stream->fd);
    memory_free(stream);
}

void streams_reap(struct loop_task *task, struct now now)
{
    struct front *front = container_of(task, struct front, reap);
    while (!list_empty(&front->doomed))
        stream_destroy(container_of(front->doomed.next, struct stream, in_front), now);
}

void stream_leave(struct stream *stream, struct now now)
{
    if (stream->doomed || stream->stage == STREAM_LEAVING)
        return;
    stream->stage = STREAM_LEAVING;
    stream->bridge_full = false; /* who is read to the end is not reset */
    buffers_give(&stream->front->buffers, &stream->rest);
    stream->quiet_deadline_ns = now.monotonic_ns + LEAVE_NS;
    stream_rearm(stream);
    stream_output_end(stream, now);
    stream_watch(stream);
}
