/* SPDX-License-Identifier: BSD-3-Clause */
#include "registrar/challenge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cursor.h"
#include "base/error.h"

#define AUTHORIZATION_SIZE 4096
#define VALUE_SIZE         1025
#define NONCE_RANDOM       8
#define NONCE_SEAL         12
#define NONCE_BYTES        (4 + NONCE_RANDOM + NONCE_SEAL)
#define CLOCK_SKEW_S       5
#define HEX_SIZE           (2 * SHA256_SIZE + 1)

_Static_assert(CRYPTO_BASE64_SIZE(NONCE_BYTES) == CHALLENGE_NONCE_SIZE, "the nonce's parts fill it");

/* What Authorization says. */
struct credentials_sent {
    enum password_algorithm algorithm;
    char username[ACCOUNT_NAME_MAX + 1];
    char nonce[CHALLENGE_NONCE_SIZE];
    char uri[VALUE_SIZE], cnonce[257], count[9], response[HEX_SIZE];
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

/* Reads one `name=value` or `name="value"` of a list behind |at|. Returns where the next one begins, NULL at the end.
 * |value| is "" where it does not fit. */
static const char *next_param(const char *at, char *name, size_t name_size, char *value, size_t value_size)
{
    at += strspn(at, ", \t\r\n");
    size_t length = strcspn(at, "= \t,");
    if (length == 0 || length >= name_size)
        return NULL;
    memcpy(name, at, length);
    name[length] = '\0';
    at += length;
    at += strspn(at, " \t");
    if (*at++ != '=')
        return NULL;
    at += strspn(at, " \t");
    bool quoted = *at == '"';
    at += quoted;
    size_t used = 0, whole = 0;
    for (; *at && (quoted ? *at != '"' : !strchr(", \t\r\n", *at)); at++, whole++) {
        if (quoted && *at == '\\' && at[1])
            at++;
        if (used + 1 < value_size)
            value[used++] = *at;
    }
    value[whole < value_size ? used : 0] = '\0';
    return quoted && *at == '"' ? at + 1 : at;
}

static bool is_digest(const char *authorization, const char **params_out)
{
    size_t scheme = strcspn(authorization, " \t");
    *params_out = authorization + scheme;
    return scheme == 6 && strncasecmp(authorization, "Digest", 6) == 0;
}

/* What does not fit is as if it were not there. */
static void keep(char *to, size_t size, const char *value)
{
    size_t length = strlen(value);
    memcpy(to, value, length < size ? length : 0);
    to[length < size ? length : 0] = '\0';
}

/* What one Authorization field says. */
enum finding { NOTHING, VOUCHED, COMPLETE };

static enum finding read_field(const char *authorization, const char *realm, struct credentials_sent *out)
{
    char name[32], value[VALUE_SIZE];
    const char *at;
    bool for_us = false, known = true, quality = false, vouched = false;
    *out = (struct credentials_sent){.algorithm = PASSWORD_MD5}; /* RFC 3261 §22.4: where none is named */
    if (!is_digest(authorization, &at))
        return NOTHING;
    while ((at = next_param(at, name, sizeof name, value, sizeof value))) {
        if (strcasecmp(name, "realm") == 0)
            for_us = strcmp(value, realm) == 0;
        else if (strcasecmp(name, "username") == 0)
            keep(out->username, sizeof out->username, value);
        else if (strcasecmp(name, "nonce") == 0)
            keep(out->nonce, sizeof out->nonce, value);
        else if (strcasecmp(name, "uri") == 0)
            keep(out->uri, sizeof out->uri, value);
        else if (strcasecmp(name, "cnonce") == 0)
            keep(out->cnonce, sizeof out->cnonce, value);
        else if (strcasecmp(name, "nc") == 0)
            keep(out->count, sizeof out->count, value);
        else if (strcasecmp(name, "response") == 0)
            keep(out->response, sizeof out->response, value);
        else if (strcasecmp(name, "qop") == 0)
            quality = strcasecmp(value, "auth") == 0;
        else if (strcasecmp(name, "algorithm") == 0) {
            known = strcasecmp(value, "MD5") == 0 || strcasecmp(value, "SHA-256") == 0;
            out->algorithm = strcasecmp(value, "MD5") == 0 ? PASSWORD_MD5 : PASSWORD_SHA256;
        } else if (strcasecmp(name, "integrity-protected") == 0)
            vouched = strcmp(value, "auth-done") == 0;
    }
    if (vouched)
        return VOUCHED;
    bool complete = for_us && known && quality && out->username[0] && out->nonce[0] && out->uri[0] && out->cnonce[0] &&
                    strlen(out->count) == 8 && strspn(out->count, "0123456789abcdefABCDEF") == 8;
    return complete ? COMPLETE : NOTHING;
}

static enum finding read_fields(const osip_message_t *request, const char *realm, struct credentials_sent *out)
{
    char field[AUTHORIZATION_SIZE];
    enum finding finding = NOTHING;
    for (unsigned i = 0; finding == NOTHING && sip_field_value(request, "Authorization", i, field, sizeof field); i++)
        finding = read_field(field, realm, out);
    return finding;
}

static void hex(const uint8_t *bytes, size_t length, char *out)
{
    for (size_t i = 0; i < length; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void hash_to_hex(enum password_algorithm algorithm, const struct span *spans, size_t count, char out[HEX_SIZE])
{
    uint8_t hash[SHA256_SIZE];
    if (algorithm == PASSWORD_SHA256)
        crypto_sha256(spans, count, hash);
    else
        crypto_md5(spans, count, hash);
    hex(hash, algorithm == PASSWORD_SHA256 ? SHA256_SIZE : MD5_SIZE, out);
}

/* RFC 7616 §3.4.1 with qop=auth. */
static bool response_is_right(const struct credentials_sent *sent, const struct credential_key *ha1, const char *method)
{
    char ha1_hex[HEX_SIZE], ha2_hex[HEX_SIZE], expected[HEX_SIZE];
    const struct span colon = span_of_text(":");
    const struct span a2[] = {span_of_text(method), colon, span_of_text(sent->uri)};
    size_t length = sent->algorithm == PASSWORD_SHA256 ? SHA256_SIZE : MD5_SIZE;
    hex(ha1->bytes, length, ha1_hex);
    hash_to_hex(sent->algorithm, a2, 3, ha2_hex);
    const struct span all[] = {span_of_text(ha1_hex),     colon, span_of_text(sent->nonce),  colon,
                               span_of_text(sent->count), colon, span_of_text(sent->cnonce), colon,
                               span_of_text("auth"),      colon, span_of_text(ha2_hex)};
    hash_to_hex(sent->algorithm, all, sizeof all / sizeof all[0], expected);
    bool right = strlen(sent->response) == 2 * length && crypto_equal(sent->response, expected, 2 * length);
    crypto_erase(ha1_hex, sizeof ha1_hex);
    crypto_erase(expected, sizeof expected);
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
    const struct credential_key *ha1 = status != 0                         ? &challenge->nobody
                                       : sent.algorithm == PASSWORD_SHA256 ? &account.sha256
                                                                           : &account.md5;
    bool right = response_is_right(&sent, ha1, request->sip_method);
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
    static const char *const algorithms[] = {"SHA-256", "MD5"};
    char nonce[CHALLENGE_NONCE_SIZE], text[512];
    make_nonce(challenge, now, nonce);
    int status = 0;
    for (size_t i = 0; i < 2 && status == 0; i++) {
        snprintf(text, sizeof text, "Digest realm=\"%s\", nonce=\"%s\", algorithm=%s, qop=\"auth\"%s", realm, nonce,
                 algorithms[i], stale ? ", stale=true" : "");
        status = sip_field_add(response, "WWW-Authenticate", text);
    }
    return status;
}
