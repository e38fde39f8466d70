/* SPDX-License-Identifier: BSD-3-Clause
 * A connection to the backend: connected when it is first written to, watched, and with what waits either way. Only for
 * the files of this folder. */
#ifndef FRONT_BACKEND_SOCKET_H
#define FRONT_BACKEND_SOCKET_H

#include "front/front_state.h"

struct backend_socket;

/* Whose it is. From each of these it may be closed. */
struct backend_socket_owner {
    /* Bytes came. Returns how many were taken; the others come again, with more behind them, or when the owner goes on
     * after a pause. */
    size_t (*receive)(struct backend_socket *socket, const uint8_t *bytes, size_t length, struct now now);
    /* No more will come: the other side's last byte has been read, or (|error|, of errno) it broke. */
    void (*input_ended)(struct backend_socket *socket, int error, struct now now);
    /* What was held has left. */
    void (*drained)(struct backend_socket *socket, struct now now);
};

struct backend_socket {
    const struct backend_socket_owner *owner;
    struct front *front;
    struct loop_source source; /* |fd| is -1 while nothing is waited for */
    int fd;                    /* -1: not connected */
    uint32_t watched;          /* epoll events */
    struct buffer *held;       /* written, not taken by the kernel */
    struct buffer *rest;       /* received, not taken by the owner */
    bool connecting;
    bool paused;       /* it is not read from */
    bool deaf;         /* it takes no more, and is sent none */
    bool input_ended;  /* its last byte has been read */
    bool output_ended; /* FIN follows what is held */
};

void backend_socket_init(struct backend_socket *socket, struct front *front, const struct backend_socket_owner *owner);
/* Connects, unless there is a connection that can be used again. Returns 0 or ERR_SYSTEM, with errno set. */
int backend_socket_open(struct backend_socket *socket, const struct address *server);
void backend_socket_close(struct backend_socket *socket);

/* Writes |length| bytes; what the kernel does not take is |held|. One that is broken is deaf from then on: why, its
 * reading side will say. More than there is room for breaks it. */
void backend_socket_write(struct backend_socket *socket, const uint8_t *bytes, size_t length);
size_t backend_socket_room(const struct backend_socket *socket);
/* Half-closes once all is written. */
void backend_socket_output_end(struct backend_socket *socket);

void backend_socket_pause(struct backend_socket *socket, bool paused);
static inline bool backend_socket_reads(const struct backend_socket *socket)
{
    return socket->fd >= 0 && !socket->connecting && !socket->paused;
}
/* Gives the owner what it has not taken yet. */
void backend_socket_go_on(struct backend_socket *socket, struct now now);

#endif
