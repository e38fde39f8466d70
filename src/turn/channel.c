/* SPDX-License-Identifier: BSD-3-Clause */
#include "turn/channel.h"

#include "base/cursor.h"
#include "stun/framing.h"
#include "turn/core.h"
#include "turn/methods.h"
#include "turn/permission.h"

static bool is_live(const struct turn_channel *channel, struct now now)
{
    return channel->expires_ns > now.monotonic_ns;
}

struct turn_channel *turn_channel_of_number(struct turn_allocation *allocation, uint16_t number, struct now now)
{
    struct turn_channel *channels = allocation->channels;
    uint16_t found = allocation->channel_found;
    if (found < allocation->channel_count && channels[found].number == number && is_live(&channels[found], now))
        return &channels[found];
    for (uint16_t i = 0; i < allocation->channel_count; i++) {
        if (channels[i].number != number || !is_live(&channels[i], now))
            continue;
        allocation->channel_found = i;
        return &channels[i];
    }
    return NULL;
}

struct turn_channel *turn_channel_of_peer(struct turn_allocation *allocation, const struct address *canonical,
                                          struct now now)
{
    struct turn_channel *channels = allocation->channels;
    uint16_t found = allocation->channel_found;
    if (found < allocation->channel_count && address_equal(&channels[found].peer, canonical) &&
        is_live(&channels[found], now))
        return &channels[found];
    for (uint16_t i = 0; i < allocation->channel_count; i++) {
        if (!address_equal(&channels[i].peer, canonical) || !is_live(&channels[i], now))
            continue;
        allocation->channel_found = i;
        return &channels[i];
    }
    return NULL;
}

void turn_channels_forget(struct turn_allocation *allocation, uint8_t family)
{
    for (uint16_t i = 0; i < allocation->channel_count; i++)
        if (allocation->channels[i].peer.family == family)
            allocation->channels[i].expires_ns = 0;
}

/* Room for one more: that of an expired one, or a new one. NULL where there is none. */
static struct turn_channel *add(struct turn_allocation *allocation, struct now now)
{
    for (uint16_t i = 0; i < allocation->channel_count; i++)
        if (!is_live(&allocation->channels[i], now))
            return &allocation->channels[i];
    void *channels = turn_array_grow(allocation->channels, allocation->channels_inline, sizeof *allocation->channels,
                                     allocation->channel_count, &allocation->channel_capacity,
                                     allocation->channel_count + 1u, allocation->server->settings->channels_max);
    if (!channels)
        return NULL;
    allocation->channels = channels;
    return &allocation->channels[allocation->channel_count++];
}

/* RFC 8656 §12.2. */
enum stun_error_code turn_channel_bind(struct turn_request *request, struct stun_builder *answer)
{
    (void)answer;
    struct turn_allocation *allocation = request->allocation;
    const struct stun_message *message = request->message;
    uint16_t number = load_u16(stun_message_find(message, STUN_CHANNEL_NUMBER)->value);
    if (number < CHANNEL_NUMBER_FIRST || number > CHANNEL_NUMBER_LAST)
        return STUN_BAD_REQUEST;
    /* RFC 6062 §3.1: an allocation that relays TCP has no channels. */
    if (turn_allocation_protocol(allocation) == RELAY_TCP)
        return STUN_FORBIDDEN;
    struct turn_peer peer;
    enum stun_error_code refusal =
        turn_peer_admit(allocation, message, stun_message_find(message, STUN_XOR_PEER_ADDRESS), &peer);
    if (refusal != STUN_OK)
        return refusal;
    if (peer.address.port == 0)
        return STUN_BAD_REQUEST;

    struct turn_channel *channel = turn_channel_of_number(allocation, number, request->now);
    if (channel != turn_channel_of_peer(allocation, &peer.address, request->now))
        return STUN_BAD_REQUEST; /* the number is bound to another peer, or the peer to another number */
    if (turn_permissions_reserve(allocation, &peer, 1, request->now) != 0)
        return STUN_INSUFFICIENT_CAPACITY;
    if (!channel)
        channel = add(allocation, request->now);
    if (!channel)
        return STUN_INSUFFICIENT_CAPACITY;
    struct address ignored;
    *channel = (struct turn_channel){
        .peer = peer.address,
        .number = number,
        .verdict = (uint8_t)peer.verdict,
        .own = relay_ports_private(allocation->server->settings->ports, &peer.address, &ignored),
        .expires_ns = request->now.monotonic_ns + TURN_CHANNEL_LIFETIME_S * NS_PER_S,
    };
    turn_permission_install(allocation, &peer, request->now);
    return STUN_OK;
}
