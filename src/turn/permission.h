/* SPDX-License-Identifier: BSD-3-Clause
 * Permissions (RFC 8656 §9), and who may be a peer at all. Private to the server's core. */
#ifndef TURN_PERMISSION_H
#define TURN_PERMISSION_H

#include "turn/allocation.h"

/* A peer that the policy lets through. */
struct turn_peer {
    struct address address; /* canonical */
    enum peer_verdict verdict;
};

/* Reads an XOR-PEER-ADDRESS and judges it. Returns STUN_OK with |*out|, or 400 (malformed), 443 (no relay of its
 * family), 403 (refused by the policy). */
enum stun_error_code turn_peer_admit(struct turn_allocation *allocation, const struct stun_message *message,
                                     const struct stun_attribute *attribute, struct turn_peer *out);

/* The live permission for |canonical|'s IP, or NULL. */
struct turn_permission *turn_permission_find(struct turn_allocation *allocation, const struct address *canonical,
                                             struct now now);
/* Makes room for |peers|, so that installing them cannot fail. Returns 0 or ERR_FULL (limit or memory) -> 508. */
int turn_permissions_reserve(struct turn_allocation *allocation, const struct turn_peer *peers, size_t count,
                             struct now now);
/* Creates the permission for |peer|, port ignored, or restarts its lifetime. Room has been reserved. */
void turn_permission_install(struct turn_allocation *allocation, const struct turn_peer *peer, struct now now);
/* Those of |family| are gone. */
void turn_permissions_forget(struct turn_allocation *allocation, uint8_t family);

#endif
