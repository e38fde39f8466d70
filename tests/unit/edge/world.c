/* SPDX-License-Identifier: BSD-3-Clause */
#include "world.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/error.h"
#include "base/memory.h"
#include "doubles.h"
#include "sip/message.h"

/* Text */

bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static char *scratch(size_t size)
{
    static char memory[16][20000];
    static unsigned next;
    assert(size <= sizeof memory[0]);
    return memory[next++ % 16];
}

const char *first_line(const char *text)
{
    char *line = scratch(20000);
    snprintf(line, 20000, "%.*s", (int)strcspn(text, "\r\n"), text);
    return line;
}

const char *field(const char *text, const char *name, unsigned index)
{
    const char *line = strchr(text, '\n');
    size_t length = strlen(name);
    for (; line && line[1] != '\r'; line = strchr(line + 1, '\n')) {
        if (strncasecmp(line + 1, name, length) != 0 || line[1 + length] != ':' || index-- > 0)
            continue;
        const char *value = line + 2 + length;
        value += strspn(value, " ");
        char *copy = scratch(20000);
        snprintf(copy, 20000, "%.*s", (int)strcspn(value, "\r\n"), value);
        return copy;
    }
    return "";
}

const char *body_of(const char *text)
{
    const char *end = strstr(text, "\r\n\r\n");
    return end ? end + 4 : "";
}

/* |format| with CR LF for LF. */
static char *wire_text(const char *format, va_list arguments, size_t *length_out)
{
    char *plain = NULL;
    int length = vasprintf(&plain, format, arguments);
    assert(length >= 0);
    char *wire = malloc(2 * (size_t)length + 1), *at = wire;
    for (const char *from = plain; *from; from++) {
        if (*from == '\n' && (from == plain || from[-1] != '\r'))
            *at++ = '\r';
        *at++ = *from;
    }
    *at = '\0';
    free(plain);
    *length_out = (size_t)(at - wire);
    return wire;
}

/* The host */

static void keep(struct sent *ring, unsigned *count, const void *bytes, size_t length, struct sent sent)
{
    struct sent *slot = &ring[(*count)++ % WORLD_SENT_MAX];
    free(slot->text);
    *slot = sent;
    slot->text = malloc(length + 1);
    memcpy(slot->text, bytes, length);
    slot->text[length] = '\0';
}

static void host_client_send(void *context, struct edge_flow *flow, const void *bytes, size_t length)
{
    struct world_host *host = context;
    keep(host->world->to_client, &host->world->to_client_count, bytes, length,
         (struct sent){.flow = flow, .worker = host->worker});
    if (host->world->check)
        host->world->check(world_to_client(host->world), length, false);
}

static void host_client_close(void *context, struct edge_flow *flow, const char *reason)
{
    struct world_host *host = context;
    (void)flow, (void)reason;
    host->world->closed++;
}

static int host_core_lookup(void *context, struct edge_lookup *lookup, const char *uri,
                            struct edge_target targets[EDGE_TARGETS_MAX])
{
    struct world_host *host = context;
    struct world *world = host->world;
    snprintf(world->lookup_uri, sizeof world->lookup_uri, "%s", uri ? uri : "");
    if (world->slow_lookup) {
        list_append(&host->lookups, &lookup->link);
        lookup->pending = true;
        return ERR_WOULD_BLOCK;
    }
    memcpy(targets, world->targets, sizeof world->targets);
    return world->target_count > 0 ? (int)world->target_count : ERR_NOT_FOUND;
}

static void host_core_lookup_cancel(void *context, struct edge_lookup *lookup)
{
    (void)context;
    assert(lookup->pending);
    list_remove(&lookup->link);
    lookup->pending = false;
}

static void host_core_send(void *context, const struct edge_target *target, const void *bytes, size_t length)
{
    struct world_host *host = context;
    keep(host->world->to_core, &host->world->to_core_count, bytes, length,
         (struct sent){.target = *target, .worker = host->worker});
    if (host->world->check)
        host->world->check(world_to_core(host->world), length, true);
}

static void host_core_silent(void *context, const struct edge_target *target)
{
    struct world_host *host = context;
    (void)target;
    host->world->silent++;
}

static void host_supersede(void *context, struct sip_flow_name name)
{
    struct world_host *host = context;
    struct world *world = host->world;
    assert(name.worker != host->worker);
    assert(world->superseded_count < 8);
    world->superseded[world->superseded_count++] = name;
}

static void host_log(void *context, bool important, const char *text)
{
    struct world_host *host = context;
    (void)important;
    assert(!strchr(text, '\n'));
    host->world->lines++;
    if (getenv("WORLD_LOG"))
        fprintf(stderr, "log: %s\n", text);
}

/* The world */

