/* SPDX-License-Identifier: BSD-3-Clause */
#include "crypto/digest.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

/* OpenSSL 3 looks an algorithm up by name at a cost above that of hashing a short message, and a context costs several
 * allocations. So algorithms are fetched once in the process and each thread keeps its own contexts. */

enum digest_kind {
    DIGEST_MD5,
    DIGEST_SHA1,
    DIGEST_SHA256,
    DIGEST_COUNT,
};

static const char *const digest_names[DIGEST_COUNT] = {"MD5", "SHA1", "SHA256"};
static const size_t digest_sizes[DIGEST_COUNT] = {MD5_SIZE, SHA1_SIZE, SHA256_SIZE};

struct thread_contexts {
    bool ready;
    EVP_MD_CTX *digest;
    EVP_MAC_CTX *hmac[DIGEST_COUNT]; /* none for MD5 */
};

static pthread_once_t fetched = PTHREAD_ONCE_INIT;
static EVP_MD *digests[DIGEST_COUNT];
static EVP_MAC *hmac;
static pthread_key_t contexts_key; /* only for the destructor at the thread's end */
static _Thread_local struct thread_contexts contexts_of_thread;

static void contexts_fini(void *of_thread)
{
    struct thread_contexts *contexts = of_thread;
    EVP_MD_CTX_free(contexts->digest);
    for (size_t i = 0; i < DIGEST_COUNT; i++)
        EVP_MAC_CTX_free(contexts->hmac[i]);
    memset(contexts, 0, sizeof *contexts);
}

static void fetch_algorithms(void)
{
    for (size_t i = 0; i < DIGEST_COUNT; i++) {
        digests[i] = EVP_MD_fetch(NULL, digest_names[i], NULL);
        assert(digests[i]);
    }
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    assert(hmac);
    int failure = pthread_key_create(&contexts_key, contexts_fini);
    assert(failure == 0);
}

static EVP_MAC_CTX *hmac_context_create(enum digest_kind kind)
{
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(hmac);
    assert(context);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest_names[kind], 0),
        OSSL_PARAM_construct_end(),
    };
    int done = EVP_MAC_CTX_set_params(context, parameters);
    assert(done == 1);
    return context;
}

static struct thread_contexts *contexts(void)
{
    struct thread_contexts *mine = &contexts_of_thread;
    if (mine->ready)
        return mine;

    int failure = pthread_once(&fetched, fetch_algorithms);
    assert(failure == 0);
    mine->digest = EVP_MD_CTX_new();
    assert(mine->digest);
    mine->hmac[DIGEST_SHA1] = hmac_context_create(DIGEST_SHA1);
    mine->hmac[DIGEST_SHA256] = hmac_context_create(DIGEST_SHA256);
    failure = pthread_setspecific(contexts_key, mine);
    assert(failure == 0);
    mine->ready = true;
    return mine;
}

static void digest(enum digest_kind kind, const struct span *spans, size_t count, uint8_t *out)
{
    EVP_MD_CTX *context = contexts()->digest;
    int done = EVP_DigestInit_ex2(context, digests[kind], NULL);
    for (size_t i = 0; i < count; i++)
        done &= EVP_DigestUpdate(context, spans[i].bytes, spans[i].length);
    done &= EVP_DigestFinal_ex(context, out, NULL);
    assert(done == 1);
}

void crypto_md5(const struct span *spans, size_t count, uint8_t out[MD5_SIZE])
{
    digest(DIGEST_MD5, spans, count, out);
}

void crypto_sha256(const struct span *spans, size_t count, uint8_t out[SHA256_SIZE])
{
    digest(DIGEST_SHA256, spans, count, out);
}

void crypto_sha1(const struct span *spans, size_t count, uint8_t out[SHA1_SIZE])
{
    digest(DIGEST_SHA1, spans, count, out);
}

static void keyed_digest(enum digest_kind kind, struct span key, const struct span *spans, size_t count, uint8_t *out)
{
    EVP_MAC_CTX *context = contexts()->hmac[kind];
    /* A NULL key would mean the one before. */
    const void *key_bytes = key.length > 0 ? key.bytes : "";
    int done = EVP_MAC_init(context, key_bytes, key.length, NULL);
    for (size_t i = 0; i < count; i++)
        done &= EVP_MAC_update(context, spans[i].bytes, spans[i].length);
    size_t written = 0;
    done &= EVP_MAC_final(context, out, &written, digest_sizes[kind]);
    assert(done == 1 && written == digest_sizes[kind]);
}

void crypto_hmac_sha1(struct span key, const struct span *spans, size_t count, uint8_t out[SHA1_SIZE])
{
    keyed_digest(DIGEST_SHA1, key, spans, count, out);
}

void crypto_hmac_sha256(struct span key, const struct span *spans, size_t count, uint8_t out[SHA256_SIZE])
{
    keyed_digest(DIGEST_SHA256, key, spans, count, out);
}

void crypto_random(void *out, size_t length)
{
    assert(length <= INT32_MAX);
    int done = RAND_bytes(out, (int)length);
    assert(done == 1);
}

uint32_t crypto_random_below(uint32_t bound)
{
    assert(bound > 0);
    /* Numbers below 2^32 mod |bound| are thrown away: what is left is a whole multiple of |bound| long. */
    uint32_t reject_below = -bound % bound;
    for (;;) {
        uint32_t number;
        crypto_random(&number, sizeof number);
        if (number >= reject_below)
            return number % bound;
    }
}

bool crypto_equal(const void *a, const void *b, size_t length)
{
    return CRYPTO_memcmp(a, b, length) == 0;
}

void crypto_erase(void *bytes, size_t length)
{
    OPENSSL_cleanse(bytes, length);
}
