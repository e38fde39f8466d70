/* SPDX-License-Identifier: BSD-3-Clause
 * The stateless nonce: nonce cookie and security feature bits (RFC 8489 §9.2), time, and a keyed hash over both and the
 * client's address. Nothing is kept about a client before its nonce comes back, and a fleet that shares the key accepts
 * each other's nonces. */
#ifndef AUTH_NONCE_H
#define AUTH_NONCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/now.h"

/* Security feature bits (RFC 8489 §18.1), counted from the most significant of 24. */
#define NONCE_PASSWORD_ALGORITHMS 0x800000u
#define NONCE_USERNAME_ANONYMITY  0x400000u

#define NONCE_LENGTH     28 /* 9 cookie, 4 features, 15 of time and hash; short, since it goes to strangers */
#define NONCE_LIFETIME_S 3600
#define NONCE_KEY_SIZE   32

struct nonce_key {
    uint8_t bytes[NONCE_KEY_SIZE];
};

/* A key derived from the operator's text, or a random one where it is empty. */
void nonce_key_init(struct nonce_key *key, const char *text);

/* Writes NONCE_LENGTH characters, no NUL. The port of |client| does not count: a NAT may change it between two tries.
 */
void nonce_make(const struct nonce_key *key, const struct address *client, uint32_t features, struct now now,
                char out[NONCE_LENGTH]);

/* What the 24 feature bits of |nonce| say, 0 where it has no cookie. */
uint32_t nonce_features(const uint8_t *nonce, size_t length);

/* Returns 0 if the nonce was made with |key| for |client| within NONCE_LIFETIME_S, else ERR_EXPIRED (too old, or not
 * ours): both are answered with 438. */
int nonce_check(const struct nonce_key *key, const struct address *client, const uint8_t *nonce, size_t length,
                struct now now);

#endif
