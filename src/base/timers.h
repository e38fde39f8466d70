/* SPDX-License-Identifier: BSD-3-Clause
 * Timers of one thread in a binary heap. A timer lives inside the object it belongs to; setting and
 * cancelling cost O(log n), and asking for the next deadline nothing. */
#ifndef BASE_TIMERS_H
#define BASE_TIMERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/now.h"

struct timer;
/* Called once when the time has come; the timer is off then and may be set again or freed. */
typedef void timer_callback(struct timer *timer, struct now now);

struct timer {
    uint64_t deadline_ns;
    timer_callback *callback;
    size_t position; /* in the heap, from 1; 0 = off */
};

struct timers {
    struct timer **heap;
    size_t count, capacity;
};

void timers_init(struct timers *timers);
/* Frees the heap; the timers belong to the caller. */
void timers_fini(struct timers *timers);

/* Turns |timer| on, or moves it, to |deadline_ns| (monotonic). |callback| stays as set by the owner. Returns
 * 0, or ERR_MEMORY with the timer off; it cannot fail for a timer that is on, nor within timers_reserve()'s
 * room. */
int timers_set(struct timers *timers, struct timer *timer, uint64_t deadline_ns);
/* The same, but TIME_NEVER turns |timer| off; one that stands at |deadline_ns| already is left alone. */
int timers_update(struct timers *timers, struct timer *timer, uint64_t deadline_ns);
/* Turning off a timer that is off does nothing. */
void timers_cancel(struct timers *timers, struct timer *timer);
/* Room for |count| timers in all. Returns 0 or ERR_MEMORY. */
int timers_reserve(struct timers *timers, size_t count);

/* Monotonic time of the earliest timer, TIME_NEVER if none is on. */
uint64_t timers_deadline(const struct timers *timers);
/* Calls every timer whose deadline is not after |now|. */
void timers_expire(struct timers *timers, struct now now);

#endif
