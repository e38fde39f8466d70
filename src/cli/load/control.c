/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/load/control.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/now.h"

void load_control_init(struct load_control *control)
{
    memset(control, 0, sizeof *control);
    pthread_mutex_init(&control->mutex, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&control->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

void load_control_fini(struct load_control *control)
{
    pthread_cond_destroy(&control->changed);
    pthread_mutex_destroy(&control->mutex);
}

static void advance(struct load_control *control, unsigned *counter)
{
    pthread_mutex_lock(&control->mutex);
    ++*counter;
    pthread_cond_signal(&control->changed);
    pthread_mutex_unlock(&control->mutex);
}

void load_control_client_ready(struct load_control *control)
{
    advance(control, &control->clients_ready);
}

void load_control_generator_closed(struct load_control *control)
{
    advance(control, &control->generators_closed);
}

void load_control_fail(struct load_control *control, const char *format, ...)
{
    pthread_mutex_lock(&control->mutex);
    if (control->failure[0] == '\0' && !control->closed) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(control->failure, sizeof control->failure, format, arguments);
        va_end(arguments);
    }
    pthread_cond_signal(&control->changed);
    pthread_mutex_unlock(&control->mutex);
}

bool load_control_failed(struct load_control *control)
{
    pthread_mutex_lock(&control->mutex);
    bool failed = control->failure[0] != '\0';
    pthread_mutex_unlock(&control->mutex);
    return failed;
}

unsigned load_control_ready_count(struct load_control *control)
{
    pthread_mutex_lock(&control->mutex);
    unsigned count = control->clients_ready;
    pthread_mutex_unlock(&control->mutex);
    return count;
}

void load_control_close(struct load_control *control)
{
    pthread_mutex_lock(&control->mutex);
    control->closed = true;
    pthread_mutex_unlock(&control->mutex);
}

static struct timespec after(uint64_t duration_ns)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t ns = (uint64_t)now.tv_nsec + duration_ns;
    return (struct timespec){.tv_sec = now.tv_sec + (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

/* Each change of |*counter| starts |timeout_ns| anew. */
static bool wait_for(struct load_control *control, const unsigned *counter, unsigned goal, uint64_t timeout_ns)
{
    pthread_mutex_lock(&control->mutex);
    struct timespec deadline = after(timeout_ns);
    unsigned seen = *counter;
    int error = 0;
    while (*counter < goal && control->failure[0] == '\0' && error == 0) {
        error = pthread_cond_timedwait(&control->changed, &control->mutex, &deadline);
        if (*counter != seen)
            deadline = after(timeout_ns);
        seen = *counter;
    }
    bool reached = *counter >= goal && control->failure[0] == '\0';
    pthread_mutex_unlock(&control->mutex);
    return reached;
}

bool load_control_wait_ready(struct load_control *control, unsigned clients, uint64_t timeout_ns)
{
    return wait_for(control, &control->clients_ready, clients, timeout_ns);
}

bool load_control_wait_closed(struct load_control *control, unsigned generators, uint64_t timeout_ns)
{
    return wait_for(control, &control->generators_closed, generators, timeout_ns);
}

bool load_control_sleep(struct load_control *control, uint64_t duration_ns)
{
    pthread_mutex_lock(&control->mutex);
    struct timespec deadline = after(duration_ns);
    int error = 0;
    while (control->failure[0] == '\0' && error == 0)
        error = pthread_cond_timedwait(&control->changed, &control->mutex, &deadline);
    bool slept = control->failure[0] == '\0';
    pthread_mutex_unlock(&control->mutex);
    return slept;
}
