/* SPDX-License-Identifier: BSD-3-Clause */
#include "worker/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "net/socket.h"

#define EVENTS_PER_TURN 256

struct loop {
    int epoll;
    struct loop_source stop_bell;
    atomic_bool stopped;
    struct timers timers;
    struct list tasks, each_turn;
    struct now now;
    /* Events of this turn; those of a source that is removed meanwhile are cleared. */
    struct epoll_event events[EVENTS_PER_TURN];
    int event_count, event_next;
};

static void stop_bell_ready(struct loop_source *source, uint32_t events, struct now now)
{
    (void)source, (void)events, (void)now; /* waking up is all; loop_run() looks at |stopped| */
}

int loop_create(struct loop **out)
{
    struct loop *loop = memory_zeroed(1, sizeof *loop);
    if (!loop)
        return ERR_MEMORY;
    list_init(&loop->tasks);
    list_init(&loop->each_turn);
    timers_init(&loop->timers);
    loop->now = net_now();
    loop->stop_bell = (struct loop_source){.ready = stop_bell_ready, .fd = -1};
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    int bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (loop->epoll < 0 || bell < 0 || loop_add(loop, &loop->stop_bell, bell, EPOLLIN) != 0) {
        if (bell >= 0)
            close(bell);
        loop->stop_bell.fd = -1;
        loop_destroy(&loop);
        return ERR_SYSTEM;
    }
    *out = loop;
    return 0;
}

void loop_destroy(struct loop **slot)
{
    struct loop *loop = *slot;
    *slot = NULL;
    if (!loop)
        return;
    if (loop->stop_bell.fd >= 0)
        close(loop->stop_bell.fd);
    if (loop->epoll >= 0)
        close(loop->epoll);
    timers_fini(&loop->timers);
    memory_free(loop);
}

int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        return ERR_SYSTEM;
    source->fd = fd;
    return 0;
}

int loop_modify(struct loop *loop, struct loop_source *source, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    return epoll_ctl(loop->epoll, EPOLL_CTL_MOD, source->fd, &event) == 0 ? 0 : ERR_SYSTEM;
}

void loop_remove(struct loop *loop, struct loop_source *source)
{
    if (source->fd < 0)
        return;
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
    source->fd = -1;
    for (int i = loop->event_next; i < loop->event_count; i++)
        if (loop->events[i].data.ptr == source)
            loop->events[i].data.ptr = NULL;
}

struct timers *loop_timers(struct loop *loop)
{
    return &loop->timers;
}

struct now loop_now(const struct loop *loop)
{
    return loop->now;
}

void loop_task_init(struct loop_task *task, void (*run)(struct loop_task *, struct now))
{
    list_init(&task->link);
    task->run = run;
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
    if (list_empty(&task->link))
        list_append(&loop->tasks, &task->link);
}

void loop_each_turn(struct loop *loop, struct loop_task *task)
{
    list_append(&loop->each_turn, &task->link);
}

void loop_task_cancel(struct loop_task *task)
{
    list_remove(&task->link);
}

static void run_tasks(struct loop *loop)
{
    while (!list_empty(&loop->tasks)) {
        struct loop_task *task = container_of(loop->tasks.next, struct loop_task, link);
        list_remove(&task->link);
        task->run(task, loop->now);
    }
    struct list *link;
    list_each (link, &loop->each_turn) {
        struct loop_task *task = container_of(link, struct loop_task, link);
        task->run(task, loop->now);
    }
}

/* Milliseconds until the next timer, rounded up so that it is due on waking; -1 for ever. */
static int wait_ms(const struct loop *loop)
{
    uint64_t deadline = timers_deadline(&loop->timers);
    if (deadline == TIME_NEVER)
        return -1;
    uint64_t now = net_now().monotonic_ns;
    if (deadline <= now)
        return 0;
    uint64_t ms = (deadline - now + NS_PER_MS - 1) / NS_PER_MS;
    return ms > 60000 ? 60000 : (int)ms;
}

static void turn(struct loop *loop)
{
    int count = epoll_wait(loop->epoll, loop->events, EVENTS_PER_TURN, wait_ms(loop));
    loop->now = net_now();
    loop->event_count = count > 0 ? count : 0;
    for (loop->event_next = 0; loop->event_next < loop->event_count;) {
        struct epoll_event *event = &loop->events[loop->event_next++];
        struct loop_source *source = event->data.ptr;
        if (source)
            source->ready(source, event->events, loop->now);
    }
    timers_expire(&loop->timers, loop->now);
    run_tasks(loop);
}

void loop_run(struct loop *loop)
{
    while (!atomic_load_explicit(&loop->stopped, memory_order_acquire))
        turn(loop);
}

void loop_stop(struct loop *loop)
{
    atomic_store_explicit(&loop->stopped, true, memory_order_release);
    uint64_t one = 1;
    /* Fails only if the bell is ringing already. */
    ssize_t written = write(loop->stop_bell.fd, &one, sizeof one);
    (void)written;
}
