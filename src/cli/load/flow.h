/* SPDX-License-Identifier: BSD-3-Clause
 * A client's bytes on their way to the server and back: a connected UDP socket, or a TCP connection, or TLS on one.
 *
 * Singly, every message is a system call of its own in both directions, and on TLS a record. In bursts, what is sent
 * between two flushes leaves in one system call, as segments of a datagram or in a common record, and what has arrived
 * is taken the same way. */
#ifndef CLI_LOAD_FLOW_H
#define CLI_LOAD_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/tls.h"
#include "turn/server.h"
#include "worker/worker.h"

struct load_flow;

/* Memory of one thread that its flows use in turn; nothing stays in it between two turns of the loop. */
struct load_flow_scratch;
int load_flow_scratch_create(struct load_flow_scratch **out);
void load_flow_scratch_destroy(struct load_flow_scratch **scratch);

/* All flows of a thread have this in common. */
struct load_flow_settings {
    struct worker *worker;
    struct load_flow_scratch *scratch;
    struct address server;
    const char *host;        /* for TLS */
    struct tls_context *tls; /* NULL but for TURN_TLS */
    enum turn_transport transport;
    bool bursts;
    size_t message_size; /* of the longest expected: what is read at a time when reading singly */

    /* Called by a flow; none may close it. */
    void (*opened)(struct load_flow *flow);
    void (*received)(struct load_flow *flow, const uint8_t *bytes, size_t length);
    void (*settled)(struct load_flow *flow);                    /* what was there has been read */
    void (*failed)(struct load_flow *flow, const char *reason); /* close it, but not from here */
};

struct load_flow {
    const struct load_flow_settings *settings;
    struct loop_source source;
    struct udp_socket udp;
    struct tls_session *tls;
    bool open;        /* messages can be sent */
    bool broken;      /* has failed: to be closed */
    uint8_t *pending; /* stream: what the socket has not taken yet */
    size_t pending_size, pending_length;
};

/* |flow| all zero. |opened| comes when messages can be sent, perhaps before this returns. Returns 0, ERR_SYSTEM
 * (errno), ERR_MEMORY or ERR_CRYPTO. */
int load_flow_open(struct load_flow *flow, const struct load_flow_settings *settings);
/* Closing a closed flow, or one all zero, does nothing. */
void load_flow_close(struct load_flow *flow);

/* Queues or sends one message. In bursts |payload| is borrowed until the flush. */
void load_flow_send(struct load_flow *flow, const uint8_t *head, size_t head_length, const uint8_t *payload,
                    size_t payload_length, size_t padding);
/* To be called after sending, at the latest before returning to the loop or sending on another flow. */
void load_flow_flush(struct load_flow *flow);
/* True where TLS went on with the session of an earlier flow. */
bool load_flow_resumed(const struct load_flow *flow);
/* True where a stream takes no more for now. */
bool load_flow_congested(const struct load_flow *flow);

#endif
