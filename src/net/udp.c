/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/udp.h"

#include <assert.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/udp.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "net/socket.h"

void udp_socket_init(struct udp_socket *socket, int fd)
{
    *socket = (struct udp_socket){.fd = fd, .local = net_local_address(fd)};
    socket->packet_info = address_is_unspecified(&socket->local);
}

int udp_receiver_init(struct udp_receiver *receiver)
{
    memset(receiver, 0, sizeof *receiver);
    receiver->buffers = memory_zeroed(UDP_RECEIVE_BUFFERS, UDP_RECEIVE_STRIDE);
    if (!receiver->buffers)
        return ERR_MEMORY;
    for (unsigned i = 0; i < UDP_RECEIVE_BUFFERS; i++) {
        receiver->iovecs[i] =
            (struct iovec){.iov_base = receiver->buffers + i * UDP_RECEIVE_STRIDE, .iov_len = UDP_RECEIVE_SIZE};
        struct msghdr *header = &receiver->messages[i].msg_hdr;
        header->msg_name = &receiver->names[i];
        header->msg_iov = &receiver->iovecs[i];
        header->msg_iovlen = 1;
        header->msg_control = &receiver->controls[i];
        /* The kernel overwrites these lengths with each message, so those that it used are restored after use. */
        header->msg_namelen = sizeof receiver->names[i];
        header->msg_controllen = sizeof receiver->controls[i];
    }
    return 0;
}

void udp_receiver_fini(struct udp_receiver *receiver)
{
    memory_free(receiver->buffers);
}

static void local_ip_take(struct address *to, const struct cmsghdr *control)
{
    if (control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_PKTINFO) {
        const struct in_pktinfo *info = (const struct in_pktinfo *)CMSG_DATA(control);
        memcpy(to->ip, &info->ipi_addr, 4);
    } else if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_PKTINFO) {
        const struct in6_pktinfo *info = (const struct in6_pktinfo *)CMSG_DATA(control);
        memcpy(to->ip, &info->ipi6_addr, 16);
    }
}

static void arrival_take(struct udp_receiver *receiver, unsigned i, const struct udp_socket *socket)
{
    struct msghdr *header = &receiver->messages[i].msg_hdr;
    struct udp_arrival *arrival = &receiver->arrivals[i];
    *arrival = (struct udp_arrival){
        .from = net_address(&receiver->names[i]),
        .to = socket->local,
        .bytes = receiver->iovecs[i].iov_base,
        .length = receiver->messages[i].msg_len,
        .segment = receiver->messages[i].msg_len,
    };
    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control; control = CMSG_NXTHDR(header, control)) {
        if (control->cmsg_level == IPPROTO_UDP && control->cmsg_type == UDP_GRO) {
            int segment;
            memcpy(&segment, CMSG_DATA(control), sizeof segment);
            if (segment > 0)
                arrival->segment = (size_t)segment;
        } else {
            local_ip_take(&arrival->to, control);
        }
    }
    header->msg_namelen = sizeof receiver->names[i];
    header->msg_controllen = sizeof receiver->controls[i];
}

