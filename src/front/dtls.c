/* SPDX-License-Identifier: BSD-3-Clause */
#include "front/dtls.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "crypto/digest.h"
#include "front/front_state.h"
#include "front/udp.h"

/* RFC 6347 §4.1: a record's header, and where in it the epoch is. */
#define RECORD_HEADER        13
#define RECORD_EPOCH         3
#define CONTENT_HANDSHAKE    22
#define MESSAGE_CLIENT_HELLO 1

struct dtls_client {
    struct front_link link;
    struct turn_flow flow;
    struct hash_entry entry;
    struct front *front;
    struct front_udp *udp;
    struct tls_session *session;
    struct ledger_source *half_open; /* while it has no allocation */
    struct timer timer;              /* the next of retransmission and deadline */
    uint64_t deadline_ns;            /* of the hand-shake, then of idling without an allocation */
    bool allocated, doomed;
    struct list in_doomed;
};

static uint64_t key_of(const struct front *front, const struct turn_flow *flow)
{
    struct address pair[2] = {flow->client, flow->server};
    return siphash(&front->dtls_key, pair, sizeof pair);
}

static struct dtls_client *find(const struct front *front, const struct turn_flow *flow, uint64_t key)
{
    for (struct hash_entry *e = hash_first(&front->dtls_clients, key); e; e = hash_next(e)) {
        struct dtls_client *client = container_of(e, struct dtls_client, entry);
        if (address_equal(&client->flow.client, &flow->client) && address_equal(&client->flow.server, &flow->server))
            return client;
    }
    return NULL;
}

/* What datagrams are sent by, before there is a client and after. */
struct way_out {
    struct front_udp *udp;
    const struct turn_flow *flow;
};

static void send_record(void *context, const uint8_t *datagram, size_t length)
{
    const struct way_out *way = context;
    front_udp_send(way->udp, way->flow, datagram, length);
}

static void rearm(struct dtls_client *client, struct now now)
{
    uint64_t timeout_ns = dtls_session_timeout_ns(client->session);
    uint64_t retransmit_ns = timeout_ns == TIME_NEVER ? TIME_NEVER : now.monotonic_ns + timeout_ns;
    (void)timers_update(front_timers(client->front), &client->timer,
                        retransmit_ns < client->deadline_ns ? retransmit_ns : client->deadline_ns);
}

static void destroy(struct dtls_client *client, struct now now)
{
    struct front *front = client->front;
    client->doomed = true;
    if (client->allocated)
        turn_server_flow_closed(front->server, &client->flow, now);
    struct way_out way = {client->udp, &client->flow};
    dtls_session_close(client->session, send_record, &way);
    timers_cancel(front_timers(front), &client->timer);
    hash_remove(&front->dtls_clients, &client->entry);
    list_remove(&client->in_doomed);
    ledger_half_open_end(front->settings->ledger, &client->half_open);
    tls_session_destroy(&client->session);
    memory_free(client);
}

static void doom(struct dtls_client *client, enum front_log_level level, const char *text)
{
    if (client->doomed)
        return;
    struct front *front = client->front;
    front_log(front, level, "dtls", &client->flow.client, text);
    client->doomed = true;
    list_append(&front->dtls_doomed, &client->in_doomed);
    loop_defer(front->worker->loop, &front->dtls_reap);
}

static void reap(struct loop_task *task, struct now now)
{
    struct front *front = container_of(task, struct front, dtls_reap);
    while (!list_empty(&front->dtls_doomed))
        destroy(container_of(front->dtls_doomed.next, struct dtls_client, in_doomed), now);
    front_flush_datagrams(front);
}

static void timer_due(struct timer *timer, struct now now)
{
    struct dtls_client *client = container_of(timer, struct dtls_client, timer);
    if (client->deadline_ns <= now.monotonic_ns) {
        bool established = tls_session_established(client->session);
        doom(client, established ? FRONT_LOG_DEBUG : FRONT_LOG_INFO,
             established ? "closed: idle without an allocation" : "closed: hand-shake not done in time");
        return;
    }
    struct way_out way = {client->udp, &client->flow};
    if (dtls_session_expire(client->session, send_record, &way) != 0)
        doom(client, FRONT_LOG_INFO, "closed: the hand-shake was answered too often in vain");
    else
        rearm(client, now);
    front_flush_datagrams(client->front);
}

