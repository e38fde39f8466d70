/* SPDX-License-Identifier: BSD-3-Clause */
#include "auth/credentials.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/siphash.h"

#define SECRET_MAX        512
#define EXPIRY_DIGITS_MAX 20 /* of a 64-bit number */
#define PSEUDONYM_AT      (sizeof CREDENTIAL_NAME_MARK - 1)
#define PASSWORD_SIZE     CRYPTO_BASE64_SIZE(SHA1_SIZE)

/* The password itself is not kept: only the keys made from it. */
struct account {
    struct hash_entry by_name, by_userhash;
    char *name;
    size_t name_length;
    uint8_t userhash[SHA256_SIZE];
    struct credential_key md5, sha256;
};

struct secret {
    uint8_t bytes[SECRET_MAX];
    size_t length;
};

struct credentials {
    char *realm;
    struct siphash_key hash_key;
    struct hash by_name, by_userhash;
    struct secret secrets[CREDENTIALS_SECRETS_MAX];
    unsigned secret_count;
};

static struct span realm_of(const struct credentials *credentials)
{
    return span_of_text(credentials->realm);
}

void credential_key_derive(enum password_algorithm algorithm, struct span username, struct span realm,
                           struct span password, struct credential_key *out)
{
    const struct span colon = span_of_text(":");
    const struct span spans[] = {username, colon, realm, colon, password};
    memset(out, 0, sizeof *out);
    if (algorithm == PASSWORD_SHA256) {
        crypto_sha256(spans, 5, out->bytes);
        out->length = SHA256_SIZE;
    } else {
        crypto_md5(spans, 5, out->bytes);
        out->length = MD5_SIZE;
    }
}

int credentials_create(const char *realm, struct credentials **out)
{
    struct credentials *credentials = memory_zeroed(1, sizeof *credentials);
    if (!credentials)
        return ERR_MEMORY;
    crypto_random(&credentials->hash_key, sizeof credentials->hash_key);
    credentials->realm = memory_string(realm);
    if (!credentials->realm || hash_init(&credentials->by_name) != 0 || hash_init(&credentials->by_userhash) != 0) {
        credentials_destroy(&credentials);
        return ERR_MEMORY;
    }
    *out = credentials;
    return 0;
}

static void account_destroy(struct account *account)
{
    memory_free(account->name);
    crypto_erase(account, sizeof *account);
    memory_free(account);
}

static void destroy_named(struct hash_entry *entry, void *context)
{
    (void)context;
    account_destroy(container_of(entry, struct account, by_name));
}

void credentials_destroy(struct credentials **credentials)
{
    struct credentials *gone = *credentials;
    if (!gone)
        return;
    if (gone->by_name.buckets)
        hash_each(&gone->by_name, destroy_named, NULL);
    hash_fini(&gone->by_name);
    hash_fini(&gone->by_userhash);
    memory_free(gone->realm);
    crypto_erase(gone, sizeof *gone);
    memory_free(gone);
    *credentials = NULL;
}

static struct account *find_name(const struct credentials *credentials, struct span name)
{
    uint64_t hash = siphash(&credentials->hash_key, name.bytes, name.length);
    for (struct hash_entry *e = hash_first(&credentials->by_name, hash); e; e = hash_next(e)) {
        struct account *account = container_of(e, struct account, by_name);
        if (span_equal((struct span){account->name, account->name_length}, name))
            return account;
    }
    return NULL;
}

static struct account *find_userhash(const struct credentials *credentials, const uint8_t *userhash)
{
    uint64_t hash = siphash(&credentials->hash_key, userhash, SHA256_SIZE);
    for (struct hash_entry *e = hash_first(&credentials->by_userhash, hash); e; e = hash_next(e)) {
        struct account *account = container_of(e, struct account, by_userhash);
        if (memcmp(account->userhash, userhash, SHA256_SIZE) == 0)
            return account;
    }
    return NULL;
}

