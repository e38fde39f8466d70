/* SPDX-License-Identifier: BSD-3-Clause
 * What the generators, each on its thread, tell the run. */
#ifndef CLI_LOAD_CONTROL_H
#define CLI_LOAD_CONTROL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct load_control {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned clients_ready, generators_closed;
    bool closed;
    char failure[320]; /* empty: none */
};

void load_control_init(struct load_control *control);
void load_control_fini(struct load_control *control);

/* From the generators. */
void load_control_client_ready(struct load_control *control);
void load_control_generator_closed(struct load_control *control);
/* Only the first failure is kept: the others mostly follow from it. */
void load_control_fail(struct load_control *control, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* From the run. */
bool load_control_failed(struct load_control *control);
unsigned load_control_ready_count(struct load_control *control);
/* Failures of later on are not kept. */
void load_control_close(struct load_control *control);
/* Each returns once it is so, or after |timeout_ns| without any progress, or after a failure: true if it
 * is so. */
bool load_control_wait_ready(struct load_control *control, unsigned clients, uint64_t timeout_ns);
bool load_control_wait_closed(struct load_control *control, unsigned generators, uint64_t timeout_ns);
/* Sleeps for |duration_ns|; false after a failure. */
bool load_control_sleep(struct load_control *control, uint64_t duration_ns);

#endif
