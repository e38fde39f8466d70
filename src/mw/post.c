/* SPDX-License-Identifier: BSD-3-Clause
 * Between the sockets on the first worker and the edges on all of them. Everything that an edge sends goes by the first
 * worker, datagrams too: they could be sent from any thread, but then what is dead, and who may answer, would be known
 * in many places, and a copy and a wake-up are little beside making and reading a SIP message. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "mw/core_state.h"
#include "sip/via.h"

struct letter {
    struct mail mail;
    struct mw_core *core;
    unsigned worker; /* whom it is for */
    struct edge_target target;
    size_t length;
    uint8_t bytes[];
};

static void room_give(struct mw_core *core, unsigned worker, size_t size)
{
    atomic_fetch_sub_explicit(&core->mail_bytes[worker], size, memory_order_relaxed);
}

static bool room_take(struct mw_core *core, unsigned worker, size_t size)
{
    if (!mailbox_is_open(&core->workers[worker]->mailbox))
        return false; /* the end: nobody would open it */
    if (atomic_fetch_add_explicit(&core->mail_bytes[worker], size, memory_order_relaxed) <= MW_MAIL_MAX)
        return true;
    room_give(core, worker, size);
    return false;
}

static void letter_send(struct mw_core *core, unsigned worker, const struct edge_target *target, const void *bytes,
                        size_t length, void (*open)(struct mail *mail, struct now now))
{
    size_t size = sizeof(struct letter) + length;
    struct letter *letter = NULL;
    if (room_take(core, worker, size)) {
        letter = memory_zeroed(1, size);
        if (!letter)
            room_give(core, worker, size);
    }
    if (!letter) {
        mw_count(&core->dropped);
        return;
    }
    letter->mail.open = open;
    letter->core = core;
    letter->worker = worker;
    letter->target = *target;
    letter->length = length;
    if (length > 0)
        memcpy(letter->bytes, bytes, length);
    mailbox_send(&core->workers[worker]->mailbox, &letter->mail);
}

static struct letter *letter_of(struct mail *mail)
{
    struct letter *letter = container_of(mail, struct letter, mail);
    room_give(letter->core, letter->worker, sizeof *letter + letter->length);
    return letter;
}

/* To the core */

static void send_now(struct mw_core *core, const struct edge_target *target, const void *bytes, size_t length,
                     struct now now)
{
    mw_count(&core->sent);
    if (target->connection == 0) {
        health_sent(&core->health, &target->address, target->transport, now);
        sources_ask(&core->sources, &target->address, now);
    }
    if (target->transport == EDGE_UDP)
        mw_udp_send(core, target, bytes, length, now);
    else
        mw_connection_send(core, target, bytes, length, now);
}

static void outgoing_open(struct mail *mail, struct now now)
{
    struct letter *letter = letter_of(mail);
    send_now(letter->core, &letter->target, letter->bytes, letter->length, now);
    memory_free(letter);
}

void mw_core_send(struct mw_core *core, unsigned index, const struct edge_target *target, const void *bytes,
                  size_t length)
{
    if (index == 0)
        send_now(core, target, bytes, length, loop_now(core->loop));
    else
        letter_send(core, 0, target, bytes, length, outgoing_open);
}

static void silent_now(struct mw_core *core, const struct edge_target *target, struct now now)
{
    if (!health_is_silent(&core->health, &target->address, target->transport, now))
        return;
    mw_remark(core, true, &target->address, "does not answer", NULL);
    mw_connection_give_up(core, target, now);
    mw_target_dead(core, target, now);
}

static void silent_open(struct mail *mail, struct now now)
{
    struct letter *letter = letter_of(mail);
    silent_now(letter->core, &letter->target, now);
    memory_free(letter);
}

void mw_core_silent(struct mw_core *core, unsigned index, const struct edge_target *target)
{
    if (index == 0)
        silent_now(core, target, loop_now(core->loop));
    else
        letter_send(core, 0, target, NULL, 0, silent_open);
}

/* To the edges */

bool mw_may_send(const struct mw_core *core, const struct address *source, const void *bytes, size_t length,
                 struct now now)
{
    return sources_trust(&core->sources, source) ||
           (sip_peek_is_response(bytes, length) && sources_may_answer(&core->sources, source, now));
}

static void incoming_open(struct mail *mail, struct now now)
{
    struct letter *letter = letter_of(mail);
    edge_receive_core(letter->core->edges[letter->worker], &letter->target, letter->bytes, letter->length, now);
    memory_free(letter);
}

void mw_receive(struct mw_core *core, const struct edge_target *source, const void *bytes, size_t length,
                struct now now)
{
    mw_count(&core->received);
    int worker = edge_worker_of(core->settings.flow_key, bytes, length);
    if (worker < 0 || (unsigned)worker >= core->worker_count) {
        if (sip_peek_is_response(bytes, length))
            return; /* to no request of ours */
        worker = 0;
    }
    if (worker == 0)
        edge_receive_core(core->edges[0], source, bytes, length, now);
    else
        letter_send(core, (unsigned)worker, source, bytes, length, incoming_open);
}

static void failure_open(struct mail *mail, struct now now)
{
    struct letter *letter = letter_of(mail);
    edge_target_failed(letter->core->edges[letter->worker], &letter->target, now);
    memory_free(letter);
}

void mw_target_failed(struct mw_core *core, const struct edge_target *target)
{
    for (unsigned i = 0; i < core->failure_count; i++)
        if (core->failures[i].transport == target->transport &&
            address_equal(&core->failures[i].address, &target->address))
            return;
    if (core->failure_count == MW_FAILURES_MAX)
        return; /* then Timers B and F tell the edges */
    core->failures[core->failure_count++] = *target;
    loop_defer(core->loop, &core->report);
}

void mw_target_dead(struct mw_core *core, const struct edge_target *target, struct now now)
{
    mw_count(&core->failed);
    health_mark_dead(&core->health, &target->address, target->transport, now);
    mw_target_failed(core, target);
}

/* Not before the end of the turn: what failed may be what an edge is just sending. */
void mw_report(struct loop_task *task, struct now now)
{
    struct mw_core *core = container_of(task, struct mw_core, report);
    while (core->failure_count > 0) {
        struct edge_target target = core->failures[--core->failure_count];
        for (unsigned i = 1; i < core->worker_count; i++)
            letter_send(core, i, &target, NULL, 0, failure_open);
        edge_target_failed(core->edges[0], &target, now);
    }
}
