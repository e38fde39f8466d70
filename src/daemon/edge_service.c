/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/edge_service.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/list.h"
#include "base/memory.h"
#include "daemon/local_core.h"
#include "daemon/log.h"
#include "edge/edge.h"
#include "edge/registrations.h"
#include "mw/core.h"
#include "mw/uri.h"
#include "net/host.h"
#include "sip/message.h"

#define SENT_BY_MAX (253 + 8)

struct edge_worker {
    struct edge_service *service;
    unsigned index;
    struct edge *edge;
    struct front_websocket_user user;
};

struct edge_service {
    const struct settings *settings;
    struct worker *const *workers;
    unsigned worker_count;
    struct sip_flow_key flow_key;
    struct edge_settings edge_settings;
    char sent_by[EDGE_TRANSPORTS][SENT_BY_MAX];
    struct edge_registrations *registrations;
    struct tls_context *tls_client; /* towards the core */
    struct mw_core *core;           /* one of the two */
    struct local_core *local_core;
    struct edge_worker edges[]; /* |worker_count| */
};

/* One WebSocket: what the front calls its user. */
struct edge_websocket {
    struct edge_worker *worker;
    struct edge_flow *flow;
    struct front_websocket *websocket;
};

/* From the front. */

static void *websocket_opened(void *context, struct front_websocket *websocket, const struct address *client,
                              struct now now)
{
    struct edge_worker *worker = context;
    struct edge_websocket *user = memory_zeroed(1, sizeof *user);
    if (!user)
        return NULL;
    *user = (struct edge_websocket){.worker = worker, .websocket = websocket};
    user->flow = edge_flow_open(worker->edge, client, user, now);
    if (!user->flow) {
        memory_free(user);
        return NULL;
    }
    return user;
}

static void websocket_message(void *context, const uint8_t *bytes, size_t length, struct now now)
{
    struct edge_websocket *user = context;
    edge_receive_client(user->worker->edge, user->flow, bytes, length, now);
}

static void websocket_closed(void *context, struct now now)
{
    struct edge_websocket *user = context;
    edge_flow_close(user->worker->edge, &user->flow, now);
    memory_free(user);
}

/* Between workers. */

struct supersede_mail {
    struct mail mail;
    struct edge *edge;
    struct sip_flow_name name;
};

static void open_supersede(struct mail *opened, struct now now)
{
    struct supersede_mail *mail = container_of(opened, struct supersede_mail, mail);
    edge_flow_supersede(mail->edge, mail->name, now);
    memory_free(mail);
}

/* What the edge asks for. */

static void host_client_send(void *context, struct edge_flow *flow, const void *bytes, size_t length)
{
    (void)context;
    struct edge_websocket *user = edge_flow_user(flow);
    front_websocket_send(user->websocket, bytes, length);
}

static void host_client_close(void *context, struct edge_flow *flow, const char *reason)
{
    (void)context;
    struct edge_websocket *user = edge_flow_user(flow);
    front_websocket_close(user->websocket, WEBSOCKET_POLICY_VIOLATION, reason);
}

static void host_client_registered(void *context, struct edge_flow *flow)
{
    (void)context;
    struct edge_websocket *user = edge_flow_user(flow);
    front_websocket_established(user->websocket);
}

static int host_core_lookup(void *context, struct edge_lookup *lookup, const char *uri,
                            struct edge_target targets[EDGE_TARGETS_MAX])
{
    struct edge_worker *worker = context;
    if (worker->service->core)
        return mw_core_lookup(worker->service->core, worker->index, lookup, uri, targets);
    memset(&targets[0], 0, sizeof targets[0]); /* compared as bytes */
    targets[0].transport = EDGE_LOCAL;
    return 1;
}

static void host_core_lookup_cancel(void *context, struct edge_lookup *lookup)
{
    struct edge_worker *worker = context;
    if (worker->service->core)
        mw_core_lookup_cancel(worker->service->core, worker->index, lookup);
}

static void host_core_send(void *context, const struct edge_target *target, const void *bytes, size_t length)
{
    struct edge_worker *worker = context;
    if (worker->service->core)
        mw_core_send(worker->service->core, worker->index, target, bytes, length);
    else
        local_core_send(worker->service->local_core, bytes, length);
}

static void host_core_silent(void *context, const struct edge_target *target)
{
    struct edge_worker *worker = context;
    if (worker->service->core)
        mw_core_silent(worker->service->core, worker->index, target);
}

static void host_supersede(void *context, struct sip_flow_name name)
{
    struct edge_worker *worker = context;
    struct edge_service *service = worker->service;
    assert(name.worker < service->worker_count);
    struct worker *to = service->workers[name.worker];
    struct supersede_mail *mail = mailbox_is_open(&to->mailbox) ? memory_zeroed(1, sizeof *mail) : NULL;
    if (!mail)
        return; /* the old flow's registration then ends with its flow or its expiry */
    *mail = (struct supersede_mail){
        .mail = {.open = open_supersede}, .edge = service->edges[name.worker].edge, .name = name};
    mailbox_send(&to->mailbox, &mail->mail);
}

