/* SPDX-License-Identifier: BSD-3-Clause
 * Who is answered, and how: RFC 8489 §9.2, and what keeps the server from being a mirror. */
#include "case.h"

#define IP_UDP_HEADERS 28

static int allocate_bare(struct client *client)
{
    stun_builder_add_u32(client_begin(client, STUN_ALLOCATE), STUN_REQUESTED_TRANSPORT, 17u << 24);
    return client_send_bare(client);
}

static size_t answer_size(const struct client *client)
{
    return client->answer.length + IP_UDP_HEADERS;
}

static size_t request_size(const struct client *client)
{
    return (size_t)(client->request.writer.at - client->request.writer.start) + IP_UDP_HEADERS;
}

static void binding_tells_the_address_and_nothing_else(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP);
    client_begin(&client, STUN_BINDING);
    assert_int_equal(client_send_bare(&client), 0);
    struct address mapped = client_answer_address(&client, STUN_XOR_MAPPED_ADDRESS);
    assert_true(address_equal(&mapped, &client.flow.client));
    assert_int_equal(client.answer.attribute_count, 1);

    client.fingerprint = true;
    stun_builder_add_u32(client_begin(&client, STUN_BINDING), 0x0003, 6); /* CHANGE-REQUEST, RFC 5780 */
    assert_int_equal(client_send_bare(&client), 420);
    assert_int_equal(load_u16(stun_message_find(&client.answer, STUN_UNKNOWN_ATTRIBUTES)->value), 3);
    assert_true(client.answer.fingerprint_present);
    world_destroy(&world);
}

static void only_requests_are_answered(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP);
    uint8_t id[STUN_TRANSACTION_ID_SIZE] = {1}, memory[64];
    for (uint16_t method = 0; method < 16; method++) {
        for (int class = STUN_INDICATION; class <= STUN_ERROR; class ++) {
            struct stun_builder builder;
            stun_builder_init(&builder, memory, sizeof memory, method, (enum stun_class) class, id);
            assert_int_equal(client_send_bytes(&client, memory, (size_t)stun_builder_finish(&builder)), NO_ANSWER);
        }
    }
    static const uint8_t garbage[][24] = {{0x80}, {0xff, 0xff}, {0, 1, 0, 3, 0x21, 0x12, 0xa4, 0x42}, {0}, {'G', 'E'}};
    for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++)
        for (size_t length = 0; length <= sizeof *garbage; length++)
            turn_server_receive(client.server, &client.flow, garbage[i], length, world->now);
    assert_int_equal(world->to_client_count, 0);
    world_destroy(&world);
}

static void stranger_is_challenged_in_at_most_two_and_a_fifth_times_its_request(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP);
    assert_int_equal(allocate_bare(&client), 401);
    assert_true(answer_size(&client) * 10 <= request_size(&client) * 22);
    const struct stun_attribute *realm = stun_message_find(&client.answer, STUN_REALM);
    assert_int_equal(realm->length, strlen(REALM));
    assert_memory_equal(realm->value, REALM, realm->length);
    const struct stun_attribute *algorithms = stun_message_find(&client.answer, STUN_PASSWORD_ALGORITHMS);
    assert_int_equal(algorithms->length, 8);
    assert_memory_equal(algorithms->value, "\0\2\0\0\0\1\0\0", 8);
    assert_int_equal(stun_message_find(&client.answer, STUN_ERROR_CODE)->length, 4);
    assert_int_equal(client.answer.attribute_count, 4); /* no SOFTWARE, no FINGERPRINT, no integrity */
    assert_int_equal(world->refusals, 0);

    client.fingerprint = true;
    assert_int_equal(allocate_bare(&client), 401);
    assert_true(client.answer.fingerprint_present);
    assert_true(answer_size(&client) * 10 <= request_size(&client) * 22);
    world_destroy(&world);
}

