/* SPDX-License-Identifier: BSD-3-Clause
 * One thread on one core: its loop, its mail, its datagram batches. What it serves (front, relay) is built on top and
 * shares nothing with other workers on the packet path. */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <pthread.h>

#include "net/udp.h"
#include "worker/loop.h"
#include "worker/mailbox.h"

#define WORKERS_MAX 64

struct worker {
    unsigned index;
    struct loop *loop;
    struct mailbox mailbox;
    struct udp_receiver receiver;
    /* Datagrams of the current batch, of both legs. They borrow payload: whoever is about to reuse bytes that may be
     * queued (its read buffer, the receiver) calls udp_sender_flush() first, at the latest before it returns to the
     * loop. */
    struct udp_sender sender;
    pthread_t thread;
};

/* Returns 0, ERR_MEMORY or ERR_SYSTEM. */
int worker_create(unsigned index, struct worker **out);
/* The thread must have been joined or never started. */
void worker_destroy(struct worker **worker);
/* Runs the loop in a thread of its own, with all signals blocked, until worker_stop(). Returns 0 or ERR_SYSTEM. */
int worker_start(struct worker *worker);
/* Ends the loop and waits for the thread. */
void worker_stop(struct worker *worker);

#endif