static void service_log(void *context, bool important, const char *text)
{
    (void)context;
    log_event(important ? LOG_EDGE : LOG_DETAIL, "%s", text);
}

/* Creation. */

static int fail_memory(const struct edge_service *service, struct settings_error *error)
{
    settings_fail(service->settings, 0, error, "out of memory while starting");
    return ERR_MEMORY;
}

static const enum edge_transport transports[] = {
    [SETTINGS_UDP] = EDGE_UDP, [SETTINGS_TCP] = EDGE_TCP, [SETTINGS_TLS] = EDGE_TLS};

/* What stands for this host in Via, Path and Record-Route: the setting, the listener's address, or that of the default
 * route. */
static int sent_by_init(struct edge_service *service, const struct settings_listener *listener,
                        struct settings_error *error)
{
    const struct settings *settings = service->settings;
    enum edge_transport transport = transports[listener->scheme];
    char *text = service->sent_by[transport];
    struct address address = listener->address;
    if (text[0])
        return 0; /* of two listeners the first is told */
    if (settings->edge_address[0]) {
        bool ipv6 = strchr(settings->edge_address, ':') && settings->edge_address[0] != '[';
        snprintf(text, SENT_BY_MAX, ipv6 ? "[%s]:%u" : "%s:%u", settings->edge_address, address.port);
    } else if (address_is_unspecified(&address) && !net_host_default_address(address.family, &address)) {
        return settings_fail(settings, listener->line, error,
                             "edge.listen: this host has no default route that would tell by which address the core "
                             "reaches it: set edge.address");
    } else {
        address.port = listener->address.port;
        address_format(&address, text);
    }
    service->edge_settings.sent_by[transport] = text;
    return 0;
}

static int check_core(const struct settings *settings, const char *text, struct settings_error *error)
{
    unsigned line = settings_line(settings, "edge.core");
    struct mw_uri uri;
    bool listens_by_udp = false;
    if (mw_uri_decode(text, &uri) != 0 || uri.telephone)
        return settings_fail(settings, line, error,
                             "edge.core: \"%.200s\" is no SIP URI: write sip:HOST, sip:HOST:PORT;transport=tcp or "
                             "sips:HOST",
                             text);
    for (size_t i = 0; i < settings->edge_listen.count; i++)
        listens_by_udp |= settings->edge_listen.items[i].scheme == SETTINGS_UDP;
    if (!uri.secure && uri.transport == MW_URI_UDP && !listens_by_udp)
        return settings_fail(settings, line, error,
                             "edge.core: \"%.200s\" is by UDP, which edge.listen does not serve: add "
                             "udp://0.0.0.0:5060 there",
                             text);
    return 0;
}

static int tls_client_init(const struct settings *settings, struct tls_context **out, struct settings_error *error)
{
    struct tls_error cause;
    const char *authorities = settings->edge_core_ca[0] ? settings->edge_core_ca : NULL;
    return tls_context_create_client(true, authorities, out, &cause) == 0
               ? 0
               : settings_fail(settings, settings_line(settings, "edge.core-ca"), error, "edge.core-ca: %s",
                               cause.text);
}

int edge_service_check(const struct settings *settings, struct settings_error *error)
{
    struct tls_context *tls_client = NULL;
    int result = 0;
    for (size_t i = 0; i < settings->edge_core.count && result == 0; i++)
        result = check_core(settings, settings->edge_core.items[i], error);
    if (result == 0 && settings->edge_core.count > 0)
        result = tls_client_init(settings, &tls_client, error);
    tls_context_destroy(&tls_client);
    return result;
}

/* Says what to do about a core that cannot be reached from here. */
static int fail_core(const struct edge_service *service, int result, const struct mw_core_error *cause,
                     struct settings_error *error)
{
    int system = errno;
    const struct settings *settings = service->settings;
    char text[ADDRESS_TEXT_MAX];
    if (result == ERR_MEMORY)
        return fail_memory(service, error);
    assert(cause->entry < 0); /* each has been checked */
    if (cause->listener < 0)
        return settings_fail(settings, settings_line(settings, "edge.dns"), error, "edge.dns: %s", strerror(system));
    const struct settings_listener *listener = &settings->edge_listen.items[cause->listener];
    return settings_fail(settings, listener->line, error, "edge.listen: %s://%s: %s%s",
                         settings_scheme_name(listener->scheme), address_format(&listener->address, text),
                         result == ERR_IN_USE ? "the port is in use" : strerror(system),
                         "; choose another address or port");
}

