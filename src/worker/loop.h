/* SPDX-License-Identifier: BSD-3-Clause
 * One worker's event loop: epoll, timers, and work put off to the end of a turn. One thread; only loop_stop() may be
 * called from another. */
#ifndef WORKER_LOOP_H
#define WORKER_LOOP_H

#include <stdint.h>
#include <sys/epoll.h>

#include "base/list.h"
#include "base/now.h"
#include "base/timers.h"

struct loop;

/* A file descriptor that the loop watches, level-triggered. Lives inside its owner. */
struct loop_source {
    /* |events| are EPOLLIN and so on. The owner may remove and free any source from here. */
    void (*ready)(struct loop_source *source, uint32_t events, struct now now);
    int fd; /* -1: not watched */
};

/* Work for the end of this turn, such as flushing what a batch has queued. Lives inside its owner. */
struct loop_task {
    struct list link;
    void (*run)(struct loop_task *task, struct now now);
};

/* Returns 0, ERR_MEMORY or ERR_SYSTEM. */
int loop_create(struct loop **out);
void loop_destroy(struct loop **loop);

/* Watches |fd| for |events|. Returns 0, or ERR_SYSTEM with errno set. |source|->ready is set by the owner. */
int loop_add(struct loop *loop, struct loop_source *source, int fd, uint32_t events);
/* Watches for other |events|. Returns as loop_add(). */
int loop_modify(struct loop *loop, struct loop_source *source, uint32_t events);
/* Stops watching; does not close. Events of this turn that are still to come are forgotten. A source that is not
 * watched is left alone. */
void loop_remove(struct loop *loop, struct loop_source *source);

struct timers *loop_timers(struct loop *loop);
/* The time at the start of this turn. */
struct now loop_now(const struct loop *loop);

/* To be called before any other function gets |task|. */
void loop_task_init(struct loop_task *task, void (*run)(struct loop_task *, struct now));
/* Runs |task| once at the end of this turn; asking again before that does nothing. */
void loop_defer(struct loop *loop, struct loop_task *task);
void loop_task_cancel(struct loop_task *task);
/* Runs |task| at the end of every turn, after the deferred ones, until loop_task_cancel(). */
void loop_each_turn(struct loop *loop, struct loop_task *task);

/* Serves until loop_stop(). */
void loop_run(struct loop *loop);
/* Any thread, or a signal handler. */
void loop_stop(struct loop *loop);

#endif
