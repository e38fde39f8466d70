/* SPDX-License-Identifier: BSD-3-Clause
 * The public keys of those who sign access tokens, from JWKS (RFC 7517) or PEM files. Immutable once read. Private to
 * token.c. */
#ifndef AUTH_TOKEN_KEYS_H
#define AUTH_TOKEN_KEYS_H

#include <cjose/cjose.h>

#include "auth/token.h"
#include "crypto/public_key.h"

#define TOKEN_KEYS_MAX 64 /* in all files */
#define TOKEN_KID_MAX  255

struct token_key {
    cjose_jwk_t *jwk; /* no private part, whatever the file had */
    enum public_key_kind kind;
    size_t signature_size;       /* of every algorithm that the key fits */
    char kid[TOKEN_KID_MAX + 1]; /* "": none */
    char algorithm[8];           /* "": any that fits the kind */
};

struct token_keys {
    struct token_key items[TOKEN_KEYS_MAX];
    size_t count;
};

/* Adds the keys of |file|. Returns 0, or ERR_MEMORY or ERR_MALFORMED with |error| filled. token_keys_fini() is due in
 * any case. */
int token_keys_read(struct token_keys *keys, const char *file, struct token_error *error);
void token_keys_fini(struct token_keys *keys);

#endif
