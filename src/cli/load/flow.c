/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/load/flow.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "net/socket.h"

#define READ_SIZE       65536
#define GATHER_SIZE     (256 * 1024)
#define CIPHERTEXT_SIZE (TLS_CIPHERTEXT_BOUND(GATHER_SIZE) + TLS_FLIGHT_MAX)
#define ALERT_SIZE      2
#define PENDING_MAX     (256 * 1024)
#define READS_PER_TURN  32 /* then the others' turn; level-triggered epoll comes back */

struct load_flow_scratch {
    uint8_t read[READ_SIZE];
    uint8_t plaintext[READ_SIZE];
    uint8_t gather[GATHER_SIZE];
    size_t gathered;
    uint8_t ciphertext[CIPHERTEXT_SIZE];
};

int load_flow_scratch_create(struct load_flow_scratch **out)
{
    *out = memory_zeroed(1, sizeof **out);
    return *out ? 0 : ERR_MEMORY;
}

void load_flow_scratch_destroy(struct load_flow_scratch **scratch)
{
    memory_free(*scratch);
    *scratch = NULL;
}

static bool is_stream(const struct load_flow *flow)
{
    return turn_transport_is_stream(flow->settings->transport);
}

/* Tells of the first failure; whatever follows from it is not worth telling. */
static void fail(struct load_flow *flow, const char *reason)
{
    if (!flow->broken)
        flow->settings->failed(flow, reason);
    flow->broken = true;
}

static void fail_tls(struct load_flow *flow, const struct tls_error *error)
{
    char reason[sizeof error->text + 64];
    snprintf(reason, sizeof reason, "TLS: %s%s", error->text,
             flow->open ? "" : " (--ca FILE or --insecure would change what is trusted)");
    fail(flow, reason);
}

/* Streams, sending. */

static void events_set(struct load_flow *flow)
{
    loop_modify(flow->settings->worker->loop, &flow->source,
                flow->pending_length > 0 ? EPOLLIN | EPOLLOUT : (uint32_t)EPOLLIN);
}

