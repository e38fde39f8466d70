/* SPDX-License-Identifier: BSD-3-Clause */
#include "registrar/challenge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/digest.h"
#include "base/cursor.h"
#include "base/error.h"

#define AUTHORIZATION_SIZE 4096
#define NONCE_RANDOM       8
#define NONCE_SEAL         12
#define NONCE_BYTES        (4 + NONCE_RANDOM + NONCE_SEAL)
#define CLOCK_SKEW_S       5

_Static_assert(CRYPTO_BASE64_SIZE(NONCE_BYTES) == CHALLENGE_NONCE_SIZE, "the nonce's parts fill it");

/* What Authorization says. */
struct credentials_sent {
    char field[AUTHORIZATION_SIZE];
    struct auth_params params; /* of |field| */
    enum digest_algorithm algorithm;
    char username[ACCOUNT_NAME_MAX + 1], nonce[CHALLENGE_NONCE_SIZE], count[9];
};

void challenge_init(struct challenge *challenge)
{
    memset(challenge, 0, sizeof *challenge);
    crypto_random(challenge->key, sizeof challenge->key);
    crypto_random(&challenge->slot_key, sizeof challenge->slot_key);
    crypto_random(challenge->nobody.bytes, sizeof challenge->nobody.bytes);
}

/* Time and chance, under a keyed hash: nothing is kept about who was challenged. */
static void seal(const struct challenge *challenge, uint8_t nonce[NONCE_BYTES])
{
    uint8_t hash[SHA256_SIZE];
    const struct span covered = {nonce, 4 + NONCE_RANDOM};
    crypto_hmac_sha256((struct span){challenge->key, sizeof challenge->key}, &covered, 1, hash);
    memcpy(nonce + 4 + NONCE_RANDOM, hash, NONCE_SEAL);
}

static void make_nonce(const struct challenge *challenge, struct now now, char out[CHALLENGE_NONCE_SIZE])
{
    uint8_t nonce[NONCE_BYTES];
    store_u32(nonce, (uint32_t)now.wall_s);
    crypto_random(nonce + 4, NONCE_RANDOM);
    seal(challenge, nonce);
    crypto_base64url(nonce, sizeof nonce, out);
}

static bool nonce_is_fresh(const struct challenge *challenge, const char *text, struct now now)
{
    uint8_t nonce[NONCE_BYTES], again[NONCE_BYTES];
    if (crypto_base64url_decode(text, strlen(text), nonce, sizeof nonce) != sizeof nonce)
        return false;
    memcpy(again, nonce, sizeof again);
    seal(challenge, again);
    uint32_t age_s = (uint32_t)now.wall_s - load_u32(nonce) + CLOCK_SKEW_S;
    return crypto_equal(nonce, again, sizeof nonce) && age_s <= CHALLENGE_LIFETIME_S + CLOCK_SKEW_S;
}

/* The nonce count has to grow (RFC 7616 §3.4). */
static bool count_is_new(struct challenge *challenge, const struct credentials_sent *sent)
{
    uint64_t nonce = siphash(&challenge->slot_key, sent->nonce, strlen(sent->nonce));
    struct challenge_count *slot = &challenge->counts[nonce % CHALLENGE_COUNTS];
    uint32_t count = (uint32_t)strtoul(sent->count, NULL, 16);
    bool is_new = slot->nonce != nonce || count > slot->count;
    if (is_new)
        *slot = (struct challenge_count){nonce, count};
    return is_new;
}

/* What one Authorization field says. */
enum finding { NOTHING, VOUCHED, COMPLETE };

