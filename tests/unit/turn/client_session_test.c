/* SPDX-License-Identifier: BSD-3-Clause
 * The client session against a server that is scripted by the test, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/credentials.h"
#include "base/error.h"
#include "base/memory.h"
#include "stun/message.h"
#include "turn/client_session.h"

#define WIRE_MAX     70000
#define EVENTS_MAX   16
#define USERNAME     "alice"
#define PASSWORD     "secret"
#define REALM        "example.org"
#define NONCE_PLAIN  "f00d"
#define NONCE_BITS   "obMatJos2gAAAxyz" /* cookie, then feature bit 0: password algorithms */
#define NONCE_COOKIE "obMatJos2AAAAxyz" /* cookie, no feature */

/* Both ends of the wire: what the session sent, what it told, and the time. */
struct bench {
    struct turn_client_session *session;
    uint8_t wire[WIRE_MAX];
    size_t wire_length;
    unsigned sent;
    struct turn_client_event events[EVENTS_MAX];
    uint8_t payload[WIRE_MAX];
    unsigned event_count;
    struct now now;
    /* The server's side. */
    enum password_algorithm algorithm;
    struct stun_message request; /* over wire */
};

static void wire_send(void *context, const uint8_t *head, size_t head_length, const uint8_t *payload,
                      size_t payload_length, size_t padding)
{
    struct bench *bench = context;
    struct writer w = writer_over(bench->wire, sizeof bench->wire);
    writer_bytes(&w, head, head_length);
    writer_bytes(&w, payload, payload_length);
    writer_zeros(&w, padding);
    assert_false(w.failed);
    bench->wire_length = writer_length(&w);
    bench->sent++;
}

static void wire_notify(void *context, const struct turn_client_event *event)
{
    struct bench *bench = context;
    assert_true(bench->event_count < EVENTS_MAX);
    if (event->payload)
        memcpy(bench->payload, event->payload, event->payload_length);
    bench->events[bench->event_count++] = *event;
}

static struct bench *bench_create(bool stream, bool refuse_md5)
{
    struct bench *bench = memory_zeroed(1, sizeof *bench);
    bench->now = (struct now){.monotonic_ns = 1000 * NS_PER_S};
    bench->algorithm = PASSWORD_MD5;
    struct turn_client_config config = {
        .username = USERNAME, .password = PASSWORD, .stream = stream, .refuse_md5 = refuse_md5};
    assert_int_equal(turn_client_session_create(&config, wire_send, wire_notify, bench, &bench->session), 0);
    return bench;
}

static void bench_destroy(struct bench *bench)
{
    turn_client_session_destroy(&bench->session);
    assert_null(bench->session);
    memory_free(bench);
}

static struct address peer(uint16_t port)
{
    return address_ipv4((const uint8_t[4]){192, 0, 2, 7}, port);
}

static struct address relayed(void)
{
    return address_ipv4((const uint8_t[4]){203, 0, 113, 5}, 50000);
}

static struct credential_key server_key(const struct bench *bench)
{
    struct credential_key key;
    credential_key_derive(bench->algorithm, (struct span){USERNAME, strlen(USERNAME)},
                          (struct span){REALM, strlen(REALM)}, (struct span){PASSWORD, strlen(PASSWORD)}, &key);
    return key;
}

static enum stun_integrity integrity(const struct bench *bench)
{
    return bench->algorithm == PASSWORD_SHA256 ? STUN_INTEGRITY_SHA256 : STUN_INTEGRITY_SHA1;
}

/* The last thing on the wire is a request of |method|, the |sent|-th message in all, and signed as it should be. */
static void expect_request(struct bench *bench, unsigned sent, uint16_t method, bool is_signed)
{
    assert_int_equal(bench->sent, sent);
    assert_int_equal(stun_message_decode(bench->wire, bench->wire_length, &bench->request), 0);
    assert_int_equal(bench->request.method, method);
    assert_int_equal(bench->request.class, STUN_REQUEST);
    struct credential_key key = server_key(bench);
    assert_int_equal(stun_message_verify(&bench->request, integrity(bench), (struct span){key.bytes, key.length}),
                     is_signed);
}

