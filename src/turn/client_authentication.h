/* SPDX-License-Identifier: BSD-3-Clause
 * The client's side of the long-term credential mechanism (RFC 8489 §9.2): what a server's challenge said, the key that
 * follows from it, and the integrity of what is sent and received. */
#ifndef TURN_CLIENT_AUTHENTICATION_H
#define TURN_CLIENT_AUTHENTICATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/credentials.h"
#include "stun/message.h"

/* Bytes copied out of an attribute. */
struct client_text {
    uint8_t *bytes;
    size_t length;
};

struct client_authentication {
    struct client_text username, password;
    struct client_text realm, nonce;
    struct client_text algorithms; /* PASSWORD-ALGORITHMS as the server sent it; returned to it untouched */
    enum password_algorithm algorithm;
    struct credential_key key;
    uint32_t challenges; /* answered so far: tells whether a request carries the newest nonce; 0: sign nothing */
    bool refuse_md5;
};

/* Room that client_authentication_sign() needs at most: username, realm, nonce, algorithms, the chosen one, integrity.
 */
#define CLIENT_AUTHENTICATION_MAX (512 + 768 + 768 + 260 + 8 + 36)

/* Both texts are copied. Returns 0, ERR_TOO_LARGE (username) or ERR_MEMORY. */
int client_authentication_init(struct client_authentication *authentication, const char *username, const char *password,
                               bool refuse_md5);
void client_authentication_fini(struct client_authentication *authentication);

/* Takes the challenge of a 401 or 438 response. Returns 0: sign the request anew, or
 *   ERR_MALFORMED    no realm or nonce, or an offer of stronger algorithms taken out on the way  -> ignore the response
 *   ERR_FORBIDDEN    nothing on offer that is acceptable                                         -> give up
 *   ERR_MEMORY                                                                                   -> give up */
int client_authentication_challenge(struct client_authentication *authentication, const struct stun_message *response);

/* Adds credentials and integrity; before the first challenge nothing. */
void client_authentication_sign(const struct client_authentication *authentication, struct stun_builder *builder);
/* True if |response| carries the integrity that our requests carry, and it is right. */
bool client_authentication_verify(const struct client_authentication *authentication,
                                  const struct stun_message *response);

#endif