struct world *world_create(const struct world_options *options)
{
    static const struct world_options defaults;
    struct world *world = calloc(1, sizeof *world);
    options = options ? options : &defaults;
    sip_init();
    world->now = (struct now){.monotonic_ns = 1000 * NS_PER_S, .wall_s = WORLD_START_S};
    timers_init(&world->timers);
    sip_flow_key_init(&world->flow_key);
    world->target_count = options->targets ? options->targets : 1;
    for (unsigned i = 0; i < world->target_count; i++) {
        uint8_t ip[4] = {192, 0, 2, (uint8_t)(10 + i)};
        world->targets[i].address = address_ipv4(ip, 5060);
        world->targets[i].transport = (uint8_t)options->transport;
    }
    world->slow_lookup = options->slow_lookup;
    world->subscriptions = options->subscriptions;
    world->settings = (struct edge_settings){
        .domain = DOMAIN,
        .visited_network = DOMAIN,
        .sent_by = {SENT_BY, SENT_BY, "192.0.2.1:5061", "registrar.invalid"},
        .flow_key = &world->flow_key,
        .tokens = options->tokens ? double_verifier() : NULL,
        .bearer_challenge = options->challenge ? "https://login.example.org" : NULL,
        .provision = options->no_provision ? NULL : double_provision(),
        .revocations = double_revocations(world),
        .allocation_lifetime_s = 3600,
    };
    int result = edge_registrations_create(&world->settings.registrations);
    assert(result == 0);
    for (unsigned i = 0; i < WORLD_WORKERS; i++) {
        world->hosts[i] = (struct world_host){.world = world, .worker = i};
        list_init(&world->hosts[i].lookups);
        struct edge_host host = {
            .context = &world->hosts[i],
            .timers = &world->timers,
            .client_send = host_client_send,
            .client_close = host_client_close,
            .core_lookup = host_core_lookup,
            .core_lookup_cancel = host_core_lookup_cancel,
            .core_send = host_core_send,
            .core_silent = host_core_silent,
            .supersede = host_supersede,
            .log = host_log,
        };
        result = edge_create(&world->settings, &host, i, &world->edges[i]);
        assert(result == 0);
    }
    return world;
}

void world_destroy(struct world **world)
{
    struct world *gone = *world;
    memory_fail_at(0);
    gone->slow_lookup = false;
    world_look_up(gone);
    /* Longer than Timer C and all that may follow it. */
    for (unsigned i = 0; i < 100; i++)
        world_pass(gone, 4000);
    for (unsigned i = 0; i < WORLD_WORKERS; i++) {
        struct edge_totals totals = edge_totals(gone->edges[i]);
        assert(totals.flows == 0 && totals.registrations == 0 && totals.transactions == 0 && totals.dialogs == 0);
        edge_destroy(&gone->edges[i]);
    }
    assert(timers_deadline(&gone->timers) == TIME_NEVER);
    edge_registrations_destroy(&gone->settings.registrations);
    for (unsigned i = 0; i < WORLD_SENT_MAX; i++) {
        free(gone->to_client[i].text);
        free(gone->to_core[i].text);
    }
    timers_fini(&gone->timers);
    free(gone);
    *world = NULL;
}

static void deliver_mail(struct world *world)
{
    for (unsigned i = 0; i < world->superseded_count; i++) {
        struct sip_flow_name name = world->superseded[i];
        edge_flow_supersede(world->edges[name.worker], name, world->now);
    }
    world->superseded_count = 0;
}

void world_pass(struct world *world, uint64_t milliseconds)
{
    uint64_t end = world->now.monotonic_ns + milliseconds * NS_PER_MS;
    deliver_mail(world);
    while (world->now.monotonic_ns < end) {
        uint64_t next = timers_deadline(&world->timers);
        next = next < end ? next : end;
        if (next > world->now.monotonic_ns)
            world->now.monotonic_ns = next;
        world->now.wall_s = WORLD_START_S + world->now.monotonic_ns / NS_PER_S - 1000;
        timers_expire(&world->timers, world->now);
    }
}

void world_look_up(struct world *world)
{
    int count = world->target_count > 0 ? (int)world->target_count : ERR_NOT_FOUND;
    for (unsigned i = 0; i < WORLD_WORKERS; i++)
        while (!list_empty(&world->hosts[i].lookups)) {
            struct edge_lookup *lookup = container_of(world->hosts[i].lookups.next, struct edge_lookup, link);
            list_remove(&lookup->link);
            lookup->pending = false;
            edge_looked_up(world->edges[i], lookup, world->targets, count, world->now);
        }
}