static uint32_t request_word(const struct bench *bench, uint16_t type)
{
    const struct stun_attribute *attribute = stun_message_find(&bench->request, type);
    assert_non_null(attribute);
    return load_u32(attribute->value);
}

/* Hands a message to the session as the server's answer to the last request. */
static void answer_begin(struct bench *bench, struct stun_builder *builder, uint8_t memory[512], enum stun_class class)
{
    stun_builder_init(builder, memory, 512, bench->request.method, class, bench->request.transaction_id);
}

static void answer_end(struct bench *bench, struct stun_builder *builder, bool is_signed)
{
    struct credential_key key = server_key(bench);
    if (is_signed)
        stun_builder_add_integrity(builder, integrity(bench), (struct span){key.bytes, key.length});
    int length = stun_builder_finish(builder);
    assert_true(length > 0);
    assert_int_equal(turn_client_session_receive(bench->session, builder->writer.start, (size_t)length, bench->now), 0);
}

static void answer_error(struct bench *bench, int code, bool is_signed)
{
    uint8_t memory[512];
    struct stun_builder builder;
    answer_begin(bench, &builder, memory, STUN_ERROR);
    stun_builder_add_error(&builder, code);
    answer_end(bench, &builder, is_signed);
}

static void answer_challenge(struct bench *bench, int code, const char *nonce, const void *algorithms, size_t length)
{
    uint8_t memory[512];
    struct stun_builder builder;
    answer_begin(bench, &builder, memory, STUN_ERROR);
    stun_builder_add_error(&builder, code);
    stun_builder_add(&builder, STUN_REALM, REALM, strlen(REALM));
    stun_builder_add(&builder, STUN_NONCE, nonce, strlen(nonce));
    if (algorithms)
        stun_builder_add(&builder, STUN_PASSWORD_ALGORITHMS, algorithms, length);
    answer_end(bench, &builder, false);
}

static void answer_success(struct bench *bench, bool is_signed)
{
    uint8_t memory[512];
    struct stun_builder builder;
    answer_begin(bench, &builder, memory, STUN_SUCCESS);
    if (bench->request.method == STUN_ALLOCATE) {
        struct address address = relayed(), mapped = peer(1);
        stun_builder_add_xor_address(&builder, STUN_XOR_RELAYED_ADDRESS, &address);
        stun_builder_add_xor_address(&builder, STUN_XOR_MAPPED_ADDRESS, &mapped);
    }
    if (bench->request.method == STUN_ALLOCATE || bench->request.method == STUN_REFRESH)
        stun_builder_add_u32(&builder, STUN_LIFETIME, 600);
    answer_end(bench, &builder, is_signed);
}

static void expect_event(const struct bench *bench, unsigned number, enum turn_client_event_type type)
{
    assert_int_equal(bench->event_count, number);
    assert_int_equal(bench->events[number - 1].type, type);
}

static void pass(struct bench *bench, uint64_t ns)
{
    bench->now.monotonic_ns += ns;
    if (turn_client_session_deadline(bench->session) <= bench->now.monotonic_ns)
        turn_client_session_expire(bench->session, bench->now);
}

/* With its first Allocate on the wire. */
static struct bench *bench_started(bool stream, bool refuse_md5)
{
    struct bench *bench = bench_create(stream, refuse_md5);
    turn_client_session_start(bench->session, bench->now);
    expect_request(bench, 1, STUN_ALLOCATE, false);
    return bench;
}

/* With its signed Allocate on the wire. */
static struct bench *bench_challenged(bool stream)
{
    struct bench *bench = bench_started(stream, false);
    answer_challenge(bench, 401, NONCE_PLAIN, NULL, 0);
    expect_request(bench, 2, STUN_ALLOCATE, true);
    return bench;
}

