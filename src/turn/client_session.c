/* SPDX-License-Identifier: BSD-3-Clause */
#include "turn/client_session.h"

#include <assert.h>

#include "base/error.h"
#include "base/memory.h"
#include "stun/framing.h"
#include "stun/message.h"
#include "turn/client_authentication.h"
#include "turn/client_frames.h"

#define RTO_NS             (500 * NS_PER_MS) /* RFC 8489 §6.2.1 */
#define RETRANSMISSIONS_RC 7
#define LAST_WAIT_RM       16
#define STREAM_TIMEOUT_NS  (39500 * NS_PER_MS) /* RFC 8489 §6.2.2 */
#define CHALLENGES_MAX     3                   /* in a row for one request: a server may change its nonce under us */

/* A permission lives 300 s (RFC 8656 §9), and a ChannelBind renews it as well as the channel's own 600 s (§12). A
 * minute leaves room for all retransmissions. */
#define PEER_RENEWAL_NS (240 * NS_PER_S)

#define LIFETIME_DEFAULT_S     600 /* of a server that forgets to say */
#define REQUESTED_UDP          (17u << 24)
#define CHANNEL_DATA_MAX       65535
#define SEND_INDICATION_HEAD   (STUN_HEADER_SIZE + 4 + 20 + 4)
#define SEND_INDICATION_MAX    (65535 - SEND_INDICATION_HEAD - 3)
#define REQUEST_ATTRIBUTES_MAX 64 /* without credentials: ours are at most two addresses and two words */
#define REQUEST_MAX            (STUN_HEADER_SIZE + REQUEST_ATTRIBUTES_MAX + CLIENT_AUTHENTICATION_MAX)

enum session_state {
    SESSION_IDLE,
    SESSION_ALLOCATING,
    SESSION_ALLOCATED,
    SESSION_RELEASING,
    SESSION_OVER,
};

/* A request that waits for its answer. Its bytes are not kept: they follow from what is kept, so a retransmission is
 * made again. */
struct transaction {
    uint16_t method; /* 0: none waits */
    uint8_t sent;    /* times */
    uint8_t challenged;
    uint32_t signed_with; /* the count of challenges when it was signed; 0: not signed */
    uint8_t id[STUN_TRANSACTION_ID_SIZE];
    uint64_t deadline_ns;
};

/* A peer with a permission or a channel. The place in the table gives the channel's number, so a ChannelData message
 * finds its peer without a search, and a number never goes to a second peer (RFC 8656 §12). */
struct client_peer {
    struct address address;
    bool channel_wanted, channel_bound;
    struct transaction transaction;
    uint64_t renewal_ns; /* when to ask (again); TIME_NEVER: refused, or an answer is awaited */
};

struct turn_client_session {
    turn_client_send *send;
    turn_client_notify *notify;
    void *context;
    struct client_authentication authentication;
    struct client_frames frames;
    struct client_peer *peers;
    unsigned peer_count, peer_capacity;
    unsigned last_peer; /* the one that was sent to last */
    enum session_state state;
    bool stream;
    uint8_t relay_family;
    uint32_t lifetime_s;
    struct transaction allocation; /* Allocate or Refresh */
    uint64_t refresh_ns, expiry_ns;
    uint64_t deadline_ns; /* the earliest of all */
};

int turn_client_session_create(const struct turn_client_config *config, turn_client_send *send,
                               turn_client_notify *notify, void *context, struct turn_client_session **out)
{
    struct turn_client_session *session = memory_zeroed(1, sizeof *session);
    if (!session)
        return ERR_MEMORY;
    int error =
        client_authentication_init(&session->authentication, config->username, config->password, config->refuse_md5);
    if (error != 0) {
        memory_free(session);
        return error;
    }
    session->send = send;
    session->notify = notify;
    session->context = context;
    session->stream = config->stream;
    session->relay_family = config->relay_family;
    session->lifetime_s = config->lifetime_s;
    session->refresh_ns = session->expiry_ns = session->deadline_ns = TIME_NEVER;
    *out = session;
    return 0;
}