/* Writes what the socket takes. Returns the number of bytes, or -1 after a failure that has been told. */
static ssize_t socket_write(struct load_flow *flow, const uint8_t *bytes, size_t length)
{
    ssize_t written = send(flow->source.fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (written >= 0)
        return written;
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    fail(flow, strerror(errno));
    return -1;
}

static void pending_append(struct load_flow *flow, const uint8_t *bytes, size_t length)
{
    if (flow->pending_length + length > flow->pending_size) {
        size_t size = (flow->pending_length + length) * 2;
        uint8_t *grown = memory_resize(flow->pending, size);
        if (!grown) {
            fail(flow, error_text(ERR_MEMORY));
            return;
        }
        flow->pending = grown;
        flow->pending_size = size;
    }
    memcpy(flow->pending + flow->pending_length, bytes, length);
    flow->pending_length += length;
    events_set(flow);
}

static void stream_write(struct load_flow *flow, const uint8_t *bytes, size_t length)
{
    if (flow->broken)
        return;
    ssize_t written = flow->pending_length > 0 ? 0 : socket_write(flow, bytes, length);
    if (written >= 0 && (size_t)written < length)
        pending_append(flow, bytes + written, length - (size_t)written);
}

static void pending_write(struct load_flow *flow)
{
    ssize_t written = socket_write(flow, flow->pending, flow->pending_length);
    if (written <= 0)
        return;
    flow->pending_length -= (size_t)written;
    memmove(flow->pending, flow->pending + written, flow->pending_length);
    if (flow->pending_length == 0)
        events_set(flow);
}

static void gathered_write_tls(struct load_flow *flow, struct load_flow_scratch *scratch)
{
    struct tls_output output = {.bytes = scratch->ciphertext, .size = sizeof scratch->ciphertext};
    for (size_t at = 0; at < scratch->gathered;) {
        size_t part = scratch->gathered - at < TLS_RECORD_MAX ? scratch->gathered - at : TLS_RECORD_MAX;
        if (tls_session_write(flow->tls, scratch->gather + at, part, &output) != 0) {
            fail(flow, "TLS cannot encrypt");
            return;
        }
        at += part;
    }
    stream_write(flow, output.bytes, output.length);
}

static void gathered_write(struct load_flow *flow)
{
    struct load_flow_scratch *scratch = flow->settings->scratch;
    if (scratch->gathered == 0)
        return;
    if (flow->tls)
        gathered_write_tls(flow, scratch);
    else
        stream_write(flow, scratch->gather, scratch->gathered);
    scratch->gathered = 0;
}

static void gather(struct load_flow_scratch *scratch, const uint8_t *bytes, size_t length)
{
    if (length > 0)
        memcpy(scratch->gather + scratch->gathered, bytes, length);
    scratch->gathered += length;
}

static void stream_send(struct load_flow *flow, const uint8_t *head, size_t head_length, const uint8_t *payload,
                        size_t payload_length, size_t padding)
{
    struct load_flow_scratch *scratch = flow->settings->scratch;
    static const uint8_t zeros[4];
    if (scratch->gathered + head_length + payload_length + padding > GATHER_SIZE)
        gathered_write(flow);
    gather(scratch, head, head_length);
    gather(scratch, payload, payload_length);
    gather(scratch, zeros, padding);
    if (!flow->settings->bursts)
        gathered_write(flow);
}

bool load_flow_resumed(const struct load_flow *flow)
{
    return flow->tls && tls_session_resumed(flow->tls);
}

bool load_flow_congested(const struct load_flow *flow)
{
    return flow->pending_length > PENDING_MAX;
}

/* Datagrams, sending. A full socket loses a datagram, like a full link. */
static void datagram_send(struct load_flow *flow, const uint8_t *head, size_t head_length, const uint8_t *payload,
                          size_t payload_length, size_t padding)
{
    uint8_t zeros[4] = {0};
    if (flow->settings->bursts) {
        struct udp_datagram datagram = {head, head_length, payload, payload_length, padding};
        udp_send(&flow->settings->worker->sender, &flow->udp, &flow->settings->server, NULL, &datagram);
        return;
    }
    struct iovec parts[] = {{(void *)head, head_length}, {(void *)payload, payload_length}, {zeros, padding}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = padding ? 3 : payload_length ? 2 : 1};
    (void)!sendmsg(flow->source.fd, &message, MSG_DONTWAIT);
}

void load_flow_send(struct load_flow *flow, const uint8_t *head, size_t head_length, const uint8_t *payload,
                    size_t payload_length, size_t padding)
{
    if (is_stream(flow))
        stream_send(flow, head, head_length, payload, payload_length, padding);
    else
        datagram_send(flow, head, head_length, payload, payload_length, padding);
}

void load_flow_flush(struct load_flow *flow)
{
    if (is_stream(flow))
        gathered_write(flow);
    else
        udp_sender_flush(&flow->settings->worker->sender);
}

/* Receiving. */

/* False where a datagram socket has nothing more, or has failed. */
static bool datagram_receive_singly(struct load_flow *flow)
{
    struct load_flow_scratch *scratch = flow->settings->scratch;
    struct iovec part = {scratch->read, sizeof scratch->read};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t length = recvmsg(flow->source.fd, &message, MSG_DONTWAIT);
    if (length >= 0)
        flow->settings->received(flow, scratch->read, (size_t)length);
    else if (errno != EAGAIN && errno != EINTR)
        fail(flow, strerror(errno));
    return length >= 0;
}

static bool datagram_receive_bursts(struct load_flow *flow)
{
    struct udp_receiver *receiver = &flow->settings->worker->receiver;
    int count = udp_receive(receiver, &flow->udp);
    if (count < 0)
        fail(flow, strerror(errno));
    for (int i = 0; i < count; i++) {
        const struct udp_arrival *arrival = &receiver->arrivals[i];
        for (size_t at = 0; at < arrival->length && !flow->broken; at += arrival->segment)
            flow->settings->received(flow, arrival->bytes + at, udp_arrival_datagram(arrival, at));
    }
    return count == UDP_RECEIVE_BUFFERS;
}

static void tls_receive(struct load_flow *flow, size_t length)
{
    struct load_flow_scratch *scratch = flow->settings->scratch;
    uint8_t flight[TLS_FLIGHT_MAX];
    struct tls_output output = {.bytes = flight, .size = sizeof flight};
    struct tls_error error;
    tls_session_feed(flow->tls, scratch->read, length);
    int plain;
    while ((plain = tls_session_read(flow->tls, scratch->plaintext, sizeof scratch->plaintext, &output, &error)) > 0)
        flow->settings->received(flow, scratch->plaintext, (size_t)plain);
    if (output.length > 0)
        stream_write(flow, output.bytes, output.length);
    if (plain == ERR_CLOSED)
        fail(flow, "the server closed the connection");
    else if (plain < 0)
        fail_tls(flow, &error);
    else if (!flow->open && tls_session_established(flow->tls)) {
        flow->open = true;
        flow->settings->opened(flow);
    }
}

/* False where a stream has nothing more, or has failed. */
static bool stream_receive(struct load_flow *flow)
{
    struct load_flow_scratch *scratch = flow->settings->scratch;
    size_t size = flow->settings->bursts || !flow->open ? sizeof scratch->read : flow->settings->message_size;
    ssize_t length = recv(flow->source.fd, scratch->read, size, MSG_DONTWAIT);
    if (length == 0)
        fail(flow, "the server closed the connection");
    else if (length < 0 && errno != EAGAIN && errno != EINTR)
        fail(flow, strerror(errno));
    if (length <= 0)
        return false;
    if (flow->tls)
        tls_receive(flow, (size_t)length);
    else
        flow->settings->received(flow, scratch->read, (size_t)length);
    return (size_t)length == size;
}

static void connected(struct load_flow *flow)
{
    int error = net_socket_error(flow->source.fd);
    if (error != 0) {
        fail(flow, strerror(error));
        return;
    }
    events_set(flow);
    if (!flow->tls) {
        flow->open = true;
        flow->settings->opened(flow);
        return;
    }
    uint8_t flight[TLS_FLIGHT_MAX];
    struct tls_output output = {.bytes = flight, .size = sizeof flight};
    struct tls_error reason;
    if (tls_session_read(flow->tls, flow->settings->scratch->plaintext, READ_SIZE, &output, &reason) < 0)
        fail_tls(flow, &reason);
    else
        stream_write(flow, output.bytes, output.length);
}

static void flow_read(struct load_flow *flow)
{
    bool (*receive)(struct load_flow *) = is_stream(flow)          ? stream_receive
                                          : flow->settings->bursts ? datagram_receive_bursts
                                                                   : datagram_receive_singly;
    for (unsigned i = 0; i < READS_PER_TURN && !flow->broken && receive(flow); i++)
        ;
    if (!flow->broken)
        flow->settings->settled(flow);
}

static void datagram_ready(struct loop_source *source, uint32_t events, struct now now)
{
    (void)events, (void)now;
    flow_read(container_of(source, struct load_flow, source));
}

static void stream_ready(struct loop_source *source, uint32_t events, struct now now)
{
    (void)now;
    struct load_flow *flow = container_of(source, struct load_flow, source);
    if (flow->pending_length > 0 && events & EPOLLOUT)
        pending_write(flow);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        flow_read(flow);
}

static void connecting_ready(struct loop_source *source, uint32_t events, struct now now)
{
    (void)events, (void)now;
    source->ready = stream_ready;
    connected(container_of(source, struct load_flow, source));
}

/* Opening. */

static int open_datagrams(struct load_flow *flow, int fd)
{
    const int on = 1;
    if (flow->settings->bursts)
        setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
    udp_socket_init(&flow->udp, fd);
    flow->source.ready = datagram_ready;
    if (loop_add(flow->settings->worker->loop, &flow->source, fd, EPOLLIN) != 0)
        return ERR_SYSTEM;
    flow->open = true;
    flow->settings->opened(flow);
    return 0;
}

static int open_stream(struct load_flow *flow, int fd)
{
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    flow->source.ready = connecting_ready;
    if (flow->settings->transport == TURN_TLS) {
        int error = tls_session_create_client(flow->settings->tls, flow->settings->host, &flow->tls);
        if (error != 0)
            return error;
    }
    return loop_add(flow->settings->worker->loop, &flow->source, fd, EPOLLOUT);
}

int load_flow_open(struct load_flow *flow, const struct load_flow_settings *settings)
{
    *flow = (struct load_flow){.settings = settings, .source = {.fd = -1}};
    struct sockaddr_storage name;
    socklen_t name_length = net_sockaddr(&settings->server, &name);
    int type = is_stream(flow) ? SOCK_STREAM : SOCK_DGRAM;
    int fd = socket(name.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ERR_SYSTEM;
    if (connect(fd, (struct sockaddr *)&name, name_length) != 0 && errno != EINPROGRESS) {
        close(fd);
        return ERR_SYSTEM;
    }
    int error = is_stream(flow) ? open_stream(flow, fd) : open_datagrams(flow, fd);
    if (error != 0 && flow->source.fd < 0)
        close(fd);
    return error;
}

void load_flow_close(struct load_flow *flow)
{
    if (!flow->settings)
        return;
    if (flow->tls && flow->open && !flow->broken) {
        uint8_t alert[TLS_CIPHERTEXT_BOUND(ALERT_SIZE)];
        struct tls_output output = {.bytes = alert, .size = sizeof alert};
        tls_session_close(flow->tls, &output);
        (void)!send(flow->source.fd, alert, output.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    tls_session_destroy(&flow->tls);
    if (flow->source.fd >= 0) {
        int fd = flow->source.fd;
        loop_remove(flow->settings->worker->loop, &flow->source);
        close(fd);
    }
    memory_free(flow->pending);
    *flow = (struct load_flow){.source = {.fd = -1}};
}