/* After this two messages were sent, and one event came. */
static struct bench *bench_allocated(bool stream)
{
    struct bench *bench = bench_challenged(stream);
    answer_success(bench, true);
    expect_event(bench, 1, TURN_CLIENT_ALLOCATED);
    return bench;
}

static const uint8_t SHA256_AND_MD5[] = {0, 2, 0, 0, 0, 1, 0, 0};
static const uint8_t MD5_AND_SHA256[] = {0, 1, 0, 0, 0, 2, 0, 0};
static const uint8_t MD5_ONLY[] = {0, 1, 0, 0};
static const uint8_t UNHEARD_OF[] = {0, 9, 0, 0};

static void allocation_follows_a_challenge(void **state)
{
    (void)state;
    struct bench *bench = bench_started(false, false);
    assert_int_equal(request_word(bench, STUN_REQUESTED_TRANSPORT), 17u << 24);
    assert_null(stun_message_find(&bench->request, STUN_USERNAME));

    answer_challenge(bench, 401, NONCE_PLAIN, NULL, 0);
    expect_request(bench, 2, STUN_ALLOCATE, true);
    answer_success(bench, true);
    expect_event(bench, 1, TURN_CLIENT_ALLOCATED);
    struct address expected_relayed = relayed(), expected_mapped = peer(1);
    assert_true(address_equal(&bench->events[0].address, &expected_relayed));
    assert_true(address_equal(&bench->events[0].mapped, &expected_mapped));

    turn_client_session_release(bench->session, bench->now);
    expect_request(bench, 3, STUN_REFRESH, true);
    assert_int_equal(request_word(bench, STUN_LIFETIME), 0);
    answer_success(bench, true);
    expect_event(bench, 2, TURN_CLIENT_ENDED);
    assert_true(turn_client_session_deadline(bench->session) == TIME_NEVER);
    bench_destroy(bench);
}

static void sha256_is_chosen_whatever_the_order_of_the_offer(void **state)
{
    (void)state;
    const uint8_t *offers[] = {SHA256_AND_MD5, MD5_AND_SHA256};
    for (unsigned i = 0; i < 2; i++) {
        struct bench *bench = bench_create(false, true);
        bench->algorithm = PASSWORD_SHA256;
        turn_client_session_start(bench->session, bench->now);
        expect_request(bench, 1, STUN_ALLOCATE, false);
        answer_challenge(bench, 401, NONCE_BITS, offers[i], 8);
        expect_request(bench, 2, STUN_ALLOCATE, true);
        assert_int_equal(request_word(bench, STUN_PASSWORD_ALGORITHM), 2u << 16);
        const struct stun_attribute *returned = stun_message_find(&bench->request, STUN_PASSWORD_ALGORITHMS);
        assert_non_null(returned);
        assert_memory_equal(returned->value, offers[i], 8);
        assert_null(stun_message_find(&bench->request, STUN_MESSAGE_INTEGRITY));
        bench_destroy(bench);
    }
}

static void an_offer_that_was_taken_out_is_not_believed(void **state)
{
    (void)state;
    struct bench *bench = bench_started(false, false);
    /* The nonce speaks of algorithms, the list is gone. */
    answer_challenge(bench, 401, NONCE_BITS, NULL, 0);
    assert_int_equal(bench->sent, 1);
    /* Once SHA-256 was on offer, nothing weaker is taken from a later challenge. */
    answer_challenge(bench, 401, NONCE_BITS, SHA256_AND_MD5, 8);
    bench->algorithm = PASSWORD_SHA256;
    expect_request(bench, 2, STUN_ALLOCATE, true);
    answer_challenge(bench, 438, NONCE_PLAIN, NULL, 0);
    answer_challenge(bench, 438, NONCE_COOKIE, SHA256_AND_MD5, 8);
    answer_challenge(bench, 438, NONCE_BITS, MD5_ONLY, 4);
    assert_int_equal(bench->sent, 2);
    assert_int_equal(bench->event_count, 0);
    answer_success(bench, true);
    expect_event(bench, 1, TURN_CLIENT_ALLOCATED);
    bench_destroy(bench);
}

