/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/now.h"

#define LINE_MAX_BYTES 1200
#define TEXT_MAX_BYTES 900

static const struct {
    const char *name;
    enum log_level level;
} events[] = {
#define X(event, text, event_level) [event] = {text, event_level},
    LOG_EVENT_TABLE(X)
#undef X
};

static const char *const level_names[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

static enum log_level shown = LOG_LEVEL_INFO;
static struct log_limiter limiters[LOG_EVENT_COUNT];

int log_level_parse(const char *text, enum log_level *out)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *out = (enum log_level)i;
            return 0;
        }
    }
    return ERR_MALFORMED;
}

void log_level_set(enum log_level level)
{
    shown = level;
}

/* The generic cell rate algorithm: each line moves |full_at_ns| on by its share of a second, and may do so while that
 * stays within a burst of now. */
int log_limiter_ask(struct log_limiter *limiter, unsigned long long now_ns)
{
    const unsigned long long step = NS_PER_S / LOG_PER_SECOND;
    unsigned long long full_at = atomic_load_explicit(&limiter->full_at_ns, memory_order_relaxed);
    unsigned long long next;
    do {
        next = (full_at > now_ns ? full_at : now_ns) + step;
        if (next > now_ns + LOG_BURST * step) {
            atomic_fetch_add_explicit(&limiter->left_out, 1, memory_order_relaxed);
            return -1;
        }
    } while (!atomic_compare_exchange_weak_explicit(&limiter->full_at_ns, &full_at, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    return (int)(atomic_exchange_explicit(&limiter->left_out, 0, memory_order_relaxed) & 0x7FFFFFFF);
}

void log_format(char *line, unsigned size, long long seconds, int milliseconds, enum log_event event, int left_out,
                const char *text)
{
    struct tm utc;
    time_t when = (time_t)seconds;
    gmtime_r(&when, &utc);
    char stamp[32];
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &utc);
    int length = snprintf(line, size, "%s.%03dZ %s %s%s", stamp, milliseconds, level_names[events[event].level],
                          events[event].name, text[0] ? " " : "");
    unsigned at = length < 0 ? 0 : (unsigned)length < size ? (unsigned)length : size - 1;
    for (; *text && at + 5 < size; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte >= 0x20 && byte != 0x7F)
            line[at++] = *text;
        else
            at += (unsigned)snprintf(line + at, size - at, "\\x%02x", byte);
    }
    line[at] = '\0';
    if (left_out > 0)
        snprintf(line + at, size - at, " left_out=%d", left_out);
}

void log_event(enum log_event event, const char *format, ...)
{
    if (events[event].level > shown)
        return;
    struct timespec monotonic, wall;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &monotonic);
    int left_out = log_limiter_ask(&limiters[event], (unsigned long long)monotonic.tv_sec * NS_PER_S +
                                                         (unsigned long long)monotonic.tv_nsec);
    if (left_out < 0)
        return;
    clock_gettime(CLOCK_REALTIME, &wall);

    char text[TEXT_MAX_BYTES], line[LINE_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    log_format(line, sizeof line - 1, wall.tv_sec, (int)(wall.tv_nsec / 1000000), event, left_out, text);
    size_t length = strlen(line);
    line[length++] = '\n';
    /* One write, so that lines of several threads do not mix. A full disk or a closed pipe is no reason to stop. */
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written;
}