static const struct sent *latest(const struct sent *ring, unsigned count, unsigned back)
{
    static char empty[1];
    static const struct sent nothing = {.text = empty};
    return count > back && back < WORLD_SENT_MAX ? &ring[(count - 1 - back) % WORLD_SENT_MAX] : &nothing;
}

const char *world_to_core_before(const struct world *world, unsigned back)
{
    return latest(world->to_core, world->to_core_count, back)->text;
}

const char *world_to_client_before(const struct world *world, unsigned back)
{
    return latest(world->to_client, world->to_client_count, back)->text;
}

const char *world_to_core(const struct world *world)
{
    return world_to_core_before(world, 0);
}

const char *world_to_client(const struct world *world)
{
    return world_to_client_before(world, 0);
}

/* WICs */

struct wic wic_open(struct world *world, unsigned worker, const char *user)
{
    static unsigned wics;
    struct wic wic = {.world = world, .worker = worker, .user = user, .reg_id = 1, .expires = 600};
    struct address address = address_ipv4((const uint8_t[4]){203, 0, 113, 7}, 40000);
    wic.flow = edge_flow_open(world->edges[worker], &address, world, world->now);
    wics++;
    snprintf(wic.call_id, sizeof wic.call_id, "register-%u", wics);
    snprintf(wic.tag, sizeof wic.tag, "t%u", wics);
    snprintf(wic.instance, sizeof wic.instance, "<urn:uuid:00000000-0000-0000-0000-%012u>", wics);
    return wic;
}

void wic_close(struct wic *wic)
{
    edge_flow_close(wic->world->edges[wic->worker], &wic->flow, wic->world->now);
    deliver_mail(wic->world);
}

void wic_say(struct wic *wic, const char *format, ...)
{
    size_t length;
    va_list arguments;
    va_start(arguments, format);
    char *text = wire_text(format, arguments, &length);
    va_end(arguments);
    edge_receive_client(wic->world->edges[wic->worker], wic->flow, text, length, wic->world->now);
    free(text);
    deliver_mail(wic->world);
}

static const char *new_branch(struct wic *wic)
{
    snprintf(wic->branch, sizeof wic->branch, "z9hG4bK-%s-%u", wic->tag, ++wic->branches);
    return wic->branch;
}

void wic_register_begin(struct wic *wic)
{
    wic_say(wic,
            "REGISTER sip:" DOMAIN " SIP/2.0\nVia: SIP/2.0/WSS %s.invalid;branch=%s\nMax-Forwards: 69\n"
            "To: <sip:%s@" DOMAIN ">\nFrom: <sip:%s@" DOMAIN ">;tag=%s\nCall-ID: %s\nCSeq: %u REGISTER\n"
            "Contact: <sip:%s@%s.invalid;transport=ws>;+sip.ice;reg-id=%u;+sip.instance=\"%s\";expires=%u\n"
            "Expires: %u\nSupported: path,gruu,outbound\n%sContent-Length: 0\n\n",
            wic->tag, new_branch(wic), wic->user, wic->user, wic->tag, wic->call_id, ++wic->cseq, wic->user, wic->tag,
            wic->reg_id, wic->instance, wic->expires, wic->expires, wic->extra ? wic->extra : "");
}

/* The user part of the Path. */
static void wic_note_token(struct wic *wic)
{
    const char *path = strstr(field(world_to_core(wic->world), "Path", 0), "sip:");
    assert(path);
    snprintf(wic->token, sizeof wic->token, "%.*s", (int)strcspn(path + 4, "@"), path + 4);
}

void wic_register(struct wic *wic)
{
    struct world *world = wic->world;
    char fields[1000];
    wic_register_begin(wic);
    assert(has(first_line(world_to_core(world)), "REGISTER "));
    wic_note_token(wic);
    snprintf(fields, sizeof fields,
             "Path: %s\nContact: %s\nService-Route: <sip:scscf." DOMAIN ";lr>\n"
             "P-Associated-URI: <sip:%s@" DOMAIN ">, <tel:+15551234>\n",
             field(world_to_core(world), "Path", 0), field(world_to_core(world), "Contact", 0), wic->user);
    core_answer(world, 200, "core", fields);
    if (has(first_line(world_to_core(world)), "SUBSCRIBE") && !world->subscriptions)
        core_answer(world, 403, "core", "");
}

void wic_request(struct wic *wic, const char *method, const char *uri, const char *to, const char *fields,
                 const char *body)
{
    wic_say(wic,
            "%s %s SIP/2.0\nVia: SIP/2.0/WSS %s.invalid;branch=%s\nMax-Forwards: 69\nTo: %s\n"
            "From: <sip:%s@" DOMAIN ">;tag=%s\nCall-ID: call-%s\nCSeq: %u %s\n%sContent-Length: %zu\n\n%s",
            method, uri, wic->tag, new_branch(wic), to, wic->user, wic->tag, wic->call_id, ++wic->cseq, method, fields,
            strlen(body), body);
}

