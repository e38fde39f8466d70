/* SPDX-License-Identifier: BSD-3-Clause
 * What hands out credentials for the relay and takes them back: access tokens, provisioning, revocations, as the
 * settings want them. */
#ifndef DAEMON_ISSUING_H
#define DAEMON_ISSUING_H

#include "auth/provision.h"
#include "auth/revocations.h"
#include "auth/token.h"
#include "daemon/settings.h"
#include "daemon/ways_in.h"

#define ISSUING_SECRET_FILE      "turn-secret" /* both in the state directory */
#define ISSUING_REVOCATIONS_FILE "revocations"

struct issuing {
    struct token_verifier *tokens;   /* NULL: none are taken */
    struct provision *provision;     /* NULL: nothing is handed out */
    struct revocations *revocations; /* NULL: the edge is off */
};

/* Borrowed for the call, but |credentials|, which has to outlive the issuing. */
struct issuing_parts {
    const struct settings *settings;
    bool keep; /* false: nothing in the state directory is made or changed */
    const struct credentials *credentials;
    const struct nonce_key *nonce_key;
    const struct ways_in_url *own_uris;
    size_t own_uri_count;
};

/* Where credentials are to be handed out and the settings have no shared secret, adds one that is made once and kept
 * in the state directory. Returns 0, or an error with |error| filled. */
int issuing_add_secret(const struct settings *settings, bool keep, struct credentials *credentials,
                       struct settings_error *error);

/* Returns 0, or ERR_MEMORY, ERR_SYSTEM or ERR_MALFORMED with |error| filled; issuing_fini() is due in any case. */
int issuing_init(struct issuing *issuing, const struct issuing_parts *parts, struct settings_error *error);
void issuing_fini(struct issuing *issuing);

#endif
