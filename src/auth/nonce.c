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

_Static_assert(COOKIE_LENGTH + FEATURES_LENGTH + TAIL_LENGTH == NONCE_LENGTH, "the nonce's parts fill it");

void nonce_key_init(struct nonce_key *key, const char *text)
{
    if (text[0] == '\0') {
        crypto_random(key->bytes, sizeof key->bytes);
        return;
    }
    const struct span spans[] = {{"postern nonce key", 17}, {text, strlen(text)}};
    crypto_sha256(spans, 2, key->bytes);
}

static void compose(const struct nonce_key *key, const struct address *client, uint32_t features, uint32_t time_s,
                    char out[NONCE_LENGTH])
{
    uint8_t flags[3] = {(uint8_t)(features >> 16), (uint8_t)(features >> 8), (uint8_t)features};
    uint8_t tail[TAIL_SIZE];
    store_u32(tail, time_s);
    uint8_t hash[SHA256_SIZE];
    const struct span spans[] = {
        {tail, 4}, {flags, sizeof flags}, {&client->family, 1}, {client->ip, sizeof client->ip}};
    crypto_hmac_sha256((struct span){key->bytes, sizeof key->bytes}, spans, 4, hash);
    memcpy(tail + 4, hash, SEAL_SIZE);

    memcpy(out, COOKIE, COOKIE_LENGTH);
    char text[CRYPTO_BASE64_SIZE(TAIL_SIZE)];
    crypto_base64(flags, sizeof flags, text);
    memcpy(out + COOKIE_LENGTH, text, FEATURES_LENGTH);
    crypto_base64url(tail, sizeof tail, text);
    memcpy(out + COOKIE_LENGTH + FEATURES_LENGTH, text, TAIL_LENGTH);
}

void nonce_make(const struct nonce_key *key, const struct address *client, uint32_t features, struct now now,
                char out[NONCE_LENGTH])
{
    compose(key, client, features, (uint32_t)now.wall_s, out);
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

/* The nonce is made again from what it claims and compared as a whole: every character is covered, and there is no
 * second way to write a good one. */
int nonce_check(const struct nonce_key *key, const struct address *client, const uint8_t *nonce, size_t length,
                struct now now)
{
    uint8_t tail[TAIL_SIZE];
    if (length != NONCE_LENGTH || crypto_base64url_decode((const char *)nonce + COOKIE_LENGTH + FEATURES_LENGTH,
                                                          TAIL_LENGTH, tail, sizeof tail) != TAIL_SIZE)
        return ERR_EXPIRED;
    uint32_t made_s = load_u32(tail);
    char expected[NONCE_LENGTH];
    compose(key, client, nonce_features(nonce, length), made_s, expected);
    if (!crypto_equal(expected, nonce, NONCE_LENGTH))
        return ERR_EXPIRED;
    /* 32 bits that may wrap: the difference is what counts. */
    uint32_t age_s = (uint32_t)now.wall_s + CLOCK_SKEW_S - made_s;
    return age_s <= NONCE_LIFETIME_S + CLOCK_SKEW_S ? 0 : ERR_EXPIRED;
}
