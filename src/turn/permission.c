/* SPDX-License-Identifier: BSD-3-Clause */
#include "turn/permission.h"

#include <assert.h>

#include "base/error.h"
#include "turn/core.h"
#include "turn/methods.h"

enum stun_error_code turn_peer_admit(struct turn_allocation *allocation, const struct stun_message *message,
                                     const struct stun_attribute *attribute, struct turn_peer *out)
{
    const struct peer_policy *policy = allocation->server->settings->policy;
    struct address spelled;
    if (!attribute || stun_address_decode(message, attribute, true, &spelled) != 0)
        return STUN_BAD_REQUEST;
    if (!turn_allocation_relay(allocation, spelled.family))
        return STUN_PEER_ADDRESS_FAMILY_MISMATCH;
    out->address = peer_policy_canonical(policy, &spelled);
    out->verdict = peer_policy_judge(policy, &out->address);
    if (out->verdict == PEER_FORBIDDEN)
        return STUN_FORBIDDEN;
    /* Nothing on the IPv6 Internet is reached by an address that spells an IPv4 one. */
    return out->address.family == spelled.family ? STUN_OK : STUN_PEER_ADDRESS_FAMILY_MISMATCH;
}

/* Expired ones as well. */
static struct turn_permission *find_slot(struct turn_allocation *allocation, const struct address *canonical)
{
    if (allocation->permission_found < allocation->permission_count) {
        struct turn_permission *latest = &allocation->permissions[allocation->permission_found];
        if (address_same_ip(&latest->ip, canonical))
            return latest;
    }
    for (uint16_t i = 0; i < allocation->permission_count; i++) {
        if (!address_same_ip(&allocation->permissions[i].ip, canonical))
            continue;
        allocation->permission_found = i;
        return &allocation->permissions[i];
    }
    return NULL;
}

struct turn_permission *turn_permission_find(struct turn_allocation *allocation, const struct address *canonical,
                                             struct now now)
{
    struct turn_permission *permission = find_slot(allocation, canonical);
    return permission && permission->expires_ns > now.monotonic_ns ? permission : NULL;
}

/* Closes the gaps of those that have expired. */
static void drop_expired(struct turn_allocation *allocation, struct now now)
{
    uint16_t kept = 0;
    for (uint16_t i = 0; i < allocation->permission_count; i++)
        if (allocation->permissions[i].expires_ns > now.monotonic_ns)
            allocation->permissions[kept++] = allocation->permissions[i];
    allocation->permission_count = kept;
}

int turn_permissions_reserve(struct turn_allocation *allocation, const struct turn_peer *peers, size_t count,
                             struct now now)
{
    drop_expired(allocation, now);
    size_t added = 0;
    for (size_t i = 0; i < count; i++) {
        bool known = find_slot(allocation, &peers[i].address);
        for (size_t before = 0; before < i && !known; before++)
            known = address_same_ip(&peers[before].address, &peers[i].address);
        added += !known;
    }
    void *permissions =
        turn_array_grow(allocation->permissions, allocation->permissions_inline, sizeof *allocation->permissions,
                        allocation->permission_count, &allocation->permission_capacity,
                        allocation->permission_count + added, allocation->server->settings->permissions_max);
    if (!permissions)
        return ERR_FULL;
    allocation->permissions = permissions;
    return 0;
}

void turn_permission_install(struct turn_allocation *allocation, const struct turn_peer *peer, struct now now)
{
    struct turn_permission *permission = find_slot(allocation, &peer->address);
    if (!permission) {
        assert(allocation->permission_count < allocation->permission_capacity);
        permission = &allocation->permissions[allocation->permission_count++];
        permission->ip = peer->address;
        permission->ip.port = 0;
    }
    permission->verdict = (uint8_t)peer->verdict;
    permission->expires_ns = now.monotonic_ns + TURN_PERMISSION_LIFETIME_S * NS_PER_S;
}

void turn_permissions_forget(struct turn_allocation *allocation, uint8_t family)
{
    for (uint16_t i = 0; i < allocation->permission_count; i++)
        if (allocation->permissions[i].ip.family == family)
            allocation->permissions[i].expires_ns = 0;
}

/* RFC 8656 §10.2: all of the peers or none. */
enum stun_error_code turn_create_permission(struct turn_request *request, struct stun_builder *answer)
{
    (void)answer;
    struct turn_peer peers[STUN_ATTRIBUTES_MAX];
    size_t count = 0;
    const struct stun_attribute *attribute = stun_message_find(request->message, STUN_XOR_PEER_ADDRESS);
    while (attribute) {
        struct turn_peer *peer = &peers[count++];
        enum stun_error_code refusal = turn_peer_admit(request->allocation, request->message, attribute, peer);
        if (refusal != STUN_OK)
            return refusal;
        attribute = stun_message_find_next(request->message, attribute);
    }
    if (turn_permissions_reserve(request->allocation, peers, count, request->now) != 0)
        return STUN_INSUFFICIENT_CAPACITY;
    for (size_t i = 0; i < count; i++)
        turn_permission_install(request->allocation, &peers[i], request->now);
    return STUN_OK;
}