static void stranger_with_an_incomplete_request_gets_a_bare_400(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP);
    static const uint16_t methods[] = {STUN_ALLOCATE, STUN_CREATE_PERMISSION, STUN_CHANNEL_BIND,
                                       STUN_CONNECT,  STUN_CONNECTION_BIND,   0x0FF};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        client_begin(&client, methods[i]);
        assert_int_equal(client_send_bare(&client), 400);
        assert_int_equal(client.answer.attribute_count, 1);
        assert_true(answer_size(&client) * 10 <= request_size(&client) * 12);
    }
    /* A Refresh has nothing mandatory, but something to refresh. */
    client_begin(&client, STUN_REFRESH);
    assert_int_equal(client_send_bare(&client), 437);
    assert_true(answer_size(&client) * 10 <= request_size(&client) * 12);
    /* An attribute of a wrong length. */
    stun_builder_add(client_begin(&client, STUN_ALLOCATE), STUN_REQUESTED_TRANSPORT, "\x11", 1);
    assert_int_equal(client_send_bare(&client), 400);
    world_destroy(&world);
}

static void services_and_own_listeners_are_never_answered(void **state)
{
    (void)state;
    struct world *world = WORLD();
    static const char *const forged[] = {"192.0.2.1:0",     "192.0.2.1:7",      "192.0.2.1:19",   "192.0.2.1:53",
                                         "192.0.2.1:123",   "192.0.2.1:161",    "192.0.2.1:1900", "192.0.2.1:5353",
                                         "192.0.2.1:11211", "[2001:db8::1]:53", LISTENER};
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        struct client client = client_at(world, forged[i], UDP);
        assert_int_equal(allocate_bare(&client), NO_ANSWER);
        client_begin(&client, STUN_BINDING);
        assert_int_equal(client_send_bare(&client), NO_ANSWER);
        client_begin(&client, STUN_ALLOCATE);
        assert_int_equal(client_send_bare(&client), NO_ANSWER);
    }
    assert_true(turn_server_counters(world->servers[0])->dropped_answer_limit == 33);
    /* A hand-shake proves an address. */
    struct client proved = client_at(world, "192.0.2.1:53", TURN_TCP);
    assert_int_equal(allocate_bare(&proved), 401);
    world_destroy(&world);
}

static void answers_to_strangers_are_limited_and_to_clients_not(void **state)
{
    (void)state;
    struct world *world = WORLD(.limits = {.answers_per_network = 5});
    struct client client = client_at(world, HERE, UDP), stranger = client_at(world, "192.0.2.9:1", UDP);
    assert_int_equal(client_allocate(&client), 0);
    unsigned answered = 0;
    for (int i = 0; i < 20; i++) {
        answered += allocate_bare(&stranger) == 401;
        client_begin(&stranger, STUN_BINDING);
        answered += client_send_bare(&stranger) == 0;
    }
    assert_int_equal(answered, 4);
    assert_int_equal(client_permit(&client, PEER_V4), 0);
    assert_int_equal(client_permit(&client, "10.0.0.9"), 403);
    client_begin(&client, STUN_BINDING);
    assert_int_equal(client_send_bare(&client), 0);
    world_destroy(&world);
}

static void unsigned_requests_in_a_clients_name_are_limited_like_a_strangers(void **state)
{
    (void)state;
    struct world *world = WORLD(.limits = {.answers_per_network = 5});
    struct client client = client_at(world, HERE, UDP);
    assert_int_equal(client_allocate(&client), 0);
    unsigned challenged = 0;
    for (int i = 0; i < 20; i++) {
        client_begin(&client, STUN_REFRESH);
        challenged += client_send_bare(&client) == 401;
    }
    assert_int_equal(challenged, 4); /* and the one that began the allocation */
    assert_int_equal(client_refresh(&client, 600), 0);
    world_destroy(&world);
}

static void every_kind_of_integrity_is_answered_in_kind(void **state)
{
    (void)state;
    struct world *world = WORLD();
    static const struct {
        enum password_algorithm algorithm;
        bool sha256;
    } kinds[] = {{0, false}, {0, true}, {PASSWORD_MD5, false}, {PASSWORD_MD5, true}, {PASSWORD_SHA256, true}};
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char address[32];
        snprintf(address, sizeof address, "192.0.2.1:%u", 1000 + i);
        struct client client = client_at(world, address, UDP);
        client.algorithm = kinds[i].algorithm;
        client.sha256 = kinds[i].sha256;
        client.fingerprint = i % 2;
        assert_int_equal(client_allocate(&client), 0); /* checks the answer's protection */
        assert_int_equal(client_permit(&client, "10.0.0.9"), 403);
        assert_true(client.answer.integrity_at[kinds[i].sha256 ? STUN_INTEGRITY_SHA256 : STUN_INTEGRITY_SHA1] > 0);
    }
    world_destroy(&world);
}

