/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/turn_login.h"

#include "auth/digest.h"
#include "base/auth_params.h"
#include "base/error.h"

#define NONCE_TIME_SIZE 8
#define NONCE_SEAL_SIZE 16
#define NONCE_SIZE      (NONCE_TIME_SIZE + NONCE_SEAL_SIZE)
#define NONCE_TEXT_SIZE CRYPTO_BASE64_SIZE(NONCE_SIZE)
#define CHALLENGE_SIZE  2048

void turn_login_init(struct turn_login *login, const char *realm, const struct nonce_key *nonce_key)
{
    const struct span purpose = span_of_text("postern HTTP Digest nonce");
    *login = (struct turn_login){.realm = realm};
    crypto_hmac_sha256((struct span){nonce_key->bytes, sizeof nonce_key->bytes}, &purpose, 1, login->nonce_key);
}

static void nonce_seal(const struct turn_login *login, uint8_t nonce[NONCE_SIZE])
{
    uint8_t hash[SHA256_SIZE];
    const struct span time = {nonce, NONCE_TIME_SIZE};
    crypto_hmac_sha256((struct span){login->nonce_key, sizeof login->nonce_key}, &time, 1, hash);
    memcpy(nonce + NONCE_TIME_SIZE, hash, NONCE_SEAL_SIZE);
}

static void http_nonce_make(const struct turn_login *login, uint64_t wall_s, char out[NONCE_TEXT_SIZE])
{
    uint8_t nonce[NONCE_SIZE];
    store_u32(nonce, (uint32_t)(wall_s >> 32));
    store_u32(nonce + 4, (uint32_t)wall_s);
    nonce_seal(login, nonce);
    crypto_base64url(nonce, sizeof nonce, out);
}

/* Returns 0, ERR_EXPIRED, or ERR_FORBIDDEN for one that is none of ours. */
static int http_nonce_check(const struct turn_login *login, const char *text, uint64_t wall_s)
{
    uint8_t nonce[NONCE_SIZE], expected[NONCE_SIZE];
    if (crypto_base64url_decode(text, strlen(text), nonce, sizeof nonce) != NONCE_SIZE)
        return ERR_FORBIDDEN;
    memcpy(expected, nonce, NONCE_TIME_SIZE);
    nonce_seal(login, expected);
    if (!crypto_equal(expected, nonce, NONCE_SIZE))
        return ERR_FORBIDDEN;
    uint64_t made_s = (uint64_t)load_u32(nonce) << 32 | load_u32(nonce + 4);
    /* Another server of the fleet may have a clock that is ahead. */
    return made_s <= wall_s + TURN_LOGIN_NONCE_LIFETIME_S && wall_s <= made_s + TURN_LOGIN_NONCE_LIFETIME_S
               ? 0
               : ERR_EXPIRED;
}

static int check_token(const struct turn_login *login, struct span value, uint64_t wall_s,
                       struct turn_login_result *out)
{
    struct span token;
    struct token_identity identity;
    out->bad_token = true;
    out->reason = "no token behind Bearer";
    if (token_of_authorization(value, &token) != 0)
        return ERR_MALFORMED;
    int result = token_verify(login->tokens, token, wall_s, &identity, &out->reason);
    if (result != 0)
        return result == ERR_EXPIRED ? ERR_EXPIRED : ERR_FORBIDDEN;
    out->bad_token = false;
    memcpy(out->identity, identity.impi, sizeof out->identity);
    out->expires_s = identity.expires_s;
    return 0;
}

static void hex_of(const struct credential_key *key, char out[DIGEST_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < key->length; i++) {
        out[2 * i] = digits[key->bytes[i] >> 4];
        out[2 * i + 1] = digits[key->bytes[i] & 15];
    }
    out[2 * key->length] = '\0';
}

/* A name that nobody has costs what one costs that somebody has: a key that no password makes is tried. */
static int check_response(const struct turn_login *login, const struct auth_params *params,
                          enum digest_algorithm algorithm, const struct http_head *head, const char *username)
{
    enum password_algorithm kind = algorithm == DIGEST_SHA256 ? PASSWORD_SHA256 : PASSWORD_MD5;
    struct credential_key key;
    char ha1[DIGEST_HEX_SIZE];
    int found = login->find(login->find_context, span_of_text(username), kind, &key);
    if (found != 0) {
        key.length = algorithm == DIGEST_SHA256 ? SHA256_SIZE : MD5_SIZE;
        crypto_random(key.bytes, key.length);
    }
    hex_of(&key, ha1);
    int result = digest_check(algorithm, ha1, params, head->method);
    crypto_erase(&key, sizeof key);
    crypto_erase(ha1, sizeof ha1);
    return result == 0 && found != 0 ? ERR_FORBIDDEN : result;
}

