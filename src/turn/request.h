/* SPDX-License-Identifier: BSD-3-Clause
 * A request under way: what came, who sent it, and how its answer will be protected. Private to the server's core. */
#ifndef TURN_REQUEST_H
#define TURN_REQUEST_H

#include "turn/allocation.h"

struct peer_connection;

/* What an answer has to repeat of its request, and how it is protected (RFC 8489 §9.2.4: as the request was). A value,
 * so that it outlives the request where the answer comes later (RFC 6062 §5.2). */
struct turn_reply_to {
    uint16_t method;
    uint8_t transaction_id[STUN_TRANSACTION_ID_SIZE];
    bool fingerprint;
    enum stun_integrity integrity; /* NONE until the request has been authenticated */
    struct credential_key key;
};

struct turn_request {
    struct turn_server *server;
    const struct turn_flow *flow;
    const struct stun_message *message;
    struct now now;
    struct turn_allocation *allocation; /* of the flow, or NULL */
    struct turn_reply_to reply_to;
    struct span username;                /* as claimed; proved once authenticated */
    struct span user_part, registration; /* within |username|: see struct credential_match */
    uint64_t expires_s;                  /* of the credentials, wall time */

    /* Set by a handler. */
    bool answered_later;
    struct peer_connection *join; /* the flow belongs to it once it has been answered */
};

/* True if the request carries an integrity of either kind: whoever sends one has been challenged before. */
bool turn_request_has_integrity(const struct turn_request *request);

/* Long-term authentication, RFC 8489 §9.2.4. Returns STUN_OK with reply_to, username, user_part, registration and
 * expires_s set, or 400, 401 or 438. Whether the credentials have expired or have been revoked is not asked here. */
enum stun_error_code turn_request_authenticate(struct turn_request *request);

/* Whether the registration behind the credentials has ended. */
bool turn_request_is_revoked(const struct turn_request *request);

/* Whether the authenticated request comes from the allocation's user (RFC 8656 §5). Another username of the same user
 * that is neither expired nor revoked becomes the allocation's, so that time-limited credentials can be renewed in a
 * call. Returns STUN_OK, 441 or 500. */
enum stun_error_code turn_request_match_user(struct turn_request *request);

#endif
