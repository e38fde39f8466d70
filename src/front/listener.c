/* SPDX-License-Identifier: BSD-3-Clause */
#include "front/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "front/stream.h"
#include "net/socket.h"

/* Connections accepted before others get their turn. */
#define ACCEPT_BATCH 64
/* While descriptors or memory are short, trying again at once would only burn the processor. */
#define PAUSE_NS (100 * NS_PER_MS)

static int open_reserve(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void pause_accepting(struct listener *listener, struct now now)
{
    struct front *front = listener->front;
    /* Without the timer nobody would begin again: then rather burn the processor. */
    if (timers_set(front_timers(front), &listener->resume, now.monotonic_ns + PAUSE_NS) == 0)
        loop_remove(front->worker->loop, &listener->source);
}

/* Out of descriptors: closes the oldest waiting connection, so that its client learns it at once. */
static void turn_away(struct listener *listener, struct now now)
{
    struct address peer = {0};
    if (listener->reserve >= 0) {
        close(listener->reserve);
        int fd = net_tcp_accept(listener->fd, &peer);
        if (fd >= 0)
            close(fd);
        listener->reserve = open_reserve();
    }
    front_log(listener->front, FRONT_LOG_ERROR, "tcp", &peer,
              "turned away: all file descriptors are in use; raise the limit (ulimit -n, LimitNOFILE=)");
    pause_accepting(listener, now);
}

static void ready(struct loop_source *source, uint32_t events, struct now now)
{
    (void)events;
    struct listener *listener = container_of(source, struct listener, source);
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct address peer;
        int fd = net_tcp_accept(listener->fd, &peer);
        if (fd >= 0) {
            stream_accept(listener->front, fd, &peer, listener->kind, now);
            continue;
        }
        if (fd == ERR_WOULD_BLOCK)
            return;
        if (errno == EMFILE || errno == ENFILE)
            turn_away(listener, now);
        else if (errno == ENOBUFS || errno == ENOMEM)
            pause_accepting(listener, now);
        else
            continue; /* the connection ended while it waited, or such */
        return;
    }
}

static void resume(struct timer *timer, struct now now)
{
    struct listener *listener = container_of(timer, struct listener, resume);
    if (listener->reserve < 0)
        listener->reserve = open_reserve();
    if (loop_add(listener->front->worker->loop, &listener->source, listener->fd, EPOLLIN) != 0)
        pause_accepting(listener, now);
}

int listener_create(struct front *front, int fd, enum front_listen kind)
{
    struct listener *listener = memory_zeroed(1, sizeof *listener);
    if (!listener)
        return ERR_MEMORY;
    *listener = (struct listener){.front = front,
                                  .source = {.ready = ready, .fd = -1},
                                  .resume = {.callback = resume},
                                  .fd = fd,
                                  .reserve = open_reserve(),
                                  .kind = kind};
    if (loop_add(front->worker->loop, &listener->source, fd, EPOLLIN) != 0) {
        if (listener->reserve >= 0)
            close(listener->reserve);
        memory_free(listener);
        return ERR_SYSTEM;
    }
    list_append(&front->listeners, &listener->in_front);
    return 0;
}

void listener_destroy(struct listener *listener)
{
    loop_remove(listener->front->worker->loop, &listener->source);
    timers_cancel(front_timers(listener->front), &listener->resume);
    if (listener->reserve >= 0)
        close(listener->reserve);
    list_remove(&listener->in_front);
    memory_free(listener);
}