static void md5_is_refused_where_the_caller_wants_better(void **state)
{
    (void)state;
    const struct {
        const char *nonce;
        const uint8_t *offer;
    } servers[] = {{NONCE_PLAIN, NULL}, {NONCE_BITS, MD5_ONLY}, {NONCE_BITS, UNHEARD_OF}};
    for (unsigned i = 0; i < 3; i++) {
        struct bench *bench = bench_started(false, true);
        answer_challenge(bench, 401, servers[i].nonce, servers[i].offer, 4);
        expect_event(bench, 1, TURN_CLIENT_FAILED);
        assert_int_equal(bench->events[0].error_code, ERR_FORBIDDEN);
        assert_true(turn_client_session_deadline(bench->session) == TIME_NEVER);
        bench_destroy(bench);
    }
}

static void wrong_credentials_are_told_once(void **state)
{
    (void)state;
    struct bench *bench = bench_challenged(false);
    answer_challenge(bench, 401, NONCE_PLAIN, NULL, 0);
    assert_int_equal(bench->sent, 2);
    expect_event(bench, 1, TURN_CLIENT_FAILED);
    assert_int_equal(bench->events[0].error_code, 401);
    bench_destroy(bench);
}

static void a_stale_nonce_is_replaced_but_not_for_ever(void **state)
{
    (void)state;
    struct bench *bench = bench_allocated(false);
    struct address to = peer(7);
    assert_int_equal(turn_client_session_permit(bench->session, &to, bench->now), 0);
    expect_request(bench, 3, STUN_CREATE_PERMISSION, true);
    answer_challenge(bench, 438, "other", NULL, 0);
    expect_request(bench, 4, STUN_CREATE_PERMISSION, true);
    const struct stun_attribute *nonce = stun_message_find(&bench->request, STUN_NONCE);
    assert_int_equal(nonce->length, 5);
    assert_memory_equal(nonce->value, "other", 5);
    answer_success(bench, true);
    expect_event(bench, 2, TURN_CLIENT_PERMITTED);

    struct address second = peer(8);
    assert_int_equal(turn_client_session_permit(bench->session, &second, bench->now), 0);
    for (unsigned i = 0; i < 4; i++) {
        expect_request(bench, 5 + i, STUN_CREATE_PERMISSION, true);
        answer_challenge(bench, 438, "again", NULL, 0);
    }
    assert_int_equal(bench->sent, 8);
    expect_event(bench, 3, TURN_CLIENT_PEER_REFUSED);
    assert_int_equal(bench->events[2].error_code, 438);
    bench_destroy(bench);
}

static void silence_is_met_with_seven_tries_and_then_a_failure(void **state)
{
    (void)state;
    struct bench *bench = bench_started(false, false);
    uint8_t first[64];
    size_t first_length = bench->wire_length;
    memcpy(first, bench->wire, first_length);
    for (unsigned i = 0; i < 6; i++) {
        pass(bench, (500ull << i) * NS_PER_MS - 1);
        assert_int_equal(bench->sent, 1 + i);
        pass(bench, 1);
        assert_int_equal(bench->sent, 2 + i);
        assert_int_equal(bench->wire_length, first_length);
        assert_memory_equal(bench->wire, first, first_length);
    }
    pass(bench, 8000 * NS_PER_MS - 1);
    assert_int_equal(bench->event_count, 0);
    pass(bench, 1);
    assert_int_equal(bench->sent, 7);
    expect_event(bench, 1, TURN_CLIENT_FAILED);
    assert_int_equal(bench->events[0].error_code, 0);
    bench_destroy(bench);
}

