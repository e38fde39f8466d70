/* SPDX-License-Identifier: BSD-3-Clause
 * Messages from one worker to another: a lock-free stack of many writers and one reader, rung by an eventfd in the
 * reader's loop. */
#ifndef WORKER_MAILBOX_H
#define WORKER_MAILBOX_H

#include <stdatomic.h>

#include "worker/loop.h"

/* Lives inside what is sent; whoever opens it owns it from then on. */
struct mail {
    struct mail *next;
    void (*open)(struct mail *mail, struct now now);
};

struct mailbox {
    _Atomic(struct mail *) newest;
    struct loop *loop;
    struct loop_source bell;
};

/* Returns 0 or ERR_SYSTEM. */
int mailbox_init(struct mailbox *mailbox, struct loop *loop);
/* Mail still inside is opened first. Its own thread, after the others have stopped. */
void mailbox_fini(struct mailbox *mailbox);
/* False once mailbox_fini() has been called: what is sent then is never opened. */
static inline bool mailbox_is_open(const struct mailbox *mailbox)
{
    return mailbox->loop != NULL;
}
/* Any thread. |mail|->open will be called once on the mailbox's thread, in order of sending. */
void mailbox_send(struct mailbox *mailbox, struct mail *mail);

#endif
