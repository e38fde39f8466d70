/* SPDX-License-Identifier: BSD-3-Clause
 * Sockets of RFC 6062: connections between a relayed transport address and a peer, in either direction, and their half
 * of the bridge to the client's data connection. These are the struct turn_host calls of the same names. */
#ifndef RELAY_PEER_SOCKET_H
#define RELAY_PEER_SOCKET_H

#include "turn/server.h"
#include "worker/loop.h"

/* Starts connecting from |turn|'s address. Returns 0 or ERR_SYSTEM or ERR_MEMORY. |context| is a struct relay here and
 * below. */
int peer_socket_connect(void *context, struct turn_relay *turn, struct turn_peer_connection *connection);
void peer_socket_close(void *context, struct turn_peer_connection *connection);
/* From here on |connection|'s bytes are |flow|'s. What the peer sent before waits in the kernel. */
void peer_socket_join(void *context, struct turn_peer_connection *connection, const struct turn_flow *flow);

/* The listening socket of a relay (struct relay_socket) has connections to accept. */
void peer_listener_ready(struct loop_source *source, uint32_t events, struct now now);
/* Its |resume| timer: accepting was put off. */
void peer_listener_resume(struct timer *timer, struct now now);

#endif
