/* SPDX-License-Identifier: BSD-3-Clause */
#include "mw/core_state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

#define REMARK_NS  (600 * NS_PER_S)
#define REMARK_MAX 512

void mw_remark(struct mw_core *core, bool important, const struct address *address, const char *cause,
               const char *detail)
{
    uint64_t now_ns = loop_now(core->loop).monotonic_ns;
    struct mw_remark *oldest = &core->remarks[0];
    for (unsigned i = 0; i < MW_REMARKS_MAX; i++) {
        struct mw_remark *remark = &core->remarks[i];
        if (remark->until_ns > now_ns && remark->cause == cause && address_same_ip(&remark->address, address))
            return;
        if (remark->until_ns < oldest->until_ns)
            oldest = remark;
    }
    /* Where so many are fresh, somebody plays with addresses: one more line would say nothing new. */
    if (oldest->until_ns > now_ns || !core->settings.log)
        return;
    *oldest = (struct mw_remark){.cause = cause, .address = *address, .until_ns = now_ns + REMARK_NS};
    char text[REMARK_MAX], place[ADDRESS_TEXT_MAX];
    bool placed = address->family != ADDRESS_NONE;
    snprintf(text, sizeof text, "core: %s%s%s%s%s", placed ? address_format(address, place) : "", placed ? ": " : "",
             cause, detail ? ": " : "", detail ? detail : "");
    core->settings.log(core->settings.log_context, important, text);
}

static void router_init(struct mw_core *core, const struct mw_core_settings *settings)
{
    struct router *router = &core->router;
    router->dns = core->dns;
    for (size_t i = 0; i < settings->listener_count; i++) {
        unsigned six = settings->listeners[i].address.family == ADDRESS_IPV6;
        router->speaks[EDGE_UDP][six] |= settings->listeners[i].transport == EDGE_UDP;
        router->speaks[EDGE_TCP][six] = true; /* a connection that goes out needs no listener */
        router->speaks[EDGE_TLS][six] = settings->tls_client != NULL;
    }
}

static int entries_init(struct mw_core *core, const struct mw_core_settings *settings, struct mw_core_error *error)
{
    static const enum edge_transport stated[] = {
        [MW_URI_UDP] = EDGE_UDP, [MW_URI_TCP] = EDGE_TCP, [MW_URI_TLS] = EDGE_TLS};
    for (size_t i = 0; i < settings->entry_count && i < MW_CORE_ENTRIES_MAX; i++) {
        struct mw_uri *uri = &core->entries[i].uri;
        error->entry = (int)i;
        if (mw_uri_decode(settings->entries[i], uri) != 0 || uri->telephone)
            return ERR_MALFORMED;
        enum edge_transport transport = uri->secure ? EDGE_TLS : stated[uri->transport];
        if ((uri->secure || uri->transport != MW_URI_ANY) && !core->router.speaks[transport][0] &&
            !core->router.speaks[transport][1])
            return ERR_MALFORMED;
        core->entry_count++;
    }
    error->entry = -1;
    return 0;
}

static int listeners_init(struct mw_core *core, const struct mw_core_settings *settings, struct mw_core_error *error)
{
    for (size_t i = 0; i < settings->listener_count && i < MW_CORE_LISTENERS_MAX; i++) {
        error->listener = (int)i;
        int result = mw_listener_open(core, &settings->listeners[i]);
        if (result != 0)
            return result;
    }
    error->listener = -1;
    return 0;
}

int mw_core_create(const struct mw_core_settings *settings, struct worker *const *workers, unsigned worker_count,
                   struct mw_core **out, struct mw_core_error *error_out)
{
    struct mw_core *core = memory_zeroed(1, sizeof *core);
    *error_out = (struct mw_core_error){.entry = -1, .listener = -1};
    if (!core)
        return ERR_MEMORY;
    memcpy(core->workers, workers, worker_count * sizeof *workers);
    core->worker_count = worker_count;
    core->settings = *settings;
    core->loop = workers[0]->loop;
    core->last_connection = MW_CORE_LISTENERS_MAX;
    core->sources.trusted = settings->trusted;
    core->sources.trusted_count = settings->trusted_count;
    core->refresh.callback = mw_refresh_due;
    list_init(&core->connections);
    list_init(&core->doomed);
    list_init(&core->questions);
    loop_task_init(&core->reap, mw_connections_reap);
    loop_task_init(&core->report, mw_report);
    int result =
        dns_create(core->loop, settings->dns_servers, settings->dns_server_count, mw_dns_answered, core, &core->dns);
    if (result == 0) {
        router_init(core, settings);
        result = entries_init(core, settings, error_out);
    }
    if (result == 0)
        result = listeners_init(core, settings, error_out);
    if (result != 0) {
        int saved = errno;
        mw_core_destroy(&core);
        errno = saved;
        return result;
    }
    mw_entries_begin(core);
    *out = core;
    return 0;
}

void mw_core_destroy(struct mw_core **slot)
{
    struct mw_core *core = *slot;
    *slot = NULL;
    if (!core)
        return;
    mw_connections_destroy(core);
    for (unsigned i = 0; i < core->listener_count; i++)
        mw_listener_close(&core->listeners[i]);
    mw_questions_drop(core);
    timers_cancel(loop_timers(core->loop), &core->refresh);
    loop_task_cancel(&core->reap);
    loop_task_cancel(&core->report);
    dns_destroy(&core->dns);
    router_fini(&core->router);
    memory_free(core);
}

void mw_core_attach(struct mw_core *core, unsigned index, struct edge *edge)
{
    core->edges[index] = edge;
}

struct mw_core_totals mw_core_totals(const struct mw_core *core)
{
    return (struct mw_core_totals){
        .received = atomic_load_explicit(&core->received, memory_order_relaxed),
        .sent = atomic_load_explicit(&core->sent, memory_order_relaxed),
        .refused = atomic_load_explicit(&core->refused, memory_order_relaxed),
        .dropped = atomic_load_explicit(&core->dropped, memory_order_relaxed),
        .failures = atomic_load_explicit(&core->failed, memory_order_relaxed),
        .connections = atomic_load_explicit(&core->connection_count, memory_order_relaxed),
    };
}
