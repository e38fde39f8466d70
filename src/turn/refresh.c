/* SPDX-License-Identifier: BSD-3-Clause
 * Refresh (RFC 8656 §8.2). */
#include "base/cursor.h"
#include "turn/core.h"
#include "turn/methods.h"

uint32_t turn_lifetime_granted(const struct turn_request *request)
{
    const struct stun_attribute *attribute = stun_message_find(request->message, STUN_LIFETIME);
    uint32_t wanted_s = attribute ? load_u32(attribute->value) : 0;
    uint32_t most_s = request->server->settings->lifetime_max_s;
    uint32_t granted_s = wanted_s > TURN_LIFETIME_DEFAULT_S ? wanted_s : TURN_LIFETIME_DEFAULT_S;
    return granted_s < most_s ? granted_s : most_s;
}

bool turn_family_requested(const struct turn_request *request, uint16_t type, uint8_t *out)
{
    const struct stun_attribute *attribute = stun_message_find(request->message, type);
    if (!attribute)
        return false;
    *out = stun_family_decode(attribute->value[0]);
    return true;
}

static bool asks_for_end(const struct turn_request *request)
{
    const struct stun_attribute *lifetime = stun_message_find(request->message, STUN_LIFETIME);
    return lifetime && load_u32(lifetime->value) == 0;
}

/* Ends the allocation, or of a dual one only |relay|. */
static void end(struct turn_request *request, struct turn_relay *relay)
{
    struct turn_allocation *allocation = request->allocation;
    bool dual = allocation->relays[0].allocation && allocation->relays[1].allocation;
    if (relay && dual) {
        turn_relay_close(relay);
        return;
    }
    turn_allocation_end(allocation, TURN_END_REFRESHED);
    request->allocation = NULL;
}

enum stun_error_code turn_refresh(struct turn_request *request, struct stun_builder *answer)
{
    struct turn_relay *relay = NULL;
    uint8_t family;
    if (turn_family_requested(request, STUN_REQUESTED_ADDRESS_FAMILY, &family)) {
        relay = turn_allocation_relay(request->allocation, family);
        if (!relay)
            return STUN_PEER_ADDRESS_FAMILY_MISMATCH;
    }
    uint32_t lifetime_s = 0;
    if (asks_for_end(request)) {
        end(request, relay);
    } else if (turn_request_is_revoked(request)) {
        return STUN_UNAUTHENTICATED;
    } else {
        lifetime_s = turn_lifetime_granted(request);
        turn_allocation_refresh(request->allocation, lifetime_s, request->now);
    }
    stun_builder_add_u32(answer, STUN_LIFETIME, lifetime_s);
    return STUN_OK;
}
