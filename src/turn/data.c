/* SPDX-License-Identifier: BSD-3-Clause */
#include "turn/data.h"

#include <assert.h>

#include "base/cursor.h"
#include "turn/channel.h"
#include "turn/core.h"
#include "turn/permission.h"

/* Bandwidth is leased from the ledger this much at a time, and after a refusal not asked for again for a while. */
#define LEASE_BYTES         (16 * 1024)
#define LEASE_REFUSED_NS    (5 * NS_PER_MS)
#define DATA_INDICATION_MAX (STUN_HEADER_SIZE + 24 + 4) /* what stands before the payload: IPv6 peer, DATA's header */

/* Whether the limits let |length| bytes of payload through. */
static bool bandwidth_admits(struct turn_allocation *allocation, size_t length, struct now now)
{
    struct turn_server *server = allocation->server;
    if (!server->bandwidth_limited)
        return true;
    if (allocation->leased_bytes < length && now.monotonic_ns >= allocation->lease_again_ns) {
        uint64_t wanted = length > LEASE_BYTES ? length : LEASE_BYTES;
        uint64_t granted = ledger_bandwidth_lease(server->settings->ledger, allocation->user, wanted, now);
        allocation->leased_bytes += granted;
        if (granted < wanted)
            allocation->lease_again_ns = now.monotonic_ns + LEASE_REFUSED_NS;
    }
    if (allocation->leased_bytes < length) {
        counter_add(&server->counters.dropped_bandwidth, 1);
        return false;
    }
    allocation->leased_bytes -= length;
    return true;
}

uint64_t turn_server_peer_carried(struct turn_server *server, struct turn_peer_connection *connection, bool to_client,
                                  size_t length, struct now now)
{
    struct turn_allocation *allocation = connection->allocation;
    uint64_t *bytes = to_client ? &allocation->bytes_out : &allocation->bytes_in;
    *bytes += length;
    counter_add(to_client ? &server->counters.bytes_out : &server->counters.bytes_in, length);
    if (!server->bandwidth_limited)
        return 0;
    allocation->owed_bytes += length;
    allocation->owed_bytes -=
        ledger_bandwidth_lease(server->settings->ledger, allocation->user, allocation->owed_bytes, now);
    return allocation->owed_bytes > 0 ? LEASE_REFUSED_NS : 0;
}

/* Where packets to |canonical| go: another allocation of this server is reached at the address it is bound to, and a
 * relay address that is permitted for that alone is reached nowhere else. False: nowhere. */
static bool find_way(const struct turn_server *server, const struct address *canonical, enum peer_verdict verdict,
                     struct address *way_out)
{
    const struct relay_ports *ports = server->settings->ports;
    if (relay_ports_live(ports, canonical, way_out))
        return true;
    if (verdict == PEER_HAIRPIN)
        return false;
    if (!relay_ports_private(ports, canonical, way_out))
        *way_out = *canonical;
    return true;
}

static void relay_to_peer(struct turn_allocation *allocation, const struct address *way, const uint8_t *payload,
                          size_t length, bool dont_fragment, struct now now)
{
    struct turn_server *server = allocation->server;
    struct turn_relay *relay = turn_allocation_relay(allocation, way->family);
    if (!relay || !bandwidth_admits(allocation, length, now))
        return;
    allocation->packets_in++;
    allocation->bytes_in += length;
    counter_add(&server->counters.packets_in, 1);
    counter_add(&server->counters.bytes_in, length);
    server->host.relay_send(server->host.context, relay, way, payload, length, dont_fragment);
}

static void drop_unpermitted(struct turn_server *server)
{
    counter_add(&server->counters.dropped_no_permission, 1);
}

/* RFC 8656 §12.6. A bound channel is permission enough for its own peer, both ways: it was judged when it was bound,
 * and clients that bind every ten minutes and never renew the permission are in the field. */
