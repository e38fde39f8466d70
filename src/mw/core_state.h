/* SPDX-License-Identifier: BSD-3-Clause
 * What the files of this folder share. All of it belongs to the first worker's thread, but for what says otherwise.
 * Only for the files of this folder. */
#ifndef MW_CORE_STATE_H
#define MW_CORE_STATE_H

#include <stdatomic.h>

#include "mw/core.h"
#include "mw/health.h"
#include "mw/route.h"
#include "mw/sources.h"
#include "net/udp.h"

/* Bytes of mail that wait for one worker; what comes beyond is dropped as a network would. */
#define MW_MAIL_MAX ((size_t)16 * 1024 * 1024)
/* Look-ups under way, of all workers. */
#define MW_QUESTIONS_MAX 4096
#define MW_FAILURES_MAX  32
#define MW_REMARKS_MAX   32
#define MW_INPUT_SIZE    16384
/* A whole SIP message and what surrounds it, encrypted. */
#define MW_OUTPUT_SIZE (TLS_CIPHERTEXT_BOUND(65536) + TLS_FLIGHT_MAX)

struct mw_listener {
    struct mw_core *core;
    struct loop_source source;
    struct timer resume;   /* accepting rests while descriptors or memory are short */
    struct udp_socket udp; /* its |fd| also of a TCP listener */
    uint8_t transport;
};

struct mw_entry {
    struct mw_uri uri;
    struct route route;    /* what the last look-up that worked gave */
    uint64_t since_ns;     /* when the present one began */
    uint64_t refresh_ns;   /* when it is to be looked up again */
    uint64_t worked_ns;    /* when it last worked */
    bool pending, settled; /* being looked up now; looked up at least once */
};

/* A cause and an address that the log has been told of lately. */
struct mw_remark {
    const char *cause; /* a literal: compared as a pointer */
    struct address address;
    uint64_t until_ns;
};

struct mw_core {
    struct worker *workers[WORKERS_MAX];
    struct edge *edges[WORKERS_MAX]; /* each is called on its worker's thread only */
    unsigned worker_count;
    struct mw_core_settings settings;
    struct loop *loop; /* the first worker's */

    struct mw_listener listeners[MW_CORE_LISTENERS_MAX];
    unsigned listener_count;
    struct list connections, doomed;
    struct loop_task reap;
    unsigned accepted_count, outgoing_count;
    uint32_t last_connection; /* id; those up to MW_CORE_LISTENERS_MAX name UDP listeners */

    struct dns *dns;
    struct router router;
    struct mw_entry entries[MW_CORE_ENTRIES_MAX];
    unsigned entry_count;
    struct timer refresh;
    struct list questions; /* that wait for an answer */

    struct health health;
    struct sources sources;
    struct edge_target failures[MW_FAILURES_MAX]; /* what the edges are still to be told of */
    unsigned failure_count;
    struct loop_task report;
    struct mw_remark remarks[MW_REMARKS_MAX];

    /* Any thread. */
    atomic_size_t mail_bytes[WORKERS_MAX];
    atomic_uint questions_open;
    _Atomic uint64_t received, sent, refused, dropped, failed;
    atomic_uint connection_count;

    uint8_t input[MW_INPUT_SIZE], plain[MW_INPUT_SIZE];
    uint8_t output[MW_OUTPUT_SIZE];
};

static inline void mw_count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* Tells the log |cause|, a literal, and of whom, if it was not told lately. */
void mw_remark(struct mw_core *core, bool important, const struct address *address, const char *cause,
               const char *detail);

/* Entries and look-ups: lookups.c */
void mw_entries_begin(struct mw_core *core);
void mw_dns_answered(void *context, struct now now);
void mw_refresh_due(struct timer *timer, struct now now);
void mw_questions_drop(struct mw_core *core);

/* Mail: post.c. A whole message from |source| to the edge it is for. */
void mw_receive(struct mw_core *core, const struct edge_target *source, const void *bytes, size_t length,
                struct now now);
/* What begins with anything but a token (RFC 3261 §7) is no message, long before its end is looked for. */
static inline bool mw_begins_message(const uint8_t *bytes, size_t length)
{
    return length > 0 && bytes[0] > ' ' && bytes[0] < 0x7f;
}

/* Whether |source| may send us that message. */
bool mw_may_send(const struct mw_core *core, const struct address *source, const void *bytes, size_t length,
                 struct now now);
/* Nothing can be sent to |target|: marks it, and tells all edges at the end of the turn. */
void mw_target_dead(struct mw_core *core, const struct edge_target *target, struct now now);
/* Tells them without the mark. */
void mw_target_failed(struct mw_core *core, const struct edge_target *target);
void mw_report(struct loop_task *task, struct now now);

/* Sockets: listener.c */
int mw_listener_open(struct mw_core *core, const struct mw_core_listener *listener);
void mw_listener_close(struct mw_listener *listener);
void mw_udp_send(struct mw_core *core, const struct edge_target *target, const void *bytes, size_t length,
                 struct now now);

/* Connections: connection.c */
void mw_connection_accept(struct mw_core *core, int fd, const struct address *peer, enum edge_transport transport,
                          struct now now);
void mw_connection_send(struct mw_core *core, const struct edge_target *target, const void *bytes, size_t length,
                        struct now now);
/* Closes what stands towards |target|: it is silent. */
void mw_connection_give_up(struct mw_core *core, const struct edge_target *target, struct now now);
void mw_connections_reap(struct loop_task *task, struct now now);
void mw_connections_destroy(struct mw_core *core);

#endif