static enum finding read_field(const char *authorization, const char *realm, struct credentials_sent *out)
{
    struct auth_params *params = &out->params;
    if (auth_params_read(span_of_text(authorization), params) != 0 || !auth_params_is(params, "Digest"))
        return NOTHING;
    if (auth_params_equal(params, "integrity-protected", "auth-done", false))
        return VOUCHED;
    bool complete = auth_params_equal(params, "realm", realm, false) &&
                    digest_algorithm_of(params, &out->algorithm) == 0 &&
                    auth_params_equal(params, "qop", "auth", true) &&
                    auth_params_copy(params, "username", out->username, sizeof out->username) > 0 &&
                    auth_params_copy(params, "nonce", out->nonce, sizeof out->nonce) > 0 &&
                    auth_params_copy(params, "nc", out->count, sizeof out->count) > 0;
    return complete ? COMPLETE : NOTHING;
}

static enum finding read_fields(const osip_message_t *request, const char *realm, struct credentials_sent *out)
{
    enum finding finding = NOTHING;
    for (unsigned i = 0;
         finding == NOTHING && sip_field_value(request, "Authorization", i, out->field, sizeof out->field); i++)
        finding = read_field(out->field, realm, out);
    return finding;
}

static bool is_right(const struct credentials_sent *sent, const struct credential_key *ha1, const char *method)
{
    char ha1_hex[DIGEST_HEX_SIZE];
    size_t length = sent->algorithm == DIGEST_SHA256 ? SHA256_SIZE : MD5_SIZE;
    for (size_t i = 0; i < length; i++)
        snprintf(ha1_hex + 2 * i, 3, "%02x", ha1->bytes[i]);
    bool right = digest_check(sent->algorithm, ha1_hex, &sent->params, span_of_text(method)) == 0;
    crypto_erase(ha1_hex, sizeof ha1_hex);
    return right;
}

enum challenge_verdict challenge_judge(struct challenge *challenge, struct accounts *accounts, const char *realm,
                                       const osip_message_t *request, struct now now,
                                       char user_out[ACCOUNT_NAME_MAX + 1])
{
    struct credentials_sent sent;
    enum finding finding = read_fields(request, realm, &sent);
    if (finding != COMPLETE)
        return finding == VOUCHED ? CHALLENGE_VOUCHED : CHALLENGE_AGAIN;
    struct account account;
    int status = accounts_find(accounts, span_of_text(sent.username), &account);
    if (status != 0 && status != ERR_NOT_FOUND)
        return CHALLENGE_ERROR;
    /* A name that nobody has takes the same way and time as a wrong password. */
    const struct credential_key *ha1 = status != 0                       ? &challenge->nobody
                                       : sent.algorithm == DIGEST_SHA256 ? &account.sha256
                                                                         : &account.md5;
    bool right = is_right(&sent, ha1, request->sip_method);
    crypto_erase(&account, sizeof account);
    if (!right || status != 0)
        return CHALLENGE_AGAIN;
    if (!nonce_is_fresh(challenge, sent.nonce, now) || !count_is_new(challenge, &sent))
        return CHALLENGE_STALE;
    snprintf(user_out, ACCOUNT_NAME_MAX + 1, "%s", sent.username);
    return CHALLENGE_PASSED;
}

int challenge_add(const struct challenge *challenge, const char *realm, bool stale, struct now now,
                  osip_message_t *response)
{
    static const enum digest_algorithm algorithms[] = {DIGEST_SHA256, DIGEST_MD5};
    char nonce[CHALLENGE_NONCE_SIZE], text[512];
    make_nonce(challenge, now, nonce);
    int status = 0;
    for (size_t i = 0; i < 2 && status == 0; i++) {
        struct auth_writer writer = auth_writer_begin(text, sizeof text, "Digest");
        auth_writer_add_quoted(&writer, "realm", span_of_text(realm));
        auth_writer_add_quoted(&writer, "nonce", span_of_text(nonce));
        auth_writer_add(&writer, "algorithm", digest_algorithm_name(algorithms[i]));
        auth_writer_add_quoted(&writer, "qop", span_of_text("auth"));
        if (stale)
            auth_writer_add(&writer, "stale", "true");
        status = auth_writer_end(&writer) > 0 ? sip_field_add(response, "WWW-Authenticate", text) : ERR_TOO_LARGE;
    }
    return status;
}
