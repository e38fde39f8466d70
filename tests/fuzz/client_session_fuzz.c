/* SPDX-License-Identifier: BSD-3-Clause
 * A client session against a server that does as the input says: answers right and wrong, nonsense, silence. What has
 * to hold: the session says nothing after its last event, never asks to be woken in the past, never signs with
 * something weaker than it did before, and never weakly where it was told not to. */
#include "harness.h"

#include <assert.h>
#include <string.h>

#include "auth/credentials.h"
#include "base/error.h"
#include "stun/message.h"
#include "turn/client_session.h"

#define STEPS_MAX   300
#define REQUEST_MAX 4096
#define ANSWER_MAX  2048
#define USERNAME    "alice"
#define PASSWORD    "secret"
#define REALM       "example.org"

static struct run {
    struct reader program;
    struct turn_client_session *session;
    struct now now;
    uint8_t request[REQUEST_MAX];
    size_t request_length; /* of the last request; 0: none yet */
    unsigned sent;         /* in this step */
    bool refuse_md5, started, allocated, over, busy;
    uint32_t algorithm; /* of the last signed request */
    uint8_t touched;
} run;

static uint8_t next(void)
{
    return reader_u8(&run.program);
}

static void check_strength(const struct stun_message *request)
{
    const struct stun_attribute *chosen = stun_message_find(request, STUN_PASSWORD_ALGORITHM);
    if (!stun_message_find(request, STUN_USERNAME))
        return;
    uint32_t algorithm = chosen ? load_u16(chosen->value) : PASSWORD_MD5;
    assert(algorithm >= run.algorithm);
    assert(!run.refuse_md5 || algorithm == PASSWORD_SHA256);
    run.algorithm = algorithm;
}

static void on_send(void *context, const uint8_t *head, size_t head_length, const uint8_t *payload,
                    size_t payload_length, size_t padding)
{
    (void)context, (void)padding;
    assert(run.started && !run.over);
    run.sent++;
    for (size_t i = 0; i < payload_length; i++)
        run.touched ^= payload[i];
    struct stun_message message;
    if (payload_length > 0 || stun_message_decode(head, head_length, &message) != 0 || message.class != STUN_REQUEST)
        return;
    check_strength(&message);
    assert(head_length <= sizeof run.request);
    memcpy(run.request, head, head_length);
    run.request_length = head_length;
}

static struct address some_peer(uint8_t byte)
{
    return address_ipv4((const uint8_t[4]){192, 0, 2, byte % 8}, 5000);
}

static void on_event(void *context, const struct turn_client_event *event)
{
    (void)context;
    assert(!run.over);
    for (size_t i = 0; i < event->payload_length; i++)
        run.touched ^= event->payload[i];
    if (event->type == TURN_CLIENT_ALLOCATED) {
        assert(!run.allocated);
        run.allocated = true;
    }
    run.over = event->type == TURN_CLIENT_FAILED || event->type == TURN_CLIENT_ENDED;
    /* What may be called from here is called from here. */
    if (run.busy || run.over)
        return;
    run.busy = true;
    uint8_t choice = next();
    struct address peer = some_peer(choice);
    if (choice & 0x40)
        (void)turn_client_session_bind(run.session, &peer, run.now);
    if (choice & 0x80)
        (void)turn_client_session_send(run.session, &peer, (const uint8_t *)"hello", 5);
    run.busy = false;
}

static void receive(const uint8_t *bytes, size_t length, bool *broken)
{
    if (turn_client_session_receive(run.session, bytes, length, run.now) != 0)
        *broken = true;
}

static void add_challenge(struct stun_builder *builder, uint8_t choice)
{
    static const char *const nonces[] = {"f00d", "obMatJos2gAAAxyz", "obMatJos2AAAAxyz", "other"};
    static const uint8_t offers[][8] = {{0, 2, 0, 0, 0, 1, 0, 0}, {0, 1, 0, 0, 0, 2, 0, 0}, {0, 9, 0, 0, 0, 1, 0, 1}};
    const char *nonce = nonces[choice & 3];
    stun_builder_add(builder, STUN_REALM, REALM, strlen(REALM));
    stun_builder_add(builder, STUN_NONCE, nonce, strlen(nonce));
    if (choice & 4)
        stun_builder_add(builder, STUN_PASSWORD_ALGORITHMS, offers[(choice >> 3) % 3], choice & 0x40 ? 4 : 8);
}