static void wrong_credentials_are_challenged_and_told_to_the_host(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP);
    client.password = "looking glass";
    assert_int_equal(client_allocate(&client), 401);
    assert_true(client_answer_has(&client, STUN_NONCE));
    assert_int_equal(world->refused_code, 401);
    assert_string_equal(world->refused_username, "alice");
    client.user = "mallory";
    assert_int_equal(client_allocate(&client), 401);
    assert_string_equal(world->refused_username, "mallory");
    assert_int_equal(world->refusals, 2);
    assert_int_equal(world->opens, 0);
    world_destroy(&world);
}

static void nonce_that_is_old_changed_or_somebody_elses_is_stale(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP), other = client_at(world, "192.0.2.2:1000", UDP);
    client_learn_nonce(&client);
    memcpy(other.nonce, client.nonce, NONCE_LENGTH);
    other.has_nonce = true;
    assert_int_equal(client_allocate(&other), 438);
    assert_true(client_answer_has(&other, STUN_REALM) && client_answer_has(&other, STUN_PASSWORD_ALGORITHMS));

    client.nonce[20] ^= 1;
    assert_int_equal(client_allocate(&client), 438);
    client.nonce[20] ^= 1;
    assert_int_equal(client_allocate(&client), 0);
    world_pass(world, NONCE_LIFETIME_S - 3100);
    assert_int_equal(client_refresh(&client, 3600), 0);
    world_pass(world, 3101);
    assert_int_equal(client_refresh(&client, 3600), 438);
    const struct stun_attribute *fresh = stun_message_find(&client.answer, STUN_NONCE);
    memcpy(client.nonce, fresh->value, NONCE_LENGTH);
    assert_int_equal(client_refresh(&client, 3600), 0);
    assert_int_equal(world->refusals, 0);
    world_destroy(&world);
}

/* Signs what was begun by hand with alice's key, MESSAGE-INTEGRITY. */
static int send_with_key(struct client *client)
{
    struct credential_key key;
    credential_key_derive(PASSWORD_MD5, (struct span){"alice", 5}, (struct span){REALM, strlen(REALM)},
                          (struct span){"wonderland", 10}, &key);
    stun_builder_add_integrity(&client->request, STUN_INTEGRITY_SHA1, (struct span){key.bytes, key.length});
    return client_send_bare(client);
}

static struct stun_builder *begin_allocate(struct client *client)
{
    stun_builder_add_u32(client_begin(client, STUN_ALLOCATE), STUN_REQUESTED_TRANSPORT, 17u << 24);
    return &client->request;
}

static void integrity_without_its_companions_is_a_bad_request(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP);
    client_learn_nonce(&client);
    static const uint16_t types[] = {STUN_USERNAME, STUN_REALM, STUN_NONCE};
    for (int missing = 0; missing < 3; missing++) {
        struct stun_builder *request = begin_allocate(&client);
        for (int i = 0; i < 3; i++) {
            const void *value = i == 0 ? (const void *)"alice" : i == 1 ? (const void *)REALM : client.nonce;
            if (i != missing)
                stun_builder_add(request, types[i], value, i == 0 ? 5 : i == 1 ? strlen(REALM) : NONCE_LENGTH);
        }
        assert_int_equal(send_with_key(&client), 400);
        assert_int_equal(client.answer.attribute_count, 1);
    }
    world_destroy(&world);
}

