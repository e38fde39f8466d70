/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/socket.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h> /* struct tcp_info with the delivery rate, which libc's has not */
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

/* Room for bursts: with 4 MiB a worker that is busy for some milliseconds loses nothing. The kernel grants less where
 * it must. */
#define LISTENER_BUFFER (4 * 1024 * 1024)
/* A stream's unsent data stays with us, where stale packets can still be dropped. */
#define UNSENT_IN_KERNEL (16 * 1024)
#define LISTEN_BACKLOG   1024

struct now net_now(void)
{
    struct timespec monotonic, wall;
    clock_gettime(CLOCK_MONOTONIC, &monotonic);
    clock_gettime(CLOCK_REALTIME_COARSE, &wall);
    return (struct now){
        .monotonic_ns = (uint64_t)monotonic.tv_sec * NS_PER_S + (uint64_t)monotonic.tv_nsec,
        .wall_s = (uint64_t)wall.tv_sec,
    };
}

socklen_t net_sockaddr(const struct address *address, struct sockaddr_storage *storage)
{
    if (address->family == ADDRESS_IPV4) {
        struct sockaddr_in *in = (struct sockaddr_in *)storage;
        *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(address->port)};
        memcpy(&in->sin_addr, address->ip, 4);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)storage;
    *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
    memcpy(&in6->sin6_addr, address->ip, 16);
    return sizeof *in6;
}

struct address net_address(const struct sockaddr_storage *storage)
{
    struct address address = {0};
    if (storage->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)storage;
        address.family = ADDRESS_IPV4;
        address.port = ntohs(in->sin_port);
        memcpy(address.ip, &in->sin_addr, 4);
    } else if (storage->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)storage;
        address.family = ADDRESS_IPV6;
        address.port = ntohs(in6->sin6_port);
        memcpy(address.ip, &in6->sin6_addr, 16);
    }
    return address;
}

struct address net_local_address(int fd)
{
    struct sockaddr_storage storage = {0};
    socklen_t length = sizeof storage;
    if (getsockname(fd, (struct sockaddr *)&storage, &length) != 0)
        return (struct address){0};
    return net_address(&storage);
}

static bool option(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

static int level_of(const struct address *address)
{
    return address->family == ADDRESS_IPV6 ? IPPROTO_IPV6 : IPPROTO_IP;
}

/* Closes |fd|, keeping errno, and says what kind of failure that was. */
static int give_up(int fd)
{
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return saved == EADDRINUSE ? ERR_IN_USE : ERR_SYSTEM;
}

static int socket_create(const struct address *address, int type)
{
    bool six = address->family == ADDRESS_IPV6;
    int fd = socket(six ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && six && !option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1))
        return give_up(fd);
    return fd >= 0 ? fd : give_up(fd);
}

static int socket_bind(int fd, const struct address *address)
{
    struct sockaddr_storage storage;
    socklen_t length = net_sockaddr(address, &storage);
    return bind(fd, (struct sockaddr *)&storage, length) == 0 ? fd : give_up(fd);
}

/* Fragments by the interface's MTU without the DF bit, as RFC 8656 §15 wants for relayed data; path MTU claims of
 * others are not believed. */
static void fragment_freely(int fd, const struct address *address)
{
    if (address->family == ADDRESS_IPV6)
        option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
    else
        option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
}

int net_udp_listen(const struct address *address, bool share)
{
    int fd = socket_create(address, SOCK_DGRAM);
    if (fd < 0)
        return fd;
    bool six = address->family == ADDRESS_IPV6;
    if (share && !option(fd, SOL_SOCKET, SO_REUSEPORT, 1))
        return give_up(fd);
    if (address_is_unspecified(address) && !option(fd, level_of(address), six ? IPV6_RECVPKTINFO : IP_PKTINFO, 1))
        return give_up(fd);
    option(fd, IPPROTO_UDP, UDP_GRO, 1);
    if (!option(fd, SOL_SOCKET, SO_RCVBUFFORCE, LISTENER_BUFFER))
        option(fd, SOL_SOCKET, SO_RCVBUF, LISTENER_BUFFER);
    if (!option(fd, SOL_SOCKET, SO_SNDBUFFORCE, LISTENER_BUFFER))
        option(fd, SOL_SOCKET, SO_SNDBUF, LISTENER_BUFFER);
    fragment_freely(fd, address);
    return socket_bind(fd, address);
}

void net_udp_report_errors(int fd, uint8_t family)
{
    if (family == ADDRESS_IPV6)
        option(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
    else
        option(fd, IPPROTO_IP, IP_RECVERR, 1);
}

int net_udp_relay(const struct address *address)
{
    int fd = socket_create(address, SOCK_DGRAM);
    if (fd < 0)
        return fd;
    option(fd, IPPROTO_UDP, UDP_GRO, 1);
    net_udp_report_errors(fd, address->family);
    fragment_freely(fd, address);
    return socket_bind(fd, address);
}

int net_tcp_listen(const struct address *address, bool share)
{
    int fd = socket_create(address, SOCK_STREAM);
    if (fd < 0)
        return fd;
    if (!option(fd, SOL_SOCKET, SO_REUSEADDR, 1) || (share && !option(fd, SOL_SOCKET, SO_REUSEPORT, 1)))
        return give_up(fd);
    fd = socket_bind(fd, address);
    if (fd < 0)
        return fd;
    return listen(fd, LISTEN_BACKLOG) == 0 ? fd : give_up(fd);
}

int net_tcp_accept(int listener, struct address *peer_out)
{
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    int fd = accept4(listener, (struct sockaddr *)&storage, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? ERR_WOULD_BLOCK : ERR_SYSTEM;
    *peer_out = net_address(&storage);
    return fd;
}

static int socket_connect(int fd, const struct address *peer)
{
    struct sockaddr_storage storage;
    socklen_t length = net_sockaddr(peer, &storage);
    if (connect(fd, (struct sockaddr *)&storage, length) == 0 || errno == EINPROGRESS)
        return fd;
    return give_up(fd);
}

int net_tcp_dial(const struct address *peer)
{
    int fd = socket_create(peer, SOCK_STREAM);
    return fd < 0 ? fd : socket_connect(fd, peer);
}

int net_tcp_connect(const struct address *local, const struct address *peer)
{
    int fd = socket_create(local, SOCK_STREAM);
    if (fd < 0)
        return fd;
    if (!option(fd, SOL_SOCKET, SO_REUSEADDR, 1) || !option(fd, SOL_SOCKET, SO_REUSEPORT, 1))
        return give_up(fd);
    fd = socket_bind(fd, local);
    return fd < 0 ? fd : socket_connect(fd, peer);
}

void net_tcp_tune(int fd, unsigned keepalive_s)
{
    option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_IN_KERNEL);
    if (keepalive_s == 0)
        return;
    option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    option(fd, IPPROTO_TCP, TCP_KEEPIDLE, (int)keepalive_s);
    option(fd, IPPROTO_TCP, TCP_KEEPINTVL, (int)keepalive_s);
    option(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
}

size_t net_tcp_unsent(int fd)
{
    int bytes = 0;
    return ioctl(fd, SIOCOUTQNSD, &bytes) == 0 && bytes > 0 ? (size_t)bytes : 0;
}

uint64_t net_tcp_delivery_rate(int fd)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 ? info.tcpi_delivery_rate : 0;
}

void net_tcp_set_unsent_limit(int fd, unsigned bytes)
{
    option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, (int)bytes);
}

int net_socket_error(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}
