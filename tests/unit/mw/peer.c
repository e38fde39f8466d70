/* SPDX-License-Identifier: BSD-3-Clause */
#include "peer.h"

#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/socket.h"

#define PATIENCE_MS 10000

const char request[] = "OPTIONS sip:edge SIP/2.0\r\nContent-Length: 0\r\n\r\n";
const char for_worker_2[] = "BYE sip:edge SIP/2.0\r\nX-Worker: 2\r\nContent-Length: 3\r\n\r\nabc";
const char response[] = "SIP/2.0 200 OK\r\nX-Worker: 0\r\nContent-Length: 0\r\n\r\n";

void peer_wait(int fd, short events)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    assert_int_equal(poll(&poll_fd, 1, PATIENCE_MS), 1);
}

/* Bound to |ip|. */
int peer_socket(const char *ip, int type)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, ip, &in.sin_addr);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    return fd;
}

struct edge_target peer_target(int fd, enum edge_transport transport)
{
    return (struct edge_target){.address = net_local_address(fd), .transport = (uint8_t)transport};
}

void peer_send_to(int fd, const struct address *to, const char *text)
{
    struct sockaddr_storage storage;
    socklen_t size = net_sockaddr(to, &storage);
    assert_int_equal(sendto(fd, text, strlen(text), 0, (struct sockaddr *)&storage, size), strlen(text));
}

int peer_connect(const char *from)
{
    struct sockaddr_storage storage;
    struct address edge = world_listener(EDGE_TCP);
    int fd = peer_socket(from, SOCK_STREAM);
    socklen_t size = net_sockaddr(&edge, &storage);
    assert_int_equal(connect(fd, (struct sockaddr *)&storage, size), 0);
    return fd;
}

int peer_accept(int listener)
{
    peer_wait(listener, POLLIN);
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

int peer_listen(void)
{
    int fd = peer_socket("127.0.0.1", SOCK_STREAM);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

void peer_write(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

void peer_expect(int fd, const char *text)
{
    char buffer[4096];
    size_t length = strlen(text);
    assert_true(length < sizeof buffer);
    for (size_t got = 0; got < length;) {
        peer_wait(fd, POLLIN);
        ssize_t part = recv(fd, buffer + got, length - got, 0);
        assert_true(part > 0);
        got += (size_t)part;
    }
    assert_memory_equal(buffer, text, length);
}

void peer_expect_end(int fd)
{
    char byte;
    peer_wait(fd, POLLIN);
    assert_true(recv(fd, &byte, 1, 0) <= 0);
}

void world_expect_received(const char *text, unsigned worker, struct edge_target *source_out)
{
    struct world_event *event = world_expect(WORLD_RECEIVED);
    assert_string_equal(event->text, text);
    assert_int_equal(event->worker, worker);
    if (source_out)
        *source_out = event->target;
    free(event);
}

void world_expect_failed(const struct edge_target *target)
{
    bool told[WORLD_WORKERS] = {false};
    for (unsigned i = 0; i < world.worker_count; i++) {
        struct world_event *event = world_expect(WORLD_FAILED);
        assert_true(address_equal(&event->target.address, &target->address));
        assert_int_equal(event->target.transport, target->transport);
        assert_false(told[event->worker]);
        told[event->worker] = true;
        free(event);
    }
}
