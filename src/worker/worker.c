/* SPDX-License-Identifier: BSD-3-Clause */
#include "worker/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/error.h"
#include "base/memory.h"

int worker_create(unsigned index, struct worker **out)
{
    struct worker *worker = memory_zeroed(1, sizeof *worker);
    if (!worker)
        return ERR_MEMORY;
    worker->index = index;
    udp_sender_init(&worker->sender);
    int result = udp_receiver_init(&worker->receiver);
    if (result == 0)
        result = loop_create(&worker->loop);
    if (result == 0)
        result = mailbox_init(&worker->mailbox, worker->loop);
    if (result != 0) {
        worker_destroy(&worker);
        return result;
    }
    *out = worker;
    return 0;
}

void worker_destroy(struct worker **slot)
{
    struct worker *worker = *slot;
    *slot = NULL;
    if (!worker)
        return;
    mailbox_fini(&worker->mailbox);
    loop_destroy(&worker->loop);
    udp_receiver_fini(&worker->receiver);
    memory_free(worker);
}

static void *serve(void *argument)
{
    struct worker *worker = argument;
    loop_run(worker->loop);
    return NULL;
}

int worker_start(struct worker *worker)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&worker->thread, NULL, serve, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        errno = error;
        return ERR_SYSTEM;
    }
    char name[16];
    snprintf(name, sizeof name, "worker-%u", worker->index);
    pthread_setname_np(worker->thread, name);
    return 0;
}

void worker_stop(struct worker *worker)
{
    loop_stop(worker->loop);
    pthread_join(worker->thread, NULL);
}
