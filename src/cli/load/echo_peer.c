/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/load/echo_peer.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <unistd.h>

#include "base/error.h"
#include "net/socket.h"

#define READS_PER_TURN 64
#define DATAGRAM_MAX   65536

static void bursts_ready(struct loop_source *source, uint32_t events, struct now now)
{
    (void)events, (void)now;
    struct echo_peer *peer = container_of(source, struct echo_peer, source);
    struct udp_receiver *receiver = &peer->worker->receiver;
    struct udp_sender *sender = &peer->worker->sender;
    int count = udp_receive(receiver, &peer->socket);
    for (int i = 0; i < count; i++) {
        const struct udp_arrival *arrival = &receiver->arrivals[i];
        for (size_t at = 0; at < arrival->length; at += arrival->segment) {
            struct udp_datagram echo = {.payload = arrival->bytes + at,
                                        .payload_length = udp_arrival_datagram(arrival, at)};
            udp_send(sender, &peer->socket, &arrival->from, NULL, &echo);
            peer->arrived++;
        }
    }
    udp_sender_flush(sender);
}

static void singly_ready(struct loop_source *source, uint32_t events, struct now now)
{
    (void)events, (void)now;
    struct echo_peer *peer = container_of(source, struct echo_peer, source);
    for (unsigned i = 0; i < READS_PER_TURN; i++) {
        struct sockaddr_storage from;
        uint8_t datagram[DATAGRAM_MAX];
        struct iovec part = {datagram, sizeof datagram};
        struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1};
        ssize_t length = recvmsg(source->fd, &message, MSG_DONTWAIT);
        if (length < 0)
            return;
        peer->arrived++;
        part.iov_len = (size_t)length;
        (void)!sendmsg(source->fd, &message, MSG_DONTWAIT);
    }
}

int echo_peer_init(struct echo_peer *peer, struct worker *worker, const struct address *address, bool bursts)
{
    struct address any_port = *address;
    any_port.port = 0;
    int fd = net_udp_listen(&any_port, false);
    if (fd < 0)
        return fd;
    int gro = bursts;
    setsockopt(fd, IPPROTO_UDP, UDP_GRO, &gro, sizeof gro);
    *peer = (struct echo_peer){.worker = worker, .source = {.ready = bursts ? bursts_ready : singly_ready, .fd = -1}};
    udp_socket_init(&peer->socket, fd);
    if (loop_add(worker->loop, &peer->source, fd, EPOLLIN) == 0)
        return 0;
    close(fd);
    return ERR_SYSTEM;
}

void echo_peer_fini(struct echo_peer *peer)
{
    if (!peer->worker || peer->source.fd < 0)
        return;
    int fd = peer->source.fd;
    loop_remove(peer->worker->loop, &peer->source);
    close(fd);
}
