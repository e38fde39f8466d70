/* SPDX-License-Identifier: BSD-3-Clause
 * Who asks for credentials by HTTP: by an access token (RFC 6750), or by Digest (RFC 7616) against accounts that this
 * server holds. Nothing is kept of a client: nonces are a keyed hash over their time. */
#ifndef DAEMON_TURN_LOGIN_H
#define DAEMON_TURN_LOGIN_H

#include "auth/credentials.h"
#include "auth/nonce.h"
#include "auth/token.h"
#include "http/head.h"
#include "http/response.h"

#define TURN_LOGIN_NONCE_LIFETIME_S 60 /* within it a request could be made again by whoever broke the TLS */

/* H(A1) of |username| in the realm of the login. Returns 0 or ERR_NOT_FOUND; any thread. */
typedef int turn_login_find(void *context, struct span username, enum password_algorithm algorithm,
                            struct credential_key *out);

struct turn_login {
    const char *realm;
    const struct token_verifier *tokens; /* NULL: no tokens */
    turn_login_find *find;               /* NULL: no Digest */
    void *find_context;
    uint8_t nonce_key[SHA256_SIZE];
};

void turn_login_init(struct turn_login *login, const char *realm, const struct nonce_key *nonce_key);

/* Who was found, or what to tell who was not. */
struct turn_login_result {
    char identity[TOKEN_IDENTITY_MAX + 1];
    uint64_t expires_s; /* of a token; UINT64_MAX for an account */
    bool stale;         /* the password may be right, but the nonce is old */
    bool bad_token;
    const char *reason; /* static */
};

/* Returns 0, or ERR_NOT_FOUND (no credentials), ERR_MALFORMED, ERR_FORBIDDEN or ERR_EXPIRED: 401. */
int turn_login_check(const struct turn_login *login, const struct http_head *head, uint64_t wall_s,
                     struct turn_login_result *out);
/* Adds WWW-Authenticate for each way that is open. */
void turn_login_challenge(const struct turn_login *login, const struct turn_login_result *result, uint64_t wall_s,
                          struct http_response *response);

#endif
