/* SPDX-License-Identifier: BSD-3-Clause */
#include "auth/nonce.h"

#include <string.h>

#include "base/cursor.h"
#include "base/error.h"
#include "crypto/digest.h"

#define COOKIE          "obMatJos2" /* RFC 8489 §9.2 */
#define COOKIE_LENGTH   9
#define FEATURES_LENGTH 4 /* 24 bits */
#define SEAL_SIZE       7 /* a guess is right once in 2^56; more would go to strangers with every challenge */
#define TAIL_SIZE       (4 + SEAL_SIZE)
#define TAIL_LENGTH     ((TAIL_SIZE * 8 + 5) / 6) /* in base64url without padding */
/* The clocks of a fleet that shares the key may differ by this much. */
#define CLOCK_SKEW_S 60

#define BOUND_SEAL_SIZE   16
#define BOUND_TAIL_SIZE   (4 + BOUND_SEAL_SIZE)
#define BOUND_TAIL_LENGTH ((BOUND_TAIL_SIZE * 8 + 5) / 6)
/* Longer than all that is hashed for the other type: no input of one is an input of the other. */
#define BOUND_DOMAIN "postern nonce bound to a username"

_Static_assert(COOKIE_LENGTH + FEATURES_LENGTH + TAIL_LENGTH == NONCE_LENGTH, "the nonce's parts fill it");
_Static_assert(COOKIE_LENGTH + FEATURES_LENGTH + BOUND_TAIL_LENGTH == NONCE_BOUND_LENGTH, "the nonce's parts fill it");

void nonce_key_init(struct nonce_key *key, const char *text)
{
    if (text[0] == '\0') {
        crypto_random(key->bytes, sizeof key->bytes);
        return;
    }
    const struct span spans[] = {{"postern nonce key", 17}, {text, strlen(text)}};
    crypto_sha256(spans, 2, key->bytes);
}

/* Writes cookie, features and |tail|, which is |tail_size| bytes, at most BOUND_TAIL_SIZE. */
static void write_parts(const uint8_t flags[3], const uint8_t *tail, size_t tail_size, char *out)
{
    char text[CRYPTO_BASE64_SIZE(BOUND_TAIL_SIZE)];
    memcpy(out, COOKIE, COOKIE_LENGTH);
    crypto_base64(flags, 3, text);
    memcpy(out + COOKIE_LENGTH, text, FEATURES_LENGTH);
    size_t length = crypto_base64url(tail, tail_size, text);
    memcpy(out + COOKIE_LENGTH + FEATURES_LENGTH, text, length);
}

static void store_features(uint8_t flags[3], uint32_t features)
{
    flags[0] = (uint8_t)(features >> 16);
    flags[1] = (uint8_t)(features >> 8);
    flags[2] = (uint8_t)features;
}

static void compose(const struct nonce_key *key, const struct address *client, uint32_t features, uint32_t time_s,
                    char out[NONCE_LENGTH])
{
    uint8_t flags[3], tail[TAIL_SIZE], hash[SHA256_SIZE];
    store_features(flags, features);
    store_u32(tail, time_s);
    const struct span spans[] = {
        {tail, 4}, {flags, sizeof flags}, {&client->family, 1}, {client->ip, sizeof client->ip}};
    crypto_hmac_sha256((struct span){key->bytes, sizeof key->bytes}, spans, 4, hash);
    memcpy(tail + 4, hash, SEAL_SIZE);
    write_parts(flags, tail, sizeof tail, out);
}

static void compose_bound(const struct nonce_key *key, struct span username, uint32_t features, uint32_t expires_s,
                          char out[NONCE_BOUND_LENGTH])
{
    uint8_t flags[3], tail[BOUND_TAIL_SIZE], hash[SHA256_SIZE];
    store_features(flags, features);
    store_u32(tail, expires_s);
    const struct span spans[] = {{BOUND_DOMAIN, sizeof BOUND_DOMAIN - 1}, {tail, 4}, {flags, sizeof flags}, username};
    crypto_hmac_sha256((struct span){key->bytes, sizeof key->bytes}, spans, 4, hash);
    memcpy(tail + 4, hash, BOUND_SEAL_SIZE);
    write_parts(flags, tail, sizeof tail, out);
}