void turn_channel_data_receive(struct turn_allocation *allocation, const struct channel_data *data, struct now now)
{
    const struct turn_channel *channel = turn_channel_of_number(allocation, data->number, now);
    struct address way;
    if (!channel) {
        drop_unpermitted(allocation->server);
        return;
    }
    if (!channel->own)
        way = channel->peer;
    else if (!find_way(allocation->server, &channel->peer, (enum peer_verdict)channel->verdict, &way))
        return;
    relay_to_peer(allocation, &way, data->payload, data->length, false, now);
}

/* RFC 8656 §11.2. The policy has judged the peer's IP with the permission; what hangs on the port is asked here. */
void turn_send_receive(struct turn_allocation *allocation, const struct stun_message *message, struct now now)
{
    struct turn_server *server = allocation->server;
    const struct peer_policy *policy = server->settings->policy;
    const struct stun_attribute *peer_attribute = stun_message_find(message, STUN_XOR_PEER_ADDRESS);
    const struct stun_attribute *data = stun_message_find(message, STUN_DATA);
    struct address spelled;
    if (!peer_attribute || !data || message->unknown_count > 0 ||
        stun_address_decode(message, peer_attribute, true, &spelled) != 0) {
        counter_add(&server->counters.dropped_malformed, 1);
        return;
    }
    struct address peer = peer_policy_canonical(policy, &spelled), way;
    const struct turn_permission *permission =
        peer.family == spelled.family ? turn_permission_find(allocation, &peer, now) : NULL;
    if (!permission || peer.port == 0 || turn_allocation_protocol(allocation) != RELAY_UDP ||
        peer_policy_is_listener(policy, &peer)) {
        drop_unpermitted(server);
        return;
    }
    if (!find_way(server, &peer, (enum peer_verdict)permission->verdict, &way))
        return;
    relay_to_peer(allocation, &way, data->value, data->length, stun_message_find(message, STUN_DONT_FRAGMENT), now);
}

/* What a peer sent, by its first byte (RFC 7983): connectivity checks and media are of use only now, data can wait. */
static enum turn_class payload_class(const uint8_t *payload, size_t length)
{
    if (length == 0)
        return TURN_CLASS_LIVE;
    return payload[0] <= 3 || (payload[0] >= 128 && payload[0] <= 191) ? TURN_CLASS_LIVE : TURN_CLASS_BULK;
}

static void client_send(struct turn_allocation *allocation, const struct turn_packet *packet)
{
    struct turn_server *server = allocation->server;
    allocation->packets_out++;
    allocation->bytes_out += packet->payload_length;
    counter_add(&server->counters.packets_out, 1);
    counter_add(&server->counters.bytes_out, packet->payload_length);
    server->host.client_send(server->host.context, &allocation->flow, packet);
}

static void channel_data_send(struct turn_allocation *allocation, uint16_t number, struct turn_packet *packet)
{
    uint8_t head[CHANNEL_DATA_HEADER_SIZE];
    if (packet->payload_length > UINT16_MAX)
        return;
    channel_data_encode_header(head, number, (uint16_t)packet->payload_length);
    packet->head = head;
    packet->head_length = sizeof head;
    /* RFC 8656 §12.5: only a stream needs the padding. */
    if (turn_transport_is_stream(allocation->flow.transport))
        packet->padding = stun_padding(packet->payload_length);
    client_send(allocation, packet);
}

static void indication_begin(struct stun_builder *builder, struct turn_allocation *allocation, void *memory,
                             size_t size, const struct address *peer)
{
    uint8_t transaction_id[STUN_TRANSACTION_ID_SIZE];
    turn_indication_id(allocation->server, transaction_id);
    stun_builder_init(builder, memory, size, STUN_DATA_INDICATION, STUN_INDICATION, transaction_id);
    stun_builder_add_xor_address(builder, STUN_XOR_PEER_ADDRESS, peer);
}

