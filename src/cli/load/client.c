/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/load/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "cli/load/generator.h"
#include "cli/load/packet.h"
#include "net/socket.h"
#include "stun/attributes.h"

/* A packet that is not back by then is given up, in the closed loop: another one takes its place. */
#define LOST_AFTER_NS NS_PER_S
/* In a row, until it is the server that is wrong. */
#define MISMATCHES_MAX 10

static void fail(struct load_client *client, const char *reason)
{
    const struct load_plan *plan = client->generator->plan;
    char server[ADDRESS_TEXT_MAX];
    load_control_fail(client->generator->control, "%s over %s: %s", address_format(&plan->server, server),
                      turn_transport_name(plan->transport), reason);
}

/* Sending. */

static bool is_bursting(const struct load_client *client)
{
    return client->generator->plan->bursts;
}

/* The memory of packet |slot| stays as it is until the flush. */
static void packet_send(struct load_client *client, unsigned slot, uint32_t sequence, uint64_t due_ns)
{
    struct load_generator *generator = client->generator;
    bool measured = generator->phase == LOAD_MEASURING;
    struct load_packet packet = {
        .client = client->number, .slot = slot, .sequence = sequence, .measured = measured, .due_ns = due_ns};
    uint8_t *bytes = generator->packets + (size_t)slot * generator->plan->size;
    load_packet_write(bytes, &packet);
    generator->result.sent += measured;
    turn_client_session_send(client->session, &generator->peer, bytes, generator->plan->size);
}

static void slot_send(struct load_client *client, unsigned slot, uint64_t now_ns)
{
    struct load_slot *state = &client->slots[slot];
    client->outstanding += !state->busy;
    *state = (struct load_slot){.sequence = state->sequence + 1, .busy = true, .sent_ns = now_ns};
    packet_send(client, slot, state->sequence, now_ns);
}

static void burst_send(struct load_client *client, uint64_t now_ns)
{
    for (unsigned i = 0; i < client->generator->plan->in_flight; i++)
        slot_send(client, i, now_ns);
    load_flow_flush(&client->flow);
}

static bool may_send(const struct load_client *client)
{
    enum load_phase phase = client->generator->phase;
    return client->ready && !client->flow.broken && (phase == LOAD_WARMING || phase == LOAD_MEASURING);
}

void load_client_begin(struct load_client *client, struct now now)
{
    if (may_send(client))
        burst_send(client, now.monotonic_ns);
}

void load_client_send(struct load_client *client, unsigned count, uint64_t due_ns)
{
    if (!may_send(client))
        return;
    if (load_flow_congested(&client->flow)) {
        client->generator->result.unsent += count;
        return;
    }
    for (unsigned i = 0; i < count; i++)
        packet_send(client, i, 0, due_ns);
    load_flow_flush(&client->flow);
}

void load_client_sweep(struct load_client *client, struct now now)
{
    if (!may_send(client) || client->outstanding == 0 || load_flow_congested(&client->flow))
        return;
    for (unsigned i = 0; i < client->generator->plan->in_flight; i++) {
        struct load_slot *slot = &client->slots[i];
        if (!slot->busy || slot->sent_ns + LOST_AFTER_NS > now.monotonic_ns)
            continue;
        slot->busy = false;
        client->outstanding--;
        if (!is_bursting(client))
            slot_send(client, i, now.monotonic_ns);
    }
    if (is_bursting(client) && client->outstanding == 0)
        burst_send(client, now.monotonic_ns);
    load_flow_flush(&client->flow);
}

/* Receiving. Singly, each packet that is back sends the next one; in bursts, the last one of a burst does. */
static void packet_arrived(struct load_client *client, const uint8_t *payload, size_t length)
{
    struct load_generator *generator = client->generator;
    struct load_packet packet;
    if (!load_packet_read(payload, length, &packet) || packet.client != client->number)
        return;
    uint64_t now_ns = net_now().monotonic_ns;
    generator->arrived++;
    if (packet.measured) {
        generator->result.answered++;
        histogram_record(&generator->result.latency, now_ns > packet.due_ns ? now_ns - packet.due_ns : 0);
    }
    if (generator->plan->rate > 0 || packet.slot >= generator->plan->in_flight)
        return;
    struct load_slot *slot = &client->slots[packet.slot];
    if (!slot->busy || slot->sequence != packet.sequence)
        return; /* given up already */
    slot->busy = false;
    client->outstanding--;
    if (!is_bursting(client) && may_send(client))
        slot_send(client, packet.slot, now_ns);
}

