/* SPDX-License-Identifier: BSD-3-Clause
 * Datagrams in batches. In: recvmmsg() with UDP_GRO, so that one buffer may hold many datagrams of one source. Out: a
 * queue in which neighbours with one socket, one destination and one size become one UDP_SEGMENT send. Buffers belong
 * to the worker. */
#ifndef NET_UDP_H
#define NET_UDP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/address.h"

/* A socket as the batches see it. Embedded in its owner. */
struct udp_socket {
    int fd;
    bool packet_info;     /* bound to a wildcard: the local address is told with each packet */
    bool no_segmentation; /* UDP_SEGMENT failed here (EIO: the device cannot): plain sends only */
    struct address local; /* as bound */
};

void udp_socket_init(struct udp_socket *socket, int fd);

#define UDP_RECEIVE_BUFFERS 16
#define UDP_RECEIVE_SIZE    65536
/* Between buffers, so that their first bytes do not fall into the same cache sets. */
#define UDP_RECEIVE_STRIDE (UDP_RECEIVE_SIZE + 1088)

/* Datagrams of one source that arrived together: each |segment| bytes long, but for the last. */
struct udp_arrival {
    struct address from;
    struct address to; /* the local address that was asked */
    const uint8_t *bytes;
    size_t length, segment;
};

/* Length of the datagram that begins |at| bytes into |arrival|. */
static inline size_t udp_arrival_datagram(const struct udp_arrival *arrival, size_t at)
{
    size_t left = arrival->length - at;
    return left < arrival->segment ? left : arrival->segment;
}

struct udp_receiver {
    struct mmsghdr messages[UDP_RECEIVE_BUFFERS];
    struct iovec iovecs[UDP_RECEIVE_BUFFERS];
    struct sockaddr_storage names[UDP_RECEIVE_BUFFERS];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
    } controls[UDP_RECEIVE_BUFFERS];
    uint8_t *buffers;
    struct udp_arrival arrivals[UDP_RECEIVE_BUFFERS];
};

/* Returns 0 or ERR_MEMORY. */
int udp_receiver_init(struct udp_receiver *receiver);
void udp_receiver_fini(struct udp_receiver *receiver);
/* Reads what is there, at most UDP_RECEIVE_BUFFERS arrivals, into |receiver|->arrivals; they are valid until the next
 * call. Returns their number, 0 if none, or ERR_SYSTEM (errno: a queued ICMP error). */
int udp_receive(struct udp_receiver *receiver, const struct udp_socket *socket);

/* An ICMP error about a datagram that |socket| has sent. */
struct udp_icmp {
    struct address peer;
    uint8_t type, code;
    uint32_t data; /* next-hop MTU where the error tells one */
};
/* Takes one from the socket's error queue. False if there is none. */
bool udp_receive_icmp(const struct udp_socket *socket, struct udp_icmp *out);

#define UDP_SEND_MESSAGES 64
#define UDP_SEND_IOVECS   512
#define UDP_SEND_SEGMENTS 64
#define UDP_SEND_BYTES    65000 /* of one segmented send */
#define UDP_SEGMENT_MAX   1452  /* largest segment: an Ethernet's MTU less IPv6 and UDP headers */
#define UDP_SEND_HEADS    32768 /* bytes that were copied: headers and answers of our own */
#define UDP_SEND_HEAD_MAX 4096

struct udp_message {
    struct udp_socket *socket;
    struct address to, from;
    unsigned first_iovec, iovec_count;
    unsigned segments;
    size_t segment, last, bytes; /* size of each segment, of the last one, of all */
};

struct udp_sender {
    struct udp_message messages[UDP_SEND_MESSAGES];
    struct iovec iovecs[UDP_SEND_IOVECS];
    uint8_t heads[UDP_SEND_HEADS];
    unsigned message_count, iovec_count;
    size_t heads_used;
    uint64_t sent, dropped; /* datagrams */
    /* sendmsg(), but for tests that want to see it fail. */
    ssize_t (*send)(int fd, const struct msghdr *message, int flags);
};

void udp_sender_init(struct udp_sender *sender);
/* A datagram to be sent: |head| (at most UDP_SEND_HEAD_MAX bytes) is copied, |payload| is borrowed until
 * udp_sender_flush(), |padding| (0..3) zero bytes follow. */
struct udp_datagram {
    const void *head;
    size_t head_length;
    const void *payload;
    size_t payload_length;
    size_t padding;
};
/* Queues one datagram. |from| is used where |socket| is bound to a wildcard and may be NULL elsewhere. A full queue is
 * flushed first. */
void udp_send(struct udp_sender *sender, struct udp_socket *socket, const struct address *to,
              const struct address *from, const struct udp_datagram *datagram);
/* Sends all that is queued. What the kernel does not take at once is dropped and counted: these are datagrams. */
void udp_sender_flush(struct udp_sender *sender);
/* Sends one datagram at once with the DF bit set; false where the path is too narrow. */
bool udp_send_unfragmented(struct udp_sender *sender, struct udp_socket *socket, const struct address *to,
                           const void *payload, size_t length);

#endif