static void add_integrity(struct stun_builder *builder)
{
    struct credential_key key;
    enum password_algorithm algorithm = run.algorithm == PASSWORD_SHA256 ? PASSWORD_SHA256 : PASSWORD_MD5;
    credential_key_derive(algorithm, (struct span){USERNAME, strlen(USERNAME)}, (struct span){REALM, strlen(REALM)},
                          (struct span){PASSWORD, strlen(PASSWORD)}, &key);
    struct stun_message request;
    bool sha256 = stun_message_decode(run.request, run.request_length, &request) == 0 &&
                  stun_message_find(&request, STUN_PASSWORD_ALGORITHMS);
    stun_builder_add_integrity(builder, sha256 ? STUN_INTEGRITY_SHA256 : STUN_INTEGRITY_SHA1,
                               (struct span){key.bytes, key.length});
}

/* An answer to the last request: refusal, challenge or success, signed or not, with or without what it should hold. */
static void answer(bool *broken)
{
    static const int codes[] = {0, 0, 401, 438, 437, 403, 300, 400};
    uint8_t choice = next();
    int code = codes[choice & 7];
    if (run.request_length == 0)
        return;
    uint8_t memory[ANSWER_MAX];
    struct stun_builder builder;
    uint16_t method = (uint16_t)(run.request[1] & 0x0f);
    struct address address = some_peer(choice);
    stun_builder_init(&builder, memory, sizeof memory, method, code ? STUN_ERROR : STUN_SUCCESS, run.request + 8);
    if (code)
        stun_builder_add_error(&builder, code);
    if (code == 401 || code == 438)
        add_challenge(&builder, next());
    if (code == 300)
        stun_builder_add_address(&builder, STUN_ALTERNATE_SERVER, &address);
    if (choice & 0x10)
        stun_builder_add_xor_address(&builder, STUN_XOR_RELAYED_ADDRESS, &address);
    if (choice & 0x20)
        stun_builder_add_u32(&builder, STUN_LIFETIME, next());
    if (choice & 0x40)
        add_integrity(&builder);
    int length = stun_builder_finish(&builder);
    assert(length > 0);
    receive(memory, (size_t)length, broken);
}

static void step(bool *broken)
{
    uint8_t choice = next();
    struct address peer = some_peer(next());
    switch (choice & 7) {
    case 0: {
        uint8_t length = next();
        const uint8_t *bytes = reader_take(&run.program, length);
        if (bytes)
            receive(bytes, length, broken);
        break;
    }
    case 1:
    case 2:
        answer(broken);
        break;
    case 3:
        run.now.monotonic_ns += (uint64_t)next() * NS_PER_S;
        turn_client_session_expire(run.session, run.now);
        assert(turn_client_session_deadline(run.session) > run.now.monotonic_ns);
        break;
    case 4:
        run.now.monotonic_ns = turn_client_session_deadline(run.session) == TIME_NEVER
                                   ? run.now.monotonic_ns
                                   : turn_client_session_deadline(run.session);
        turn_client_session_expire(run.session, run.now);
        assert(turn_client_session_deadline(run.session) > run.now.monotonic_ns);
        break;
    case 5:
        (void)turn_client_session_permit(run.session, &peer, run.now);
        (void)turn_client_session_send(run.session, &peer, (const uint8_t *)"hello", 5);
        break;
    case 6:
        (void)turn_client_session_bind(run.session, &peer, run.now);
        break;
    case 7:
        if (choice & 0x80)
            turn_client_session_release(run.session, run.now);
        break;
    }
    /* At most the allocation's request and one a peer and, from each event, a bind and a message. */
    assert(run.sent < 64);
    run.sent = 0;
    assert(!run.over || turn_client_session_deadline(run.session) == TIME_NEVER);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    run = (struct run){.program = reader_over(bytes, length), .now = {.monotonic_ns = NS_PER_S}};
    uint8_t choice = next();
    run.refuse_md5 = choice & 2;
    struct turn_client_config config = {.username = USERNAME,
                                        .password = PASSWORD,
                                        .stream = choice & 1,
                                        .refuse_md5 = run.refuse_md5,
                                        .relay_family = choice & 4 ? ADDRESS_IPV6 : ADDRESS_NONE,
                                        .lifetime_s = choice & 8 ? 60 : 0};
    int error = turn_client_session_create(&config, on_send, on_event, NULL, &run.session);
    assert(error == 0);
    run.started = true;
    turn_client_session_start(run.session, run.now);
    bool broken = false;
    for (unsigned i = 0; i < STEPS_MAX && !run.program.failed && !broken; i++)
        step(&broken);
    turn_client_session_destroy(&run.session);
    return 0;
}
