/* SPDX-License-Identifier: BSD-3-Clause */
#include "worker/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"

/* Takes all mail, which hangs newest first, and turns it round. */
static struct mail *collect(struct mailbox *mailbox)
{
    struct mail *newest = atomic_exchange_explicit(&mailbox->newest, NULL, memory_order_acquire);
    struct mail *oldest = NULL;
    while (newest) {
        struct mail *mail = newest;
        newest = mail->next;
        mail->next = oldest;
        oldest = mail;
    }
    return oldest;
}

static void open_all(struct mailbox *mailbox, struct now now)
{
    struct mail *mail = collect(mailbox);
    while (mail) {
        struct mail *next = mail->next;
        mail->open(mail, now);
        mail = next;
    }
}

static void bell_ready(struct loop_source *bell, uint32_t events, struct now now)
{
    (void)events;
    uint64_t rings;
    ssize_t got = read(bell->fd, &rings, sizeof rings);
    (void)got;
    open_all(container_of(bell, struct mailbox, bell), now);
}

int mailbox_init(struct mailbox *mailbox, struct loop *loop)
{
    *mailbox = (struct mailbox){.loop = loop, .bell = {.ready = bell_ready, .fd = -1}};
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        return ERR_SYSTEM;
    if (loop_add(loop, &mailbox->bell, fd, EPOLLIN) != 0) {
        close(fd);
        return ERR_SYSTEM;
    }
    return 0;
}

void mailbox_fini(struct mailbox *mailbox)
{
    struct loop *loop = mailbox->loop;
    if (!loop)
        return;
    mailbox->loop = NULL; /* what the last mail makes somebody send here would never be opened */
    open_all(mailbox, loop_now(loop));
    int fd = mailbox->bell.fd;
    loop_remove(loop, &mailbox->bell);
    if (fd >= 0)
        close(fd);
}

void mailbox_send(struct mailbox *mailbox, struct mail *mail)
{
    mail->next = atomic_load_explicit(&mailbox->newest, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&mailbox->newest, &mail->next, mail, memory_order_release,
                                                  memory_order_relaxed))
        ;
    uint64_t one = 1;
    ssize_t written = write(mailbox->bell.fd, &one, sizeof one);
    (void)written;
}
