/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/timers.h"

#include "base/error.h"
#include "base/memory.h"

void timers_init(struct timers *timers)
{
    *timers = (struct timers){0};
}

void timers_fini(struct timers *timers)
{
    memory_free(timers->heap);
    timers_init(timers);
}

int timers_reserve(struct timers *timers, size_t count)
{
    if (count <= timers->capacity)
        return 0;
    size_t capacity = timers->capacity ? timers->capacity : 64;
    while (capacity < count)
        capacity *= 2;
    struct timer **heap = memory_resize(timers->heap, capacity * sizeof *heap);
    if (!heap)
        return ERR_MEMORY;
    timers->heap = heap;
    timers->capacity = capacity;
    return 0;
}

/* Position p counts from 1, so the children of p are 2p and 2p + 1. */
static void place(struct timers *timers, struct timer *timer, size_t position)
{
    timers->heap[position - 1] = timer;
    timer->position = position;
}

static struct timer *at(const struct timers *timers, size_t position)
{
    return timers->heap[position - 1];
}

static void sift_up(struct timers *timers, struct timer *timer, size_t position)
{
    while (position > 1 && at(timers, position / 2)->deadline_ns > timer->deadline_ns) {
        place(timers, at(timers, position / 2), position);
        position /= 2;
    }
    place(timers, timer, position);
}

static void sift_down(struct timers *timers, struct timer *timer, size_t position)
{
    for (;;) {
        size_t child = 2 * position;
        if (child > timers->count)
            break;
        if (child < timers->count && at(timers, child + 1)->deadline_ns < at(timers, child)->deadline_ns)
            child++;
        if (at(timers, child)->deadline_ns >= timer->deadline_ns)
            break;
        place(timers, at(timers, child), position);
        position = child;
    }
    place(timers, timer, position);
}

static void settle(struct timers *timers, struct timer *timer, size_t position)
{
    if (position > 1 && at(timers, position / 2)->deadline_ns > timer->deadline_ns)
        sift_up(timers, timer, position);
    else
        sift_down(timers, timer, position);
}

int timers_set(struct timers *timers, struct timer *timer, uint64_t deadline_ns)
{
    if (timer->position == 0 && timers_reserve(timers, timers->count + 1) != 0)
        return ERR_MEMORY;
    timer->deadline_ns = deadline_ns;
    if (timer->position == 0)
        sift_up(timers, timer, ++timers->count);
    else
        settle(timers, timer, timer->position);
    return 0;
}

void timers_cancel(struct timers *timers, struct timer *timer)
{
    size_t position = timer->position;
    if (position == 0)
        return;
    timer->position = 0;
    struct timer *last = at(timers, timers->count--);
    if (last != timer)
        settle(timers, last, position);
}

int timers_update(struct timers *timers, struct timer *timer, uint64_t deadline_ns)
{
    if (deadline_ns == TIME_NEVER)
        timers_cancel(timers, timer);
    else if (timer->position == 0 || timer->deadline_ns != deadline_ns)
        return timers_set(timers, timer, deadline_ns);
    return 0;
}

uint64_t timers_deadline(const struct timers *timers)
{
    return timers->count > 0 ? at(timers, 1)->deadline_ns : TIME_NEVER;
}

void timers_expire(struct timers *timers, struct now now)
{
    while (timers_deadline(timers) <= now.monotonic_ns) {
        struct timer *timer = at(timers, 1);
        timers_cancel(timers, timer);
        timer->callback(timer, now);
    }
}