static bool is_target(const struct auth_params *params, struct span target)
{
    char uri[HTTP_TARGET_MAX + 1];
    int length = auth_params_copy(params, "uri", uri, sizeof uri);
    return length >= 0 && span_equal((struct span){uri, (size_t)length}, target);
}

static int check_digest(const struct turn_login *login, const struct auth_params *params, const struct http_head *head,
                        uint64_t wall_s, struct turn_login_result *out)
{
    enum digest_algorithm algorithm;
    char nonce[NONCE_TEXT_SIZE];
    out->reason = "a parameter of Digest is missing, or not what was asked for";
    /* qop is asked for, so that a client's own nonce is part of what it signs. */
    if (digest_algorithm_of(params, &algorithm) != 0 || !auth_params_equal(params, "realm", login->realm, false) ||
        !auth_params_find(params, "qop") || auth_params_find(params, "userhash") ||
        auth_params_copy(params, "username", out->identity, sizeof out->identity) <= 0 ||
        auth_params_copy(params, "nonce", nonce, sizeof nonce) < 0 || !is_target(params, head->target))
        return ERR_MALFORMED;
    int fresh = http_nonce_check(login, nonce, wall_s);
    out->reason = "a nonce of somebody else";
    if (fresh == ERR_FORBIDDEN)
        return ERR_FORBIDDEN;
    out->reason = "wrong name or password";
    int result = check_response(login, params, algorithm, head, out->identity);
    if (result != 0)
        return result;
    /* RFC 7616 §3.3: stale is for who knows the password. */
    out->stale = fresh == ERR_EXPIRED;
    out->reason = "an old nonce";
    out->expires_s = UINT64_MAX;
    return fresh;
}

int turn_login_check(const struct turn_login *login, const struct http_head *head, uint64_t wall_s,
                     struct turn_login_result *out)
{
    const struct http_field *field = http_head_find(head, "Authorization");
    struct auth_params params;
    *out = (struct turn_login_result){.reason = "no credentials"};
    if (!field)
        return ERR_NOT_FOUND;
    out->reason = "no credentials that can be read";
    if (http_head_find_next(head, field) || auth_params_read(field->value, &params) != 0)
        return ERR_MALFORMED;
    if (login->tokens && auth_params_is(&params, "Bearer"))
        return check_token(login, field->value, wall_s, out);
    if (login->find && auth_params_is(&params, "Digest"))
        return check_digest(login, &params, head, wall_s, out);
    out->reason = "a scheme that is not taken here";
    return ERR_NOT_FOUND;
}

static void add(struct http_response *response, struct auth_writer *writer)
{
    if (auth_writer_end(writer) < 0)
        response->writer.failed = true;
    else
        http_response_add(response, "WWW-Authenticate", writer->text);
}

void turn_login_challenge(const struct turn_login *login, const struct turn_login_result *result, uint64_t wall_s,
                          struct http_response *response)
{
    static const enum digest_algorithm offered[] = {DIGEST_SHA256, DIGEST_MD5}; /* RFC 7616 §3.7: the best first */
    char text[CHALLENGE_SIZE], nonce[NONCE_TEXT_SIZE];
    struct span realm = span_of_text(login->realm);
    if (login->tokens) {
        struct auth_writer writer = auth_writer_begin(text, sizeof text, "Bearer");
        auth_writer_add_quoted(&writer, "realm", realm);
        if (result->bad_token)
            auth_writer_add_quoted(&writer, "error", span_of_text("invalid_token"));
        add(response, &writer);
    }
    http_nonce_make(login, wall_s, nonce);
    for (size_t i = 0; login->find && i < sizeof offered / sizeof offered[0]; i++) {
        struct auth_writer writer = auth_writer_begin(text, sizeof text, "Digest");
        auth_writer_add_quoted(&writer, "realm", realm);
        auth_writer_add_quoted(&writer, "qop", span_of_text("auth"));
        auth_writer_add(&writer, "algorithm", digest_algorithm_name(offered[i]));
        auth_writer_add_quoted(&writer, "nonce", span_of_text(nonce));
        if (result->stale)
            auth_writer_add(&writer, "stale", "true");
        add(response, &writer);
    }
}