static void a_stream_is_asked_once(void **state)
{
    (void)state;
    struct bench *bench = bench_create(true, false);
    turn_client_session_start(bench->session, bench->now);
    pass(bench, 39500 * NS_PER_MS - 1);
    assert_int_equal(bench->sent, 1);
    assert_int_equal(bench->event_count, 0);
    pass(bench, 1);
    assert_int_equal(bench->sent, 1);
    expect_event(bench, 1, TURN_CLIENT_FAILED);
    bench_destroy(bench);
}

static void an_unsigned_answer_is_as_if_it_had_never_come(void **state)
{
    (void)state;
    struct bench *bench = bench_challenged(false);
    answer_success(bench, false);
    answer_error(bench, 400, false);
    answer_error(bench, 486, false);
    assert_int_equal(bench->event_count, 0);
    bench->algorithm = PASSWORD_SHA256; /* signed, but with another key */
    answer_success(bench, true);
    assert_int_equal(bench->event_count, 0);
    bench->algorithm = PASSWORD_MD5;
    pass(bench, 500 * NS_PER_MS);
    expect_request(bench, 3, STUN_ALLOCATE, true);
    answer_error(bench, 486, true);
    expect_event(bench, 1, TURN_CLIENT_FAILED);
    assert_int_equal(bench->events[0].error_code, 486);
    bench_destroy(bench);
}

static void an_unsigned_answer_on_a_stream_ends_the_request(void **state)
{
    (void)state;
    struct bench *bench = bench_challenged(true);
    answer_success(bench, false);
    expect_event(bench, 1, TURN_CLIENT_FAILED);
    assert_int_equal(bench->events[0].error_code, ERR_CRYPTO);
    bench_destroy(bench);
}

static void the_allocation_is_refreshed_at_half_its_lifetime(void **state)
{
    (void)state;
    struct bench *bench = bench_allocated(false);
    pass(bench, 300 * NS_PER_S - 1);
    assert_int_equal(bench->sent, 2);
    pass(bench, 1);
    expect_request(bench, 3, STUN_REFRESH, true);
    answer_success(bench, true);
    assert_int_equal(bench->event_count, 1);
    pass(bench, 299 * NS_PER_S);
    assert_int_equal(bench->sent, 3);
    pass(bench, 1 * NS_PER_S);
    expect_request(bench, 4, STUN_REFRESH, true);
    answer_error(bench, 437, true);
    expect_event(bench, 2, TURN_CLIENT_ENDED);
    bench_destroy(bench);
}

static void permission_and_channel_are_renewed_before_the_permission_expires(void **state)
{
    (void)state;
    struct bench *bench = bench_allocated(false);
    struct address to = peer(7);
    assert_int_equal(turn_client_session_permit(bench->session, &to, bench->now), 0);
    expect_request(bench, 3, STUN_CREATE_PERMISSION, true);
    answer_success(bench, true);
    expect_event(bench, 2, TURN_CLIENT_PERMITTED);
    assert_int_equal(turn_client_session_permit(bench->session, &to, bench->now), 0);
    assert_int_equal(bench->sent, 3); /* there already */

    pass(bench, 239 * NS_PER_S);
    assert_int_equal(bench->sent, 3);
    pass(bench, 1 * NS_PER_S);
    expect_request(bench, 4, STUN_CREATE_PERMISSION, true);
    answer_success(bench, true);

    assert_int_equal(turn_client_session_bind(bench->session, &to, bench->now), 0);
    expect_request(bench, 5, STUN_CHANNEL_BIND, true);
    assert_int_equal(request_word(bench, STUN_CHANNEL_NUMBER), 0x40000000u);
    answer_success(bench, true);
    expect_event(bench, 4, TURN_CLIENT_CHANNEL_BOUND);
    assert_int_equal(bench->events[3].channel, 0x4000);
    pass(bench, 60 * NS_PER_S); /* the allocation's own */
    expect_request(bench, 6, STUN_REFRESH, true);
    answer_success(bench, true);
    pass(bench, 180 * NS_PER_S);
    expect_request(bench, 7, STUN_CHANNEL_BIND, true);
    bench_destroy(bench);
}

