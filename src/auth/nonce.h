/* SPDX-License-Identifier: BSD-3-Clause
 * The stateless nonce: nonce cookie and security feature bits (RFC 8489 §9.2), time, and a keyed hash. Nothing is kept
 * about a client before its nonce comes back, and a fleet that shares the key accepts each other's nonces.
 *
 * There are two types, told apart by their length. The one of a challenge is bound to the client's address. The one
 * that goes out beside time-limited credentials is bound to their username, since who gets them may come to the relay
 * from another address: with it the first request is authenticated already. */
#ifndef AUTH_NONCE_H
#define AUTH_NONCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/now.h"
#include "base/span.h"

/* Security feature bits (RFC 8489 §18.1), counted from the most significant of 24. */
#define NONCE_PASSWORD_ALGORITHMS 0x800000u
#define NONCE_USERNAME_ANONYMITY  0x400000u

#define NONCE_LENGTH       28 /* 9 cookie, 4 features, 15 of time and hash; short, since it goes to strangers */
#define NONCE_BOUND_LENGTH 40 /* 9 cookie, 4 features, 27 of expiry and hash */
#define NONCE_LIFETIME_S   3600
#define NONCE_KEY_SIZE     32

struct nonce_key {
    uint8_t bytes[NONCE_KEY_SIZE];
};

/* A key derived from the operator's text, or a random one where it is empty. */
void nonce_key_init(struct nonce_key *key, const char *text);

/* Writes NONCE_LENGTH characters, no NUL. The port of |client| does not count: a NAT may change it between two tries.
 */
void nonce_make(const struct nonce_key *key, const struct address *client, uint32_t features, struct now now,
                char out[NONCE_LENGTH]);

/* The other type: good until |expires_s| (wall time, less than 68 years away) for requests whose USERNAME is
 * |username|. Writes NONCE_BOUND_LENGTH characters, no NUL. */
void nonce_make_bound(const struct nonce_key *key, struct span username, uint64_t expires_s, uint32_t features,
                      char out[NONCE_BOUND_LENGTH]);

/* What the 24 feature bits of |nonce| say, 0 where it has no cookie. */
uint32_t nonce_features(const uint8_t *nonce, size_t length);

/* Returns 0 if the nonce was made with |key|: for |client| within NONCE_LIFETIME_S, or for |username| (of the request;
 * empty where that has none, to which no nonce is bound) and not expired. Else ERR_EXPIRED (too old, or not ours): both
 * are answered with 438. */
int nonce_check(const struct nonce_key *key, const struct address *client, struct span username, struct span nonce,
                struct now now);

#endif
