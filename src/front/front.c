/* SPDX-License-Identifier: BSD-3-Clause */
#include "front/front.h"

#include <stdio.h>

#include "base/error.h"
#include "base/memory.h"
#include "front/dtls.h"
#include "front/front_state.h"
#include "front/listener.h"
#include "front/stream.h"

/* Of each size of buffers, and of the queues' blocks: what slow clients of one worker may cost at most. */
#define MEMORY_LIMIT ((size_t)64 * 1024 * 1024)

void front_log(const struct front *front, enum front_log_level level, const char *what, const struct address *client,
               const char *text)
{
    if (!front->settings->log)
        return;
    char address[ADDRESS_TEXT_MAX], line[ADDRESS_TEXT_MAX + 256];
    if (client->family == ADDRESS_NONE)
        snprintf(line, sizeof line, "%s: %s", what, text);
    else
        snprintf(line, sizeof line, "%s client %s: %s", what, address_format(client, address), text);
    front->settings->log(front->settings->log_context, level, line);
}

void front_flush_datagrams(struct front *front)
{
    if (front->worker->sender.message_count > 0)
        udp_sender_flush(&front->worker->sender);
}

int front_create(const struct front_settings *settings, struct worker *worker, struct turn_server *server,
                 struct front **out)
{
    struct front *front = memory_zeroed(1, sizeof *front);
    if (!front)
        return ERR_MEMORY;
    front->settings = settings;
    front->worker = worker;
    front->server = server;
    list_init(&front->listeners);
    list_init(&front->streams);
    list_init(&front->doomed);
    loop_task_init(&front->reap, streams_reap);
    loop_task_init(&front->staging.flush, staging_run);
    buffers_init(&front->buffers, MEMORY_LIMIT);
    stream_queue_blocks_init(&front->blocks, MEMORY_LIMIT);
    if (dtls_clients_init(front) != 0) {
        front_destroy(&front);
        return ERR_MEMORY;
    }
    *out = front;
    return 0;
}

void front_destroy(struct front **slot)
{
    struct front *front = *slot;
    *slot = NULL;
    if (!front)
        return;
    /* Streams on their way to this worker arrive now or never. */
    mailbox_fini(&front->worker->mailbox);
    while (!list_empty(&front->listeners))
        listener_destroy(container_of(front->listeners.next, struct listener, in_front));
    while (!list_empty(&front->streams))
        stream_doom(container_of(front->streams.next, struct stream, in_front), FRONT_LOG_DEBUG,
                    "closed: the server ends");
    streams_reap(&front->reap, loop_now(front->worker->loop));
    loop_task_cancel(&front->reap);
    loop_task_cancel(&front->staging.flush);
    dtls_clients_fini(front);
    ws_receivers_fini(&front->receivers);
    buffers_fini(&front->buffers);
    pool_fini(&front->blocks);
    memory_free(front);
}

void front_set_workers(struct front *front, struct front *const *fronts, unsigned count)
{
    front->fronts = fronts;
    front->front_count = count;
}

void front_set_websocket_user(struct front *front, const struct front_websocket_user *user)
{
    front->websocket_user = user;
}

int front_listen(struct front *front, int fd, enum front_listen kind)
{
    return listener_create(front, fd, kind);
}

struct front_totals front_totals(const struct front *front)
{
    return (struct front_totals){.streams = front->stream_count, .dtls_sessions = (unsigned)front->dtls_clients.count};
}
