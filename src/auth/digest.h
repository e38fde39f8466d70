/* SPDX-License-Identifier: BSD-3-Clause
 * Digest access authentication (RFC 7616; RFC 8760 for SIP): the response of a client from what it and the server know.
 * MD5 and SHA-256, with qop `auth` or, as RFC 2617 had it, without. Nothing is kept here: nonces are the caller's. */
#ifndef AUTH_DIGEST_H
#define AUTH_DIGEST_H

#include <stdbool.h>

#include "base/auth_params.h"
#include "crypto/digest.h"

#define DIGEST_HEX_SIZE (2 * SHA256_SIZE + 1) /* of either algorithm, with a NUL */

enum digest_algorithm {
    DIGEST_MD5,
    DIGEST_SHA256,
};
/* "MD5" or "SHA-256" */
const char *digest_algorithm_name(enum digest_algorithm algorithm);
/* What |params| say; MD5 where they say nothing. Returns 0 or ERR_NOT_FOUND (another one, `-sess` among them: it ties
 * the key to a nonce, so no stored H(A1) serves). */
int digest_algorithm_of(const struct auth_params *params, enum digest_algorithm *out);

/* H(A1): hex of H(username ":" realm ":" password), what databases of accounts keep. */
void digest_ha1(enum digest_algorithm algorithm, struct span username, struct span realm, struct span password,
                char out[DIGEST_HEX_SIZE]);

/* What goes into a response besides H(A1). */
struct digest_request {
    struct span method, uri, nonce;
    struct span nc, cnonce, qop; /* |qop| empty: as in RFC 2617 and before, without the other two */
};
void digest_response(enum digest_algorithm algorithm, const char *ha1, const struct digest_request *request,
                     char out[DIGEST_HEX_SIZE]);

/* Checks credentials against |ha1|. The caller looks at username, realm, nonce, nc and whether the uri fits the
 * request. Returns 0, ERR_FORBIDDEN (another password), or ERR_MALFORMED (a parameter is missing or none: uri, nonce,
 * response; a qop other than auth; with it nc and cnonce). Constant-time. */
int digest_check(enum digest_algorithm algorithm, const char *ha1, const struct auth_params *credentials,
                 struct span method);

#endif
