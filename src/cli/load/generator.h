/* SPDX-License-Identifier: BSD-3-Clause
 * One thread of a load run: its clients, its echoing peer, its counts. It shares nothing with the others but the
 * control, which is not touched per packet. */
#ifndef CLI_LOAD_GENERATOR_H
#define CLI_LOAD_GENERATOR_H

#include "cli/load/client.h"
#include "cli/load/control.h"
#include "cli/load/echo_peer.h"
#include "cli/load/plan.h"
#include "worker/mailbox.h"

enum load_phase {
    LOAD_OPENING, /* the clients allocate */
    LOAD_WARMING, /* packets flow (allocations are made), nothing is counted */
    LOAD_MEASURING,
    LOAD_DRAINING, /* nothing new is sent; what comes back still counts as answered */
    LOAD_CLOSING,
};

struct load_generator {
    const struct load_plan *plan;
    struct load_control *control;
    struct worker *worker;
    struct tls_context *tls;
    struct load_flow_scratch *scratch;
    struct load_flow_settings flow_settings;
    const char *username, *password;
    struct echo_peer echo;
    struct address peer;
    struct load_client *clients;
    unsigned client_count, opened_count, opening_count, next_client;
    uint8_t *packets; /* the bytes of what may be sent between two flushes */
    bool running;     /* its thread */
    enum load_phase phase;
    struct load_phase_mail {
        struct mail mail;
        struct load_generator *generator;
        enum load_phase phase;
    } mails[LOAD_CLOSING + 1];
    struct timer sweep;
    struct loop_source pacer;        /* a timerfd: a loop's own timers tick in milliseconds, packets do not */
    unsigned rate;                   /* this thread's share */
    uint64_t pacing_began_ns, paced; /* packets since then */
    uint64_t arrived;                /* packets at the clients, ever */
    uint64_t arrived_before, echoed_before;
    struct load_result result;
};

/* The one of thread |index|, with |client_count| clients. |username| and |password| are borrowed. Returns 0, or a
 * failure that the control has been told. */
int load_generator_create(const struct load_plan *plan, struct load_control *control, const char *username,
                          const char *password, unsigned index, unsigned client_count, struct load_generator **out);
/* Stops its thread first. */
void load_generator_destroy(struct load_generator **generator);
/* Starts the thread; its clients open. */
int load_generator_start(struct load_generator *generator);
/* Ends the thread; what it counted stands still. Harmless where none runs. */
void load_generator_stop(struct load_generator *generator);
/* Any thread; each phase once. */
void load_generator_enter(struct load_generator *generator, enum load_phase phase);

/* From the clients. */
void load_generator_client_ready(struct load_generator *generator);
void load_generator_client_ended(struct load_generator *generator);

#endif
