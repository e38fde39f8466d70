/* SPDX-License-Identifier: BSD-3-Clause
 * The life of a connection: accepted or made, given deadlines, closed. */
#include "mw/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "net/socket.h"
#include "sip/via.h"

/* Deadlines, monotonic. To connect, and again for TLS: clients wait, and there may be another place. */
#define SETUP_NS   (4 * NS_PER_S)
#define FIRST_NS   (30 * NS_PER_S) /* for the first message on an accepted one */
#define PARTIAL_NS (30 * NS_PER_S)
#define BLOCKED_NS (10 * NS_PER_S)
#define IDLE_NS    (300 * NS_PER_S)
/* Seconds: a core that vanished without a word is noticed while nothing is sent, too. */
#define KEEPALIVE_S 30

#define ACCEPTED_MAX 1024
#define OUTGOING_MAX 256

void mw_connection_doom(struct mw_connection *connection, bool fault, const char *cause, const char *detail)
{
    struct mw_core *core = connection->core;
    if (connection->doomed)
        return;
    struct now now = loop_now(core->loop);
    if (fault)
        mw_remark(core, true, &connection->target.address, cause, detail);
    /* An answer to what was sent last can not come any more. */
    bool waited_for = connection->sent_ns > 0 && connection->sent_ns >= connection->heard_ns;
    struct edge_target target = connection->target;
    target.connection = 0;
    if (!connection->accepted && fault)
        mw_target_dead(core, &target, now);
    else if (!connection->accepted && waited_for)
        mw_target_failed(core, &target);
    connection->doomed = true;
    loop_remove(core->loop, &connection->source);
    timers_cancel(loop_timers(core->loop), &connection->timer);
    list_remove(&connection->in_core);
    list_append(&core->doomed, &connection->in_core);
    loop_defer(core->loop, &core->reap);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t deadline(const struct mw_connection *connection)
{
    if (connection->stage != CONNECTION_OPEN)
        return connection->begun_ns + SETUP_NS;
    uint64_t last_ns = connection->sent_ns > connection->heard_ns ? connection->sent_ns : connection->heard_ns;
    if (last_ns < connection->begun_ns)
        last_ns = connection->begun_ns;
    uint64_t at = last_ns + IDLE_NS;
    if (connection->accepted && !connection->spoken)
        at = earlier(at, connection->begun_ns + FIRST_NS);
    if (connection->partial_ns)
        at = earlier(at, connection->partial_ns + PARTIAL_NS);
    if (connection->blocked_ns)
        at = earlier(at, connection->blocked_ns + BLOCKED_NS);
    return at;
}

static void deadline_passed(struct timer *timer, struct now now)
{
    struct mw_connection *connection = container_of(timer, struct mw_connection, timer);
    uint64_t now_ns = now.monotonic_ns;
    if (connection->stage == CONNECTION_CONNECTING)
        mw_connection_doom(connection, true, "does not accept a connection in time", NULL);
    else if (connection->stage == CONNECTION_HANDSHAKE)
        mw_connection_doom(connection, true, "closed: TLS hand-shake not done in time", NULL);
    else if (connection->blocked_ns && connection->blocked_ns + BLOCKED_NS <= now_ns)
        mw_connection_doom(connection, true, "closed: it does not read what it is sent", NULL);
    else if (connection->partial_ns && connection->partial_ns + PARTIAL_NS <= now_ns)
        mw_connection_doom(connection, true, "closed: it does not end the message it has begun", NULL);
    else
        mw_connection_doom(connection, false, "closed: idle", NULL);
}

void mw_connection_watch(struct mw_connection *connection)
{
    struct loop *loop = connection->core->loop;
    if (connection->doomed)
        return;
    bool writes = connection->stage == CONNECTION_CONNECTING || mw_bytes_length(&connection->unsent) > 0;
    uint32_t events = (connection->stage != CONNECTION_CONNECTING ? EPOLLIN : 0u) | (writes ? EPOLLOUT : 0u);
    int result = 0;
    if (connection->source.fd < 0)
        result = loop_add(loop, &connection->source, connection->fd, events);
    else if (events != connection->watched)
        result = loop_modify(loop, &connection->source, events);
    connection->watched = events;
    if (result == 0)
        result = timers_update(loop_timers(loop), &connection->timer, deadline(connection));
    if (result != 0)
        mw_connection_doom(connection, true, "closed: out of memory", NULL);
}

static void connected(struct mw_connection *connection, struct now now)
{
    int error = net_socket_error(connection->fd);
    if (error != 0)
        mw_connection_doom(connection, true, "cannot be connected to", strerror(error));
    else
        mw_connection_begin(connection, now);
}

static void ready(struct loop_source *source, uint32_t events, struct now now)
{
    struct mw_connection *connection = container_of(source, struct mw_connection, source);
    if (connection->stage == CONNECTION_CONNECTING) {
        connected(connection, now);
    } else {
        if ((connection->watched & EPOLLOUT) && (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)))
            mw_connection_writable(connection, now);
        if (!connection->doomed && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
            mw_connection_readable(connection, now);
    }
    mw_connection_watch(connection);
}

static struct mw_connection *find_by_id(struct mw_core *core, uint32_t id)
{
    struct list *link;
    list_each (link, &core->connections) {
        struct mw_connection *connection = container_of(link, struct mw_connection, in_core);
        if (connection->target.connection == id)
            return connection;
    }
    return NULL;
}

/* The one that was made to |target|. */
static struct mw_connection *find_outgoing(struct mw_core *core, const struct edge_target *target)
{
    struct list *link;
    list_each (link, &core->connections) {
        struct mw_connection *connection = container_of(link, struct mw_connection, in_core);
        if (!connection->accepted && connection->target.transport == target->transport &&
            connection->target.name == target->name && address_equal(&connection->target.address, &target->address))
            return connection;
    }
    return NULL;
}

/* Takes over |fd|, which is closed where memory is short. */
static struct mw_connection *connection_create(struct mw_core *core, int fd, const struct edge_target *target,
                                               bool accepted, struct now now)
{
    struct mw_connection *connection = memory_zeroed(1, sizeof *connection);
    if (!connection) {
        close(fd);
        return NULL;
    }
    *connection = (struct mw_connection){.core = core,
                                         .source = {.ready = ready, .fd = -1},
                                         .timer = {.callback = deadline_passed},
                                         .target = *target,
                                         .fd = fd,
                                         .accepted = accepted,
                                         .begun_ns = now.monotonic_ns};
    /* 32 bits last: the core alone can make them turn round, by a thousand connections a second for seven weeks. */
    do {
        if (++core->last_connection <= MW_CORE_LISTENERS_MAX)
            core->last_connection = MW_CORE_LISTENERS_MAX + 1;
    } while (find_by_id(core, core->last_connection));
    connection->target.connection = core->last_connection;
    list_append(&core->connections, &connection->in_core);
    *(accepted ? &core->accepted_count : &core->outgoing_count) += 1;
    atomic_fetch_add_explicit(&core->connection_count, 1, memory_order_relaxed);
    net_tcp_tune(fd, KEEPALIVE_S);
    return connection;
}

void mw_connection_accept(struct mw_core *core, int fd, const struct address *peer, enum edge_transport transport,
                          struct now now)
{
    struct edge_target target = mw_target(peer, transport);
    if (core->accepted_count == ACCEPTED_MAX) {
        mw_count(&core->refused);
        mw_remark(core, true, peer, "refused: too many connections of the core", NULL);
        close(fd);
        return;
    }
    struct mw_connection *connection = connection_create(core, fd, &target, true, now);
    if (!connection)
        return;
    mw_connection_begin(connection, now);
    mw_connection_watch(connection);
}

/* From the address on which the core reaches us, where one is stated. */
static struct address local_for(const struct mw_core *core, const struct edge_target *target)
{
    struct address local = {.family = target->address.family};
    for (unsigned i = 0; i < core->listener_count; i++) {
        const struct mw_listener *listener = &core->listeners[i];
        if (listener->udp.local.family != target->address.family)
            continue;
        local = listener->udp.local;
        if (listener->transport == target->transport)
            break;
    }
    local.port = 0;
    return local;
}

static struct mw_connection *connect_to(struct mw_core *core, const struct edge_target *target, struct now now)
{
    struct address local = local_for(core, target);
    if (core->outgoing_count == OUTGOING_MAX) {
        mw_remark(core, true, &target->address, "not connected to: too many connections to the core", NULL);
        return NULL;
    }
    int fd = net_tcp_connect(&local, &target->address);
    if (fd < 0) {
        mw_remark(core, true, &target->address, "cannot be connected to", strerror(errno));
        return NULL;
    }
    struct mw_connection *connection = connection_create(core, fd, target, false, now);
    if (connection)
        mw_connection_watch(connection);
    return connection;
}

/* Where the answer in |bytes| goes now that its connection is gone (RFC 3261 §18.2.2). By TCP only: whose certificate
 * another one would have to show is not known. */
static bool answer_target(struct edge_target *target, const void *bytes, size_t length)
{
    osip_message_t *message = NULL;
    unsigned status;
    if (target->transport != EDGE_TCP || sip_message_decode(bytes, length, &message, &status) != 0)
        return false;
    const osip_via_t *via = MSG_IS_RESPONSE(message) ? sip_via_top(message) : NULL;
    long port = via && via->port ? strtol(via->port, NULL, 10) : SIP_PORT;
    bool found = via && port > 0 && port <= UINT16_MAX;
    if (found) {
        target->connection = 0;
        target->address.port = (uint16_t)port;
    }
    sip_message_destroy(&message);
    return found;
}

void mw_connection_send(struct mw_core *core, const struct edge_target *target, const void *bytes, size_t length,
                        struct now now)
{
    struct mw_connection *connection = target->connection ? find_by_id(core, target->connection) : NULL;
    struct edge_target anew = *target;
    if (!connection && target->connection && !answer_target(&anew, bytes, length)) {
        mw_count(&core->dropped);
        return;
    }
    if (!connection)
        connection = find_outgoing(core, &anew);
    if (!connection)
        connection = connect_to(core, &anew, now);
    if (!connection) {
        mw_target_dead(core, &anew, now);
        return;
    }
    connection->sent_ns = now.monotonic_ns;
    mw_connection_write(connection, bytes, length, now);
    mw_connection_watch(connection);
}

void mw_connection_give_up(struct mw_core *core, const struct edge_target *target, struct now now)
{
    struct mw_connection *connection = target->transport == EDGE_UDP ? NULL : find_outgoing(core, target);
    if (connection && now.monotonic_ns - connection->heard_ns >= HEALTH_HEARD_NS)
        mw_connection_doom(connection, false, "closed: it does not answer", NULL);
}

static void destroy(struct mw_connection *connection)
{
    struct mw_core *core = connection->core;
    mw_connection_say_goodbye(connection);
    loop_remove(core->loop, &connection->source);
    timers_cancel(loop_timers(core->loop), &connection->timer);
    list_remove(&connection->in_core);
    *(connection->accepted ? &core->accepted_count : &core->outgoing_count) -= 1;
    atomic_fetch_sub_explicit(&core->connection_count, 1, memory_order_relaxed);
    mw_bytes_clear(&connection->rest);
    mw_bytes_clear(&connection->waiting);
    mw_bytes_clear(&connection->unsent);
    tls_session_destroy(&connection->tls);
    close(connection->fd);
    memory_free(connection);
}

void mw_connections_reap(struct loop_task *task, struct now now)
{
    (void)now;
    struct mw_core *core = container_of(task, struct mw_core, reap);
    while (!list_empty(&core->doomed))
        destroy(container_of(core->doomed.next, struct mw_connection, in_core));
}

void mw_connections_destroy(struct mw_core *core)
{
    while (!list_empty(&core->connections))
        destroy(container_of(core->connections.next, struct mw_connection, in_core));
    while (!list_empty(&core->doomed))
        destroy(container_of(core->doomed.next, struct mw_connection, in_core));
}
