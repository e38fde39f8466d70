/* SPDX-License-Identifier: BSD-3-Clause
 * One TCP or TLS connection with the core, either way. Only for the files of this folder. */
#ifndef MW_CONNECTION_H
#define MW_CONNECTION_H

#include "mw/bytes.h"
#include "mw/core_state.h"

enum mw_connection_stage {
    CONNECTION_CONNECTING,
    CONNECTION_HANDSHAKE, /* of TLS */
    CONNECTION_OPEN,
};

/* A burst of a thousand INVITEs has to fit; a core that does not take that has stopped. */
#define CONNECTION_UNSENT_MAX ((size_t)4 * 1024 * 1024)

struct mw_connection {
    struct list in_core; /* core->connections or core->doomed */
    struct mw_core *core;
    struct loop_source source;
    struct timer timer;
    struct edge_target target; /* where it leads; |connection| is its id */
    int fd;
    uint32_t watched; /* epoll events */
    uint8_t stage;    /* enum mw_connection_stage */
    bool accepted, doomed;
    bool spoken;         /* a whole message came */
    uint64_t begun_ns;   /* the present stage */
    uint64_t partial_ns; /* since when a message is incomplete; 0: none is */
    uint64_t blocked_ns; /* since when nothing is taken; 0: it is not */
    uint64_t sent_ns, heard_ns;
    struct tls_session *tls;
    struct mw_bytes rest;    /* read, an incomplete message */
    struct mw_bytes waiting; /* messages for when it is open, in the clear */
    struct mw_bytes unsent;  /* not taken by the socket yet, ciphertext where there is TLS */
};

/* Closes at the end of the turn. The first reason counts; it is a literal. |fault| is the core's: the place is dead
 * where the connection was ours. */
void mw_connection_doom(struct mw_connection *connection, bool fault, const char *cause, const char *detail);
/* Asks epoll and the timer for what comes next. */
void mw_connection_watch(struct mw_connection *connection);

/* Input and output: connection_io.c */
void mw_connection_begin(struct mw_connection *connection, struct now now); /* TCP stands: TLS, or open */
void mw_connection_readable(struct mw_connection *connection, struct now now);
void mw_connection_writable(struct mw_connection *connection, struct now now);
void mw_connection_write(struct mw_connection *connection, const void *bytes, size_t length, struct now now);
/* close_notify, if it can leave at once. */
void mw_connection_say_goodbye(struct mw_connection *connection);

#endif