static void offer_of_algorithms_has_to_come_back_unchanged(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP);
    client_learn_nonce(&client);
    static const struct {
        const char *offered;
        size_t offered_length;
        const char *chosen;
        size_t chosen_length;
        int code;
    } rows[] = {
        {"\0\2\0\0\0\1\0\0", 8, "\0\1\0\0", 4, 0},
        {"\0\1\0\0", 4, "\0\1\0\0", 4, 400},
        {"\0\1\0\0\0\2\0\0", 8, "\0\1\0\0", 4, 400},
        {"\0\2\0\0\0\1\0\0\0\3\0\0", 12, "\0\1\0\0", 4, 400},
        {"\0\2\0\0\0\1\0\0", 8, "\0\3\0\0", 4, 400},
        {"\0\2\0\0\0\1\0\0", 8, "\0\0\0\0", 4, 400},
        {"\0\2\0\0\0\1\0\0", 8, "\0\1\0\4\0\0\0\0", 8, 400},
        {"\0\2\0\0\0\1\0\0", 8, NULL, 0, 400},
        {NULL, 0, "\0\1\0\0", 4, 400},
    };
    for (size_t i = sizeof rows / sizeof *rows; i-- > 0;) {
        struct stun_builder *request = begin_allocate(&client);
        stun_builder_add(request, STUN_USERNAME, "alice", 5);
        stun_builder_add(request, STUN_REALM, REALM, strlen(REALM));
        stun_builder_add(request, STUN_NONCE, client.nonce, NONCE_LENGTH);
        if (rows[i].offered)
            stun_builder_add(request, STUN_PASSWORD_ALGORITHMS, rows[i].offered, rows[i].offered_length);
        if (rows[i].chosen)
            stun_builder_add(request, STUN_PASSWORD_ALGORITHM, rows[i].chosen, rows[i].chosen_length);
        assert_int_equal(send_with_key(&client), rows[i].code);
    }
    world_destroy(&world);
}

static void what_follows_the_integrity_is_not_honoured(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP);
    client_learn_nonce(&client);
    struct stun_builder *request = begin_allocate(&client);
    stun_builder_add(request, STUN_USERNAME, "alice", 5);
    stun_builder_add(request, STUN_REALM, REALM, strlen(REALM));
    stun_builder_add(request, STUN_NONCE, client.nonce, NONCE_LENGTH);
    struct credential_key key;
    credential_key_derive(PASSWORD_MD5, (struct span){"alice", 5}, (struct span){REALM, strlen(REALM)},
                          (struct span){"wonderland", 10}, &key);
    stun_builder_add_integrity(request, STUN_INTEGRITY_SHA1, (struct span){key.bytes, key.length});
    stun_builder_add_u32(request, STUN_LIFETIME, 3000);
    stun_builder_add_u32(request, 0x7ABC, 0);
    assert_int_equal(client_send_bare(&client), 0);
    assert_int_equal(client_answer_u32(&client, STUN_LIFETIME), 600);
    world_destroy(&world);
}

static void truncated_integrity_proves_nothing(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP);
    client_learn_nonce(&client);
    struct credential_key key;
    credential_key_derive(PASSWORD_MD5, (struct span){"alice", 5}, (struct span){REALM, strlen(REALM)},
                          (struct span){"wonderland", 10}, &key);
    for (size_t size = 16; size <= 32; size += 4) {
        struct stun_builder *request = begin_allocate(&client);
        stun_builder_add(request, STUN_USERNAME, "alice", 5);
        stun_builder_add(request, STUN_REALM, REALM, strlen(REALM));
        stun_builder_add(request, STUN_NONCE, client.nonce, NONCE_LENGTH);
        /* A hash that is right as far as it goes, over a header that counts it. */
        size_t covered = (size_t)(request->writer.at - request->writer.start);
        store_u16(client.request_memory + 2, (uint16_t)(covered + 4 + size - STUN_HEADER_SIZE));
        const struct span span = {client.request_memory, covered};
        uint8_t hash[SHA256_SIZE];
        crypto_hmac_sha256((struct span){key.bytes, key.length}, &span, 1, hash);
        stun_builder_add(request, STUN_MESSAGE_INTEGRITY_SHA256, hash, size);
        assert_int_equal(client_send_bare(&client), size == 32 ? 0 : 401);
    }
    world_destroy(&world);
}