int udp_receive(struct udp_receiver *receiver, const struct udp_socket *socket)
{
    int count = recvmmsg(socket->fd, receiver->messages, UDP_RECEIVE_BUFFERS, MSG_DONTWAIT, NULL);
    if (count < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : ERR_SYSTEM;
    for (int i = 0; i < count; i++)
        arrival_take(receiver, (unsigned)i, socket);
    return count;
}

bool udp_receive_icmp(const struct udp_socket *socket, struct udp_icmp *out)
{
    struct sockaddr_storage name = {0};
    union {
        struct cmsghdr align;
        char bytes[512];
    } control;
    uint8_t quoted[1];
    struct iovec iovec = {.iov_base = quoted, .iov_len = sizeof quoted};
    for (;;) {
        struct msghdr header = {.msg_name = &name,
                                .msg_namelen = sizeof name,
                                .msg_iov = &iovec,
                                .msg_iovlen = 1,
                                .msg_control = &control,
                                .msg_controllen = sizeof control};
        if (recvmsg(socket->fd, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
            return false;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
            bool four = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
            bool six = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
            if (!four && !six)
                continue;
            struct sock_extended_err error;
            memcpy(&error, CMSG_DATA(c), sizeof error);
            if (error.ee_origin != SO_EE_ORIGIN_ICMP && error.ee_origin != SO_EE_ORIGIN_ICMP6)
                continue;
            *out = (struct udp_icmp){
                .peer = net_address(&name), .type = error.ee_type, .code = error.ee_code, .data = error.ee_info};
            return true;
        }
    }
}

void udp_sender_init(struct udp_sender *sender)
{
    memset(sender, 0, sizeof *sender);
    sender->send = sendmsg;
}

/* Whether a datagram of |length| bytes can be one more segment of |message|: all are of one size, and a shorter one
 * ends the row. */
static bool segment_fits(const struct udp_message *message, const struct udp_socket *socket, const struct address *to,
                         const struct address *from, size_t length)
{
    return message->socket == socket && !socket->no_segmentation && message->last == message->segment &&
           length <= message->segment && length > 0 && message->segment <= UDP_SEGMENT_MAX &&
           message->segments < UDP_SEND_SEGMENTS && message->bytes + length <= UDP_SEND_BYTES &&
           address_equal(&message->to, to) && (!socket->packet_info || address_same_ip(&message->from, from));
}

static void iovec_append(struct udp_sender *sender, struct udp_message *message, const void *bytes, size_t length)
{
    if (length == 0)
        return;
    sender->iovecs[sender->iovec_count++] = (struct iovec){.iov_base = (void *)bytes, .iov_len = length};
    message->iovec_count++;
}

void udp_send(struct udp_sender *sender, struct udp_socket *socket, const struct address *to,
              const struct address *from, const struct udp_datagram *datagram)
{
    static const uint8_t zeros[4];
    assert(datagram->head_length <= UDP_SEND_HEAD_MAX && datagram->padding < sizeof zeros);
    if (sender->iovec_count + 3 > UDP_SEND_IOVECS || sender->heads_used + datagram->head_length > UDP_SEND_HEADS)
        udp_sender_flush(sender);

    size_t length = datagram->head_length + datagram->payload_length + datagram->padding;
    struct udp_message *message = sender->message_count ? &sender->messages[sender->message_count - 1] : NULL;
    if (!message || !segment_fits(message, socket, to, from, length)) {
        if (sender->message_count == UDP_SEND_MESSAGES)
            udp_sender_flush(sender);
        message = &sender->messages[sender->message_count++];
        *message =
            (struct udp_message){.socket = socket, .to = *to, .first_iovec = sender->iovec_count, .segment = length};
        if (socket->packet_info)
            message->from = *from;
    }
    if (datagram->head_length > 0) {
        uint8_t *copy = sender->heads + sender->heads_used;
        memcpy(copy, datagram->head, datagram->head_length);
        sender->heads_used += datagram->head_length;
        iovec_append(sender, message, copy, datagram->head_length);
    }
    iovec_append(sender, message, datagram->payload, datagram->payload_length);
    iovec_append(sender, message, zeros, datagram->padding);
    message->segments++;
    message->last = length;
    message->bytes += length;
}

/* The control part of a send: source address and segment size, each where wanted. */
union send_control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t))];
};

static void control_append(struct msghdr *header, int level, int type, const void *value, size_t length)
{
    struct cmsghdr *control = (struct cmsghdr *)((char *)header->msg_control + header->msg_controllen);
    control->cmsg_level = level;
    control->cmsg_type = type;
    control->cmsg_len = CMSG_LEN(length);
    memcpy(CMSG_DATA(control), value, length);
    header->msg_controllen += CMSG_SPACE(length);
}

