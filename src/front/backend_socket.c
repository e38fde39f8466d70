/* SPDX-License-Identifier: BSD-3-Clause */
#include "front/backend_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "net/socket.h"

static void watch(struct backend_socket *socket)
{
    struct loop *loop = socket->front->worker->loop;
    if (socket->fd < 0)
        return;
    bool reads = !socket->connecting && !socket->paused && !socket->input_ended;
    uint32_t events = (reads ? EPOLLIN : 0u) | (socket->connecting || socket->held ? EPOLLOUT : 0u);
    /* One that waits for nothing must leave epoll: it would be told of a hang-up again and again. */
    if (events == 0)
        loop_remove(loop, &socket->source);
    else if (socket->source.fd < 0)
        socket->deaf |= loop_add(loop, &socket->source, socket->fd, events) != 0;
    else if (events != socket->watched)
        socket->deaf |= loop_modify(loop, &socket->source, events) != 0;
    socket->watched = events;
}

static void turn_deaf(struct backend_socket *socket)
{
    socket->deaf = true;
    buffers_give(&socket->front->buffers, &socket->held);
}

static size_t kernel_write(struct backend_socket *socket, const uint8_t *bytes, size_t length)
{
    ssize_t sent = send(socket->fd, bytes, length, MSG_NOSIGNAL);
    if (sent >= 0)
        return (size_t)sent;
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        turn_deaf(socket);
    return 0;
}

static void half_close(struct backend_socket *socket)
{
    if (socket->output_ended && !socket->held && !socket->connecting && !socket->deaf) {
        socket->deaf = true;
        shutdown(socket->fd, SHUT_WR);
    }
}

void backend_socket_write(struct backend_socket *socket, const uint8_t *bytes, size_t length)
{
    if (socket->fd < 0 || socket->deaf)
        return;
    size_t sent = socket->held || socket->connecting ? 0 : kernel_write(socket, bytes, length);
    if (!socket->deaf && sent < length &&
        buffers_append(&socket->front->buffers, &socket->held, bytes + sent, length - sent) != 0) {
        turn_deaf(socket);
        shutdown(socket->fd, SHUT_RDWR); /* the server must not take what it has for all */
    }
    watch(socket);
}

size_t backend_socket_room(const struct backend_socket *socket)
{
    return BUFFER_LARGE - buffer_length(socket->held);
}

void backend_socket_output_end(struct backend_socket *socket)
{
    socket->output_ended = true;
    if (socket->fd >= 0)
        half_close(socket);
}

void backend_socket_pause(struct backend_socket *socket, bool paused)
{
    socket->paused = paused;
    watch(socket);
}

/* Gives |bytes|, what was kept and what came behind it, to the owner; keeps what it does not take. */
static void deliver(struct backend_socket *socket, const uint8_t *bytes, size_t length, struct now now)
{
    size_t taken = socket->owner->receive(socket, bytes, length, now);
    if (socket->fd < 0)
        return;
    if (buffers_keep(&socket->front->buffers, &socket->rest, bytes + taken, length - taken, 0) != 0)
        socket->owner->input_ended(socket, ENOMEM, now);
}

/* Puts what was kept at the start of |received|. Returns its length. */
static size_t restore(struct backend_socket *socket)
{
    struct front *front = socket->front;
    size_t length = buffer_length(socket->rest);
    if (length > 0)
        memcpy(front->received, socket->rest->bytes + socket->rest->start, length);
    return length;
}

static void readable(struct backend_socket *socket, struct now now)
{
    struct front *front = socket->front;
    size_t kept = restore(socket);
    ssize_t got = recv(socket->fd, front->received + kept, sizeof front->received - kept, 0);
    if (got > 0) {
        deliver(socket, front->received, kept + (size_t)got, now);
    } else if (got == 0) {
        socket->input_ended = true;
        socket->owner->input_ended(socket, 0, now);
    } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        socket->owner->input_ended(socket, errno, now);
    }
}

void backend_socket_go_on(struct backend_socket *socket, struct now now)
{
    size_t length = socket->fd >= 0 ? restore(socket) : 0;
    if (length > 0)
        deliver(socket, socket->front->received, length, now);
}

static void writable(struct backend_socket *socket, struct now now)
{
    struct buffer *held = socket->held;
    held->start += (uint32_t)kernel_write(socket, held->bytes + held->start, buffer_length(held));
    if (socket->held && buffer_length(held) > 0)
        return;
    buffers_give(&socket->front->buffers, &socket->held);
    half_close(socket);
    socket->owner->drained(socket, now);
}

static void ready(struct loop_source *source, uint32_t events, struct now now)
{
    struct backend_socket *socket = container_of(source, struct backend_socket, source);
    int error = socket->connecting ? net_socket_error(socket->fd) : 0;
    (void)events;
    if (error != 0) {
        socket->owner->input_ended(socket, error, now);
        return;
    }
    socket->connecting = false;
    if (socket->held)
        writable(socket, now);
    if (backend_socket_reads(socket) && !socket->input_ended)
        readable(socket, now);
    watch(socket);
}

void backend_socket_init(struct backend_socket *socket, struct front *front, const struct backend_socket_owner *owner)
{
    *socket = (struct backend_socket){.owner = owner, .front = front, .source = {.ready = ready, .fd = -1}, .fd = -1};
}

/* Whether a connection that rests can be used again: its end may have come in this turn of the loop, and not yet been
 * told. */
static bool rests_well(struct backend_socket *socket)
{
    uint8_t byte;
    return recv(socket->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

int backend_socket_open(struct backend_socket *socket, const struct address *server)
{
    if (socket->fd >= 0 && rests_well(socket))
        return 0;
    backend_socket_close(socket);
    int fd = net_tcp_dial(server);
    if (fd < 0)
        return fd;
    net_tcp_tune(fd, 0);
    socket->fd = fd;
    socket->connecting = true;
    watch(socket);
    return 0;
}

void backend_socket_close(struct backend_socket *socket)
{
    struct front *front = socket->front;
    const struct backend_socket_owner *owner = socket->owner;
    buffers_give(&front->buffers, &socket->held);
    buffers_give(&front->buffers, &socket->rest);
    loop_remove(front->worker->loop, &socket->source);
    if (socket->fd >= 0)
        close(socket->fd);
    backend_socket_init(socket, front, owner);
}
