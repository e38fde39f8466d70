/* SPDX-License-Identifier: BSD-3-Clause */
#include "relay/peer_socket.h"

#include <errno.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "front/buffers.h"
#include "front/link.h"
#include "net/socket.h"
#include "relay/relay.h"

#define ACCEPT_BATCH 16
/* While descriptors or memory are short, trying again at once would only burn the processor. */
#define ACCEPT_PAUSE_NS (100 * NS_PER_MS)
/* A peer that vanished without a word would hold its connection as long as the allocation lives. */
#define PEER_KEEPALIVE_S 60

enum peer_socket_state {
    PEER_CONNECTING,
    PEER_WAITING, /* for the client's ConnectionBind; what the peer sends stays in the kernel */
    PEER_JOINED,
};

struct peer_socket {
    struct bridge_end end;
    struct loop_source source; /* |fd| is -1 while nothing is waited for */
    struct loop_task ending;   /* the core is told at the end of the turn: it may be the one that calls us */
    struct timer allowance;    /* on while the limits of bandwidth let nothing pass, either way */
    struct relay *relay;
    struct turn_peer_connection *connection;
    struct buffer *held; /* from the client, not yet taken by the socket */
    enum peer_socket_state state;
    int fd;
    uint32_t watched;
    bool paused; /* the client's end is full */
    bool input_ended, output_ended, output_closed;
};

static struct peer_socket *of_end(struct bridge_end *end)
{
    return container_of(end, struct peer_socket, end);
}

static struct peer_socket *of_connection(const struct turn_peer_connection *connection)
{
    return (struct peer_socket *)connection->socket;
}

static void end_later(struct peer_socket *socket)
{
    loop_defer(socket->relay->worker->loop, &socket->ending);
}

static void end_now(struct loop_task *task, struct now now)
{
    struct peer_socket *socket = container_of(task, struct peer_socket, ending);
    turn_server_peer_failed(socket->relay->server, socket->connection,
                            now); /* which comes back as peer_socket_close() */
}

static bool exhausted(const struct peer_socket *socket)
{
    return socket->allowance.position != 0;
}

static bool reads(const struct peer_socket *socket)
{
    return !socket->paused && !socket->input_ended && !exhausted(socket);
}

static void watch(struct peer_socket *socket)
{
    struct loop *loop = socket->relay->worker->loop;
    uint32_t events = 0;
    if (socket->state == PEER_CONNECTING)
        events = EPOLLOUT;
    else if (socket->state == PEER_JOINED)
        events = (reads(socket) ? EPOLLIN : 0u) | (socket->held ? EPOLLOUT : 0u);
    /* While it waits for ConnectionBind only a hang-up is of interest, which epoll always tells; while it is paused it
     * must not be told again and again. */
    if (events == 0 && socket->state == PEER_JOINED) {
        loop_remove(loop, &socket->source);
        return;
    }
    int result = 0;
    if (socket->source.fd < 0)
        result = loop_add(loop, &socket->source, socket->fd, events);
    else if (events != socket->watched)
        result = loop_modify(loop, &socket->source, events);
    socket->watched = events;
    if (result != 0)
        end_later(socket);
}

/* Returns the number of bytes that the socket took; ends it where it is broken. */
static size_t socket_write(struct peer_socket *socket, const uint8_t *bytes, size_t length)
{
    ssize_t sent = send(socket->fd, bytes, length, MSG_NOSIGNAL);
    if (sent >= 0)
        return (size_t)sent;
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        end_later(socket);
        return length;
    }
    return 0;
}

/* |length| bytes have passed; what goes beyond the limits is made up for by a rest. */
static void carried(struct peer_socket *socket, bool to_client, size_t length)
{
    struct loop *loop = socket->relay->worker->loop;
    struct now now = loop_now(loop);
    uint64_t rest_ns = turn_server_peer_carried(socket->relay->server, socket->connection, to_client, length, now);
    if (rest_ns > 0 && timers_set(loop_timers(loop), &socket->allowance, now.monotonic_ns + rest_ns) != 0)
        end_later(socket);
}

static void rest_is_over(struct timer *timer, struct now now)
{
    (void)now;
    struct peer_socket *socket = container_of(timer, struct peer_socket, allowance);
    carried(socket, false, 0);
    if (exhausted(socket))
        return;
    if (!socket->held && socket->end.other)
        socket->end.other->resume(socket->end.other);
    watch(socket);
}

/* Half-closes once all is written; with both halves closed it is over. */
static void output_close(struct peer_socket *socket)
{
    if (socket->output_ended && !socket->output_closed && !socket->held) {
        socket->output_closed = true;
        shutdown(socket->fd, SHUT_WR);
    }
    if (socket->output_closed && socket->input_ended)
        end_later(socket);
}

static bool end_write(struct bridge_end *end, const uint8_t *bytes, size_t length)
{
    struct peer_socket *socket = of_end(end);
    if (socket->output_ended)
        return true;
    size_t sent = socket->held ? 0 : socket_write(socket, bytes, length);
    if (sent < length && buffers_append(&socket->relay->peer_buffers, &socket->held, bytes + sent, length - sent) != 0)
        end_later(socket);
    carried(socket, false, length);
    watch(socket);
    return socket->held == NULL && !exhausted(socket);
}

static void end_resume(struct bridge_end *end)
{
    of_end(end)->paused = false;
    watch(of_end(end));
}

static void end_finish(struct bridge_end *end)
{
    struct peer_socket *socket = of_end(end);
    socket->output_ended = true;
    output_close(socket);
}

