/* SPDX-License-Identifier: BSD-3-Clause
 * A peer that sends every datagram back to where it came from. */
#ifndef CLI_LOAD_ECHO_PEER_H
#define CLI_LOAD_ECHO_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/worker.h"

struct echo_peer {
    struct worker *worker;
    struct loop_source source;
    struct udp_socket socket;
    uint64_t arrived; /* datagrams */
};

/* On |address|'s IP and a free port, which |peer|->socket.local tells. In |bursts| it receives and sends segmented
 * datagrams, else one datagram a system call. Returns 0 or ERR_SYSTEM. */
int echo_peer_init(struct echo_peer *peer, struct worker *worker, const struct address *address, bool bursts);
void echo_peer_fini(struct echo_peer *peer);

#endif
