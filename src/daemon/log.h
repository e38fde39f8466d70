/* SPDX-License-Identifier: BSD-3-Clause
 * The log: one line an event on stderr, `TIME LEVEL EVENT key=value ...`. Any thread; never from the packet path. Each
 * kind of event has a limit of its own, so that an attack neither fills the disk nor hides the other kinds; the next
 * line of a kind says how many were left out. */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
};

/* Name, text, level. */
#define LOG_EVENT_TABLE(X)                                                                                            \
    X(LOG_STARTED, "started", LOG_LEVEL_INFO)                                                                         \
    X(LOG_STOPPED, "stopped", LOG_LEVEL_INFO)                                                                         \
    X(LOG_ALLOCATION_BEGAN, "allocation-began", LOG_LEVEL_INFO)                                                       \
    X(LOG_ALLOCATION_ENDED, "allocation-ended", LOG_LEVEL_INFO)                                                       \
    X(LOG_REFUSED, "refused", LOG_LEVEL_INFO) /* an error response; with error=401 a failed log-in */                 \
    X(LOG_EDGE, "edge", LOG_LEVEL_INFO)       /* SIP: the core, registrations that ended against the client's will */ \
    X(LOG_CONNECTION_FAILED, "connection-failed", LOG_LEVEL_INFO)                                                     \
    X(LOG_CONNECTION_REFUSED, "connection-refused", LOG_LEVEL_WARNING) /* a limit on connections */                   \
    X(LOG_BACKEND_FAILED, "backend-failed", LOG_LEVEL_WARNING)         /* http.backend; until it answers, once */     \
    X(LOG_EXHAUSTED, "exhausted", LOG_LEVEL_WARNING)                   /* memory, descriptors or ports */             \
    X(LOG_NOTICE, "notice", LOG_LEVEL_WARNING)                                                                        \
    X(LOG_SYSTEM, "system", LOG_LEVEL_ERROR)                                                                          \
    X(LOG_DETAIL, "detail", LOG_LEVEL_DEBUG)

enum log_event {
#define X(name, text, level) name,
    LOG_EVENT_TABLE(X)
#undef X
        LOG_EVENT_COUNT
};

/* Reads "error", "warning", "info" or "debug". Returns 0 or ERR_MALFORMED. */
int log_level_parse(const char *text, enum log_level *out);
/* Events above |level| are left out; LOG_LEVEL_INFO to begin with. Before the threads start. */
void log_level_set(enum log_level level);

/* Writes |event| and what |format| says of it: `key=value` pairs. Whatever came from a stranger has gone through
 * quote_value(); control characters are escaped all the same. */
void log_event(enum log_event event, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The limit of one kind of event: a burst, then a steady rate. Alone for the tests. */
#define LOG_BURST      20
#define LOG_PER_SECOND 5
struct log_limiter {
    _Atomic(unsigned long long) full_at_ns; /* monotonic time at which the whole burst is available again */
    _Atomic(unsigned) left_out;             /* since the last line that was written */
};
/* Returns -1 to leave a line out, or the number of lines left out before this one. */
int log_limiter_ask(struct log_limiter *limiter, unsigned long long now_ns);

/* Writes one line without its newline into |line|, for the tests: |seconds| and |milliseconds| since 1970. */
void log_format(char *line, unsigned size, long long seconds, int milliseconds, enum log_event event, int left_out,
                const char *text);

#endif
