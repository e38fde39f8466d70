/* SPDX-License-Identifier: BSD-3-Clause
 * RFC 6062: a stream that has become the bytes of a connection to a peer, and how it gets to the worker that holds that
 * connection. */
#include <string.h>

#include "base/memory.h"
#include "front/stream.h"

static struct stream *stream_of(struct bridge_end *end)
{
    return container_of(end, struct stream, bridge);
}

static struct now now_of(const struct stream *stream)
{
    return loop_now(stream->front->worker->loop);
}

static bool end_write(struct bridge_end *end, const uint8_t *bytes, size_t length)
{
    struct stream *stream = stream_of(end);
    if (stream->output_ended)
        return true;
    stream_write(stream, bytes, length, now_of(stream));
    return !stream_congested(stream);
}

static void end_resume(struct bridge_end *end)
{
    struct stream *stream = stream_of(end);
    stream->bridge_full = false;
    if (stream->stage == STREAM_BACKEND)
        stream_go_on(stream, now_of(stream));
    stream_watch(stream);
}

static void end_finish(struct bridge_end *end)
{
    struct stream *stream = stream_of(end);
    stream_output_end(stream, now_of(stream));
}

static void end_part(struct bridge_end *end)
{
    struct stream *stream = stream_of(end);
    stream_leave(stream, now_of(stream));
}

void stream_bridge_init(struct stream *stream)
{
    stream->bridge =
        (struct bridge_end){.write = end_write, .resume = end_resume, .finish = end_finish, .part = end_part};
}

void stream_link_join(struct front_link *link, struct bridge_end *peer)
{
    struct stream *stream = container_of(link, struct stream, link);
    struct front *front = stream->front;
    if (stream->doomed) {
        peer->part(peer);
        return;
    }
    struct now now = now_of(stream);
    stream->stage = STREAM_JOINED;
    ledger_half_open_end(front->settings->ledger, &stream->half_open);
    stream->quiet_deadline_ns = TIME_NEVER; /* the allocation's lifetime governs */
    stream_rearm(stream);
    bridge_join(&stream->bridge, peer);
    /* The answer to the ConnectionBind goes first, then the peer's bytes. */
    if (front->staging.stream == stream)
        staging_flush(front, now);
    if (!stream_congested(stream) && stream->bridge.other)
        stream->bridge.other->resume(stream->bridge.other);
}

/* A stream on its way to another worker. */
struct stream_move {
    struct mail mail;
    struct stream *stream;
    struct front *to;
    size_t length; /* what was read: the ConnectionBind request and all after it */
    uint8_t bytes[];
};

static void arrive(struct mail *mail, struct now now)
{
    struct stream_move *move = container_of(mail, struct stream_move, mail);
    struct stream *stream = move->stream;
    struct front *front = move->to;
    stream->front = front;
    list_append(&front->streams, &stream->in_front);
    front->stream_count++;
    stream->stage = STREAM_TURN;
    stream_alive(stream, now);
    front_flush_datagrams(front);
    memcpy(front->input, move->bytes, move->length);
    stream_continue(stream, front->input, move->length, now);
    memory_free(move);
    front_flush_datagrams(front);
    /* Behind a request that was refused here may be one for a third worker. */
    if (!stream->doomed && stream->stage == STREAM_MOVING)
        stream_move(stream, now);
    else
        stream_watch(stream);
}

void stream_move(struct stream *stream, struct now now)
{
    struct front *front = stream->front;
    if (front->staging.stream == stream)
        staging_flush(front, now);
    struct front *to = front->fronts[stream->move_to];
    size_t length = buffer_length(stream->rest);
    struct stream_move *move = memory_zeroed(1, sizeof *move + length);
    /* One that has not read its earlier answers cannot move: what waits belongs to this worker. At the end of all
     * workers mail is opened for the last time, and may want to go on to one whose mail has been opened already. */
    if (!move || stream->doomed || stream_congested(stream) || !mailbox_is_open(&to->worker->mailbox)) {
        memory_free(move);
        stream_doom(stream, FRONT_LOG_INFO, "closed: it could not be moved to its peer connection's worker");
        return;
    }
    move->mail.open = arrive;
    move->stream = stream;
    move->to = to;
    move->length = length;
    memcpy(move->bytes, stream->rest->bytes + stream->rest->start, length);
    buffers_give(&front->buffers, &stream->rest);
    loop_remove(front->worker->loop, &stream->source);
    stream->watched = 0;
    timers_cancel(front_timers(front), &stream->timer);
    list_remove(&stream->in_front);
    front->stream_count--;
    mailbox_send(&move->to->worker->mailbox, &move->mail);
}
