/* SPDX-License-Identifier: BSD-3-Clause
 * TURN credentials for registered clients, as the JSON that the 200 to REGISTER and /v1/turn carry. Immutable once
 * built, shared by all workers. */
#ifndef AUTH_PROVISION_H
#define AUTH_PROVISION_H

#include "auth/credentials.h"
#include "auth/nonce.h"

#define PROVISION_TYPE       "application/vnd.postern.ice-servers+json"
#define PROVISION_JSON_MAX   8192
#define PROVISION_URIS_MAX   32
#define REGISTRATION_ID_SIZE (REGISTRATION_ID_LENGTH + 1) /* with its NUL */
#define PSEUDONYM_KEY_SIZE   SHA256_SIZE

/* The key of the pseudonyms, from a text that a fleet shares: its servers give a user the same pseudonym then, and so
 * one quota. HMAC-SHA-256(text, PSEUDONYM_PURPOSE). */
#define PSEUDONYM_PURPOSE "postern pseudonym key"
void pseudonym_key_init(uint8_t key[PSEUDONYM_KEY_SIZE], const char *text);

struct provision;
struct provision_settings {
    const struct credentials *credentials; /* borrowed; with a shared secret */
    const struct nonce_key *nonce_key;     /* copied; NULL: the TURN server is somebody else's, no nonce is told */
    const char *realm;                     /* copied, as the URIs are */
    const char *const *uris;
    size_t uri_count; /* up to PROVISION_URIS_MAX */
    uint32_t lifetime_s;
    uint8_t pseudonym_key[PSEUDONYM_KEY_SIZE];
};
/* Returns 0, ERR_MEMORY, ERR_NOT_FOUND (no secret to issue with) or ERR_TOO_LARGE (the JSON would not fit into
 * PROVISION_JSON_MAX bytes). */
int provision_create(const struct provision_settings *settings, struct provision **out);
void provision_destroy(struct provision **provision);

/* Writes the JSON for the user with private identity |impi|: iceServers, ttl, realm, nonce, passwordAlgorithms. The
 * user part is `p1.<pseudonym of impi>.<registration id>`; life is the smaller of the settings' and what is left until
 * |registration_expires_s|; ttl is four fifths of it, when to register again. |size|: PROVISION_JSON_MAX will do for
 * all. Returns the length, without a NUL; ERR_EXPIRED, ERR_TOO_LARGE or ERR_MEMORY. |*expires_out|: wall time until
 * which a revocation has to be kept. */
int provision_issue(const struct provision *provision, struct span impi, const char *registration_id,
                    uint64_t registration_expires_s, struct now now, char *json_out, size_t size,
                    uint64_t *expires_out);
/* A new registration id. */
void registration_id_make(char out[REGISTRATION_ID_SIZE]);

#endif