static void link_send(struct front_link *link, const struct turn_flow *flow, const struct turn_packet *packet)
{
    (void)flow;
    struct dtls_client *client = container_of(link, struct dtls_client, link);
    struct staging *staging = &client->front->staging;
    size_t length = turn_packet_length(packet);
    if (client->doomed || length > sizeof staging->scratch)
        return;
    turn_packet_copy(packet, staging->scratch);
    struct way_out way = {client->udp, &client->flow};
    dtls_session_write(client->session, staging->scratch, length, send_record, &way);
}

static void alive(struct dtls_client *client, struct now now)
{
    client->deadline_ns =
        client->allocated ? TIME_NEVER : now.monotonic_ns + client->front->settings->idle_timeout_s * NS_PER_S;
}

static void link_allocation(struct front_link *link, struct turn_allocation *allocation)
{
    struct dtls_client *client = container_of(link, struct dtls_client, link);
    struct ledger *ledger = client->front->settings->ledger;
    struct now now = loop_now(client->front->worker->loop);
    client->allocated = allocation != NULL;
    if (client->doomed)
        return;
    if (allocation)
        ledger_half_open_end(ledger, &client->half_open);
    else if (ledger_half_open_begin(ledger, &client->flow.client, &client->half_open) != 0)
        doom(client, FRONT_LOG_INFO, "closed: too many sessions without an allocation");
    alive(client, now);
    rearm(client, now);
}

/* A datagram that came in. */
struct arrival {
    struct way_out *way; /* back to where it came from */
    uint64_t key;        /* of the flow */
    const uint8_t *bytes;
    size_t length;
};

/* Takes over |session| and |half_open|, also where it fails. */
static void begin(struct front *front, const struct arrival *arrival, struct tls_session *session,
                  struct ledger_source *half_open, struct now now)
{
    const struct turn_flow *flow = arrival->way->flow;
    struct dtls_client *client = memory_zeroed(1, sizeof *client);
    if (!client) {
        front_log(front, FRONT_LOG_INFO, "dtls", &flow->client, error_text(ERR_MEMORY));
        ledger_half_open_end(front->settings->ledger, &half_open);
        tls_session_destroy(&session);
        return;
    }
    *client = (struct dtls_client){
        .link = {.send = link_send, .allocation = link_allocation},
        .flow = {.client = flow->client, .server = flow->server, .transport = TURN_DTLS, .link = &client->link},
        .front = front,
        .udp = arrival->way->udp,
        .session = session,
        .half_open = half_open,
        .timer = {.callback = timer_due},
        .deadline_ns = now.monotonic_ns + front->settings->handshake_deadline_s * NS_PER_S,
    };
    list_init(&client->in_doomed);
    hash_insert(&front->dtls_clients, &client->entry, arrival->key);
    rearm(client, now);
}

/* A datagram that no session expects. A good cookie makes one, and the server's costly half of the hand-shake follows
 * at once: so the place among the half-open ones is taken first. */
static void stranger_receive(struct front *front, const struct arrival *arrival, struct dtls_client *predecessor,
                             struct now now)
{
    const struct address *from = &arrival->way->flow->client;
    if (!turn_server_answers_stranger(front->server, from, now))
        return;
    struct ledger *ledger = front->settings->ledger;
    struct ledger_source *half_open = NULL;
    if (ledger_half_open_begin(ledger, from, &half_open) != 0) {
        front_log(front, FRONT_LOG_INFO, "dtls", from, "refused: too many sessions without an allocation");
        return;
    }
    struct tls_session *session;
    int result = dtls_listener_receive(front->dtls_listener, from, arrival->bytes, arrival->length, send_record,
                                       arrival->way, &session);
    if (result != 0 || !session) {
        ledger_half_open_end(ledger, &half_open);
        return;
    }
    if (predecessor)
        destroy(predecessor, now);
    begin(front, arrival, session, half_open, now);
}

