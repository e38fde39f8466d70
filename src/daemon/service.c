/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/service.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "daemon/edge_service.h"
#include "daemon/log.h"
#include "daemon/service_log.h"
#include "daemon/shared.h"
#include "daemon/turn_service.h"
#include "daemon/wic_service.h"
#include "front/front.h"
#include "front/udp.h"
#include "net/socket.h"
#include "relay/relay.h"
#include "worker/worker.h"

_Static_assert(WORKERS_MAX <= TURN_WORKERS_MAX, "a connection id can name every worker");

/* One thread's share of the service. */
struct service_worker {
    struct service *service;
    struct worker *worker;
    struct relay relay;
    struct turn_server *server;
    struct front *front;
    struct front_udp *udp; /* by listener; those of TCP listeners are unused */
    int *fds;              /* by listener */
    bool started;
};

struct service {
    const struct settings *settings;
    struct shared shared;
    struct wic_service *wic;
    struct turn_service *turn_service; /* NULL: there is nothing to hand out, or nobody to ask for it */
    struct front_http_service http_services[2];
    size_t http_service_count;
    struct front_settings front_settings;
    struct edge_service *edge; /* NULL: off */
    unsigned worker_count;
    struct worker *threads[WORKERS_MAX];
    struct front *fronts[WORKERS_MAX];
    struct service_worker workers[]; /* |worker_count| */
};

static unsigned worker_count_of(const struct settings *settings)
{
    long count = settings->workers;
    if (count == 0)
        count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > WORKERS_MAX ? WORKERS_MAX : (unsigned)count;
}

static int fail_memory(struct service *service, struct settings_error *error)
{
    settings_fail(service->settings, 0, error, "out of memory while starting");
    return ERR_MEMORY;
}

/* Says what to do about a socket that could not be opened. */
static int fail_listener(const struct settings *settings, const struct settings_listener *listener,
                         struct settings_error *error)
{
    int cause = errno;
    char text[ADDRESS_TEXT_MAX];
    const char *scheme = settings_scheme_name(listener->scheme);
    address_format(&listener->address, text);
    if (cause == EADDRINUSE)
        return settings_fail(settings, listener->line, error,
                             "listen: %s://%s: the port is in use; end the other program or choose another port",
                             scheme, text);
    if (cause == EACCES)
        return settings_fail(settings, listener->line, error,
                             "listen: %s://%s: not permitted; ports below 1024 need root or CAP_NET_BIND_SERVICE",
                             scheme, text);
    if (cause == EADDRNOTAVAIL)
        return settings_fail(
            settings, listener->line, error,
            "listen: %s://%s: no interface of this host has that address; name one it has, or 0.0.0.0 or [::]", scheme,
            text);
    return settings_fail(settings, listener->line, error, "listen: %s://%s: %s", scheme, text, strerror(cause));
}

/* Sockets of one group share a port, and any program of this user could join the group later. So that a second posternd
 * finds the port in use, the first socket is tried alone. */