/* Somebody else's core. */
static int core_init(struct edge_service *service, struct tls_context *tls, struct settings_error *error)
{
    const struct settings *settings = service->settings;
    struct mw_core_listener listeners[MW_CORE_LISTENERS_MAX];
    struct mw_core_error cause_of_core;
    for (size_t i = 0; i < settings->edge_listen.count; i++) {
        const struct settings_listener *listener = &settings->edge_listen.items[i];
        listeners[i] =
            (struct mw_core_listener){.address = listener->address, .transport = transports[listener->scheme]};
        int result = sent_by_init(service, listener, error);
        if (result != 0)
            return result;
    }
    int checked = edge_service_check(settings, error);
    if (checked == 0)
        checked = tls_client_init(settings, &service->tls_client, error);
    if (checked != 0)
        return checked;
    const struct mw_core_settings core = {
        .entries = (const char *const *)settings->edge_core.items,
        .entry_count = settings->edge_core.count,
        .listeners = listeners,
        .listener_count = settings->edge_listen.count,
        .trusted = settings->edge_trusted.items,
        .trusted_count = settings->edge_trusted.count,
        .dns_servers = settings->edge_dns.items,
        .dns_server_count = settings->edge_dns.count,
        .tls_server = tls,
        .tls_client = service->tls_client,
        .flow_key = &service->flow_key,
        .log = service_log,
    };
    int result = mw_core_create(&core, service->workers, service->worker_count, &service->core, &cause_of_core);
    return result == 0 ? 0 : fail_core(service, result, &cause_of_core, error);
}

static int worker_init(struct edge_service *service, unsigned index)
{
    struct edge_worker *worker = &service->edges[index];
    worker->service = service;
    worker->index = index;
    worker->user = (struct front_websocket_user){
        .context = worker, .opened = websocket_opened, .message = websocket_message, .closed = websocket_closed};
    const struct edge_host host = {
        .context = worker,
        .timers = loop_timers(service->workers[index]->loop),
        .client_send = host_client_send,
        .client_close = host_client_close,
        .client_registered = host_client_registered,
        .core_lookup = host_core_lookup,
        .core_lookup_cancel = host_core_lookup_cancel,
        .core_send = host_core_send,
        .core_silent = host_core_silent,
        .supersede = host_supersede,
        .log = service_log,
    };
    int result = edge_create(&service->edge_settings, &host, index, &worker->edge);
    if (result == 0 && service->core)
        mw_core_attach(service->core, index, worker->edge);
    else if (result == 0)
        local_core_attach(service->local_core, index, worker->edge);
    return result;
}

static void settings_init(struct edge_service *service, const struct edge_service_parts *parts)
{
    const struct settings *settings = parts->settings;
    sip_flow_key_init(&service->flow_key);
    service->edge_settings = (struct edge_settings){
        .domain = settings->edge_domain,
        .visited_network = settings->edge_visited_network[0] ? settings->edge_visited_network : settings->edge_domain,
        .flow_key = &service->flow_key,
        .tokens = parts->tokens,
        .bearer_challenge = settings->token_challenge[0] ? settings->token_challenge : NULL,
        .provision = parts->provision,
        .revocations = parts->revocations,
        .allocation_lifetime_s = settings->lifetime_s,
        .registrations = service->registrations,
    };
    if (settings->edge_core.count == 0)
        service->edge_settings.sent_by[EDGE_LOCAL] = LOCAL_CORE_EDGE_SENT_BY;
}

int edge_service_create(const struct edge_service_parts *parts, struct edge_service **out, struct settings_error *error)
{
    const struct settings *settings = parts->settings;
    struct edge_service *service = memory_zeroed(1, sizeof *service + parts->worker_count * sizeof service->edges[0]);
    if (!service) {
        settings_fail(settings, 0, error, "out of memory while starting");
        return ERR_MEMORY;
    }
    service->settings = settings;
    service->workers = parts->workers;
    service->worker_count = parts->worker_count;
    sip_init();
    int result = edge_registrations_create(&service->registrations) == 0 ? 0 : fail_memory(service, error);
    if (result == 0) {
        settings_init(service, parts);
        if (settings->edge_core.count > 0)
            result = core_init(service, parts->tls, error);
        else
            result = local_core_create(settings, &service->flow_key, service->workers, service->worker_count,
                                       &service->local_core, error);
    }
    for (unsigned i = 0; result == 0 && i < service->worker_count; i++)
        if (worker_init(service, i) != 0)
            result = fail_memory(service, error);
    if (result != 0) {
        edge_service_destroy(&service);
        return result;
    }
    *out = service;
    return 0;
}

void edge_service_destroy(struct edge_service **slot)
{
    struct edge_service *service = *slot;
    *slot = NULL;
    if (!service)
        return;
    for (unsigned i = 0; i < service->worker_count; i++)
        edge_destroy(&service->edges[i].edge);
    local_core_destroy(&service->local_core);
    mw_core_destroy(&service->core);
    edge_registrations_destroy(&service->registrations);
    tls_context_destroy(&service->tls_client);
    memory_free(service);
}

const struct front_websocket_user *edge_service_user(struct edge_service *service, unsigned index)
{
    return &service->edges[index].user;
}