int credentials_add_account(struct credentials *credentials, const char *username, const char *password)
{
    struct span name = span_of_text(username), realm = realm_of(credentials);
    if (name.length == 0)
        return ERR_MALFORMED;
    if (name.length > USERNAME_MAX)
        return ERR_TOO_LARGE;
    if (find_name(credentials, name))
        return ERR_EXISTS;
    struct account *account = memory_zeroed(1, sizeof *account);
    if (!account)
        return ERR_MEMORY;
    account->name = memory_string(username);
    if (!account->name) {
        account_destroy(account);
        return ERR_MEMORY;
    }
    account->name_length = name.length;
    credential_key_derive(PASSWORD_MD5, name, realm, span_of_text(password), &account->md5);
    credential_key_derive(PASSWORD_SHA256, name, realm, span_of_text(password), &account->sha256);
    const struct span hashed[] = {name, span_of_text(":"), realm};
    crypto_sha256(hashed, 3, account->userhash);
    hash_insert(&credentials->by_name, &account->by_name, siphash(&credentials->hash_key, name.bytes, name.length));
    hash_insert(&credentials->by_userhash, &account->by_userhash,
                siphash(&credentials->hash_key, account->userhash, SHA256_SIZE));
    return 0;
}

int credentials_add_secret(struct credentials *credentials, const char *secret)
{
    size_t length = strlen(secret);
    if (length == 0)
        return ERR_MALFORMED;
    if (length > SECRET_MAX)
        return ERR_TOO_LARGE;
    if (credentials->secret_count == CREDENTIALS_SECRETS_MAX)
        return ERR_FULL;
    for (unsigned i = 0; i < credentials->secret_count; i++)
        if (credentials->secrets[i].length == length && memcmp(credentials->secrets[i].bytes, secret, length) == 0)
            return ERR_EXISTS;
    struct secret *added = &credentials->secrets[credentials->secret_count++];
    memcpy(added->bytes, secret, length);
    added->length = length;
    return 0;
}

bool credentials_anonymity_possible(const struct credentials *credentials)
{
    return credentials->secret_count == 0 && credentials->by_name.count > 0;
}

static void match_account(const struct account *account, enum password_algorithm algorithm,
                          struct credential_match *out)
{
    out->username = out->user_part = (struct span){account->name, account->name_length};
    out->registration = (struct span){NULL, 0};
    out->expires_s = UINT64_MAX;
    out->keys[0] = algorithm == PASSWORD_SHA256 ? account->sha256 : account->md5;
    out->key_count = 1;
}

/* Only digits, no sign or space, and no overflow. Returns the number of digits, 0 where they are no time. */
static size_t expiry_parse(struct span username, uint64_t *out)
{
    const char *text = username.bytes;
    size_t digits = 0;
    *out = 0;
    while (digits < username.length && text[digits] >= '0' && text[digits] <= '9') {
        unsigned digit = (unsigned)(text[digits] - '0');
        if (*out > (UINT64_MAX - digit) / 10)
            return 0;
        *out = *out * 10 + digit;
        digits++;
    }
    return digits <= EXPIRY_DIGITS_MAX ? digits : 0;
}

static bool is_base64url(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!(text[i] >= 'a' && text[i] <= 'z') && !(text[i] >= 'A' && text[i] <= 'Z') &&
            !(text[i] >= '0' && text[i] <= '9') && text[i] != '-' && text[i] != '_')
            return false;
    return true;
}

/* Takes `.<registration id>` off the end of a user that has one. */
static void registration_parse(struct credential_name *name)
{
    const char *text = name->user_part.bytes;
    size_t length = name->user_part.length;
    if (length <= PSEUDONYM_AT + 1 + REGISTRATION_ID_LENGTH || memcmp(text, CREDENTIAL_NAME_MARK, PSEUDONYM_AT) != 0)
        return;
    size_t dot = length - REGISTRATION_ID_LENGTH - 1;
    if (text[dot] != '.' || !is_base64url(text + PSEUDONYM_AT, dot - PSEUDONYM_AT) ||
        !is_base64url(text + dot + 1, REGISTRATION_ID_LENGTH))
        return;
    name->user_part.length = dot;
    name->registration = (struct span){text + dot + 1, REGISTRATION_ID_LENGTH};
}

