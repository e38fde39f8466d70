/* SPDX-License-Identifier: BSD-3-Clause
 * A UDP listener of one worker: STUN and ChannelData go to the core, DTLS to its sessions, all told apart by the first
 * byte (RFC 7983). */
#ifndef FRONT_UDP_H
#define FRONT_UDP_H

#include "front/link.h"
#include "net/udp.h"
#include "worker/worker.h"

struct front;

struct front_udp {
    struct front_link link;
    struct loop_source source;
    struct udp_socket socket;
    struct front *front;
    struct worker *worker;
    struct turn_server *server;
};

/* Serves |fd|, which stays the caller's to close after front_udp_fini(). |front| takes the DTLS datagrams. Returns 0 or
 * ERR_SYSTEM. */
int front_udp_init(struct front_udp *udp, int fd, struct worker *worker, struct turn_server *server,
                   struct front *front);
void front_udp_fini(struct front_udp *udp);

/* Sends one datagram to |flow|'s client from the address that it had asked. The bytes are not needed after the call. */
void front_udp_send(struct front_udp *udp, const struct turn_flow *flow, const uint8_t *datagram, size_t length);

#endif