static void peers_wait_for_the_allocation(void **state)
{
    (void)state;
    struct bench *bench = bench_create(false, false);
    struct address to = peer(7);
    assert_int_equal(turn_client_session_bind(bench->session, &to, bench->now), 0);
    assert_int_equal(turn_client_session_send(bench->session, &to, (const uint8_t *)"x", 1), ERR_NOT_FOUND);
    assert_int_equal(bench->sent, 0);
    turn_client_session_start(bench->session, bench->now);
    expect_request(bench, 1, STUN_ALLOCATE, false);
    answer_success(bench, false); /* a server that asks nobody's name */
    expect_event(bench, 1, TURN_CLIENT_ALLOCATED);
    expect_request(bench, 2, STUN_CHANNEL_BIND, false);
    bench_destroy(bench);
}

static void a_refused_peer_is_told_and_may_be_asked_for_again(void **state)
{
    (void)state;
    struct bench *bench = bench_allocated(false);
    struct address to = peer(7);
    assert_int_equal(turn_client_session_bind(bench->session, &to, bench->now), 0);
    expect_request(bench, 3, STUN_CHANNEL_BIND, true);
    answer_error(bench, 403, true);
    expect_event(bench, 2, TURN_CLIENT_PEER_REFUSED);
    assert_int_equal(bench->events[1].error_code, 403);
    assert_true(address_equal(&bench->events[1].address, &to));
    pass(bench, 250 * NS_PER_S);
    assert_int_equal(bench->sent, 3);
    assert_int_equal(turn_client_session_bind(bench->session, &to, bench->now), 0);
    expect_request(bench, 4, STUN_CHANNEL_BIND, true);
    bench_destroy(bench);
}

static void the_table_of_peers_has_an_end(void **state)
{
    (void)state;
    struct bench *bench = bench_create(false, false);
    for (unsigned i = 0; i < TURN_CLIENT_PEERS_MAX; i++) {
        struct address to = peer((uint16_t)(1000 + i));
        assert_int_equal(turn_client_session_permit(bench->session, &to, bench->now), 0);
    }
    struct address one_more = peer(1);
    assert_int_equal(turn_client_session_permit(bench->session, &one_more, bench->now), ERR_FULL);
    bench_destroy(bench);
}

/* A channel to peer(7); four messages sent, two events. */
static struct bench *bench_bound(bool stream)
{
    struct bench *bench = bench_allocated(stream);
    struct address to = peer(7);
    assert_int_equal(turn_client_session_bind(bench->session, &to, bench->now), 0);
    expect_request(bench, 3, STUN_CHANNEL_BIND, true);
    answer_success(bench, true);
    expect_event(bench, 2, TURN_CLIENT_CHANNEL_BOUND);
    return bench;
}

static void data_goes_as_an_indication_without_and_as_channel_data_with_a_channel(void **state)
{
    (void)state;
    struct bench *bench = bench_bound(false);
    struct address bound = peer(7), other = peer(8);
    assert_int_equal(turn_client_session_send(bench->session, &bound, (const uint8_t *)"hello", 5), 0);
    assert_int_equal(bench->wire_length, 9);
    assert_memory_equal(bench->wire, "\x40\x00\x00\x05hello", 9);

    assert_int_equal(turn_client_session_send(bench->session, &other, (const uint8_t *)"hello", 5), 0);
    struct stun_message message;
    assert_int_equal(stun_message_decode(bench->wire, bench->wire_length, &message), 0);
    assert_int_equal(message.method, STUN_SEND);
    assert_int_equal(message.class, STUN_INDICATION);
    const struct stun_attribute *data = stun_message_find(&message, STUN_DATA);
    assert_int_equal(data->length, 5);
    assert_memory_equal(data->value, "hello", 5);
    struct address to;
    assert_int_equal(stun_address_decode(&message, stun_message_find(&message, STUN_XOR_PEER_ADDRESS), true, &to), 0);
    assert_true(address_equal(&to, &other));

    static const uint8_t large[65536];
    assert_int_equal(turn_client_session_send(bench->session, &other, large, sizeof large), ERR_TOO_LARGE);
    assert_int_equal(turn_client_session_send(bench->session, &bound, large, sizeof large), ERR_TOO_LARGE);
    bench_destroy(bench);
}

