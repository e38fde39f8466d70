/* SPDX-License-Identifier: BSD-3-Clause */
#include "front_world.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/certificate.h"
#include "net/socket.h"

static char directory[] = "/tmp/postern-stream-XXXXXX";
static char certificate_file[64], key_file[64];
static struct tls_context *server_tls;
struct tls_context *client_tls;

static struct credentials *credentials;
static struct relay_ports *ports;
static struct reservations *reservations;
static struct peer_policy *policy;
struct ledger *ledger;

static struct turn_settings turn_settings;
struct front_settings front_settings;
struct worker *worker;
static struct turn_server *server;
struct front *front;

static void close_nothing(intptr_t socket)
{
    (void)socket;
}

int front_world_begin(void **state)
{
    (void)state;
    const char *name = "turn.example";
    struct tls_error error;
    assert_non_null(mkdtemp(directory));
    snprintf(certificate_file, sizeof certificate_file, "%s/certificate.pem", directory);
    snprintf(key_file, sizeof key_file, "%s/key.pem", directory);
    assert_int_equal(certificate_create_self_signed(certificate_file, key_file, &name, 1, 30, &error), 0);
    struct tls_certificate certificate = {certificate_file, key_file};
    assert_int_equal(tls_context_create_server(&certificate, 1, &server_tls, &error), 0);
    assert_int_equal(tls_context_create_client(false, NULL, &client_tls, &error), 0);
    return 0;
}

int front_world_end(void **state)
{
    (void)state;
    tls_context_destroy(&server_tls);
    tls_context_destroy(&client_tls);
    unlink(certificate_file);
    unlink(key_file);
    return rmdir(directory);
}

static void host_client_send(void *context, const struct turn_flow *flow, const struct turn_packet *packet)
{
    (void)context;
    struct front_link *link = flow->link;
    link->send(link, flow, packet);
}

int front_world_set_up(void **state)
{
    (void)state;
    struct ledger_limits limits = {.websockets_per_source = WEBSOCKETS_PER_SOURCE};
    struct turn_host host = {.client_send = host_client_send};
    assert_int_equal(credentials_create("example.org", &credentials), 0);
    assert_int_equal(ledger_create(&limits, &ledger), 0);
    assert_int_equal(relay_ports_create(50000, 50001, &ports), 0);
    assert_int_equal(reservations_create(ports, close_nothing, &reservations), 0);
    assert_int_equal(peer_policy_create(&policy), 0);
    turn_settings = (struct turn_settings){.realm = "example.org",
                                           .credentials = credentials,
                                           .ledger = ledger,
                                           .ports = ports,
                                           .reservations = reservations,
                                           .policy = policy,
                                           .lifetime_max_s = 3600};
    front_settings = (struct front_settings){.tls = server_tls,
                                             .ledger = ledger,
                                             .handshake_deadline_s = 10,
                                             .idle_timeout_s = 60,
                                             .pages = true,
                                             .websocket_keepalive_s = 25};
    assert_int_equal(worker_create(0, &worker), 0);
    assert_int_equal(turn_server_create(&turn_settings, &host, 0, &server), 0);
    assert_int_equal(front_create(&front_settings, worker, server, &front), 0);
    return 0;
}

int front_world_tear_down(void **state)
{
    (void)state;
    front_destroy(&front);
    turn_server_destroy(&server);
    worker_destroy(&worker);
    peer_policy_destroy(&policy);
    reservations_destroy(&reservations);
    relay_ports_destroy(&ports);
    ledger_destroy(&ledger); /* asserts that every half-open connection was given back */
    credentials_destroy(&credentials);
    return 0;
}

int connect_client(enum front_listen kind)
{
    struct address peer;
    int fds[2];
    address_parse("192.0.2.1:4000", &peer);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    stream_accept(front, fds[1], &peer, kind, net_now());
    return fds[0];
}

struct stream *only_stream(void)
{
    assert_false(list_empty(&front->streams));
    return container_of(front->streams.next, struct stream, in_front);
}

struct errand {
    struct mail mail;
    void (*act)(void *context);
    void *context;
    sem_t done;
};

static void run_errand(struct mail *mail, struct now now)
{
    (void)now;
    struct errand *errand = container_of(mail, struct errand, mail);
    errand->act(errand->context);
    sem_post(&errand->done);
}

void on_worker(void (*act)(void *context), void *context)
{
    struct errand errand = {.mail = {.open = run_errand}, .act = act, .context = context};
    sem_init(&errand.done, 0, 0);
    mailbox_send(&worker->mailbox, &errand.mail);
    while (sem_wait(&errand.done) != 0)
        ;
    sem_destroy(&errand.done);
}

void wait_for(int fd, short events)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};
    assert_int_equal(poll(&poll_fd, 1, PATIENCE_MS), 1);
}

void write_all(int fd, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        wait_for(fd, POLLOUT);
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        assert_true(sent > 0);
        bytes += sent;
        length -= (size_t)sent;
    }
}

void wait_until_taken(int fd)
{
    uint64_t until_ns = net_now().monotonic_ns + PATIENCE_MS * NS_PER_MS;
    int waiting;
    do {
        sched_yield();
        assert_int_equal(ioctl(fd, SIOCOUTQ, &waiting), 0);
        assert_true(net_now().monotonic_ns < until_ns);
    } while (waiting > 0);
}

size_t read_exactly(int fd, uint8_t *out, size_t length)
{
    for (size_t got = 0; got < length;) {
        wait_for(fd, POLLIN);
        ssize_t part = recv(fd, out + got, length - got, 0);
        assert_true(part > 0);
        got += (size_t)part;
    }
    return length;
}