static void unknown_attributes_are_listed_once_the_sender_is_known(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP);
    stun_builder_add_u32(begin_allocate(&client), 0x7ABC, 0);
    assert_int_equal(client_send_bare(&client), 401);
    stun_builder_add_u32(begin_allocate(&client), 0x7ABC, 0);
    stun_builder_add_u32(&client.request, 0x7ABD, 0);
    stun_builder_add_u32(&client.request, 0xFABC, 0);
    assert_int_equal(client_send_signed(&client), 420);
    assert_int_equal(client_answer_u32(&client, STUN_UNKNOWN_ATTRIBUTES), 0x7ABC7ABD);
    assert_true(client.answer.integrity_at[STUN_INTEGRITY_SHA1] > 0);
    world_destroy(&world);
}

static void userhash_stands_for_the_username_where_it_was_offered(void **state)
{
    (void)state;
    struct world *world = WORLD();
    struct client client = client_at(world, HERE, UDP);
    client.userhash = client.sha256 = true;
    client.algorithm = PASSWORD_SHA256;
    client_learn_nonce(&client);
    assert_int_equal(nonce_features(client.nonce, NONCE_LENGTH), NONCE_PASSWORD_ALGORITHMS | NONCE_USERNAME_ANONYMITY);
    assert_int_equal(client_allocate(&client), 0);
    client.userhash = false;
    assert_int_equal(client_refresh(&client, 600), 0);
    world_destroy(&world);

    world = WORLD(.secrets = true);
    client = client_at(world, HERE, UDP);
    client.userhash = true;
    client_learn_nonce(&client);
    assert_int_equal(nonce_features(client.nonce, NONCE_LENGTH), NONCE_PASSWORD_ALGORITHMS);
    assert_int_equal(client_allocate(&client), 401);
    world_destroy(&world);
}

struct issued {
    char user[USERNAME_MAX + 1], password[CRYPTO_BASE64_SIZE(SHA1_SIZE)];
};

static void issue(struct world *world, struct client *client, struct issued *issued, const char *user, int64_t from_now)
{
    uint64_t expires_s = (uint64_t)((int64_t)world->now.wall_s + from_now);
    assert_int_equal(credentials_issue(world->credentials, user, expires_s, issued->user, issued->password), 0);
    client->user = issued->user;
    client->password = issued->password;
}

static void expiry_counts_when_allocating_and_not_afterwards(void **state)
{
    (void)state;
    struct world *world = WORLD(.secrets = true);
    struct client client = client_at(world, HERE, UDP), late = client_at(world, "192.0.2.1:1001", UDP);
    struct issued first, expired;
    issue(world, &late, &expired, "carol", 0);
    assert_int_equal(client_allocate(&late), 401);
    issue(world, &client, &first, "carol", 100);
    assert_int_equal(client_allocate(&client), 0);
    world_pass(world, 500);
    assert_int_equal(client_refresh(&client, 600), 0);
    assert_int_equal(client_permit(&client, PEER_V4), 0);
    world_destroy(&world);
}

static void renewed_credentials_of_the_same_user_take_over_the_allocation(void **state)
{
    (void)state;
    struct world *world = WORLD(.secrets = true, .limits = {.allocations_per_user = 1});
    struct client client = client_at(world, HERE, UDP), second = client_at(world, "192.0.2.1:1001", UDP);
    struct issued first, renewed, other;
    issue(world, &client, &first, "carol", 100);
    assert_int_equal(client_allocate(&client), 0);
    /* Another spelling of the same user escapes no quota. */
    issue(world, &second, &other, "carol", 200);
    assert_int_equal(client_allocate(&second), 486);

    issue(world, &client, &renewed, "carol", 5000);
    assert_int_equal(client_refresh(&client, 600), 0);
    struct turn_allocation_view view;
    turn_allocation_view(world->allocation, &view);
    assert_int_equal(view.username.length, strlen(renewed.user));
    assert_memory_equal(view.username.bytes, renewed.user, view.username.length);
    assert_int_equal(view.user_part.length, 5);

    issue(world, &client, &other, "carol", -1); /* its own, but expired */
    assert_int_equal(client_refresh(&client, 600), 441);
    issue(world, &client, &other, "mallory", 5000);
    assert_int_equal(client_refresh(&client, 600), 441);
    assert_int_equal(client_permit(&client, PEER_V4), 441);
    client.user = "alice";
    client.password = "wonderland";
    assert_int_equal(client_bind(&client, 0x4000, PEER_V4), 441);
    client.user = renewed.user;
    client.password = renewed.password;
    assert_int_equal(client_refresh(&client, 600), 0);
    world_destroy(&world);
}