void load_client_flow_received(struct load_flow *flow, const uint8_t *bytes, size_t length)
{
    struct load_client *client = container_of(flow, struct load_client, flow);
    if (turn_client_session_receive(client->session, bytes, length, loop_now(client->generator->worker->loop)) != 0)
        fail(client, "what the server sends is not TURN");
}

/* Every way into the session ends here. */
static void settle(struct load_client *client)
{
    uint64_t deadline_ns = client->session ? turn_client_session_deadline(client->session) : TIME_NEVER;
    /* Has room: memory_create() of the generator. */
    (void)timers_update(loop_timers(client->generator->worker->loop), &client->timer, deadline_ns);
    load_flow_flush(&client->flow);
}

void load_client_flow_settled(struct load_flow *flow)
{
    struct load_client *client = container_of(flow, struct load_client, flow);
    bool loops = client->ready && client->generator->plan->kind == LOAD_RELAY && client->generator->plan->rate == 0;
    if (loops && is_bursting(client) && client->outstanding == 0 && may_send(client))
        burst_send(client, net_now().monotonic_ns);
    settle(client);
}

static void timer_expired(struct timer *timer, struct now now)
{
    struct load_client *client = container_of(timer, struct load_client, timer);
    turn_client_session_expire(client->session, now);
    settle(client);
}

/* What the session tells. */

/* The kernel gave us a port again whose former allocation the server still remembers: another flow has another port. */
static bool try_another_port(struct load_client *client, int error_code)
{
    if (error_code != STUN_ALLOCATION_MISMATCH || client->mismatches == MISMATCHES_MAX)
        return false;
    client->mismatches++;
    loop_defer(client->generator->worker->loop, &client->reopening);
    return true;
}

static void session_failed(struct load_client *client, const struct turn_client_event *event)
{
    char other[64];
    const char *reason = "the server does not answer";
    if (try_another_port(client, event->error_code))
        return;
    switch (event->error_code) {
    case 0:
        break;
    case STUN_UNAUTHENTICATED:
        reason = "the server refuses user and password (401)";
        break;
    case STUN_ALLOCATION_QUOTA_REACHED:
        reason = "the server's limit per user or per source is reached (486): lift it for this test";
        break;
    case STUN_INSUFFICIENT_CAPACITY:
        reason = "the server has no room for more allocations (508)";
        break;
    case STUN_TRY_ALTERNATE:
        reason = "the server sends clients elsewhere (300)";
        break;
    default:
        snprintf(other, sizeof other, "the server refuses an allocation (%d %s)", event->error_code,
                 stun_error_reason(event->error_code));
        reason = event->error_code > 0 ? other : error_text(event->error_code);
        break;
    }
    fail(client, reason);
}

static void peer_refused(struct load_client *client, const struct turn_client_event *event)
{
    char peer[ADDRESS_TEXT_MAX], reason[160];
    snprintf(reason, sizeof reason, "the server refuses peer %s (%d %s): its settings must allow it",
             address_format(&event->address, peer), event->error_code, stun_error_reason(event->error_code));
    fail(client, reason);
}

static void client_ready(struct load_client *client)
{
    if (client->ready)
        return; /* a channel that was renewed */
    client->ready = true;
    load_generator_client_ready(client->generator);
}

