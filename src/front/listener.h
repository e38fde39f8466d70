/* SPDX-License-Identifier: BSD-3-Clause
 * A listening TCP socket of one worker. Only for the files of this folder. */
#ifndef FRONT_LISTENER_H
#define FRONT_LISTENER_H

#include "front/front_state.h"

struct listener {
    struct list in_front;
    struct front *front;
    struct loop_source source;
    struct timer resume; /* while out of descriptors */
    int fd;
    int reserve; /* a descriptor that is given up to take a connection off the queue when all others are used */
    enum front_listen kind;
};

/* Returns 0, ERR_MEMORY or ERR_SYSTEM. |fd| stays the caller's. */
int listener_create(struct front *front, int fd, enum front_listen kind);
void listener_destroy(struct listener *listener);

#endif
