/* SPDX-License-Identifier: BSD-3-Clause */
#include "relay/relay.h"

#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "front/link.h"
#include "net/socket.h"
#include "relay/peer_socket.h"

/* ICMP errors taken from a socket before its data gets its turn. */
#define ICMP_PER_TURN 16
/* Of each size of buffers for peers that take bytes slowly. */
#define PEER_MEMORY_LIMIT ((size_t)64 * 1024 * 1024)

static void icmp_receive(struct relay_socket *socket, struct now now)
{
    struct udp_icmp icmp;
    for (int i = 0; i < ICMP_PER_TURN && udp_receive_icmp(&socket->udp, &icmp); i++)
        turn_server_receive_icmp(socket->relay->server, socket->turn, &icmp.peer, icmp.type, icmp.code, icmp.data, now);
}

static void peers_receive(struct relay_socket *socket, struct now now)
{
    struct worker *worker = socket->relay->worker;
    int count = udp_receive(&worker->receiver, &socket->udp);
    for (int i = 0; i < count; i++) {
        const struct udp_arrival *arrival = &worker->receiver.arrivals[i];
        size_t at = 0;
        do { /* an empty datagram is one, too */
            size_t length = udp_arrival_datagram(arrival, at);
            turn_server_receive_peer(socket->relay->server, socket->turn, &arrival->from, arrival->bytes + at, length,
                                     now);
            at += length;
        } while (at < arrival->length);
    }
    udp_sender_flush(&worker->sender);
}

static void relay_socket_ready(struct loop_source *source, uint32_t events, struct now now)
{
    struct relay_socket *socket = container_of(source, struct relay_socket, source);
    if (events & EPOLLERR)
        icmp_receive(socket, now);
    peers_receive(socket, now);
}

static int host_relay_open(void *context, const struct relay_port *port, intptr_t *socket_out)
{
    (void)context;
    bool tcp = port->protocol == RELAY_TCP;
    int fd = tcp ? net_tcp_listen(&port->private_address, true) : net_udp_relay(&port->private_address);
    if (fd < 0)
        return fd;
    struct relay_socket *socket = memory_zeroed(1, sizeof *socket);
    if (!socket) {
        close(fd);
        return ERR_MEMORY;
    }
    udp_socket_init(&socket->udp, fd);
    socket->source = (struct loop_source){.ready = tcp ? peer_listener_ready : relay_socket_ready, .fd = -1};
    socket->resume.callback = peer_listener_resume;
    *socket_out = (intptr_t)socket;
    return 0;
}

static int host_relay_attach(void *context, struct turn_relay *turn)
{
    struct relay *relay = context;
    struct relay_socket *socket = relay_socket_of(turn->socket);
    socket->relay = relay;
    socket->turn = turn;
    return loop_add(relay->worker->loop, &socket->source, socket->udp.fd, EPOLLIN) == 0 ? 0 : ERR_MEMORY;
}

void relay_socket_close(intptr_t handle)
{
    struct relay_socket *socket = relay_socket_of(handle);
    close(socket->udp.fd);
    memory_free(socket);
}

static void host_relay_close(void *context, struct turn_relay *turn)
{
    struct relay *relay = context;
    struct relay_socket *socket = relay_socket_of(turn->socket);
    udp_sender_flush(&relay->worker->sender); /* the queue may hold datagrams of this socket */
    loop_remove(relay->worker->loop, &socket->source);
    timers_cancel(loop_timers(relay->worker->loop), &socket->resume);
    relay_socket_close(turn->socket);
    turn->socket = -1;
}

static void host_relay_send(void *context, struct turn_relay *turn, const struct address *peer, const uint8_t *payload,
                            size_t length, bool dont_fragment)
{
    struct relay *relay = context;
    struct relay_socket *socket = relay_socket_of(turn->socket);
    if (dont_fragment)
        udp_send_unfragmented(&relay->worker->sender, &socket->udp, peer, payload, length);
    else
        udp_send(&relay->worker->sender, &socket->udp, peer, NULL,
                 &(struct udp_datagram){.payload = payload, .payload_length = length});
}

static void host_client_send(void *context, const struct turn_flow *flow, const struct turn_packet *packet)
{
    (void)context;
    struct front_link *link = flow->link;
    link->send(link, flow, packet);
}

static void host_client_allocation(void *context, const struct turn_flow *flow, struct turn_allocation *allocation)
{
    (void)context;
    struct front_link *link = flow->link;
    if (link->allocation)
        link->allocation(link, allocation);
}

static void timer_due(struct timer *timer, struct now now)
{
    struct relay *relay = container_of(timer, struct relay, timer);
    turn_server_expire(relay->server, now);
}

static void rearm(struct loop_task *task, struct now now)
{
    (void)now;
    struct relay *relay = container_of(task, struct relay, rearm);
    /* Where memory is short, the next turn tries again. */
    (void)timers_update(loop_timers(relay->worker->loop), &relay->timer, turn_server_deadline(relay->server));
}

void relay_init(struct relay *relay, struct worker *worker, bool tcp)
{
    *relay = (struct relay){
        .worker = worker,
        .timer.callback = timer_due,
        .host =
            {
                .context = relay,
                .relay_open = host_relay_open,
                .relay_attach = host_relay_attach,
                .relay_close = host_relay_close,
                .relay_send = host_relay_send,
                .client_send = host_client_send,
                .client_allocation = host_client_allocation,
            },
    };
    buffers_init(&relay->peer_buffers, PEER_MEMORY_LIMIT);
    if (tcp) {
        relay->host.peer_connect = peer_socket_connect;
        relay->host.peer_close = peer_socket_close;
        relay->host.peer_join = peer_socket_join;
    }
}

void relay_serve(struct relay *relay, struct turn_server *server)
{
    relay->server = server;
    loop_task_init(&relay->rearm, rearm);
    loop_each_turn(relay->worker->loop, &relay->rearm);
}

void relay_fini(struct relay *relay)
{
    if (!relay->server)
        return;
    loop_task_cancel(&relay->rearm);
    timers_cancel(loop_timers(relay->worker->loop), &relay->timer);
    buffers_fini(&relay->peer_buffers);
}
