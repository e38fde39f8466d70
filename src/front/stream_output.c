/* SPDX-License-Identifier: BSD-3-Clause
 * From messages to a socket: what is ready in one turn of the loop leaves in as few records and writes as possible.
 * Encryption comes last: behind bytes that the socket did not take, packets wait in the clear and grow stale. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "front/stream.h"

/* In a batch of up to so many messages each gets a TLS record of its own, still in one write: there are clients that
 * take a record for a message (coturn's turnutils_uclient), and a client can use each as soon as its segment arrives. A
 * larger batch shares records: a microsecond for each message would add up. */
#define SEPARATE_RECORDS_MAX 4

static void note_blocked(struct stream *stream, struct now now)
{
    stream->blocked_deadline_ns = stream->unsent || stream->pace.full
                                      ? now.monotonic_ns + stream->front->settings->idle_timeout_s * NS_PER_S
                                      : TIME_NEVER;
    stream_rearm(stream);
}

/* Returns the number of bytes that the socket took; dooms the stream where it is broken. */
static size_t socket_write(struct stream *stream, const uint8_t *bytes, size_t length)
{
    ssize_t sent = send(stream->fd, bytes, length, MSG_NOSIGNAL);
    if (sent >= 0)
        return (size_t)sent;
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        stream_doom(stream, FRONT_LOG_DEBUG, strerror(errno));
    return 0;
}

void stream_write_raw(struct stream *stream, const uint8_t *bytes, size_t length, struct now now)
{
    if (stream->doomed || length == 0)
        return;
    size_t sent = stream->unsent ? 0 : socket_write(stream, bytes, length);
    if (stream->doomed || sent == length)
        return;
    bool was_blocked = stream->unsent != NULL;
    if (buffers_append(&stream->front->buffers, &stream->unsent, bytes + sent, length - sent) != 0) {
        stream_doom(stream, FRONT_LOG_INFO, "closed: too much waits to be written");
        return;
    }
    if (!was_blocked)
        note_blocked(stream, now);
    stream_watch(stream);
}

/* Encrypts |length| bytes, in as few records as that takes, behind what |output| has already. */
static void encrypt(struct stream *stream, const uint8_t *bytes, size_t length, struct tls_output *output)
{
    for (size_t at = 0; at < length && !stream->doomed; at += TLS_RECORD_MAX) {
        size_t part = length - at < TLS_RECORD_MAX ? length - at : TLS_RECORD_MAX;
        if (tls_session_write(stream->tls, bytes + at, part, output) != 0)
            stream_doom(stream, FRONT_LOG_INFO, "closed: encryption failed");
    }
}

void stream_write(struct stream *stream, const uint8_t *bytes, size_t length, struct now now)
{
    if (!stream->tls) {
        stream_write_raw(stream, bytes, length, now);
        return;
    }
    struct tls_output output = {.bytes = stream->front->output, .size = sizeof stream->front->output};
    encrypt(stream, bytes, length, &output);
    stream_write_raw(stream, output.bytes, output.length, now);
}

static size_t packet_start(const struct staging *staging, unsigned index)
{
    return index > 0 ? staging->packets[index - 1].end : STAGING_HEADROOM;
}

/* Writes the packets of a batch as one WebSocket message. Its head takes the place of what stands before them:
 * headroom, or packets that have been written. */
static void write_message(struct stream *stream, size_t start, size_t length, struct now now)
{
    uint8_t head[WS_FRAME_HEAD_MAX], *bytes = stream->front->staging.bytes + start;
    size_t head_length = ws_frame_head(WS_BINARY, length, NULL, head);
    memcpy(bytes - head_length, head, head_length);
    stream_write(stream, bytes - head_length, head_length + length, now);
}

/* Writes the staged packets from |first| to before |last| at once. A socket that does not take all of it is given
 * little from then on. */
static void write_batch(struct stream *stream, unsigned first, unsigned last, struct now now)
{
    const struct staging *staging = &stream->front->staging;
    size_t start = packet_start(staging, first), length = packet_start(staging, last) - start;
    if (stream->in_messages) {
        write_message(stream, start, length, now);
    } else if (!stream->tls || last - first > SEPARATE_RECORDS_MAX) {
        stream_write(stream, staging->bytes + start, length, now);
    } else {
        struct tls_output output = {.bytes = stream->front->output, .size = sizeof stream->front->output};
        for (unsigned i = first; i < last; i++)
            encrypt(stream, staging->bytes + packet_start(staging, i),
                    staging->packets[i].end - packet_start(staging, i), &output);
        stream_write_raw(stream, output.bytes, output.length, now);
    }
    pace_wrote(&stream->pace, length);
    if (stream->unsent)
        stream->allowance = STREAM_ALLOWANCE_MIN;
}

/* Whether the socket should be given more. If not, packets wait in the queue until it is writable. */
static bool may_write(struct stream *stream, bool always, struct now now)
{
    if (stream->doomed || stream->unsent)
        return false;
    if (pace_allows(&stream->pace, stream->fd, always, now))
        return true;
    stream->allowance = STREAM_ALLOWANCE_MIN;
    note_blocked(stream, now);
    return false;
}

static void queue_packet(struct stream *stream, const struct turn_packet *packet, struct now now)
{
    if (stream_queue_push(&stream->queue, &stream->front->blocks, packet, now.monotonic_ns) != 0 &&
        packet->class == TURN_CLASS_ANSWER)
        stream_doom(stream, FRONT_LOG_INFO, "closed: no memory for its answers");
}

/* The staged packets from |index| on wait in the queue. */
static void staging_to_queue(struct stream *stream, unsigned index, struct now now)
{
    const struct staging *staging = &stream->front->staging;
    for (; index < staging->count && !stream->doomed; index++) {
        size_t start = packet_start(staging, index);
        struct turn_packet packet = {.head = staging->bytes + start,
                                     .head_length = staging->packets[index].end - start,
                                     .class = (enum turn_class)staging->packets[index].class};
        queue_packet(stream, &packet, now);
    }
}

