/* SPDX-License-Identifier: BSD-3-Clause */
#include "sip/flow_token.h"

#include <string.h>

#include "base/cursor.h"
#include "base/error.h"
#include "crypto/digest.h"

#define BRANCH_COOKIE        "z9hG4bK" /* RFC 3261 §8.1.1.7 */
#define BRANCH_COOKIE_LENGTH 7
#define NAME_SIZE            9 /* worker and 64 bits */
#define SEAL_SIZE            12
#define SEALED_SIZE          (NAME_SIZE + SEAL_SIZE)
#define SEALED_LENGTH        (SEALED_SIZE * 4 / 3)

_Static_assert(SEALED_SIZE % 3 == 0, "no rest in base64: a token has one spelling");
_Static_assert(SEALED_LENGTH + 1 <= SIP_FLOW_TOKEN_SIZE, "a token and its NUL fit");
_Static_assert(BRANCH_COOKIE_LENGTH + SEALED_LENGTH + 1 <= SIP_BRANCH_SIZE, "a branch and its NUL fit");

void sip_flow_key_init(struct sip_flow_key *key)
{
    crypto_random(key->bytes, sizeof key->bytes);
}

/* |purpose| keeps a branch from being a token and the other way round. */
static void seal(const struct sip_flow_key *key, const char *purpose, const uint8_t name[NAME_SIZE],
                 uint8_t out[SEAL_SIZE])
{
    uint8_t hash[SHA256_SIZE];
    const struct span spans[] = {span_of_text(purpose), {name, NAME_SIZE}};
    crypto_hmac_sha256((struct span){key->bytes, sizeof key->bytes}, spans, 2, hash);
    memcpy(out, hash, SEAL_SIZE);
}

static void write_sealed(const struct sip_flow_key *key, const char *purpose, struct sip_flow_name name,
                         char out[SEALED_LENGTH + 1])
{
    uint8_t bytes[SEALED_SIZE];
    bytes[0] = name.worker;
    store_u32(bytes + 1, (uint32_t)(name.flow >> 32));
    store_u32(bytes + 5, (uint32_t)name.flow);
    seal(key, purpose, bytes, bytes + NAME_SIZE);
    crypto_base64url(bytes, sizeof bytes, out);
}

static int read_sealed(const struct sip_flow_key *key, const char *purpose, struct span text, struct sip_flow_name *out)
{
    uint8_t bytes[SEALED_SIZE], expected[SEAL_SIZE];
    if (text.length != SEALED_LENGTH ||
        crypto_base64url_decode(text.bytes, text.length, bytes, sizeof bytes) != SEALED_SIZE)
        return ERR_FORBIDDEN;
    seal(key, purpose, bytes, expected);
    if (!crypto_equal(expected, bytes + NAME_SIZE, SEAL_SIZE))
        return ERR_FORBIDDEN;
    out->worker = bytes[0];
    out->flow = (uint64_t)load_u32(bytes + 1) << 32 | load_u32(bytes + 5);
    return 0;
}

void sip_flow_token_make(const struct sip_flow_key *key, struct sip_flow_name name, char out[SIP_FLOW_TOKEN_SIZE])
{
    write_sealed(key, "flow", name, out);
}

int sip_flow_token_read(const struct sip_flow_key *key, struct span token, struct sip_flow_name *out)
{
    return read_sealed(key, "flow", token, out);
}

void sip_branch_make(const struct sip_flow_key *key, uint8_t worker, char out[SIP_BRANCH_SIZE])
{
    struct sip_flow_name name = {.worker = worker};
    crypto_random(&name.flow, sizeof name.flow);
    memcpy(out, BRANCH_COOKIE, BRANCH_COOKIE_LENGTH);
    write_sealed(key, "branch", name, out + BRANCH_COOKIE_LENGTH);
}

int sip_branch_worker(const struct sip_flow_key *key, struct span branch)
{
    struct sip_flow_name name;
    if (branch.length < BRANCH_COOKIE_LENGTH || memcmp(branch.bytes, BRANCH_COOKIE, BRANCH_COOKIE_LENGTH) != 0)
        return ERR_FORBIDDEN;
    const struct span sealed = {(const char *)branch.bytes + BRANCH_COOKIE_LENGTH, branch.length - BRANCH_COOKIE_LENGTH};
    int result = read_sealed(key, "branch", sealed, &name);
    return result != 0 ? result : name.worker;
}
