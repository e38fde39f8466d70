/* SPDX-License-Identifier: BSD-3-Clause */
#include "turn/client_authentication.h"

#include <string.h>

#include "auth/nonce.h"
#include "base/error.h"
#include "base/memory.h"

static struct span span_of(const struct client_text *text)
{
    return (struct span){text->bytes, text->length};
}

/* Copies |bytes|; on failure the old text stays. */
static int text_set(struct client_text *text, const void *bytes, size_t length)
{
    if (length > text->length) {
        uint8_t *grown = memory_resize(text->bytes, length);
        if (!grown)
            return ERR_MEMORY;
        text->bytes = grown;
    }
    if (length > 0)
        memcpy(text->bytes, bytes, length);
    text->length = length;
    return 0;
}

int client_authentication_init(struct client_authentication *authentication, const char *username, const char *password,
                               bool refuse_md5)
{
    *authentication = (struct client_authentication){.refuse_md5 = refuse_md5};
    if (strlen(username) > USERNAME_MAX)
        return ERR_TOO_LARGE;
    if (text_set(&authentication->username, username, strlen(username)) != 0 ||
        text_set(&authentication->password, password, strlen(password)) != 0) {
        client_authentication_fini(authentication);
        return ERR_MEMORY;
    }
    return 0;
}

void client_authentication_fini(struct client_authentication *authentication)
{
    if (authentication->password.bytes)
        crypto_erase(authentication->password.bytes, authentication->password.length);
    struct client_text *texts[] = {&authentication->username, &authentication->password, &authentication->realm,
                                   &authentication->nonce, &authentication->algorithms};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        memory_free(texts[i]->bytes);
    crypto_erase(authentication, sizeof *authentication);
}

/* The strongest algorithm that we know in a PASSWORD-ALGORITHMS value (RFC 8489 §14.11), 0 if none. The server's order
 * is not followed: its first may be the weakest. */
static enum password_algorithm strongest(const struct stun_attribute *offer)
{
    enum password_algorithm best = 0;
    struct reader r = reader_over(offer->value, offer->length);
    while (!r.failed && reader_left(&r) > 0) {
        uint16_t algorithm = reader_u16(&r);
        size_t parameters = reader_u16(&r);
        reader_take(&r, (parameters + 3) / 4 * 4);
        if (!r.failed && parameters == 0 && (algorithm == PASSWORD_MD5 || algorithm == PASSWORD_SHA256) &&
            algorithm > best)
            best = algorithm;
    }
    return best;
}

/* What the challenge lets us use. A server announces its offer in the nonce, which it can recognise: where the nonce
 * speaks of algorithms and the list is gone, somebody in between took it out (RFC 8489 §9.2.1). The same holds
 * where this very server offered more before. */
static int choose_algorithm(const struct client_authentication *authentication, const struct stun_attribute *nonce,
                            const struct stun_attribute *offer, enum password_algorithm *out)
{
    bool announced = nonce_features(nonce->value, nonce->length) & NONCE_PASSWORD_ALGORITHMS;
    if (announced && !offer)
        return ERR_MALFORMED;
    enum password_algorithm algorithm = announced ? strongest(offer) : PASSWORD_MD5;
    if (algorithm == 0)
        return ERR_FORBIDDEN;
    if (algorithm < authentication->algorithm)
        return ERR_MALFORMED;
    if (algorithm == PASSWORD_MD5 && authentication->refuse_md5)
        return ERR_FORBIDDEN;
    *out = algorithm;
    return 0;
}

int client_authentication_challenge(struct client_authentication *authentication, const struct stun_message *response)
{
    const struct stun_attribute *realm = stun_message_find(response, STUN_REALM);
    const struct stun_attribute *nonce = stun_message_find(response, STUN_NONCE);
    const struct stun_attribute *offer = stun_message_find(response, STUN_PASSWORD_ALGORITHMS);
    if (!realm || !nonce)
        return ERR_MALFORMED;
    enum password_algorithm algorithm;
    int error = choose_algorithm(authentication, nonce, offer, &algorithm);
    if (error != 0)
        return error;

    bool same_key = algorithm == authentication->algorithm &&
                    span_equal(span_of(&authentication->realm), (struct span){realm->value, realm->length});
    bool offered = offer && nonce_features(nonce->value, nonce->length) & NONCE_PASSWORD_ALGORITHMS;
    if (text_set(&authentication->realm, realm->value, realm->length) != 0 ||
        text_set(&authentication->nonce, nonce->value, nonce->length) != 0 ||
        text_set(&authentication->algorithms, offered ? offer->value : NULL, offered ? offer->length : 0) != 0)
        return ERR_MEMORY;
    authentication->algorithm = algorithm;
    if (!same_key)
        credential_key_derive(algorithm, span_of(&authentication->username), span_of(&authentication->realm),
                              span_of(&authentication->password), &authentication->key);
    authentication->challenges++;
    return 0;
}

/* A server that offered algorithms gets SHA-256 integrity from then on, whichever key is used (RFC 8489 §9.2.5). */
static enum stun_integrity integrity_kind(const struct client_authentication *authentication)
{
    return authentication->algorithms.length > 0 ? STUN_INTEGRITY_SHA256 : STUN_INTEGRITY_SHA1;
}

static struct span key_of(const struct client_authentication *authentication)
{
    return (struct span){authentication->key.bytes, authentication->key.length};
}

void client_authentication_sign(const struct client_authentication *authentication, struct stun_builder *builder)
{
    if (authentication->challenges == 0)
        return;
    stun_builder_add(builder, STUN_USERNAME, authentication->username.bytes, authentication->username.length);
    stun_builder_add(builder, STUN_REALM, authentication->realm.bytes, authentication->realm.length);
    stun_builder_add(builder, STUN_NONCE, authentication->nonce.bytes, authentication->nonce.length);
    if (authentication->algorithms.length > 0) {
        stun_builder_add(builder, STUN_PASSWORD_ALGORITHMS, authentication->algorithms.bytes,
                         authentication->algorithms.length);
        stun_builder_add_u32(builder, STUN_PASSWORD_ALGORITHM, (uint32_t)authentication->algorithm << 16);
    }
    stun_builder_add_integrity(builder, integrity_kind(authentication), key_of(authentication));
}

bool client_authentication_verify(const struct client_authentication *authentication,
                                  const struct stun_message *response)
{
    return stun_message_verify(response, integrity_kind(authentication), key_of(authentication));
}