/* A client that lost its state begins anew from the same address: a ClientHello of epoch 0 where a session exists. Only
 * a good cookie replaces the session (RFC 6347 §4.2.8). */
static bool begins_anew(const struct dtls_client *client, const uint8_t *datagram, size_t length)
{
    return length > RECORD_HEADER && datagram[0] == CONTENT_HANDSHAKE && datagram[RECORD_EPOCH] == 0 &&
           datagram[RECORD_EPOCH + 1] == 0 && datagram[RECORD_HEADER] == MESSAGE_CLIENT_HELLO &&
           tls_session_established(client->session);
}

/* Where the next record may be decrypted to: what the datagram queue still borrows is left alone. */
static uint8_t *plaintext_room(struct front *front, size_t *size_out)
{
    if (sizeof front->dtls_plaintext - front->dtls_plaintext_used < DTLS_PLAINTEXT_MAX)
        front_flush_datagrams(front);
    if (front->worker->sender.message_count == 0)
        front->dtls_plaintext_used = 0;
    *size_out = sizeof front->dtls_plaintext - front->dtls_plaintext_used;
    return front->dtls_plaintext + front->dtls_plaintext_used;
}

static void receive(struct dtls_client *client, const uint8_t *datagram, size_t length, struct now now)
{
    struct front *front = client->front;
    struct way_out way = {client->udp, &client->flow};
    struct tls_error error;
    int got;
    bool was_established = tls_session_established(client->session);
    do {
        size_t room;
        uint8_t *plaintext = plaintext_room(front, &room);
        got = dtls_session_receive(client->session, datagram, length, plaintext, room, send_record, &way, &error);
        length = 0; /* further records of the same datagram are inside already */
        if (got > 0) {
            front->dtls_plaintext_used += (size_t)got;
            turn_server_receive(front->server, &client->flow, plaintext, (size_t)got, now);
            if (!client->allocated)
                alive(client, now);
        }
    } while (got > 0 && !client->doomed);
    if (got == ERR_CLOSED)
        doom(client, FRONT_LOG_DEBUG, "closed by the client");
    else if (got < 0)
        doom(client, FRONT_LOG_INFO, error.text);
    else if (!was_established || !client->allocated)
        rearm(client, now);
}

void front_dtls_receive(struct front *front, struct front_udp *listener, const struct turn_flow *flow,
                        const uint8_t *datagram, size_t length, struct now now)
{
    if (!front->dtls_listener)
        return;
    struct way_out way = {listener, flow};
    struct arrival arrival = {&way, key_of(front, flow), datagram, length};
    struct dtls_client *client = find(front, flow, arrival.key);
    if (client && !client->doomed && !begins_anew(client, datagram, length))
        receive(client, datagram, length, now);
    else
        stranger_receive(front, &arrival, client, now);
}

int dtls_clients_init(struct front *front)
{
    crypto_random(&front->dtls_key, sizeof front->dtls_key);
    list_init(&front->dtls_doomed);
    loop_task_init(&front->dtls_reap, reap);
    int result = hash_init(&front->dtls_clients);
    if (result == 0 && front->settings->tls)
        result = dtls_listener_create(front->settings->tls, &front->dtls_listener);
    return result;
}

static void destroy_each(struct hash_entry *entry, void *context)
{
    destroy(container_of(entry, struct dtls_client, entry), *(const struct now *)context);
}

void dtls_clients_fini(struct front *front)
{
    struct now now = loop_now(front->worker->loop);
    hash_each(&front->dtls_clients, destroy_each, &now);
    front_flush_datagrams(front);
    loop_task_cancel(&front->dtls_reap);
    hash_fini(&front->dtls_clients);
    dtls_listener_destroy(&front->dtls_listener);
}
