/* SPDX-License-Identifier: BSD-3-Clause
 * Digest at the registrar (RFC 3261 §22, RFC 7616, RFC 8760): challenges with a stateless nonce, and the check of what
 * comes back. */
#ifndef REGISTRAR_CHALLENGE_H
#define REGISTRAR_CHALLENGE_H

#include "base/now.h"
#include "base/siphash.h"
#include "registrar/accounts.h"
#include "sip/message.h"

#define CHALLENGE_NONCE_SIZE 33  /* with its NUL */
#define CHALLENGE_LIFETIME_S 300 /* of a nonce */
#define CHALLENGE_COUNTS     1024

/* Counts of nonces that have proved a password: a slot a nonce, under a keyed hash. A newer nonce takes the slot; then
 * what was sent with the older one can be sent again, within the nonce's lifetime. */
struct challenge_count {
    uint64_t nonce;
    uint32_t count;
};

struct challenge {
    uint8_t key[SHA256_SIZE];
    struct siphash_key slot_key;
    struct challenge_count counts[CHALLENGE_COUNTS];
    struct credential_key nobody; /* what a name without an account is compared with */
};
void challenge_init(struct challenge *challenge);

enum challenge_verdict {
    CHALLENGE_PASSED,
    CHALLENGE_VOUCHED, /* by the edge (integrity-protected="auth-done", TS 24.229 §5.4.1.2.2E) */
    CHALLENGE_AGAIN,   /* no credentials, or wrong ones -> 401 */
    CHALLENGE_STALE,   /* right ones with a nonce that is too old or was used -> 401 with stale=true */
    CHALLENGE_ERROR,   /* the accounts cannot be asked -> 500 */
};
/* Judges the Authorization of |request|. |user_out|: the account that passed. */
enum challenge_verdict challenge_judge(struct challenge *challenge, struct accounts *accounts, const char *realm,
                                       const osip_message_t *request, struct now now,
                                       char user_out[ACCOUNT_NAME_MAX + 1]);
/* Adds two WWW-Authenticate fields to |response|: SHA-256 first, as preferred (RFC 8760 §2.3). Returns 0 or ERR_MEMORY.
 */
int challenge_add(const struct challenge *challenge, const char *realm, bool stale, struct now now,
                  osip_message_t *response);

#endif