#define REGISTRATION "0123456789abcdef"
#define CAROL        "p1.carol." REGISTRATION
#define CAROL_AGAIN  "p1.carol.fedcba9876543210"

/* What beside the credentials spares the round trip of a challenge. */
static void use_bound_nonce(struct world *world, struct client *client, int64_t from_now)
{
    uint64_t expires_s = (uint64_t)((int64_t)world->now.wall_s + from_now);
    nonce_make_bound(&world->settings.nonce_key, span_of_text(client->user), expires_s, NONCE_PASSWORD_ALGORITHMS,
                     (char *)client->nonce);
    client->nonce_length = NONCE_BOUND_LENGTH;
    client->has_nonce = true;
}

static void nonce_of_issued_credentials_makes_the_first_allocate_good_from_any_address(void **state)
{
    (void)state;
    struct world *world = WORLD(.secrets = true);
    static const char *const addresses[] = {"192.0.2.1:1000", "198.51.100.77:7", "[2001:db8::7]:7"};
    for (size_t i = 0; i < 3; i++) {
        struct client client = client_at(world, addresses[i], i == 1 ? TURN_TLS : UDP);
        struct issued issued;
        issue(world, &client, &issued, CAROL, 100);
        use_bound_nonce(world, &client, 100);
        client.algorithm = i == 0 ? 0 : PASSWORD_SHA256;
        client.sha256 = i > 0;
        unsigned before = world->to_client_count;
        assert_int_equal(client_allocate(&client), 0);
        assert_int_equal(world->to_client_count, before + 1); /* no challenge in between */
    }
    world_destroy(&world);
}

static void nonce_of_issued_credentials_is_nothing_to_others(void **state)
{
    (void)state;
    struct world *world = WORLD(.secrets = true);
    struct client client = client_at(world, HERE, UDP);
    struct issued carol, dave;
    issue(world, &client, &carol, CAROL, 100);
    use_bound_nonce(world, &client, 100);
    /* The credentials of another, good ones. */
    issue(world, &client, &dave, "p1.dave." REGISTRATION, 100);
    assert_int_equal(client_allocate(&client), 438);
    client.user = "alice";
    client.password = "wonderland";
    assert_int_equal(client_allocate(&client), 438);
    /* The right name, hashed: it was not bound to that. */
    client.userhash = true;
    client.user = carol.user;
    client.password = carol.password;
    assert_int_equal(client_allocate(&client), 438);
    client.userhash = false;
    assert_int_equal(client_allocate(&client), 0);
    world_destroy(&world);

    /* Nor where hashes are offered. */
    world = WORLD();
    client = client_at(world, HERE, UDP);
    use_bound_nonce(world, &client, 100);
    client.userhash = true;
    assert_int_equal(client_allocate(&client), 438);
    world_destroy(&world);
}

static void nonce_of_issued_credentials_ends_with_them_and_an_ordinary_one_follows(void **state)
{
    (void)state;
    struct world *world = WORLD(.secrets = true);
    struct client client = client_at(world, HERE, UDP);
    struct issued issued;
    issue(world, &client, &issued, CAROL, 100);
    use_bound_nonce(world, &client, 100);
    assert_int_equal(client_allocate(&client), 0);
    world_pass(world, 99);
    assert_int_equal(client_refresh(&client, 600), 0);
    world_pass(world, 1);
    assert_int_equal(client_refresh(&client, 600), 438);
    const struct stun_attribute *fresh = stun_message_find(&client.answer, STUN_NONCE);
    assert_int_equal(fresh->length, NONCE_LENGTH);
    memcpy(client.nonce, fresh->value, NONCE_LENGTH);
    client.nonce_length = 0;
    assert_int_equal(client_refresh(&client, 600), 0);
    world_destroy(&world);
}