static void source_append(struct msghdr *header, const struct address *from)
{
    if (from->family == ADDRESS_IPV6) {
        struct in6_pktinfo info = {0};
        memcpy(&info.ipi6_addr, from->ip, 16);
        control_append(header, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    } else {
        struct in_pktinfo info = {0};
        memcpy(&info.ipi_spec_dst, from->ip, 4);
        control_append(header, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    }
}

/* One sendmsg(). A relay's socket reports an earlier ICMP error in place of sending, once: so it is tried again. */
static bool transmit(struct udp_sender *sender, const struct udp_message *message, struct iovec *iovecs,
                     unsigned iovec_count, unsigned segments)
{
    struct sockaddr_storage name;
    union send_control control;
    struct msghdr header = {.msg_name = &name,
                            .msg_namelen = net_sockaddr(&message->to, &name),
                            .msg_iov = iovecs,
                            .msg_iovlen = iovec_count,
                            .msg_control = &control};
    if (message->socket->packet_info)
        source_append(&header, &message->from);
    if (segments > 1) {
        uint16_t segment = (uint16_t)message->segment;
        control_append(&header, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment);
    }
    if (header.msg_controllen == 0)
        header.msg_control = NULL;
    for (int tries = 0; tries < 3; tries++) {
        if (sender->send(message->socket->fd, &header, MSG_DONTWAIT) >= 0) {
            sender->sent += segments;
            return true;
        }
        if (errno == EAGAIN || errno == EIO || errno == EMSGSIZE || errno == EINVAL)
            break;
    }
    return false;
}

/* Sends the segments of |message| one by one. */
static void transmit_singly(struct udp_sender *sender, const struct udp_message *message)
{
    struct iovec *iovec = &sender->iovecs[message->first_iovec];
    for (unsigned i = 0; i < message->segments; i++) {
        size_t left = i + 1 < message->segments ? message->segment : message->last;
        unsigned count = 0;
        while (left > 0)
            left -= iovec[count++].iov_len;
        if (!transmit(sender, message, iovec, count, 1))
            sender->dropped++;
        iovec += count;
    }
}

static void message_send(struct udp_sender *sender, struct udp_message *message)
{
    struct iovec *iovecs = &sender->iovecs[message->first_iovec];
    if (transmit(sender, message, iovecs, message->iovec_count, message->segments))
        return;
    bool too_large = errno == EMSGSIZE || errno == EINVAL;
    if (message->segments == 1 || (errno != EIO && !too_large)) {
        sender->dropped += message->segments;
        return;
    }
    /* EIO: the device cannot segment, so never again here. Too large is a matter of this one path: a client with a
     * narrow one must not slow down the others on the socket. */
    if (errno == EIO)
        message->socket->no_segmentation = true;
    transmit_singly(sender, message);
}

void udp_sender_flush(struct udp_sender *sender)
{
    for (unsigned i = 0; i < sender->message_count; i++)
        message_send(sender, &sender->messages[i]);
    sender->message_count = 0;
    sender->iovec_count = 0;
    sender->heads_used = 0;
}

bool udp_send_unfragmented(struct udp_sender *sender, struct udp_socket *socket, const struct address *to,
                           const void *payload, size_t length)
{
    bool six = to->family == ADDRESS_IPV6;
    int level = six ? IPPROTO_IPV6 : IPPROTO_IP;
    int name = six ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER;
    int set = six ? IPV6_PMTUDISC_DO : IP_PMTUDISC_DO;
    int clear = six ? IPV6_PMTUDISC_OMIT : IP_PMTUDISC_OMIT;

    udp_sender_flush(sender);
    struct iovec iovec = {.iov_base = (void *)payload, .iov_len = length};
    struct udp_message message = {.socket = socket, .to = *to, .from = socket->local, .segments = 1, .segment = length};
    setsockopt(socket->fd, level, name, &set, sizeof set);
    bool sent = transmit(sender, &message, &iovec, 1, 1);
    setsockopt(socket->fd, level, name, &clear, sizeof clear);
    if (!sent)
        sender->dropped++;
    return sent;
}
