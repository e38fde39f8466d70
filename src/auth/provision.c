/* SPDX-License-Identifier: BSD-3-Clause */
#include "auth/provision.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

#define PSEUDONYM_SIZE  12 /* bytes: 96 bits keep users apart, and each request on the wire carries them */
#define PSEUDONYM_CHARS CRYPTO_BASE64_SIZE(PSEUDONYM_SIZE)
#define USER_MAX        (sizeof CREDENTIAL_NAME_MARK + PSEUDONYM_CHARS + 1 + REGISTRATION_ID_SIZE)

struct provision {
    const struct credentials *credentials;
    struct nonce_key nonce_key;
    bool nonce_told;
    char *realm;
    char *uris[PROVISION_URIS_MAX];
    size_t uri_count;
    uint32_t lifetime_s;
    uint8_t pseudonym_key[PSEUDONYM_KEY_SIZE];
};

void pseudonym_key_init(uint8_t key[PSEUDONYM_KEY_SIZE], const char *text)
{
    const struct span purpose = span_of_text(PSEUDONYM_PURPOSE);
    crypto_hmac_sha256(span_of_text(text), &purpose, 1, key);
}

/* The longest that provision_issue() can write has to fit, so that no client fails for want of room. */
static int check_size(const struct provision *provision)
{
    char json[PROVISION_JSON_MAX];
    char id[REGISTRATION_ID_SIZE];
    uint64_t expires_s;
    const struct now far = {.wall_s = UINT32_MAX};
    registration_id_make(id);
    int length = provision_issue(provision, span_of_text("x"), id, UINT64_MAX, far, json, sizeof json, &expires_s);
    return length < 0 ? length : 0;
}

int provision_create(const struct provision_settings *settings, struct provision **out)
{
    assert(settings->uri_count <= PROVISION_URIS_MAX);
    struct provision *provision = memory_zeroed(1, sizeof *provision);
    if (!provision)
        return ERR_MEMORY;
    provision->credentials = settings->credentials;
    provision->lifetime_s = settings->lifetime_s;
    provision->nonce_told = settings->nonce_key != NULL;
    if (settings->nonce_key)
        provision->nonce_key = *settings->nonce_key;
    memcpy(provision->pseudonym_key, settings->pseudonym_key, sizeof provision->pseudonym_key);
    provision->realm = memory_string(settings->realm);
    bool copied = provision->realm != NULL;
    for (size_t i = 0; copied && i < settings->uri_count; i++) {
        provision->uris[provision->uri_count++] = memory_string(settings->uris[i]);
        copied = provision->uris[i] != NULL;
    }
    int result = copied ? check_size(provision) : ERR_MEMORY;
    if (result != 0) {
        provision_destroy(&provision);
        return result;
    }
    *out = provision;
    return 0;
}

void provision_destroy(struct provision **provision)
{
    struct provision *gone = *provision;
    if (!gone)
        return;
    for (size_t i = 0; i < gone->uri_count; i++)
        memory_free(gone->uris[i]);
    memory_free(gone->realm);
    crypto_erase(gone, sizeof *gone);
    memory_free(gone);
    *provision = NULL;
}

static void pseudonym_make(const struct provision *provision, struct span impi, char out[PSEUDONYM_CHARS])
{
    uint8_t hash[SHA256_SIZE];
    crypto_hmac_sha256((struct span){provision->pseudonym_key, sizeof provision->pseudonym_key}, &impi, 1, hash);
    crypto_base64url(hash, PSEUDONYM_SIZE, out);
}

/* What a native client needs so that its first Allocate is authenticated. Returns false without memory. */
static bool add_nonce(const struct provision *provision, json_t *page, const char *username, uint64_t expires_s)
{
    char nonce[NONCE_BOUND_LENGTH];
    nonce_make_bound(&provision->nonce_key, span_of_text(username), expires_s, NONCE_PASSWORD_ALGORITHMS, nonce);
    json_t *algorithms = json_pack("[s, s]", "SHA-256", "MD5"); /* the order in which TURN offers them */
    return json_object_set_new(page, "realm", json_string(provision->realm)) == 0 &&
           json_object_set_new(page, "nonce", json_stringn(nonce, sizeof nonce)) == 0 &&
           json_object_set_new(page, "passwordAlgorithms", algorithms) == 0;
}

static json_t *page_make(const struct provision *provision, const char *username, const char *password,
                         uint64_t expires_s, uint64_t ttl_s)
{
    json_t *urls = json_array();
    for (size_t i = 0; i < provision->uri_count; i++)
        if (json_array_append_new(urls, json_string(provision->uris[i])) != 0) {
            json_decref(urls);
            return NULL;
        }
    json_t *page = json_pack("{s:[{s:o, s:s, s:s}], s:I}", "iceServers", "urls", urls, "username", username,
                             "credential", password, "ttl", (json_int_t)ttl_s);
    if (page && provision->nonce_told && !add_nonce(provision, page, username, expires_s)) {
        json_decref(page);
        return NULL;
    }
    return page;
}

/* json_dumpb() tells the size that it would need. */
static int page_print(json_t *page, char *out, size_t size)
{
    size_t length = page ? json_dumpb(page, out, size, JSON_COMPACT | JSON_PRESERVE_ORDER) : 0;
    json_decref(page);
    if (length == 0)
        return ERR_MEMORY;
    return length <= size ? (int)length : ERR_TOO_LARGE;
}

int provision_issue(const struct provision *provision, struct span impi, const char *registration_id,
                    uint64_t registration_expires_s, struct now now, char *json_out, size_t size, uint64_t *expires_out)
{
    if (registration_expires_s <= now.wall_s)
        return ERR_EXPIRED;
    uint64_t life_s = registration_expires_s - now.wall_s;
    if (life_s > provision->lifetime_s)
        life_s = provision->lifetime_s;
    uint64_t expires_s = now.wall_s + life_s;
    uint64_t ttl_s = life_s - life_s / 5;

    char pseudonym[PSEUDONYM_CHARS], user[USER_MAX];
    char username[USERNAME_MAX + 1], password[CRYPTO_BASE64_SIZE(SHA1_SIZE)];
    pseudonym_make(provision, impi, pseudonym);
    snprintf(user, sizeof user, CREDENTIAL_NAME_MARK "%s.%s", pseudonym, registration_id);
    int result = credentials_issue(provision->credentials, user, expires_s, username, password);
    if (result != 0)
        return result;
    *expires_out = expires_s;
    result = page_print(page_make(provision, username, password, expires_s, ttl_s), json_out, size);
    crypto_erase(password, sizeof password);
    return result;
}

void registration_id_make(char out[REGISTRATION_ID_SIZE])
{
    uint8_t random[REGISTRATION_ID_LENGTH / 4 * 3];
    crypto_random(random, sizeof random);
    char text[CRYPTO_BASE64_SIZE(sizeof random)];
    size_t length = crypto_base64url(random, sizeof random, text);
    assert(length == REGISTRATION_ID_LENGTH);
    memcpy(out, text, length + 1);
}