static size_t data_indication(uint8_t *memory, size_t size, const struct address *from, const char *text)
{
    static const uint8_t id[STUN_TRANSACTION_ID_SIZE];
    struct stun_builder builder;
    stun_builder_init(&builder, memory, size, STUN_DATA_INDICATION, STUN_INDICATION, id);
    stun_builder_add_xor_address(&builder, STUN_XOR_PEER_ADDRESS, from);
    stun_builder_add(&builder, STUN_DATA, text, strlen(text));
    int length = stun_builder_finish(&builder);
    assert_true(length > 0);
    return (size_t)length;
}

static void data_comes_with_the_peer_it_is_from(void **state)
{
    (void)state;
    struct bench *bench = bench_bound(false);
    struct address bound = peer(7), other = peer(8);
    uint8_t memory[128];
    size_t length = data_indication(memory, sizeof memory, &other, "hi");
    assert_int_equal(turn_client_session_receive(bench->session, memory, length, bench->now), 0);
    expect_event(bench, 3, TURN_CLIENT_DATA);
    assert_true(address_equal(&bench->events[2].address, &other));
    assert_int_equal(bench->events[2].payload_length, 2);
    assert_memory_equal(bench->payload, "hi", 2);

    turn_client_session_receive(bench->session, (const uint8_t *)"\x40\x00\x00\x03yes", 7, bench->now);
    expect_event(bench, 4, TURN_CLIENT_DATA);
    assert_true(address_equal(&bench->events[3].address, &bound));
    assert_int_equal(bench->events[3].channel, 0x4000);
    assert_memory_equal(bench->payload, "yes", 3);

    /* A channel that was never bound, and a length that is not there. */
    turn_client_session_receive(bench->session, (const uint8_t *)"\x40\x01\x00\x03yes", 7, bench->now);
    turn_client_session_receive(bench->session, (const uint8_t *)"\x40\x00\x00\x09yes", 7, bench->now);
    assert_int_equal(bench->event_count, 4);
    /* Nor is a peer that has but a permission heard through the channel that it might have. */
    assert_int_equal(turn_client_session_permit(bench->session, &other, bench->now), 0);
    expect_request(bench, 4, STUN_CREATE_PERMISSION, true);
    answer_success(bench, true);
    expect_event(bench, 5, TURN_CLIENT_PERMITTED);
    turn_client_session_receive(bench->session, (const uint8_t *)"\x40\x01\x00\x03yes", 7, bench->now);
    assert_int_equal(bench->event_count, 5);
    bench_destroy(bench);
}

static void a_stream_is_cut_into_frames_however_its_bytes_arrive(void **state)
{
    (void)state;
    struct bench *bench = bench_bound(true);
    struct address bound = peer(7), other = peer(8);
    assert_int_equal(turn_client_session_send(bench->session, &bound, (const uint8_t *)"hello", 5), 0);
    assert_int_equal(bench->wire_length, 12); /* padded */
    assert_memory_equal(bench->wire, "\x40\x00\x00\x05hello\0\0\0", 12);

    uint8_t stream[256];
    size_t length = data_indication(stream, sizeof stream, &other, "one");
    memcpy(stream + length, "\x40\x00\x00\x05three\0\0\0", 12);
    length += 12;
    memcpy(stream + length, "\x40\x00\x00\x00", 4);
    length += 4;
    length += data_indication(stream + length, sizeof stream - length, &other, "four");
    for (size_t piece = 1; piece <= length; piece++) {
        bench->event_count = 0;
        for (size_t at = 0; at < length; at += piece)
            assert_int_equal(turn_client_session_receive(bench->session, stream + at,
                                                         length - at < piece ? length - at : piece, bench->now),
                             0);
        expect_event(bench, 4, TURN_CLIENT_DATA);
        assert_int_equal(bench->events[0].payload_length, 3);
        assert_int_equal(bench->events[1].payload_length, 5);
        assert_int_equal(bench->events[2].payload_length, 0);
        assert_int_equal(bench->events[3].payload_length, 4);
        assert_memory_equal(bench->payload, "four", 4);
    }
    assert_int_equal(turn_client_session_receive(bench->session, (const uint8_t *)"\xff\xff\xff\xff", 4, bench->now),
                     ERR_MALFORMED);
    bench_destroy(bench);
}

