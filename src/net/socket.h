/* SPDX-License-Identifier: BSD-3-Clause
 * Sockets made the way postern wants them: non-blocking, close-on-exec, one address family each. Failures leave errno.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/address.h"
#include "base/now.h"

/* Both clocks, read now. Inside a worker loop_now() says the time of the turn at no cost. */
struct now net_now(void);

/* |address| as a sockaddr in |storage|; returns its length. */
socklen_t net_sockaddr(const struct address *address, struct sockaddr_storage *storage);
/* The reverse. A v4-mapped IPv6 address stays IPv6: our sockets are V6ONLY, so none arrives. */
struct address net_address(const struct sockaddr_storage *storage);
/* The address that |fd| is bound to, family NONE where that cannot be told. */
struct address net_local_address(int fd);

/* A UDP socket that answers from the address that was asked (packet info on), with GRO and, if |share|, SO_REUSEPORT.
 * Returns the descriptor, ERR_IN_USE or ERR_SYSTEM. */
int net_udp_listen(const struct address *address, bool share);
/* A relay's UDP socket: GRO on, ICMP errors queued (IP_RECVERR). This and the next return as net_udp_listen(). */
int net_udp_relay(const struct address *address);
/* ICMP errors about what a UDP socket of |family| has sent are queued from now on (IP_RECVERR). */
void net_udp_report_errors(int fd, uint8_t family);
/* A listening TCP socket. */
int net_tcp_listen(const struct address *address, bool share);
/* Accepts with all flags set. Returns the descriptor, ERR_WOULD_BLOCK, or ERR_SYSTEM. */
int net_tcp_accept(int listener, struct address *peer_out);
/* Starts connecting to |peer| from wherever the kernel likes. Returns the descriptor, or ERR_SYSTEM. */
int net_tcp_dial(const struct address *peer);
/* The same from |local| (port kept; SO_REUSEADDR and SO_REUSEPORT set, as RFC 6062 shares the relayed address). */
int net_tcp_connect(const struct address *local, const struct address *peer);
/* TCP_NODELAY, keep-alive after |keepalive_s| idle seconds (0: off), little unsent data in the kernel
 * (TCP_NOTSENT_LOWAT). */
void net_tcp_tune(int fd, unsigned keepalive_s);
/* Bytes that were written to a TCP socket but not sent even once; 0 where that cannot be told. */
size_t net_tcp_unsent(int fd);
/* Bytes a second that the other side of a TCP socket takes, as TCP estimates it; 0 where that cannot be told. */
uint64_t net_tcp_delivery_rate(int fd);
/* A TCP socket becomes writable when less than half of |bytes| lies unsent. */
void net_tcp_set_unsent_limit(int fd, unsigned bytes);
/* The pending error of a connecting socket, 0 if it is connected. */
int net_socket_error(int fd);

#endif