static void allocated(struct load_client *client)
{
    struct load_generator *generator = client->generator;
    struct now now = net_now();
    client->mismatches = 0;
    switch (generator->plan->kind) {
    case LOAD_RELAY:
        if (turn_client_session_bind(client->session, &generator->peer, now) != 0)
            fail(client, error_text(ERR_MEMORY));
        break;
    case LOAD_IDLE:
        client_ready(client);
        break;
    case LOAD_ALLOCATE:
        if (generator->phase == LOAD_MEASURING) {
            generator->result.allocations++;
            generator->result.resumed += load_flow_resumed(&client->flow);
            histogram_record(&generator->result.latency, now.monotonic_ns - client->opened_ns);
        }
        client->ready = true;
        turn_client_session_release(client->session, now);
        break;
    }
}

static void session_notify(void *context, const struct turn_client_event *event)
{
    struct load_client *client = context;
    switch (event->type) {
    case TURN_CLIENT_DATA:
        packet_arrived(client, event->payload, event->payload_length);
        break;
    case TURN_CLIENT_ALLOCATED:
        allocated(client);
        break;
    case TURN_CLIENT_CHANNEL_BOUND:
        client_ready(client);
        break;
    case TURN_CLIENT_PERMITTED:
        break;
    case TURN_CLIENT_PEER_REFUSED:
        peer_refused(client, event);
        break;
    case TURN_CLIENT_FAILED:
        session_failed(client, event);
        break;
    case TURN_CLIENT_ENDED:
        client->ready = false;
        if (client->generator->plan->kind == LOAD_ALLOCATE)
            loop_defer(client->generator->worker->loop, &client->reopening);
        load_generator_client_ended(client->generator);
        break;
    }
}

static void session_send(void *context, const uint8_t *head, size_t head_length, const uint8_t *payload,
                         size_t payload_length, size_t padding)
{
    struct load_client *client = context;
    load_flow_send(&client->flow, head, head_length, payload, payload_length, padding);
}

/* Opening and closing. */

static void client_close(struct load_client *client)
{
    client->ready = false;
    timers_cancel(loop_timers(client->generator->worker->loop), &client->timer);
    load_flow_close(&client->flow);
    turn_client_session_destroy(&client->session);
}

static void reopen(struct loop_task *task, struct now now)
{
    (void)now;
    struct load_client *client = container_of(task, struct load_client, reopening);
    client_close(client);
    if (client->generator->phase <= LOAD_MEASURING)
        load_client_open(client);
}

int load_client_init(struct load_client *client, struct load_generator *generator, uint32_t number)
{
    *client = (struct load_client){
        .generator = generator, .number = number, .timer = {.callback = timer_expired}, .flow = {.source = {.fd = -1}}};
    loop_task_init(&client->reopening, reopen);
    client->slots = memory_zeroed(generator->plan->in_flight, sizeof *client->slots);
    return client->slots ? 0 : ERR_MEMORY;
}

void load_client_fini(struct load_client *client)
{
    if (!client->generator)
        return;
    loop_task_cancel(&client->reopening);
    client_close(client);
    memory_free(client->slots);
}

void load_client_open(struct load_client *client)
{
    struct load_generator *generator = client->generator;
    struct turn_client_config config = {.username = generator->username,
                                        .password = generator->password,
                                        .stream = turn_transport_is_stream(generator->plan->transport)};
    if (generator->peer.family == ADDRESS_IPV6) /* IPv4 is what a server gives unasked */
        config.relay_family = ADDRESS_IPV6;
    client->opened_ns = net_now().monotonic_ns;
    int error = turn_client_session_create(&config, session_send, session_notify, client, &client->session);
    if (error == 0)
        error = load_flow_open(&client->flow, &generator->flow_settings);
    if (error != 0)
        fail(client, error == ERR_SYSTEM ? strerror(errno) : error_text(error));
}

void load_client_flow_opened(struct load_flow *flow)
{
    struct load_client *client = container_of(flow, struct load_client, flow);
    turn_client_session_start(client->session, net_now());
    settle(client);
}

void load_client_flow_failed(struct load_flow *flow, const char *reason)
{
    struct load_client *client = container_of(flow, struct load_client, flow);
    if (client->generator->phase < LOAD_CLOSING)
        fail(client, reason);
}

void load_client_release(struct load_client *client, struct now now)
{
    if (!client->ready || client->flow.broken)
        return;
    turn_client_session_release(client->session, now);
    settle(client);
}
