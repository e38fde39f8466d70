/* SPDX-License-Identifier: BSD-3-Clause
 * TURN credentials for registered clients, as the JSON that the 200 to REGISTER and /v1/turn carry. Immutable once
 * built, shared by all workers. */
#ifndef AUTH_PROVISION_H
#define AUTH_PROVISION_H

#include "auth/credentials.h"
#include "auth/nonce.h"

#define PROVISION_TYPE       "application/vnd.postern.ice-servers+json"
#define PROVISION_JSON_MAX   8192
#define REGISTRATION_ID_SIZE 17 /* 16 characters of base64url alphabet and a NUL */

struct provision;
struct provision_settings {
    const struct credentials *credentials;
    const struct nonce_key *nonce_key; /* NULL: the TURN server is somebody else's, no nonce is told */
    const char *realm;
    const char *const *uris;
    size_t uri_count;
    uint32_t lifetime_s;
    uint8_t pseudonym_key[32];
};
/* Copies. Returns 0 or ERR_MEMORY. */
int provision_create(const struct provision_settings *settings, struct provision **out);
void provision_destroy(struct provision **provision);

/* Writes the JSON for the user with private identity |impi|: iceServers, ttl, realm, nonce, passwordAlgorithms. The
 * user part is `p1.<pseudonym of impi>.<registration id>`; life is the smaller of the settings' and what is left until
 * |registration_expires_s|. Returns the length, ERR_EXPIRED, or ERR_TOO_LARGE. |*expires_out|: wall time. */
int provision_issue(const struct provision *provision, struct span impi, const char *registration_id,
                    uint64_t registration_expires_s, struct now now, char *json_out, size_t size,
                    uint64_t *expires_out);
/* A new registration id. */
void registration_id_make(char out[REGISTRATION_ID_SIZE]);

#endif