static void want_of_memory_is_told_and_harms_nothing(void **state)
{
    (void)state;
    struct turn_client_config config = {.username = USERNAME, .password = PASSWORD};
    struct turn_client_session *session = NULL;
    for (unsigned long n = 1; n <= 3; n++) {
        memory_fail_at(n);
        assert_int_equal(turn_client_session_create(&config, wire_send, wire_notify, NULL, &session), ERR_MEMORY);
        assert_null(session);
    }
    struct bench *bench = bench_started(false, false);
    memory_fail_at(1);
    answer_challenge(bench, 401, NONCE_PLAIN, NULL, 0);
    memory_fail_at(0);
    expect_event(bench, 1, TURN_CLIENT_FAILED);
    assert_int_equal(bench->events[0].error_code, ERR_MEMORY);
    bench_destroy(bench);

    bench = bench_allocated(true);
    struct address to = peer(7);
    memory_fail_at(1);
    assert_int_equal(turn_client_session_permit(bench->session, &to, bench->now), ERR_MEMORY);
    memory_fail_at(1);
    assert_int_equal(turn_client_session_receive(bench->session, (const uint8_t *)"\x40", 1, bench->now), ERR_MEMORY);
    memory_fail_at(0);
    bench_destroy(bench);
}

static void a_name_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char name[USERNAME_MAX + 2];
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    struct turn_client_config config = {.username = name, .password = PASSWORD};
    struct turn_client_session *session = NULL;
    assert_int_equal(turn_client_session_create(&config, wire_send, wire_notify, NULL, &session), ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocation_follows_a_challenge),
        cmocka_unit_test(sha256_is_chosen_whatever_the_order_of_the_offer),
        cmocka_unit_test(an_offer_that_was_taken_out_is_not_believed),
        cmocka_unit_test(md5_is_refused_where_the_caller_wants_better),
        cmocka_unit_test(wrong_credentials_are_told_once),
        cmocka_unit_test(a_stale_nonce_is_replaced_but_not_for_ever),
        cmocka_unit_test(silence_is_met_with_seven_tries_and_then_a_failure),
        cmocka_unit_test(a_stream_is_asked_once),
        cmocka_unit_test(an_unsigned_answer_is_as_if_it_had_never_come),
        cmocka_unit_test(an_unsigned_answer_on_a_stream_ends_the_request),
        cmocka_unit_test(the_allocation_is_refreshed_at_half_its_lifetime),
        cmocka_unit_test(permission_and_channel_are_renewed_before_the_permission_expires),
        cmocka_unit_test(peers_wait_for_the_allocation),
        cmocka_unit_test(a_refused_peer_is_told_and_may_be_asked_for_again),
        cmocka_unit_test(the_table_of_peers_has_an_end),
        cmocka_unit_test(data_goes_as_an_indication_without_and_as_channel_data_with_a_channel),
        cmocka_unit_test(data_comes_with_the_peer_it_is_from),
        cmocka_unit_test(a_stream_is_cut_into_frames_however_its_bytes_arrive),
        cmocka_unit_test(want_of_memory_is_told_and_harms_nothing),
        cmocka_unit_test(a_name_that_is_too_long_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
