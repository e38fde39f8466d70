/* SPDX-License-Identifier: BSD-3-Clause */
#include "front/udp.h"

#include "front/dtls.h"
#include "net/socket.h"
#include "stun/framing.h"

static void datagram_receive(struct front_udp *udp, const struct turn_flow *flow, const uint8_t *datagram,
                             size_t length, struct now now)
{
    if (length == 0)
        return;
    if (first_bytes_of_datagram(datagram[0]) == FIRST_BYTES_DTLS)
        front_dtls_receive(udp->front, udp, flow, datagram, length, now);
    else
        turn_server_receive(udp->server, flow, datagram, length, now);
}

static void udp_ready(struct loop_source *source, uint32_t events, struct now now)
{
    (void)events;
    struct front_udp *udp = container_of(source, struct front_udp, source);
    struct worker *worker = udp->worker;
    int count = udp_receive(&worker->receiver, &udp->socket);
    for (int i = 0; i < count; i++) {
        const struct udp_arrival *arrival = &worker->receiver.arrivals[i];
        struct turn_flow flow = {
            .client = arrival->from, .server = arrival->to, .transport = TURN_UDP, .link = &udp->link};
        for (size_t at = 0; at < arrival->length; at += arrival->segment)
            datagram_receive(udp, &flow, arrival->bytes + at, udp_arrival_datagram(arrival, at), now);
    }
    udp_sender_flush(&worker->sender);
}

static void link_send(struct front_link *link, const struct turn_flow *flow, const struct turn_packet *packet)
{
    struct front_udp *udp = container_of(link, struct front_udp, link);
    struct udp_datagram datagram = {.head = packet->head,
                                    .head_length = packet->head_length,
                                    .payload = packet->payload,
                                    .payload_length = packet->payload_length,
                                    .padding = packet->padding};
    udp_send(&udp->worker->sender, &udp->socket, &flow->client, &flow->server, &datagram);
}

void front_udp_send(struct front_udp *udp, const struct turn_flow *flow, const uint8_t *bytes, size_t length)
{
    struct udp_sender *sender = &udp->worker->sender;
    bool small = length <= UDP_SEND_HEAD_MAX; /* copied; a larger one is sent before its bytes are overwritten */
    struct udp_datagram datagram = small ? (struct udp_datagram){.head = bytes, .head_length = length}
                                         : (struct udp_datagram){.payload = bytes, .payload_length = length};
    udp_send(sender, &udp->socket, &flow->client, &flow->server, &datagram);
    if (!small)
        udp_sender_flush(sender);
}

int front_udp_init(struct front_udp *udp, int fd, struct worker *worker, struct turn_server *server,
                   struct front *front)
{
    *udp = (struct front_udp){
        .link.send = link_send,
        .source = {.ready = udp_ready, .fd = -1},
        .front = front,
        .worker = worker,
        .server = server,
    };
    udp_socket_init(&udp->socket, fd);
    return loop_add(worker->loop, &udp->source, fd, EPOLLIN);
}

void front_udp_fini(struct front_udp *udp)
{
    loop_remove(udp->worker->loop, &udp->source);
}