/* XOR-PEER-ADDRESS and DATA, and nothing that need not be: on a small path every byte may be the one too many. */
static void data_indication_send(struct turn_allocation *allocation, const struct address *peer,
                                 struct turn_packet *packet)
{
    uint8_t head[DATA_INDICATION_MAX];
    struct stun_builder builder;
    indication_begin(&builder, allocation, head, sizeof head, peer);
    size_t padding = stun_padding(packet->payload_length);
    size_t attributes_length = writer_length(&builder.writer) + 4 + packet->payload_length + padding - STUN_HEADER_SIZE;
    if (attributes_length > UINT16_MAX)
        return;
    writer_u16(&builder.writer, STUN_DATA);
    writer_u16(&builder.writer, (uint16_t)packet->payload_length);
    store_u16(head + 2, (uint16_t)attributes_length);
    packet->head = head;
    packet->head_length = writer_length(&builder.writer);
    packet->padding = padding;
    client_send(allocation, packet);
}

/* The peer as the client knows it: one that came round by the hairpin shows its private relay address here. */
static struct address public_spelling(const struct turn_server *server, const struct address *peer, bool *own_out)
{
    struct address canonical = *peer;
    *own_out = relay_ports_public(server->settings->ports, peer, &canonical);
    return canonical;
}

/* RFC 8656 §11.3, §12.7. */
void turn_server_receive_peer(struct turn_server *server, struct turn_relay *relay, const struct address *peer,
                              const uint8_t *payload, size_t length, struct now now)
{
    struct turn_allocation *allocation = relay->allocation;
    bool own;
    struct address canonical = public_spelling(server, peer, &own);
    const struct turn_channel *channel = turn_channel_of_peer(allocation, &canonical, now);
    const struct turn_permission *permission = channel ? NULL : turn_permission_find(allocation, &canonical, now);
    if (!channel && !permission) {
        drop_unpermitted(server);
        return;
    }
    enum peer_verdict verdict = (enum peer_verdict)(channel ? channel->verdict : permission->verdict);
    struct address ignored;
    if (own && verdict == PEER_HAIRPIN && !relay_ports_live(server->settings->ports, &canonical, &ignored)) {
        drop_unpermitted(server); /* some other program at the relay's address */
        return;
    }
    if (!bandwidth_admits(allocation, length, now))
        return;
    struct turn_packet packet = {.payload = payload, .payload_length = length, .class = payload_class(payload, length)};
    if (channel)
        channel_data_send(allocation, channel->number, &packet);
    else
        data_indication_send(allocation, &canonical, &packet);
}

/* RFC 8656 §11.5 names the kinds that are passed on: unreachable, too big, time exceeded. */
static bool icmp_is_passed_on(uint8_t family, uint8_t type)
{
    return family == ADDRESS_IPV4 ? type == 3 || type == 11 : type >= 1 && type <= 3;
}

static bool icmp_has_mtu(uint8_t family, uint8_t type, uint8_t code)
{
    return family == ADDRESS_IPV4 ? type == 3 && code == 4 : type == 2;
}

void turn_server_receive_icmp(struct turn_server *server, struct turn_relay *relay, const struct address *peer,
                              uint8_t type, uint8_t code, uint32_t data, struct now now)
{
    struct turn_allocation *allocation = relay->allocation;
    bool own;
    struct address canonical = public_spelling(server, peer, &own);
    if (!icmp_is_passed_on(canonical.family, type) ||
        (!turn_channel_of_peer(allocation, &canonical, now) && !turn_permission_find(allocation, &canonical, now)))
        return;
    uint8_t value[8] = {0, 0, type, code};
    store_u32(value + 4, icmp_has_mtu(canonical.family, type, code) ? data : 0);
    uint8_t memory[STUN_HEADER_SIZE + 24 + 12];
    struct stun_builder builder;
    indication_begin(&builder, allocation, memory, sizeof memory, &canonical);
    stun_builder_add(&builder, STUN_ICMP, value, sizeof value);
    int length = stun_builder_finish(&builder);
    assert(length > 0);
    struct turn_packet packet = {.head = memory, .head_length = (size_t)length, .class = TURN_CLASS_BULK};
    server->host.client_send(server->host.context, &allocation->flow, &packet);
}