bool credential_name_parse(struct span username, struct credential_name *out)
{
    const char *text = username.bytes;
    *out = (struct credential_name){.user_part = username};
    size_t digits = expiry_parse(username, &out->expires_s);
    if (digits == 0 || (digits < username.length && text[digits] != ':'))
        return false;
    size_t user_at = digits + 1;
    if (user_at < username.length)
        out->user_part = (struct span){text + user_at, username.length - user_at};
    registration_parse(out);
    return true;
}

/* base64(HMAC-SHA1(secret, username)). Returns its length. */
static size_t time_limited_password(const struct secret *secret, struct span username, char out[PASSWORD_SIZE])
{
    uint8_t hash[SHA1_SIZE];
    crypto_hmac_sha1((struct span){secret->bytes, secret->length}, &username, 1, hash);
    return crypto_base64(hash, sizeof hash, out);
}

static int match_secrets(const struct credentials *credentials, struct span username, enum password_algorithm algorithm,
                         struct credential_match *out)
{
    struct credential_name name;
    if (credentials->secret_count == 0 || !credential_name_parse(username, &name))
        return ERR_NOT_FOUND;
    out->username = username;
    out->user_part = name.user_part;
    out->registration = name.registration;
    out->expires_s = name.expires_s;
    out->key_count = credentials->secret_count;
    for (unsigned i = 0; i < credentials->secret_count; i++) {
        char password[PASSWORD_SIZE];
        size_t length = time_limited_password(&credentials->secrets[i], username, password);
        credential_key_derive(algorithm, username, realm_of(credentials), (struct span){password, length},
                              &out->keys[i]);
    }
    return 0;
}

int credentials_find(const struct credentials *credentials, const struct credential_claim *claim,
                     enum password_algorithm algorithm, struct credential_match *out)
{
    const struct account *account = NULL;
    if (!claim->userhash)
        account = find_name(credentials, claim->username);
    else if (credentials_anonymity_possible(credentials))
        account = find_userhash(credentials, claim->userhash);
    if (account) {
        match_account(account, algorithm, out);
        return 0;
    }
    return claim->userhash ? ERR_NOT_FOUND : match_secrets(credentials, claim->username, algorithm, out);
}

int credentials_find_digest_key(const struct credentials *credentials, struct span username,
                                enum password_algorithm algorithm, struct credential_key *out)
{
    const struct account *account = find_name(credentials, username);
    if (!account)
        return ERR_NOT_FOUND;
    *out = algorithm == PASSWORD_SHA256 ? account->sha256 : account->md5;
    return 0;
}

bool credentials_can_issue(const struct credentials *credentials)
{
    return credentials->secret_count > 0;
}

void credentials_derive_key(const struct credentials *credentials, const char *purpose, uint8_t out[SHA256_SIZE])
{
    assert(credentials->secret_count > 0);
    const struct secret *first = &credentials->secrets[0];
    const struct span span = span_of_text(purpose);
    crypto_hmac_sha256((struct span){first->bytes, first->length}, &span, 1, out);
}

int credentials_issue(const struct credentials *credentials, const char *user, uint64_t expires_s, char *username_out,
                      char *password_out)
{
    if (credentials->secret_count == 0)
        return ERR_NOT_FOUND;
    int length = snprintf(username_out, USERNAME_MAX + 1, "%" PRIu64 "%s%s", expires_s, user[0] ? ":" : "", user);
    if (length > USERNAME_MAX)
        return ERR_TOO_LARGE;
    time_limited_password(&credentials->secrets[0], (struct span){username_out, (size_t)length}, password_out);
    return 0;
}
