/* SPDX-License-Identifier: BSD-3-Clause */
#include "turn/request.h"

#include "base/cursor.h"
#include "turn/core.h"
#include "turn/reply.h"

static struct span value_of(const struct stun_attribute *attribute)
{
    return (struct span){attribute->value, attribute->length};
}

bool turn_request_has_integrity(const struct turn_request *request)
{
    const size_t *at = request->message->integrity_at;
    return at[STUN_INTEGRITY_SHA1] > 0 || at[STUN_INTEGRITY_SHA256] > 0;
}

/* The claim of a request that has all that belongs to one, else false -> 400. */
static bool claim_read(struct turn_request *request, struct credential_claim *claim_out, struct span *nonce_out)
{
    const struct stun_message *message = request->message;
    const struct stun_attribute *username = stun_message_find(message, STUN_USERNAME);
    const struct stun_attribute *userhash = stun_message_find(message, STUN_USERHASH);
    const struct stun_attribute *realm = stun_message_find(message, STUN_REALM);
    const struct stun_attribute *nonce = stun_message_find(message, STUN_NONCE);
    if (!username == !userhash || !realm || !nonce)
        return false;
    *claim_out = (struct credential_claim){0};
    if (username)
        claim_out->username = request->username = value_of(username);
    else
        claim_out->userhash = userhash->value;
    *nonce_out = value_of(nonce);
    return true;
}

/* RFC 8489 §9.2.4: the offer of algorithms has to come back as it was sent, or somebody in between has bid it down. A
 * client of RFC 5389 sends neither attribute. Returns 0 where that is refused -> 400. */
static enum password_algorithm algorithm_read(const struct stun_message *message)
{
    const struct stun_attribute *offered = stun_message_find(message, STUN_PASSWORD_ALGORITHMS);
    const struct stun_attribute *chosen = stun_message_find(message, STUN_PASSWORD_ALGORITHM);
    if (!offered && !chosen)
        return PASSWORD_MD5;
    if (!offered || !chosen || offered->length != TURN_PASSWORD_ALGORITHMS_LENGTH ||
        memcmp(offered->value, TURN_PASSWORD_ALGORITHMS, TURN_PASSWORD_ALGORITHMS_LENGTH) != 0)
        return 0;
    uint16_t number = load_u16(chosen->value), parameters_length = load_u16(chosen->value + 2);
    if (chosen->length != 4 || parameters_length != 0 || (number != PASSWORD_MD5 && number != PASSWORD_SHA256))
        return 0;
    return (enum password_algorithm)number;
}

/* The stronger integrity that the request carries. Truncated ones are for usages that say so (RFC 8489 §14.6), and TURN
 * says nothing. */
static enum stun_integrity integrity_of(const struct stun_message *message)
{
    const struct stun_attribute *sha256 = stun_message_find(message, STUN_MESSAGE_INTEGRITY_SHA256);
    if (!sha256)
        return STUN_INTEGRITY_SHA1;
    return sha256->length == SHA256_SIZE ? STUN_INTEGRITY_SHA256 : STUN_INTEGRITY_NONE;
}

/* The one of the candidate keys that the message was made with, or NULL. */
static const struct credential_key *verify(const struct stun_message *message, enum stun_integrity kind,
                                           const struct credential_match *match)
{
    for (unsigned i = 0; i < match->key_count; i++)
        if (stun_message_verify(message, kind, (struct span){match->keys[i].bytes, match->keys[i].length}))
            return &match->keys[i];
    return NULL;
}

/* The nonce is asked before anything else: it covers the feature bits, costs one hash, and tells nothing about who is
 * known here to whom does not hold one. */
enum stun_error_code turn_request_authenticate(struct turn_request *request)
{
    const struct turn_settings *settings = request->server->settings;
    const struct stun_message *message = request->message;
    struct credential_claim claim;
    struct span nonce;
    if (!turn_request_has_integrity(request))
        return STUN_UNAUTHENTICATED;
    if (!claim_read(request, &claim, &nonce))
        return STUN_BAD_REQUEST;
    if (nonce_check(&settings->nonce_key, &request->flow->client, claim.username, nonce, request->now) != 0)
        return STUN_STALE_NONCE;
    enum password_algorithm algorithm = algorithm_read(message);
    if (algorithm == 0)
        return STUN_BAD_REQUEST;

    struct credential_match match;
    if (credentials_find(settings->credentials, &claim, algorithm, &match) != 0)
        return STUN_UNAUTHENTICATED;
    request->username = match.username;
    enum stun_integrity kind = integrity_of(message);
    const struct credential_key *key = verify(message, kind, &match);
    if (!key)
        return STUN_UNAUTHENTICATED;
    request->reply_to.integrity = kind;
    request->reply_to.key = *key;
    request->user_part = match.user_part;
    request->registration = match.registration;
    request->expires_s = match.expires_s;
    return STUN_OK;
}

bool turn_request_is_revoked(const struct turn_request *request)
{
    struct revocations *revocations = request->server->settings->revocations;
    return revocations && revocations_has(revocations, request->registration, request->now.wall_s);
}

enum stun_error_code turn_request_match_user(struct turn_request *request)
{
    struct turn_allocation *allocation = request->allocation;
    if (span_equal(request->username, turn_allocation_username(allocation)))
        return STUN_OK;
    if (!span_equal(request->user_part, turn_allocation_user_part(allocation)) ||
        request->expires_s <= request->now.wall_s || turn_request_is_revoked(request))
        return STUN_WRONG_CREDENTIALS;
    return turn_allocation_set_username(allocation, request) == 0 ? STUN_OK : STUN_SERVER_ERROR;
}
