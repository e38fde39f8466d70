/* SPDX-License-Identifier: BSD-3-Clause
 * One client of a load generator: a flow, the TURN session on it, and the packets that are under way. */
#ifndef CLI_LOAD_CLIENT_H
#define CLI_LOAD_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timers.h"
#include "cli/load/flow.h"
#include "turn/client_session.h"

struct load_generator;

/* A packet under way, in the closed loop. */
struct load_slot {
    uint32_t sequence;
    bool busy;
    uint64_t sent_ns;
};

struct load_client {
    struct load_generator *generator;
    struct load_flow flow;
    struct turn_client_session *session;
    struct timer timer;         /* the session's deadline */
    struct loop_task reopening; /* the flow cannot be closed from inside its own callbacks */
    uint32_t number;
    bool ready;          /* allocation and, where packets are to flow, channel */
    unsigned mismatches; /* 437 in a row */
    uint64_t opened_ns;
    unsigned outstanding; /* busy slots */
    struct load_slot *slots;
};

/* Returns 0 or ERR_MEMORY. */
int load_client_init(struct load_client *client, struct load_generator *generator, uint32_t number);
/* Closes at once, without a word to the server. */
void load_client_fini(struct load_client *client);

/* Connects, allocates and, for LOAD_RELAY, binds the channel; a failure is told to the generator. */
void load_client_open(struct load_client *client);
/* Sends all packets that may be under way: the closed loop begins. */
void load_client_begin(struct load_client *client, struct now now);
/* Sends |count| packets that are due at |due_ns|, in the open loop. */
void load_client_send(struct load_client *client, unsigned count, uint64_t due_ns);
/* Replaces packets that must be thought lost, so that the closed loop goes on. */
void load_client_sweep(struct load_client *client, struct now now);
/* Gives the allocation back. */
void load_client_release(struct load_client *client, struct now now);

/* The flow's callbacks, for struct load_flow_settings. */
void load_client_flow_opened(struct load_flow *flow);
void load_client_flow_received(struct load_flow *flow, const uint8_t *bytes, size_t length);
void load_client_flow_settled(struct load_flow *flow);
void load_client_flow_failed(struct load_flow *flow, const char *reason);

#endif