void nonce_make(const struct nonce_key *key, const struct address *client, uint32_t features, struct now now,
                char out[NONCE_LENGTH])
{
    compose(key, client, features, (uint32_t)now.wall_s, out);
}

void nonce_make_bound(const struct nonce_key *key, struct span username, uint64_t expires_s, uint32_t features,
                      char out[NONCE_BOUND_LENGTH])
{
    compose_bound(key, username, features, (uint32_t)expires_s, out);
}

uint32_t nonce_features(const uint8_t *nonce, size_t length)
{
    if (length < COOKIE_LENGTH + FEATURES_LENGTH || memcmp(nonce, COOKIE, COOKIE_LENGTH) != 0)
        return 0;
    /* The bits are in standard base64; the decoder at hand reads the URL alphabet. */
    char text[FEATURES_LENGTH];
    for (size_t i = 0; i < FEATURES_LENGTH; i++) {
        char c = (char)nonce[COOKIE_LENGTH + i];
        text[i] = c == '+' ? '-' : c == '/' ? '_' : c;
    }
    uint8_t flags[3];
    if (crypto_base64url_decode(text, FEATURES_LENGTH, flags, sizeof flags) != sizeof flags)
        return 0;
    return (uint32_t)flags[0] << 16 | (uint32_t)flags[1] << 8 | flags[2];
}

/* Reads the tail. Returns false where there is none of |size| bytes. */
static bool tail_read(struct span nonce, uint8_t *tail, size_t size)
{
    size_t at = COOKIE_LENGTH + FEATURES_LENGTH;
    return crypto_base64url_decode((const char *)nonce.bytes + at, nonce.length - at, tail, size) == (int)size;
}

/* A nonce is made again from what it claims and compared as a whole: every character is covered, and there is no
 * second way to write a good one. */
static int check_address(const struct nonce_key *key, const struct address *client, struct span nonce, struct now now)
{
    uint8_t tail[TAIL_SIZE];
    if (!tail_read(nonce, tail, sizeof tail))
        return ERR_EXPIRED;
    uint32_t made_s = load_u32(tail);
    char expected[NONCE_LENGTH];
    compose(key, client, nonce_features(nonce.bytes, nonce.length), made_s, expected);
    if (!crypto_equal(expected, nonce.bytes, NONCE_LENGTH))
        return ERR_EXPIRED;
    /* 32 bits that may wrap: the difference is what counts. */
    uint32_t age_s = (uint32_t)now.wall_s + CLOCK_SKEW_S - made_s;
    return age_s <= NONCE_LIFETIME_S + CLOCK_SKEW_S ? 0 : ERR_EXPIRED;
}

static int check_bound(const struct nonce_key *key, struct span username, struct span nonce, struct now now)
{
    uint8_t tail[BOUND_TAIL_SIZE];
    if (username.length == 0 || !tail_read(nonce, tail, sizeof tail))
        return ERR_EXPIRED;
    uint32_t expires_s = load_u32(tail);
    char expected[NONCE_BOUND_LENGTH];
    compose_bound(key, username, nonce_features(nonce.bytes, nonce.length), expires_s, expected);
    if (!crypto_equal(expected, nonce.bytes, NONCE_BOUND_LENGTH))
        return ERR_EXPIRED;
    return (int32_t)(expires_s - (uint32_t)now.wall_s) > 0 ? 0 : ERR_EXPIRED;
}

int nonce_check(const struct nonce_key *key, const struct address *client, struct span username, struct span nonce,
                struct now now)
{
    if (nonce.length == NONCE_LENGTH)
        return check_address(key, client, nonce, now);
    return nonce.length == NONCE_BOUND_LENGTH ? check_bound(key, username, nonce, now) : ERR_EXPIRED;
}
