/* SPDX-License-Identifier: BSD-3-Clause
 * Connections to peers (RFC 6062). Private to the server's core. */
#ifndef TURN_PEER_CONNECTION_H
#define TURN_PEER_CONNECTION_H

#include "turn/request.h"

/* At a time and allocation; RFC 6062 names no limit. */
#define PEER_CONNECTIONS_MAX 64

enum peer_connection_state {
    PEER_CONNECTION_CONNECTING, /* the Connect request waits for its answer */
    PEER_CONNECTION_WAITING,    /* for ConnectionBind */
    PEER_CONNECTION_JOINED,
};

struct peer_connection {
    struct turn_peer_connection shared; /* what the host sees; first */
    struct hash_entry by_id;
    struct list link;    /* in the allocation */
    struct timer expiry; /* of connecting or waiting */
    enum peer_connection_state state;
    struct turn_reply_to reply_to; /* the Connect request, while connecting */
};

/* Closes those of the relay of |family|. */
void turn_peer_connections_close(struct turn_allocation *allocation, uint8_t family);

#endif
