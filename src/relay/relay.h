/* SPDX-License-Identifier: BSD-3-Clause
 * One worker's relay sockets: the leg between the server and the peers. It is the struct turn_host of the worker's
 * turn_server; what goes to clients it hands to the flow's link. */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include "front/buffers.h"
#include "net/udp.h"
#include "turn/server.h"
#include "worker/worker.h"

struct relay {
    struct worker *worker;
    struct turn_server *server;  /* set by relay_serve() */
    struct timer timer;          /* the server's deadline */
    struct loop_task rearm;      /* each turn: the deadline may have moved */
    struct turn_host host;       /* to be given to turn_server_create() */
    struct buffers peer_buffers; /* RFC 6062: what peers have not taken yet */
};

/* A relayed transport address' socket; the intptr_t that the core keeps. It may be opened on one worker and attached on
 * another (a reservation). */
struct relay_socket {
    struct loop_source source;
    struct udp_socket udp; /* RELAY_UDP; for RELAY_TCP only its |fd| counts: a listening socket */
    struct timer resume;   /* RELAY_TCP: accepting, while out of descriptors */
    struct relay *relay;   /* NULL until attached */
    struct turn_relay *turn;
};

static inline struct relay_socket *relay_socket_of(intptr_t socket)
{
    return (struct relay_socket *)socket;
}

/* |worker| is borrowed. |tcp|: fills in RFC 6062's calls. */
void relay_init(struct relay *relay, struct worker *worker, bool tcp);
/* Drives |server|'s timers from the worker's loop, until relay_fini(). */
void relay_serve(struct relay *relay, struct turn_server *server);
void relay_fini(struct relay *relay);

/* Closes a socket that no allocation holds: for reservations_create(). */
void relay_socket_close(intptr_t socket);

#endif