static void pseudonym_is_what_quotas_count(void **state)
{
    (void)state;
    struct world *world = WORLD(.secrets = true, .limits = {.allocations_per_user = 1});
    struct client client = client_at(world, HERE, UDP), second = client_at(world, "192.0.2.1:1001", UDP);
    struct issued first, again;
    issue(world, &client, &first, CAROL, 100);
    issue(world, &second, &again, CAROL_AGAIN, 100);
    assert_int_equal(client_allocate(&client), 0);
    assert_int_equal(client_allocate(&second), 486);
    /* And who may go on with an allocation under a new registration. */
    client.user = again.user;
    client.password = again.password;
    assert_int_equal(client_refresh(&client, 600), 0);
    struct turn_allocation_view view;
    turn_allocation_view(world->allocation, &view);
    assert_true(span_equal(view.username, span_of_text(again.user)));
    assert_true(span_equal(view.user_part, span_of_text("p1.carol")));
    world_destroy(&world);
}

static void revoke(struct world *world, const char *registration)
{
    assert_int_equal(revocations_add(world->revocations, registration, world->now.wall_s + 3600, world->now.wall_s), 0);
}

static void revoked_credentials_allocate_and_refresh_nothing_on_any_worker(void **state)
{
    (void)state;
    struct world *world = WORLD(.secrets = true, .revocations = true);
    struct client client = client_at(world, HERE, UDP), other = client_at(world, "192.0.2.1:1001", UDP);
    struct client third = client_at(world, "192.0.2.1:1002", UDP);
    struct issued issued, again;
    issue(world, &client, &issued, CAROL, 1000);
    issue(world, &other, &issued, CAROL, 1000);
    issue(world, &third, &again, CAROL_AGAIN, 1000);
    other.server = world->servers[1];
    assert_int_equal(client_allocate(&client), 0);
    revoke(world, REGISTRATION);
    assert_int_equal(client_allocate(&other), 401);
    assert_int_equal(client_refresh(&client, 600), 401);
    assert_true(client_answer_has(&client, STUN_NONCE));
    /* It goes on until then, and may be given back. */
    world_pass(world, 5);
    assert_int_equal(client_permit(&client, PEER_V4), 0);
    assert_int_equal(world->ended, 0);
    /* The user's other registration is another matter, and may take it over. */
    assert_int_equal(client_allocate(&third), 0);
    client.user = again.user;
    client.password = again.password;
    assert_int_equal(client_refresh(&client, 600), 0);
    /* But not the other way round. */
    third.user = issued.user;
    third.password = issued.password;
    assert_int_equal(client_refresh(&third, 600), 441);
    client.user = issued.user;
    client.password = issued.password;
    assert_int_equal(client_refresh(&client, 0), 441);
    world_destroy(&world);
}

static void revoked_allocation_may_be_given_back(void **state)
{
    (void)state;
    struct world *world = WORLD(.secrets = true, .revocations = true);
    struct client client = client_at(world, HERE, UDP);
    struct issued issued;
    issue(world, &client, &issued, CAROL, 1000);
    assert_int_equal(client_allocate(&client), 0);
    revoke(world, REGISTRATION);
    assert_int_equal(client_refresh(&client, 0), 0);
    assert_int_equal(world->end, TURN_END_REFRESHED);
    world_destroy(&world);
}