void staging_flush(struct front *front, struct now now)
{
    struct staging *staging = &front->staging;
    struct stream *stream = staging->stream;
    staging->stream = NULL;
    loop_task_cancel(&staging->flush);
    if (!stream || stream->doomed)
        return;
    unsigned index = 0;
    while (index < staging->count && !stream_congested(stream) && may_write(stream, false, now)) {
        unsigned first = index++;
        size_t start = packet_start(staging, first);
        while (index < staging->count && staging->packets[index].end - start <= stream->allowance)
            index++;
        write_batch(stream, first, index, now);
        if (!stream->unsent && packet_start(staging, index) - start >= stream->allowance / 2 &&
            stream->allowance < STREAM_ALLOWANCE_MAX)
            stream->allowance *= 2;
    }
    staging_to_queue(stream, index, now);
    stream_watch(stream);
}

void staging_run(struct loop_task *task, struct now now)
{
    staging_flush(container_of(task, struct front, staging.flush), now);
}

static void staging_begin(struct staging *staging)
{
    staging->length = STAGING_HEADROOM;
    staging->count = 0;
}

/* The next |length| bytes of the staging memory have become a packet. */
static void staging_add(struct staging *staging, size_t length, enum turn_class class)
{
    staging->length += length;
    staging->packets[staging->count].end = (uint32_t)staging->length;
    staging->packets[staging->count++].class = (uint8_t) class;
}

void stream_link_send(struct front_link *link, const struct turn_flow *flow, const struct turn_packet *packet)
{
    (void)flow;
    struct stream *stream = container_of(link, struct stream, link);
    struct front *front = stream->front;
    struct staging *staging = &front->staging;
    size_t length = turn_packet_length(packet);
    if (stream->doomed || stream->output_ended || length > STAGING_SIZE)
        return;
    struct now now = loop_now(front->worker->loop);
    if (staging->stream &&
        (staging->stream != stream || staging->count == STAGED_MAX || sizeof staging->bytes - staging->length < length))
        staging_flush(front, now);
    if (!staging->stream && stream_congested(stream)) {
        queue_packet(stream, packet, now);
        stream_watch(stream);
        return;
    }
    if (!staging->stream) {
        staging->stream = stream;
        staging_begin(staging);
        loop_defer(front->worker->loop, &staging->flush);
    }
    turn_packet_copy(packet, staging->bytes + staging->length);
    staging_add(staging, length, packet->class);
}

/* Writes what is held. */
static void unsent_write(struct stream *stream, struct now now)
{
    struct buffer *unsent = stream->unsent;
    size_t sent = socket_write(stream, unsent->bytes + unsent->start, buffer_length(unsent));
    unsent->start += (uint32_t)sent;
    if (buffer_length(unsent) == 0)
        buffers_give(&stream->front->buffers, &stream->unsent);
    if (sent > 0 && !stream->doomed)
        note_blocked(stream, now);
}

/* The last byte has left: close_notify, if it was not that, and FIN. */
static void output_close(struct stream *stream, struct now now)
{
    if (stream->tls && !stream->goodbye_said) {
        struct tls_output output = {.bytes = stream->front->output, .size = sizeof stream->front->output};
        stream->goodbye_said = true;
        tls_session_close(stream->tls, &output);
        stream_write_raw(stream, output.bytes, output.length, now);
    }
    if (stream->doomed || stream->unsent)
        return;
    stream->output_closed = true;
    shutdown(stream->fd, SHUT_WR);
    if (stream->input_ended)
        stream_doom(stream, FRONT_LOG_DEBUG, "closed");
}

/* All that waited has left. */
static void output_drained(struct stream *stream, struct now now)
{
    if (stream->output_ended && !stream->output_closed)
        output_close(stream, now);
    if (stream->bridge.other && !stream->unsent)
        stream->bridge.other->resume(stream->bridge.other);
    if (stream->stage == STREAM_HTTP)
        stream_http_drained(stream, now);
}

/* Stages what may go next of the queue. */
static void queue_to_staging(struct stream *stream, struct now now)
{
    struct front *front = stream->front;
    struct staging *staging = &front->staging;
    staging_begin(staging);
    while (staging->length < STAGING_HEADROOM + stream->allowance && staging->count < STAGED_MAX) {
        size_t length = stream_queue_take(&stream->queue, &front->blocks, staging->bytes + staging->length, 1,
                                          sizeof staging->bytes - staging->length, now.monotonic_ns);
        if (length == 0)
            break;
        staging_add(staging, length, TURN_CLASS_LIVE);
    }
}

void stream_writable(struct stream *stream, struct now now)
{
    staging_flush(stream->front, now); /* its memory is needed */
    bool was_full = stream->pace.full;
    stream->pace.full = false;
    if (stream->unsent && !stream->doomed)
        unsent_write(stream, now);
    else if (was_full)
        note_blocked(stream, now);
    while (!stream_queue_empty(&stream->queue) && may_write(stream, true, now)) {
        queue_to_staging(stream, now);
        write_batch(stream, 0, stream->front->staging.count, now);
    }
    if (!stream->doomed && !stream_congested(stream))
        output_drained(stream, now);
    stream_watch(stream);
}

void stream_output_end(struct stream *stream, struct now now)
{
    if (stream->output_ended || stream->doomed)
        return;
    if (stream->front->staging.stream == stream)
        staging_flush(stream->front, now);
    stream->output_ended = true;
    if (!stream->doomed && !stream_congested(stream))
        output_drained(stream, now);
    stream_watch(stream);
}
