/* SPDX-License-Identifier: BSD-3-Clause
 * Where the core reaches us: UDP both ways, TCP and TLS up to the connection. */
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <unistd.h>

#include "base/error.h"
#include "mw/core_state.h"
#include "net/socket.h"

/* Before others get their turn. */
#define ACCEPT_BATCH  64
#define ICMP_PER_TURN 16
/* While descriptors or memory are short, trying again at once would only burn the processor. */
#define PAUSE_NS (100 * NS_PER_MS)

/* UDP */

static void datagram_receive(struct mw_listener *listener, const struct address *from, const uint8_t *bytes,
                             size_t length, struct now now)
{
    struct mw_core *core = listener->core;
    if (from->port == 0 || !mw_may_send(core, from, bytes, length, now)) {
        mw_count(&core->refused);
        mw_remark(core, false, from, "dropped: SIP from an address that is neither edge.core's nor in edge.trusted",
                  "udp");
        return;
    }
    health_heard(&core->health, from, EDGE_UDP, now);
    /* RFC 5626 §4.4.1 and others: what does not begin as a message does keeps a binding of some NAT alive. */
    if (!mw_begins_message(bytes, length))
        return;
    struct edge_target source = mw_target(from, EDGE_UDP);
    source.connection = (uint32_t)(listener - core->listeners) + 1;
    mw_receive(core, &source, bytes, length, now);
}

static bool is_unreachable(const struct udp_icmp *icmp)
{
    if (icmp->peer.family == ADDRESS_IPV6)
        return icmp->type == ICMP6_DST_UNREACH;
    return icmp->type == ICMP_DEST_UNREACH && icmp->code != ICMP_FRAG_NEEDED;
}

static void icmp_receive(struct mw_listener *listener, struct now now)
{
    struct mw_core *core = listener->core;
    struct udp_icmp icmp;
    for (int i = 0; i < ICMP_PER_TURN && udp_receive_icmp(&listener->udp, &icmp); i++) {
        if (!is_unreachable(&icmp) || !health_is_waited_for(&core->health, &icmp.peer, EDGE_UDP))
            continue;
        struct edge_target target = mw_target(&icmp.peer, EDGE_UDP);
        mw_remark(core, true, &icmp.peer, "is not there: ICMP says unreachable", "udp");
        mw_target_dead(core, &target, now);
    }
}

static void udp_ready(struct loop_source *source, uint32_t events, struct now now)
{
    struct mw_listener *listener = container_of(source, struct mw_listener, source);
    struct udp_receiver *receiver = &listener->core->workers[0]->receiver;
    if (events & EPOLLERR)
        icmp_receive(listener, now);
    int count = udp_receive(receiver, &listener->udp);
    for (int i = 0; i < count; i++) {
        const struct udp_arrival *arrival = &receiver->arrivals[i];
        size_t at = 0;
        do { /* an empty datagram is one, too */
            size_t length = udp_arrival_datagram(arrival, at);
            datagram_receive(listener, &arrival->from, arrival->bytes + at, length, now);
            at += length;
        } while (at < arrival->length);
    }
}

/* The listener that was asked answers (RFC 3581 §4); any of that family asks. */
static const struct mw_listener *udp_listener_for(const struct mw_core *core, const struct edge_target *target)
{
    uint32_t name = target->connection;
    if (name >= 1 && name <= core->listener_count && core->listeners[name - 1].transport == EDGE_UDP)
        return &core->listeners[name - 1];
    for (unsigned i = 0; i < core->listener_count; i++) {
        const struct mw_listener *listener = &core->listeners[i];
        if (listener->transport == EDGE_UDP && listener->udp.local.family == target->address.family)
            return listener;
    }
    return NULL;
}

void mw_udp_send(struct mw_core *core, const struct edge_target *target, const void *bytes, size_t length,
                 struct now now)
{
    const struct mw_listener *listener = udp_listener_for(core, target);
    struct sockaddr_storage storage;
    socklen_t size = net_sockaddr(&target->address, &storage);
    ssize_t sent = -1;
    /* The first try may fail with what ICMP said about an earlier datagram, to whomever. */
    for (int i = 0; listener && sent < 0 && i < 2; i++)
        sent = sendto(listener->udp.fd, bytes, length, MSG_NOSIGNAL, (struct sockaddr *)&storage, size);
    if (sent >= 0)
        return;
    /* A datagram is sent again; one that is too long for any path says nothing about this one. */
    if (listener && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == EMSGSIZE)) {
        mw_count(&core->dropped);
        return;
    }
    mw_remark(core, true, &target->address, "cannot be sent to", "udp");
    mw_target_dead(core, target, now);
}

/* TCP and TLS */

static void pause_accepting(struct mw_listener *listener, struct now now)
{
    struct mw_core *core = listener->core;
    /* Without the timer nobody would begin again: then rather burn the processor. */
    if (timers_set(loop_timers(core->loop), &listener->resume, now.monotonic_ns + PAUSE_NS) == 0)
        loop_remove(core->loop, &listener->source);
}

static void resume_accepting(struct timer *timer, struct now now)
{
    struct mw_listener *listener = container_of(timer, struct mw_listener, resume);
    if (loop_add(listener->core->loop, &listener->source, listener->udp.fd, EPOLLIN) != 0)
        pause_accepting(listener, now);
}

static void accept_one(struct mw_listener *listener, int fd, const struct address *peer, struct now now)
{
    struct mw_core *core = listener->core;
    if (sources_trust(&core->sources, peer)) {
        mw_connection_accept(core, fd, peer, (enum edge_transport)listener->transport, now);
        return;
    }
    mw_count(&core->refused);
    mw_remark(core, false, peer,
              "refused: a connection from an address that is neither edge.core's nor in edge.trusted", "tcp");
    close(fd);
}

static void tcp_ready(struct loop_source *source, uint32_t events, struct now now)
{
    (void)events;
    struct mw_listener *listener = container_of(source, struct mw_listener, source);
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct address peer;
        int fd = net_tcp_accept(listener->udp.fd, &peer);
        if (fd >= 0) {
            accept_one(listener, fd, &peer, now);
            continue;
        }
        if (fd == ERR_WOULD_BLOCK)
            return;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(listener, now);
            return;
        }
    }
}

int mw_listener_open(struct mw_core *core, const struct mw_core_listener *settings)
{
    bool udp = settings->transport == EDGE_UDP;
    int fd = udp ? net_udp_listen(&settings->address, false) : net_tcp_listen(&settings->address, false);
    if (fd < 0)
        return fd;
    struct mw_listener *listener = &core->listeners[core->listener_count++];
    *listener = (struct mw_listener){.core = core,
                                     .source = {.ready = udp ? udp_ready : tcp_ready, .fd = -1},
                                     .resume = {.callback = resume_accepting},
                                     .transport = (uint8_t)settings->transport};
    udp_socket_init(&listener->udp, fd);
    if (udp)
        net_udp_report_errors(fd, settings->address.family);
    return loop_add(core->loop, &listener->source, fd, EPOLLIN);
}

void mw_listener_close(struct mw_listener *listener)
{
    loop_remove(listener->core->loop, &listener->source);
    timers_cancel(loop_timers(listener->core->loop), &listener->resume);
    close(listener->udp.fd);
}