/* The lines of a response to |request|. */
static void write_response(const char *request, unsigned status, const char *tag, const char *fields, char *out,
                           size_t size)
{
    size_t length = (size_t)snprintf(out, size, "SIP/2.0 %u Whatever\n", status);
    const char *value;
    for (unsigned i = 0; *(value = field(request, "Via", i)); i++)
        length += (size_t)snprintf(out + length, size - length, "Via: %s\n", value);
    const char *to = field(request, "To", 0), *mark = has(to, "tag=") || !tag ? "" : ";tag=";
    const char *body = strstr(fields, "\n\n"); /* fields may be followed by a body */
    int fields_length = (int)(body ? (size_t)(body + 1 - fields) : strlen(fields));
    body = body ? body + 2 : "";
    length += (size_t)snprintf(out + length, size - length, "To: %s%s%s\nFrom: %s\nCall-ID: %s\nCSeq: %s\n%.*s", to,
                               mark, *mark ? tag : "", field(request, "From", 0), field(request, "Call-ID", 0),
                               field(request, "CSeq", 0), fields_length, fields);
    /* Behind |fields|, as further hops have put theirs above. */
    for (unsigned i = 0; *(value = field(request, "Record-Route", i)); i++)
        length += (size_t)snprintf(out + length, size - length, "Record-Route: %s\n", value);
    length += (size_t)snprintf(out + length, size - length, "Content-Length: %zu\n\n%s", strlen(body), body);
    assert(length < size);
}

static const char *latest_request(const struct sent *ring, unsigned count, unsigned back)
{
    for (unsigned i = 0; i < WORLD_SENT_MAX; i++) {
        const char *text = latest(ring, count, i)->text;
        bool request = *text && strncmp(text, "SIP/2.0", 7) != 0 && strncmp(text, "ACK ", 4) != 0;
        if (request && back-- == 0)
            return text;
    }
    return NULL;
}

void wic_answer(struct wic *wic, unsigned status, const char *tag, const char *fields)
{
    char text[20000];
    struct world *world = wic->world;
    const char *request = latest_request(world->to_client, world->to_client_count, 0);
    if (!request)
        return;
    write_response(request, status, tag, fields, text, sizeof text);
    wic_say(wic, "%s", text);
}

/* The core */

static void core_bytes(struct world *world, int worker, const char *text, size_t length)
{
    int named = edge_worker_of(&world->flow_key, text, length);
    if (worker < 0)
        worker = named >= 0 ? named : 0;
    edge_receive_core(world->edges[worker], &world->targets[0], text, length, world->now);
    deliver_mail(world);
}

void core_say(struct world *world, unsigned worker, const char *format, ...)
{
    size_t length;
    va_list arguments;
    va_start(arguments, format);
    char *text = wire_text(format, arguments, &length);
    va_end(arguments);
    core_bytes(world, (int)worker, text, length);
    free(text);
}

static void core_say_anywhere(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void core_say_anywhere(struct world *world, const char *format, ...)
{
    size_t length;
    va_list arguments;
    va_start(arguments, format);
    char *text = wire_text(format, arguments, &length);
    va_end(arguments);
    core_bytes(world, -1, text, length);
    free(text);
}

void core_answer_before(struct world *world, unsigned back, unsigned status, const char *tag, const char *fields)
{
    char text[20000];
    const char *request = latest_request(world->to_core, world->to_core_count, back);
    if (!request)
        return;
    write_response(request, status, tag, fields, text, sizeof text);
    core_say_anywhere(world, "%s", text);
}

void core_answer(struct world *world, unsigned status, const char *tag, const char *fields)
{
    core_answer_before(world, 0, status, tag, fields);
}

void core_request(struct wic *wic, const char *method, const char *to_tag, const char *fields)
{
    struct world *world = wic->world;
    world->branches++;
    core_say_anywhere(world,
                      "%s sip:%s@%s.invalid;transport=ws SIP/2.0\n"
                      "Via: SIP/2.0/UDP scscf." DOMAIN ";branch=z9hG4bKcore%u\nMax-Forwards: 60\n"
                      "Route: <sip:%s@" SENT_BY ";lr>\nTo: <sip:%s@" DOMAIN ">%s%s\n"
                      "From: <sip:bob@" DOMAIN ">;tag=bob\nCall-ID: incoming-%s\nCSeq: %u %s\n%sContent-Length: 0\n\n",
                      method, wic->user, wic->tag, world->branches, wic->token, wic->user, *to_tag ? ";tag=" : "",
                      to_tag, wic->call_id, world->branches, method, fields);
}