static int port_probe(const struct settings_listener *listener)
{
    bool udp = listener->scheme == SETTINGS_UDP;
    int fd = udp ? net_udp_listen(&listener->address, false) : net_tcp_listen(&listener->address, false);
    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

static int sockets_open(struct service *service, struct settings_error *error)
{
    const struct settings *settings = service->settings;
    for (size_t i = 0; i < settings->listen.count; i++) {
        const struct settings_listener *listener = &settings->listen.items[i];
        if (port_probe(listener) < 0)
            return fail_listener(settings, listener, error);
        for (unsigned w = 0; w < service->worker_count; w++) {
            bool udp = listener->scheme == SETTINGS_UDP;
            int fd = udp ? net_udp_listen(&listener->address, true) : net_tcp_listen(&listener->address, true);
            if (fd < 0)
                return fail_listener(settings, listener, error);
            service->workers[w].fds[i] = fd;
        }
    }
    return 0;
}

static int listeners_serve(struct service_worker *worker)
{
    const struct settings *settings = worker->service->settings;
    for (size_t i = 0; i < settings->listen.count; i++) {
        const struct settings_listener *listener = &settings->listen.items[i];
        bool tls_only = listener->scheme == SETTINGS_TLS && !listener->plain;
        int result =
            listener->scheme == SETTINGS_UDP
                ? front_udp_init(&worker->udp[i], worker->fds[i], worker->worker, worker->server, worker->front)
                : front_listen(worker->front, worker->fds[i], tls_only ? FRONT_LISTEN_TLS : FRONT_LISTEN_ANY);
        if (result != 0)
            return result;
    }
    return 0;
}

static int worker_init(struct service *service, unsigned index)
{
    struct service_worker *worker = &service->workers[index];
    int result = worker_create(index, &worker->worker);
    if (result != 0)
        return result;
    service->threads[index] = worker->worker;
    relay_init(&worker->relay, worker->worker, service->settings->tcp_relay);
    service_log_attach(&worker->relay.host);
    result = turn_server_create(&service->shared.turn, &worker->relay.host, index, &worker->server);
    if (result != 0)
        return result;
    relay_serve(&worker->relay, worker->server);
    result = front_create(&service->front_settings, worker->worker, worker->server, &worker->front);
    if (result != 0)
        return result;
    service->fronts[index] = worker->front;
    return listeners_serve(worker);
}

static int workers_init(struct service *service, struct settings_error *error)
{
    for (unsigned i = 0; i < service->worker_count; i++)
        if (worker_init(service, i) != 0)
            return fail_memory(service, error);
    for (unsigned i = 0; i < service->worker_count; i++)
        front_set_workers(service->workers[i].front, service->fronts, service->worker_count);
    return 0;
}

static int edge_init(struct service *service, struct settings_error *error)
{
    if (!service->settings->edge_domain[0])
        return 0;
    const struct edge_service_parts parts = {
        .settings = service->settings,
        .tls = service->shared.tls,
        .tokens = service->shared.issuing.tokens,
        .provision = service->shared.issuing.provision,
        .revocations = service->shared.issuing.revocations,
        .workers = service->threads,
        .worker_count = service->worker_count,
    };
    int result = edge_service_create(&parts, &service->edge, error);
    for (unsigned i = 0; result == 0 && i < service->worker_count; i++)
        front_set_websocket_user(service->fronts[i], edge_service_user(service->edge, i));
    return result;
}

static int tables_create(struct service *service)
{
    size_t listeners = service->settings->listen.count;
    for (unsigned i = 0; i < service->worker_count; i++) {
        struct service_worker *worker = &service->workers[i];
        worker->service = service;
        worker->udp = memory_zeroed(listeners, sizeof *worker->udp);
        worker->fds = memory_zeroed(listeners, sizeof *worker->fds);
        if (!worker->udp || !worker->fds)
            return ERR_MEMORY;
        for (size_t f = 0; f < listeners; f++)
            worker->fds[f] = -1;
    }
    return 0;
}

/* Where pages are that have been asked for without TLS. */
static uint16_t https_port(const struct settings *settings)
{
    for (size_t i = 0; i < settings->listen.count; i++)
        if (settings->listen.items[i].scheme == SETTINGS_TLS)
            return settings->listen.items[i].address.port;
    return 0;
}

static int http_services_init(struct service *service, struct settings_error *error)
{
    int result = turn_service_create(&service->shared, &service->turn_service, error);
    if (result != 0)
        return result;
    if (wic_service_create(service->settings, &service->wic) != 0)
        return fail_memory(service, error);
    service->http_services[service->http_service_count++] = wic_service_row(service->wic);
    if (service->turn_service)
        service->http_services[service->http_service_count++] = *turn_service_row(service->turn_service);
    return 0;
}

static void front_settings_init(struct service *service)
{
    const struct settings *settings = service->settings;
    service->front_settings = (struct front_settings){
        .tls = service->shared.tls,
        .ledger = service->shared.ledger,
        .proxies = settings->proxy_sources.items,
        .proxy_count = settings->proxy_sources.count,
        .keepalive_s = settings->tcp_keepalive_s,
        .handshake_deadline_s = settings->handshake_deadline_s,
        .idle_timeout_s = settings->idle_timeout_s,
        .pages = settings->pages,
        .https_port = service->shared.tls ? https_port(settings) : 0,
        .acme_directory = *settings->acme_directory ? settings->acme_directory : NULL,
        .backend = settings->http_backend,
        .services = service->http_services,
        .service_count = service->http_service_count,
        .origins = settings->edge_origins.items,
        .origin_count = settings->edge_origins.count,
        .websocket_keepalive_s = settings->edge_keepalive_s,
        .log = service_log_front,
    };
}

int service_create(const struct settings *settings, struct service **out, struct settings_error *error)
{
    unsigned count = worker_count_of(settings);
    struct service *service = memory_zeroed(1, sizeof *service + count * sizeof service->workers[0]);
    if (!service) {
        settings_fail(settings, 0, error, "out of memory while starting");
        return ERR_MEMORY;
    }
    service->settings = settings;
    service->worker_count = count;
    int result = tables_create(service) == 0 ? shared_init(&service->shared, settings, true, error)
                                             : fail_memory(service, error);
    if (result == 0)
        result = http_services_init(service, error);
    if (result == 0) {
        front_settings_init(service);
        result = sockets_open(service, error);
    }
    if (result == 0)
        result = workers_init(service, error);
    if (result == 0)
        result = edge_init(service, error);
    if (result != 0) {
        service_destroy(&service);
        return result;
    }
    *out = service;
    return 0;
}

int service_check(const struct settings *settings, struct settings_error *error)
{
    struct shared shared;
    int result = shared_init(&shared, settings, false, error);
    if (result == 0)
        result = edge_service_check(settings, error);
    shared_fini(&shared);
    return result;
}

int service_start(struct service *service)
{
    for (unsigned i = 0; i < service->worker_count; i++) {
        int result = worker_start(service->workers[i].worker);
        if (result != 0)
            return result;
        service->workers[i].started = true;
    }
    return 0;
}

void service_tend(struct service *service)
{
    struct revocations *revocations = service->shared.issuing.revocations;
    if (revocations && revocations_maintain(revocations, net_now().wall_s) != 0)
        log_event(LOG_SYSTEM, "file=" ISSUING_REVOCATIONS_FILE " text=\"cannot be written: %s\"", strerror(errno));
}

void service_stop(struct service *service)
{
    for (unsigned i = 0; i < service->worker_count; i++) {
        if (service->workers[i].started)
            worker_stop(service->workers[i].worker);
        service->workers[i].started = false;
    }
}

static void worker_fini(struct service_worker *worker, size_t listeners)
{
    for (size_t i = 0; worker->udp && i < listeners; i++)
        if (worker->udp[i].worker)
            front_udp_fini(&worker->udp[i]);
    front_destroy(&worker->front);
    /* Ending allocations gives buffers back to the relay. */
    turn_server_destroy(&worker->server);
    if (worker->worker)
        relay_fini(&worker->relay);
}

void service_destroy(struct service **slot)
{
    struct service *service = *slot;
    *slot = NULL;
    if (!service)
        return;
    service_stop(service);
    size_t listeners = service->settings->listen.count;
    /* Mail may still name another worker's front: open it while all are there. */
    for (unsigned i = 0; i < service->worker_count; i++)
        if (service->workers[i].worker)
            mailbox_fini(&service->workers[i].worker->mailbox);
    for (unsigned i = 0; i < service->worker_count; i++)
        worker_fini(&service->workers[i], listeners);
    edge_service_destroy(&service->edge);
    for (unsigned i = 0; i < service->worker_count; i++) {
        struct service_worker *worker = &service->workers[i];
        worker_destroy(&worker->worker);
        for (size_t f = 0; worker->fds && f < listeners; f++)
            if (worker->fds[f] >= 0)
                close(worker->fds[f]);
        memory_free(worker->fds);
        memory_free(worker->udp);
    }
    wic_service_destroy(&service->wic);
    turn_service_destroy(&service->turn_service);
    shared_fini(&service->shared);
    memory_free(service);
}