static void end_part(struct bridge_end *end)
{
    struct peer_socket *socket = of_end(end);
    socket->input_ended = true; /* there is nobody left to read for */
    socket->output_ended = true;
    output_close(socket);
    watch(socket);
}

static void peer_readable(struct peer_socket *socket)
{
    /* The receiver's memory is free between two batches, once what borrows from it has been sent. */
    struct worker *worker = socket->relay->worker;
    udp_sender_flush(&worker->sender);
    ssize_t got = recv(socket->fd, worker->receiver.buffers, STREAM_READ_SIZE, 0);
    struct bridge_end *other = socket->end.other;
    if (got > 0) {
        if (other && !other->write(other, worker->receiver.buffers, (size_t)got))
            socket->paused = true;
        carried(socket, true, (size_t)got);
    } else if (got == 0) {
        socket->input_ended = true;
        if (other)
            other->finish(other);
        output_close(socket);
    } else if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
        end_later(socket);
        return;
    }
    watch(socket);
}

static void peer_writable(struct peer_socket *socket)
{
    struct buffer *held = socket->held;
    held->start += (uint32_t)socket_write(socket, held->bytes + held->start, buffer_length(held));
    if (buffer_length(held) > 0)
        return;
    buffers_give(&socket->relay->peer_buffers, &socket->held);
    output_close(socket);
    if (socket->end.other && !exhausted(socket))
        socket->end.other->resume(socket->end.other);
    watch(socket);
}

static void ready(struct loop_source *source, uint32_t events, struct now now)
{
    struct peer_socket *socket = container_of(source, struct peer_socket, source);
    struct turn_server *server = socket->relay->server;
    if (socket->state == PEER_JOINED) {
        if (socket->held)
            peer_writable(socket);
        if (reads(socket))
            peer_readable(socket);
    } else if ((events & (EPOLLERR | EPOLLHUP)) || net_socket_error(socket->fd) != 0) {
        turn_server_peer_failed(server, socket->connection, now);
    } else if (socket->state == PEER_CONNECTING) {
        socket->state = PEER_WAITING;
        watch(socket);
        turn_server_peer_connected(server, socket->connection, now);
    }
}

/* Takes |fd| over; NULL without memory. */
static struct peer_socket *create(struct relay *relay, int fd, enum peer_socket_state state)
{
    struct peer_socket *socket = memory_zeroed(1, sizeof *socket);
    if (!socket) {
        close(fd);
        return NULL;
    }
    *socket = (struct peer_socket){
        .end = {.write = end_write, .resume = end_resume, .finish = end_finish, .part = end_part},
        .source = {.ready = ready, .fd = -1},
        .allowance = {.callback = rest_is_over},
        .relay = relay,
        .state = state,
        .fd = fd,
        .paused = true,
    };
    loop_task_init(&socket->ending, end_now);
    net_tcp_tune(fd, PEER_KEEPALIVE_S);
    return socket;
}

static void destroy(struct peer_socket *socket)
{
    bridge_leave(&socket->end);
    loop_remove(socket->relay->worker->loop, &socket->source);
    loop_task_cancel(&socket->ending);
    timers_cancel(loop_timers(socket->relay->worker->loop), &socket->allowance);
    buffers_give(&socket->relay->peer_buffers, &socket->held);
    close(socket->fd);
    memory_free(socket);
}

int peer_socket_connect(void *context, struct turn_relay *turn, struct turn_peer_connection *connection)
{
    int fd = net_tcp_connect(&turn->port.private_address, &connection->peer);
    if (fd < 0)
        return fd;
    struct peer_socket *socket = create(context, fd, PEER_CONNECTING);
    if (!socket)
        return ERR_MEMORY;
    socket->connection = connection;
    connection->socket = (intptr_t)socket;
    watch(socket);
    return 0;
}

void peer_socket_close(void *context, struct turn_peer_connection *connection)
{
    (void)context;
    destroy(of_connection(connection));
    connection->socket = -1;
}

void peer_socket_join(void *context, struct turn_peer_connection *connection, const struct turn_flow *flow)
{
    (void)context;
    struct peer_socket *socket = of_connection(connection);
    struct front_link *link = flow->link;
    socket->state = PEER_JOINED;
    if (link->join)
        link->join(link, &socket->end);
    else
        end_part(&socket->end);
    watch(socket);
}

static void pause_accepting(struct relay_socket *listening, struct now now)
{
    struct loop *loop = listening->relay->worker->loop;
    if (timers_set(loop_timers(loop), &listening->resume, now.monotonic_ns + ACCEPT_PAUSE_NS) == 0)
        loop_remove(loop, &listening->source);
}

void peer_listener_resume(struct timer *timer, struct now now)
{
    struct relay_socket *listening = container_of(timer, struct relay_socket, resume);
    if (loop_add(listening->relay->worker->loop, &listening->source, listening->udp.fd, EPOLLIN) != 0)
        pause_accepting(listening, now);
}

void peer_listener_ready(struct loop_source *source, uint32_t events, struct now now)
{
    (void)events;
    struct relay_socket *listening = container_of(source, struct relay_socket, source);
    struct relay *relay = listening->relay;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct address peer;
        int fd = net_tcp_accept(listening->udp.fd, &peer);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                pause_accepting(listening, now);
            return;
        }
        struct peer_socket *socket = create(relay, fd, PEER_WAITING);
        if (!socket)
            return;
        socket->connection = turn_server_peer_accepted(relay->server, listening->turn, &peer, (intptr_t)socket, now);
        if (socket->connection)
            watch(socket);
        else
            destroy(socket);
    }
}
