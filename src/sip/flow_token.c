/* SPDX-License-Identifier: BSD-3-Clause */
#include "sip/flow_token.h"

#include <string.h>

#include "base/cursor.h"
#include "base/error.h"
#include "crypto/digest.h"

#define NAME_SIZE     9  /* worker, flow */
#define SEAL_SIZE     12 /* a guess is right once in 2^96 */
#define SIZE          (NAME_SIZE + SEAL_SIZE)
#define LENGTH        (SIZE * 4 / 3) /* in base64url; |SIZE| is a multiple of three, so there is one way to write it */
#define COOKIE        "z9hG4bK"      /* RFC 3261 §8.1.1.7 */
#define COOKIE_LENGTH 7

_Static_assert(SIZE % 3 == 0 && LENGTH < SIP_FLOW_TOKEN_SIZE, "a token fits");
_Static_assert(COOKIE_LENGTH + LENGTH < SIP_BRANCH_SIZE, "a branch fits");

void sip_flow_key_init(struct sip_flow_key *key)
{
    crypto_random(key->bytes, sizeof key->bytes);
}

/* |use| keeps tokens and branches apart: one is no good as the other. */
static void seal(const struct sip_flow_key *key, const char *use, const uint8_t name[NAME_SIZE], uint8_t out[SEAL_SIZE])
{
    uint8_t hash[SHA256_SIZE];
    const struct span spans[] = {span_of_text(use), {name, NAME_SIZE}};
    crypto_hmac_sha256((struct span){key->bytes, sizeof key->bytes}, spans, 2, hash);
    memcpy(out, hash, SEAL_SIZE);
}

static void make(const struct sip_flow_key *key, const char *use, uint8_t worker, uint64_t number, char *out)
{
    uint8_t bytes[SIZE];
    bytes[0] = worker;
    store_u32(bytes + 1, (uint32_t)(number >> 32));
    store_u32(bytes + 5, (uint32_t)number);
    seal(key, use, bytes, bytes + NAME_SIZE);
    crypto_base64url(bytes, SIZE, out);
}

static int read_sealed(const struct sip_flow_key *key, const char *use, struct span text, struct sip_flow_name *out)
{
    uint8_t bytes[SIZE], expected[SEAL_SIZE];
    if (text.length != LENGTH || crypto_base64url_decode(text.bytes, text.length, bytes, sizeof bytes) != SIZE)
        return ERR_FORBIDDEN;
    seal(key, use, bytes, expected);
    if (!crypto_equal(bytes + NAME_SIZE, expected, SEAL_SIZE))
        return ERR_FORBIDDEN;
    *out =
        (struct sip_flow_name){.worker = bytes[0], .flow = (uint64_t)load_u32(bytes + 1) << 32 | load_u32(bytes + 5)};
    return 0;
}

void sip_flow_token_make(const struct sip_flow_key *key, struct sip_flow_name name, char out[SIP_FLOW_TOKEN_SIZE])
{
    make(key, "flow", name.worker, name.flow, out);
}

int sip_flow_token_read(const struct sip_flow_key *key, struct span token, struct sip_flow_name *out)
{
    return read_sealed(key, "flow", token, out);
}

void sip_branch_make(const struct sip_flow_key *key, uint8_t worker, char out[SIP_BRANCH_SIZE])
{
    uint64_t number;
    crypto_random(&number, sizeof number);
    memcpy(out, COOKIE, COOKIE_LENGTH);
    make(key, "branch", worker, number, out + COOKIE_LENGTH);
}

int sip_branch_worker(const struct sip_flow_key *key, struct span branch)
{
    struct sip_flow_name name;
    if (branch.length < COOKIE_LENGTH || memcmp(branch.bytes, COOKIE, COOKIE_LENGTH) != 0)
        return ERR_FORBIDDEN;
    struct span sealed = {(const char *)branch.bytes + COOKIE_LENGTH, branch.length - COOKIE_LENGTH};
    return read_sealed(key, "branch", sealed, &name) == 0 ? name.worker : ERR_FORBIDDEN;
}