void turn_client_session_destroy(struct turn_client_session **session)
{
    if (!*session)
        return;
    client_authentication_fini(&(*session)->authentication);
    client_frames_fini(&(*session)->frames);
    memory_free((*session)->peers);
    memory_free(*session);
    *session = NULL;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void deadline_update(struct turn_client_session *session)
{
    uint64_t deadline = TIME_NEVER;
    if (session->state != SESSION_OVER && session->allocation.method != 0)
        deadline = session->allocation.deadline_ns;
    if (session->state == SESSION_ALLOCATED) {
        deadline = earlier(deadline, earlier(session->refresh_ns, session->expiry_ns));
        for (unsigned i = 0; i < session->peer_count; i++) {
            const struct client_peer *peer = &session->peers[i];
            deadline = earlier(deadline, peer->transaction.method ? peer->transaction.deadline_ns : peer->renewal_ns);
        }
    }
    session->deadline_ns = deadline;
}

uint64_t turn_client_session_deadline(const struct turn_client_session *session)
{
    return session->deadline_ns;
}

/* Events. */

static void notify_peer(struct turn_client_session *session, enum turn_client_event_type type, unsigned index,
                        int error_code)
{
    struct turn_client_event event = {.type = type, .address = session->peers[index].address, .error_code = error_code};
    if (type == TURN_CLIENT_CHANNEL_BOUND)
        event.channel = (uint16_t)(CHANNEL_NUMBER_FIRST + index);
    session->notify(session->context, &event);
}

/* Nothing more happens after this. */
static void session_over(struct turn_client_session *session, const struct turn_client_event *last)
{
    session->state = SESSION_OVER;
    session->allocation.method = 0;
    session->notify(session->context, last);
}

static void session_ended(struct turn_client_session *session)
{
    session_over(session, &(struct turn_client_event){.type = TURN_CLIENT_ENDED});
}

/* Requests. */

static void encode_method(const struct turn_client_session *session, const struct transaction *transaction,
                          const struct client_peer *peer, struct stun_builder *builder)
{
    switch (transaction->method) {
    case STUN_ALLOCATE:
        stun_builder_add_u32(builder, STUN_REQUESTED_TRANSPORT, REQUESTED_UDP);
        if (session->relay_family != ADDRESS_NONE)
            stun_builder_add_u32(builder, STUN_REQUESTED_ADDRESS_FAMILY,
                                 (uint32_t)stun_family_encode(session->relay_family) << 24);
        if (session->lifetime_s > 0)
            stun_builder_add_u32(builder, STUN_LIFETIME, session->lifetime_s);
        break;
    case STUN_REFRESH:
        if (session->state == SESSION_RELEASING)
            stun_builder_add_u32(builder, STUN_LIFETIME, 0);
        else if (session->lifetime_s > 0)
            stun_builder_add_u32(builder, STUN_LIFETIME, session->lifetime_s);
        break;
    case STUN_CHANNEL_BIND:
        stun_builder_add_u32(builder, STUN_CHANNEL_NUMBER,
                             (uint32_t)(CHANNEL_NUMBER_FIRST + (peer - session->peers)) << 16);
        stun_builder_add_xor_address(builder, STUN_XOR_PEER_ADDRESS, &peer->address);
        break;
    case STUN_CREATE_PERMISSION:
        stun_builder_add_xor_address(builder, STUN_XOR_PEER_ADDRESS, &peer->address);
        break;
    default:
        assert(!"a method that a client session sends");
    }
}

/* |peer| is NULL for the allocation's own requests. */
static void request_send(struct turn_client_session *session, struct transaction *transaction,
                         const struct client_peer *peer, struct now now)
{
    if (transaction->signed_with != session->authentication.challenges)
        transaction->sent = 0; /* another nonce, other bytes: no longer the same transaction */
    if (transaction->sent == 0)
        crypto_random(transaction->id, sizeof transaction->id);
    transaction->signed_with = session->authentication.challenges;
    transaction->sent++;
    uint64_t wait_ns = session->stream                          ? STREAM_TIMEOUT_NS
                       : transaction->sent < RETRANSMISSIONS_RC ? RTO_NS << (transaction->sent - 1)
                                                                : RTO_NS * LAST_WAIT_RM;
    transaction->deadline_ns = now.monotonic_ns + wait_ns;

    uint8_t memory[REQUEST_MAX];
    struct stun_builder builder;
    stun_builder_init(&builder, memory, sizeof memory, transaction->method, STUN_REQUEST, transaction->id);
    encode_method(session, transaction, peer, &builder);
    client_authentication_sign(&session->authentication, &builder);
    int length = stun_builder_finish(&builder);
    assert(length > 0);
    session->send(session->context, memory, (size_t)length, NULL, 0, 0);
}

static void request_begin(struct turn_client_session *session, struct transaction *transaction,
                          const struct client_peer *peer, uint16_t method, struct now now)
{
    transaction->method = method;
    transaction->sent = 0;
    transaction->challenged = 0;
    request_send(session, transaction, peer, now);
}

/* Asks for every permission and channel that is due. */
static void peers_renew(struct turn_client_session *session, struct now now)
{
    for (unsigned i = 0; session->state == SESSION_ALLOCATED && i < session->peer_count; i++) {
        struct client_peer *peer = &session->peers[i];
        if (peer->renewal_ns > now.monotonic_ns)
            continue;
        peer->renewal_ns = TIME_NEVER;
        request_begin(session, &peer->transaction, peer,
                      peer->channel_wanted ? STUN_CHANNEL_BIND : STUN_CREATE_PERMISSION, now);
    }
}

void turn_client_session_start(struct turn_client_session *session, struct now now)
{
    assert(session->state == SESSION_IDLE);
    session->state = SESSION_ALLOCATING;
    request_begin(session, &session->allocation, NULL, STUN_ALLOCATE, now);
    deadline_update(session);
}

void turn_client_session_release(struct turn_client_session *session, struct now now)
{
    if (session->state != SESSION_ALLOCATED)
        return;
    session->state = SESSION_RELEASING;
    request_begin(session, &session->allocation, NULL, STUN_REFRESH, now);
    deadline_update(session);
}

/* Peers. */

/* Returns the peer's place, or -1. */
static int peer_find(struct turn_client_session *session, const struct address *address)
{
    if (session->last_peer < session->peer_count && address_equal(&session->peers[session->last_peer].address, address))
        return (int)session->last_peer;
    for (unsigned i = 0; i < session->peer_count; i++) {
        if (address_equal(&session->peers[i].address, address)) {
            session->last_peer = i;
            return (int)i;
        }
    }
    return -1;
}

/* Returns the new peer's place, ERR_FULL or ERR_MEMORY. */
static int peer_add(struct turn_client_session *session, const struct address *address)
{
    if (session->peer_count == TURN_CLIENT_PEERS_MAX)
        return ERR_FULL;
    if (session->peer_count == session->peer_capacity) {
        unsigned capacity = session->peer_capacity ? session->peer_capacity * 2 : 1;
        struct client_peer *grown = memory_resize(session->peers, capacity * sizeof *grown);
        if (!grown)
            return ERR_MEMORY;
        session->peers = grown;
        session->peer_capacity = capacity;
    }
    session->peers[session->peer_count] = (struct client_peer){.address = *address, .renewal_ns = TIME_NEVER};
    return (int)session->peer_count++;
}

static int peer_want(struct turn_client_session *session, const struct address *address, bool channel, struct now now)
{
    int index = peer_find(session, address);
    bool known = index >= 0;
    if (!known)
        index = peer_add(session, address);
    if (index < 0)
        return index;
    struct client_peer *peer = &session->peers[index];
    bool refused = peer->transaction.method == 0 && peer->renewal_ns == TIME_NEVER;
    if (known && !refused && (peer->channel_wanted || !channel))
        return 0;
    peer->channel_wanted |= channel;
    peer->transaction.method = 0;
    peer->renewal_ns = now.monotonic_ns;
    peers_renew(session, now);
    deadline_update(session);
    return 0;
}

int turn_client_session_permit(struct turn_client_session *session, const struct address *peer, struct now now)
{
    return peer_want(session, peer, false, now);
}

int turn_client_session_bind(struct turn_client_session *session, const struct address *peer, struct now now)
{
    return peer_want(session, peer, true, now);
}

/* Data. */

static int send_indication(struct turn_client_session *session, const struct address *peer, const uint8_t *payload,
                           size_t length)
{
    if (length > SEND_INDICATION_MAX)
        return ERR_TOO_LARGE;
    uint8_t head[SEND_INDICATION_HEAD];
    uint8_t id[STUN_TRANSACTION_ID_SIZE];
    crypto_random(id, sizeof id);
    struct stun_builder builder;
    stun_builder_init(&builder, head, sizeof head, STUN_SEND, STUN_INDICATION, id);
    stun_builder_add_xor_address(&builder, STUN_XOR_PEER_ADDRESS, peer);
    /* DATA's value is not copied behind its header: the lengths of both are written by hand. */
    stun_builder_add(&builder, STUN_DATA, NULL, 0);
    int head_length = stun_builder_finish(&builder);
    assert(head_length > 0);
    store_u16(head + head_length - 2, (uint16_t)length);
    store_u16(head + 2, (uint16_t)(head_length - STUN_HEADER_SIZE + length + stun_padding(length)));
    session->send(session->context, head, (size_t)head_length, payload, length, stun_padding(length));
    return 0;
}

int turn_client_session_send(struct turn_client_session *session, const struct address *peer, const uint8_t *payload,
                             size_t length)
{
    if (session->state != SESSION_ALLOCATED)
        return ERR_NOT_FOUND;
    int index = peer_find(session, peer);
    if (index < 0 || !session->peers[index].channel_bound)
        return send_indication(session, peer, payload, length);
    if (length > CHANNEL_DATA_MAX)
        return ERR_TOO_LARGE;
    uint8_t head[CHANNEL_DATA_HEADER_SIZE];
    channel_data_encode_header(head, (uint16_t)(CHANNEL_NUMBER_FIRST + index), (uint16_t)length);
    /* Padding is for streams; a datagram may go without (RFC 8656 §12.5). */
    session->send(session->context, head, sizeof head, payload, length, session->stream ? stun_padding(length) : 0);
    return 0;
}

static void channel_data_receive(struct turn_client_session *session, const uint8_t *bytes, size_t length)
{
    struct channel_data data;
    if (channel_data_decode(bytes, length, &data) != 0)
        return;
    unsigned index = (unsigned)data.number - CHANNEL_NUMBER_FIRST;
    if (index >= session->peer_count || !session->peers[index].channel_bound)
        return;
    struct turn_client_event event = {.type = TURN_CLIENT_DATA,
                                      .address = session->peers[index].address,
                                      .channel = data.number,
                                      .payload = data.payload,
                                      .payload_length = data.length};
    session->notify(session->context, &event);
}

static void indication_receive(struct turn_client_session *session, const struct stun_message *message)
{
    const struct stun_attribute *from = stun_message_find(message, STUN_XOR_PEER_ADDRESS);
    const struct stun_attribute *data = stun_message_find(message, STUN_DATA);
    if (message->method != STUN_DATA_INDICATION || !from || !data)
        return;
    struct turn_client_event event = {.type = TURN_CLIENT_DATA, .payload = data->value, .payload_length = data->length};
    if (stun_address_decode(message, from, true, &event.address) == 0)
        session->notify(session->context, &event);
}

/* Answers. */

static void lifetime_begin(struct turn_client_session *session, const struct stun_message *response, struct now now)
{
    const struct stun_attribute *attribute = stun_message_find(response, STUN_LIFETIME);
    uint64_t lifetime_ns = (attribute ? load_u32(attribute->value) : LIFETIME_DEFAULT_S) * NS_PER_S;
    session->expiry_ns = now.monotonic_ns + lifetime_ns;
    session->refresh_ns = now.monotonic_ns + lifetime_ns / 2;
}

static void allocate_succeeded(struct turn_client_session *session, const struct stun_message *response, struct now now)
{
    struct turn_client_event event = {.type = TURN_CLIENT_ALLOCATED};
    const struct stun_attribute *relayed = stun_message_find(response, STUN_XOR_RELAYED_ADDRESS);
    const struct stun_attribute *mapped = stun_message_find(response, STUN_XOR_MAPPED_ADDRESS);
    if (!relayed || stun_address_decode(response, relayed, true, &event.address) != 0) {
        session_over(session, &(struct turn_client_event){.type = TURN_CLIENT_FAILED, .error_code = ERR_MALFORMED});
        return;
    }
    if (mapped)
        (void)stun_address_decode(response, mapped, true, &event.mapped);
    session->state = SESSION_ALLOCATED;
    lifetime_begin(session, response, now);
    session->notify(session->context, &event);
    peers_renew(session, now);
}

/* |response| is NULL where none came. */
static void allocation_failed(struct turn_client_session *session, const struct stun_message *response, int code)
{
    if (session->state == SESSION_RELEASING ||
        (session->state == SESSION_ALLOCATED && code == STUN_ALLOCATION_MISMATCH)) {
        session_ended(session);
        return;
    }
    struct turn_client_event event = {.type = TURN_CLIENT_FAILED, .error_code = code};
    const struct stun_attribute *alternate = response ? stun_message_find(response, STUN_ALTERNATE_SERVER) : NULL;
    if (code == STUN_TRY_ALTERNATE && alternate)
        (void)stun_address_decode(response, alternate, false, &event.address);
    session_over(session, &event);
}

static void peer_failed(struct turn_client_session *session, unsigned index, int code)
{
    session->peers[index].channel_bound = false;
    session->peers[index].renewal_ns = TIME_NEVER;
    notify_peer(session, TURN_CLIENT_PEER_REFUSED, index, code);
}

static void peer_succeeded(struct turn_client_session *session, unsigned index, uint16_t method, struct now now)
{
    struct client_peer *peer = &session->peers[index];
    peer->renewal_ns = now.monotonic_ns + PEER_RENEWAL_NS;
    peer->channel_bound = method == STUN_CHANNEL_BIND;
    notify_peer(session, peer->channel_bound ? TURN_CLIENT_CHANNEL_BOUND : TURN_CLIENT_PERMITTED, index, 0);
}

/* The end of a transaction: |index| is the peer's place or -1 for the allocation, |code| 0 for success. */
static void transaction_ended(struct turn_client_session *session, struct transaction *transaction, int index,
                              const struct stun_message *response, int code, struct now now)
{
    uint16_t method = transaction->method;
    transaction->method = 0;
    bool success = response && code == 0;
    if (index >= 0 && success)
        peer_succeeded(session, (unsigned)index, method, now);
    else if (index >= 0)
        peer_failed(session, (unsigned)index, code);
    else if (!success)
        allocation_failed(session, response, code);
    else if (method == STUN_ALLOCATE)
        allocate_succeeded(session, response, now);
    else if (session->state == SESSION_RELEASING)
        session_ended(session);
    else
        lifetime_begin(session, response, now);
}

/* 401 and 438: the request goes out again with what the server asks for. A 401 to a signed request says that the
 * credentials are wrong, and asking again would only say so again. */
static void challenge_receive(struct turn_client_session *session, struct transaction *transaction, int index,
                              const struct stun_message *response, int code, struct now now)
{
    bool hopeless =
        (code == STUN_UNAUTHENTICATED && transaction->signed_with != 0) || transaction->challenged == CHALLENGES_MAX;
    int error = hopeless ? ERR_FORBIDDEN : client_authentication_challenge(&session->authentication, response);
    if (error == ERR_MALFORMED)
        return;
    if (error != 0) {
        transaction_ended(session, transaction, index, response, hopeless ? code : error, now);
        return;
    }
    transaction->challenged++;
    request_send(session, transaction, index >= 0 ? &session->peers[index] : NULL, now);
}

/* The transaction that |response| answers, and its peer's place or -1; NULL if there is none. */
static struct transaction *transaction_find(struct turn_client_session *session, const struct stun_message *response,
                                            int *index_out)
{
    for (int i = -1; i < (int)session->peer_count; i++) {
        struct transaction *transaction = i < 0 ? &session->allocation : &session->peers[i].transaction;
        if (transaction->method != 0 && transaction->method == response->method &&
            memcmp(transaction->id, response->transaction_id, sizeof transaction->id) == 0) {
            *index_out = i;
            return transaction;
        }
    }
    return NULL;
}

static void response_receive(struct turn_client_session *session, const struct stun_message *response, struct now now)
{
    int index;
    struct transaction *transaction = transaction_find(session, response, &index);
    if (!transaction)
        return;
    int code = 0;
    if (response->class == STUN_ERROR) {
        const struct stun_attribute *attribute = stun_message_find(response, STUN_ERROR_CODE);
        code = attribute ? stun_error_decode(attribute) : ERR_MALFORMED;
        if (code < 0)
            return;
    }
    if (code == STUN_UNAUTHENTICATED || code == STUN_STALE_NONCE)
        challenge_receive(session, transaction, index, response, code, now);
    else if (transaction->signed_with == 0 || client_authentication_verify(&session->authentication, response))
        transaction_ended(session, transaction, index, response, code, now);
    else if (session->stream) /* nobody else can have written it: RFC 8489 §9.2.5 */
        transaction_ended(session, transaction, index, response, ERR_CRYPTO, now);
    /* A datagram may be forged: as if it had never come. */
    deadline_update(session);
}

static void message_receive(struct turn_client_session *session, const uint8_t *bytes, size_t length, struct now now)
{
    if (session->state == SESSION_OVER || length == 0)
        return;
    if (channel_data_begins_with(bytes[0])) {
        channel_data_receive(session, bytes, length);
        return;
    }
    struct stun_message message;
    if (stun_message_decode(bytes, length, &message) != 0)
        return;
    if (message.class == STUN_INDICATION)
        indication_receive(session, &message);
    else if (message.class != STUN_REQUEST)
        response_receive(session, &message, now);
}

int turn_client_session_receive(struct turn_client_session *session, const uint8_t *bytes, size_t length,
                                struct now now)
{
    if (!session->stream) {
        message_receive(session, bytes, length, now);
        return 0;
    }
    const uint8_t *frame;
    int frame_length;
    while ((frame_length = client_frames_next(&session->frames, &bytes, &length, &frame)) > 0)
        message_receive(session, frame, (size_t)frame_length, now);
    return frame_length;
}

/* Time. */

/* Sends again, or gives up after Rc times and a last wait. */
static void transaction_expire(struct turn_client_session *session, struct transaction *transaction, int index,
                               struct now now)
{
    if (session->state == SESSION_OVER || transaction->method == 0 || transaction->deadline_ns > now.monotonic_ns)
        return;
    if (session->stream || transaction->sent == RETRANSMISSIONS_RC)
        transaction_ended(session, transaction, index, NULL, 0, now);
    else
        request_send(session, transaction, index >= 0 ? &session->peers[index] : NULL, now);
}

void turn_client_session_expire(struct turn_client_session *session, struct now now)
{
    transaction_expire(session, &session->allocation, -1, now);
    if (session->state == SESSION_ALLOCATED && session->expiry_ns <= now.monotonic_ns)
        session_ended(session);
    if (session->state == SESSION_ALLOCATED && session->refresh_ns <= now.monotonic_ns) {
        session->refresh_ns = TIME_NEVER;
        request_begin(session, &session->allocation, NULL, STUN_REFRESH, now);
    }
    for (unsigned i = 0; session->state == SESSION_ALLOCATED && i < session->peer_count; i++)
        transaction_expire(session, &session->peers[i].transaction, (int)i, now);
    peers_renew(session, now);
    deadline_update(session);
}
