/* SPDX-License-Identifier: BSD-3-Clause
 * Access tokens of web authentication (TS 33.203 annex X.3, RFC 8898): a JWT (RFC 7519) in a JWS signed with RS, PS or
 * ES, never HS or none. Immutable once built, shared by all workers. */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define TOKEN_MAX          8192 /* bytes */
#define TOKEN_IDENTITY_MAX 255
#define TOKEN_IMPUS_MAX    8

struct token_verifier;
struct token_settings {
    const char *const *key_files; /* JWKS (RFC 7517) or PEM, public keys */
    size_t key_file_count;
    const char *issuer, *audience;
    const char *impi_claim, *impu_claim; /* without the latter in a token: sip:IMPI */
};
struct token_error {
    char text[256]; /* for a person: file and cause */
};
/* Returns 0, or ERR_MEMORY or ERR_MALFORMED with |error| filled. */
int token_verifier_create(const struct token_settings *settings, struct token_verifier **out,
                          struct token_error *error);
void token_verifier_destroy(struct token_verifier **verifier);

/* Who the bearer is. */
struct token_identity {
    char impi[TOKEN_IDENTITY_MAX + 1];
    char impus[TOKEN_IMPUS_MAX][TOKEN_IDENTITY_MAX + 1]; /* SIP or tel URIs */
    unsigned impu_count;                                 /* at least 1 */
    uint64_t expires_s;                                  /* wall time */
};
/* Returns 0, or ERR_MALFORMED, ERR_CRYPTO (no key made that signature), ERR_EXPIRED (or not valid yet) or ERR_FORBIDDEN
 * (issuer, audience, claims): 401 with error="invalid_token" in each case. |*reason_out| is static, for the log. */
int token_verify(const struct token_verifier *verifier, struct span token, uint64_t wall_s, struct token_identity *out,
                 const char **reason_out);

/* The token of an Authorization value: `Bearer TOKEN` (RFC 6750) or `Bearer access_token="TOKEN"` (TS 24.371). Returns
 * 0 with |*out| borrowed, or ERR_NOT_FOUND (another scheme) or ERR_MALFORMED (no credentials, or no token in them). */
int token_of_authorization(struct span value, struct span *out);

#endif