static void running_allocations_end_with_their_registration_where_that_is_set(void **state)
{
    (void)state;
    struct world *world = WORLD(.secrets = true, .revocations = true, .end_revoked = true);
    struct client clients[4];
    struct issued issued[4];
    static const char *const users[] = {CAROL, CAROL, CAROL_AGAIN, "p1.dave.0123456789abcdeX"};
    for (unsigned i = 0; i < 4; i++) {
        char address[32];
        snprintf(address, sizeof address, "192.0.2.1:%u", 1000 + i);
        clients[i] = client_at(world, address, UDP);
        clients[i].server = world->servers[i % 2];
        issue(world, &clients[i], &issued[i], users[i], 1000);
        assert_int_equal(client_allocate(&clients[i]), 0);
    }
    world_pass(world, 10);
    assert_int_equal(world->ended, 0);
    revoke(world, REGISTRATION);
    world_pass(world, TURN_REVOCATIONS_PERIOD_S);
    assert_int_equal(world->ended, 2);
    assert_int_equal(world->end, TURN_END_REVOKED);
    assert_string_equal(turn_end_name(world->end), "registration ended");
    assert_int_equal(client_refresh(&clients[0], 600), 437);
    assert_int_equal(client_refresh(&clients[2], 600), 0);
    assert_int_equal(client_refresh(&clients[3], 600), 0);
    /* With the last allocation the looking ends as well. */
    assert_int_equal(client_refresh(&clients[2], 0), 0);
    assert_int_equal(client_refresh(&clients[3], 0), 0);
    world_pass(world, TURN_REVOCATIONS_PERIOD_S);
    for (unsigned i = 0; i < 2; i++)
        assert_true(turn_server_deadline(world->servers[i]) == TIME_NEVER);
    world_destroy(&world);
}

static void static_account_with_such_a_name_is_not_revoked(void **state)
{
    (void)state;
    struct world *world = WORLD(.secrets = true, .revocations = true, .end_revoked = true);
    struct client client = client_at(world, HERE, UDP);
    client.user = "1800000000:" CAROL;
    client.password = "secret";
    assert_int_equal(credentials_add_account(world->credentials, client.user, client.password), 0);
    assert_int_equal(client_allocate(&client), 0);
    revoke(world, REGISTRATION);
    world_pass(world, TURN_REVOCATIONS_PERIOD_S);
    assert_int_equal(client_refresh(&client, 600), 0);
    world_destroy(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binding_tells_the_address_and_nothing_else),
        cmocka_unit_test(only_requests_are_answered),
        cmocka_unit_test(stranger_is_challenged_in_at_most_two_and_a_fifth_times_its_request),
        cmocka_unit_test(stranger_with_an_incomplete_request_gets_a_bare_400),
        cmocka_unit_test(services_and_own_listeners_are_never_answered),
        cmocka_unit_test(answers_to_strangers_are_limited_and_to_clients_not),
        cmocka_unit_test(unsigned_requests_in_a_clients_name_are_limited_like_a_strangers),
        cmocka_unit_test(every_kind_of_integrity_is_answered_in_kind),
        cmocka_unit_test(wrong_credentials_are_challenged_and_told_to_the_host),
        cmocka_unit_test(nonce_that_is_old_changed_or_somebody_elses_is_stale),
        cmocka_unit_test(integrity_without_its_companions_is_a_bad_request),
        cmocka_unit_test(offer_of_algorithms_has_to_come_back_unchanged),
        cmocka_unit_test(what_follows_the_integrity_is_not_honoured),
        cmocka_unit_test(truncated_integrity_proves_nothing),
        cmocka_unit_test(unknown_attributes_are_listed_once_the_sender_is_known),
        cmocka_unit_test(userhash_stands_for_the_username_where_it_was_offered),
        cmocka_unit_test(expiry_counts_when_allocating_and_not_afterwards),
        cmocka_unit_test(renewed_credentials_of_the_same_user_take_over_the_allocation),
        cmocka_unit_test(nonce_of_issued_credentials_makes_the_first_allocate_good_from_any_address),
        cmocka_unit_test(nonce_of_issued_credentials_is_nothing_to_others),
        cmocka_unit_test(nonce_of_issued_credentials_ends_with_them_and_an_ordinary_one_follows),
        cmocka_unit_test(pseudonym_is_what_quotas_count),
        cmocka_unit_test(revoked_credentials_allocate_and_refresh_nothing_on_any_worker),
        cmocka_unit_test(revoked_allocation_may_be_given_back),
        cmocka_unit_test(running_allocations_end_with_their_registration_where_that_is_set),
        cmocka_unit_test(static_account_with_such_a_name_is_not_revoked),
    };
    return cmocka_run_group_tests_name("authentication", tests, NULL, NULL);
}
