/* SPDX-License-Identifier: BSD-3-Clause
 * Whom the server knows: static accounts and time-limited credentials (username `expiry[:user]`, password
 * base64(HMAC-SHA1(secret, username))). Immutable once built, shared by all workers. */
#ifndef AUTH_CREDENTIALS_H
#define AUTH_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "crypto/digest.h"

#define USERNAME_MAX 508 /* bytes, RFC 8489 §14.3 */

/* How the password becomes the key of the integrity (RFC 8489 §18.5). */
enum password_algorithm {
    PASSWORD_MD5 = 1,
    PASSWORD_SHA256 = 2,
};

/* The long-term key of one user under one algorithm (RFC 8489 §9.2.2). */
struct credential_key {
    uint8_t bytes[SHA256_SIZE];
    size_t length; /* 16 or 32 */
};

void credential_key_derive(enum password_algorithm algorithm, struct span username, struct span realm,
                           struct span password, struct credential_key *out);

struct credentials;

/* Returns 0 or ERR_MEMORY. */
int credentials_create(const char *realm, struct credentials **out);
void credentials_destroy(struct credentials **credentials);
/* Both copy. Return 0, ERR_MEMORY, ERR_EXISTS, ERR_TOO_LARGE (name or secret), ERR_MALFORMED (empty) or ERR_FULL (more
 * than CREDENTIALS_SECRETS_MAX secrets). */
#define CREDENTIALS_SECRETS_MAX 16
int credentials_add_account(struct credentials *credentials, const char *username, const char *password);
int credentials_add_secret(struct credentials *credentials, const char *secret);

/* H(A1) of HTTP Digest (RFC 7616 §3.4.2): the key of the static account |username| in the realm of the credentials.
 * Returns 0, or ERR_NOT_FOUND. */
int credentials_find_digest_key(const struct credentials *credentials, struct span username,
                                enum password_algorithm algorithm, struct credential_key *out);

/* True while every source can look up a USERHASH: only static accounts, and at least one. */
bool credentials_anonymity_possible(const struct credentials *credentials);

/* What a request says of who sent it; borrowed. Exactly one of the two is set. */
struct credential_claim {
    struct span username;
    const uint8_t *userhash; /* 32 bytes: SHA-256(username ":" realm) */
};

#define CREDENTIAL_NAME_MARK   "p1." /* begins the user of a registered client, followed by pseudonym, dot and id */
#define REGISTRATION_ID_LENGTH 16    /* characters of the base64url alphabet, as the pseudonym's */

/* What the username of time-limited credentials says: `expiry[:user]`. The user of a registered client is
 * `p1.<pseudonym>.<registration id>` (auth/provision.h). Borrowed. */
struct credential_name {
    uint64_t expires_s;       /* wall time */
    struct span user_part;    /* what quotas count: `p1.<pseudonym>`, or all of another user; never empty (a bare
                                 `expiry` or `expiry:` counts as itself) */
    struct span registration; /* the registration id, which is the end of the username; empty where it names none */
};
/* Returns false where |username| is none of that form: an odd spelling must not become a time far away. */
bool credential_name_parse(struct span username, struct credential_name *out);

/* An identity that the claim may prove; |keys| are candidates: one, or one for each shared secret. The spans are
 * borrowed from the claim or, for a USERHASH, from the credentials. */
struct credential_match {
    struct span username;     /* as sent, or the account's name for a USERHASH */
    struct span user_part;    /* as of struct credential_name; all of a static account's name */
    struct span registration; /* as of struct credential_name */
    uint64_t expires_s;       /* wall time; UINT64_MAX for a static account */
    struct credential_key keys[CREDENTIALS_SECRETS_MAX];
    unsigned key_count;
};

/* Finds who the claim says it is. Does not judge expiry: that is asked at Allocate only (time-limited credentials are a
 * convention without an RFC). Returns 0, or ERR_NOT_FOUND -> 401. A static account of that very name stands alone, so
 * that an account named like a telephone number is no expired credential; else the secrets are asked where the name
 * looks like `digits[:...]`. */
int credentials_find(const struct credentials *credentials, const struct credential_claim *claim,
                     enum password_algorithm algorithm, struct credential_match *out);

/* True while there is a secret to issue time-limited credentials with. */
bool credentials_can_issue(const struct credentials *credentials);
/* A key for another purpose, of the first secret: HMAC-SHA-256(secret, purpose). There has to be a secret. */
void credentials_derive_key(const struct credentials *credentials, const char *purpose, uint8_t out[SHA256_SIZE]);
/* Makes time-limited credentials with the first secret: |username_out| takes USERNAME_MAX + 1 bytes, |password_out|
 * CRYPTO_BASE64_SIZE(SHA1_SIZE). Returns 0, ERR_NOT_FOUND (no secret) or ERR_TOO_LARGE. */
int credentials_issue(const struct credentials *credentials, const char *user, uint64_t expires_s, char *username_out,
                      char *password_out);

#endif
