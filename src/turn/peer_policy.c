/* SPDX-License-Identifier: BSD-3-Clause */
#include "turn/peer_policy.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* The ranges of the IANA special-purpose address registries (RFC 6890) that no peer on the Internet has, and why each
 * is refused. Where a registry entry is reachable only in parts, all of it is refused. */
static const struct {
    const char *prefix, *reason;
} special_purpose[] = {
    {"0.0.0.0/8", "this host on this network"},
    {"10.0.0.0/8", "private"},
    {"100.64.0.0/10", "shared by a carrier-grade NAT"},
    {"127.0.0.0/8", "loopback"},
    {"168.63.129.16/32", "not in a registry: what Azure serves its virtual machines by, credentials included"},
    {"169.254.0.0/16", "link-local; clouds keep their metadata there"},
    {"172.16.0.0/12", "private"},
    {"192.0.0.0/24", "IETF protocol assignments"},
    {"192.0.2.0/24", "documentation"},
    {"192.88.99.0/24", "6to4 relay anycast"},
    {"192.168.0.0/16", "private"},
    {"198.18.0.0/15", "benchmarking"},
    {"198.51.100.0/24", "documentation"},
    {"203.0.113.0/24", "documentation"},
    {"224.0.0.0/4", "multicast"},
    {"240.0.0.0/4", "reserved, and limited broadcast"},
    /* IPv6: global unicast is 2000::/3; everything around it is loopback, local, multicast, a translator's, or not
     * assigned to anybody. */
    {"::/3", "unspecified, loopback, local NAT64, discard-only"},
    {"4000::/2", "unassigned; SRv6 segment identifiers"},
    {"8000::/1", "unassigned, unique local, link-local, site-local, multicast"},
    {"2001::/23", "IETF protocol assignments: Teredo, benchmarking, ORCHID"},
    {"2001:db8::/32", "documentation"},
    {"2002::/16", "6to4"},
    {"3fff::/20", "documentation"},
};
#define SPECIAL_PURPOSE_COUNT (sizeof special_purpose / sizeof *special_purpose)

/* Spellings of an IPv4 address inside an IPv6 one, and where it stands in them. */
static const struct {
    const char *prefix;
    uint8_t offset;
} embeddings[] = {
    {"::ffff:0:0/96", 12},   /* IPv4-mapped, RFC 4291 §2.5.5.2 */
    {"::ffff:0:0:0/96", 12}, /* IPv4-translated, RFC 2765 §2.1 */
    {"64:ff9b::/96", 12},    /* NAT64, RFC 6052 §2.1 */
    {"64:ff9b:1::/48", 12},  /* local NAT64, RFC 8215, with the /96 that most choose in it */
    {"2002::/16", 2},        /* 6to4, RFC 3056 §2 */
    {"::/96", 12},           /* IPv4-compatible, RFC 4291 §2.5.5.1 */
};
#define EMBEDDING_COUNT (sizeof embeddings / sizeof *embeddings)

struct prefix_list {
    struct address_prefix *prefixes;
    size_t count;
};
struct address_list {
    struct address *addresses;
    size_t count;
};
struct relay_address {
    struct address public_address, private_address; /* port 0 */
    bool hairpin;
};

struct peer_policy {
    struct address_prefix special[SPECIAL_PURPOSE_COUNT];
    struct address_prefix embedding[EMBEDDING_COUNT];
    struct address_prefix teredo;
    struct prefix_list allowed, denied;
    struct address_list listeners, locals;
    struct relay_address *relays;
    size_t relay_count;
};

int peer_policy_create(struct peer_policy **out)
{
    struct peer_policy *policy = memory_zeroed(1, sizeof *policy);
    if (!policy)
        return ERR_MEMORY;
    int result = address_prefix_parse("2001::/32", &policy->teredo);
    for (size_t i = 0; i < SPECIAL_PURPOSE_COUNT; i++)
        result |= address_prefix_parse(special_purpose[i].prefix, &policy->special[i]);
    for (size_t i = 0; i < EMBEDDING_COUNT; i++)
        result |= address_prefix_parse(embeddings[i].prefix, &policy->embedding[i]);
    assert(result == 0);
    *out = policy;
    return 0;
}

void peer_policy_destroy(struct peer_policy **policy)
{
    struct peer_policy *gone = *policy;
    if (!gone)
        return;
    memory_free(gone->allowed.prefixes);
    memory_free(gone->denied.prefixes);
    memory_free(gone->listeners.addresses);
    memory_free(gone->locals.addresses);
    memory_free(gone->relays);
    memory_free(gone);
    *policy = NULL;
}

static int prefix_append(struct prefix_list *list, const struct address_prefix *prefix)
{
    struct address_prefix *prefixes = memory_resize(list->prefixes, (list->count + 1) * sizeof *prefixes);
    if (!prefixes)
        return ERR_MEMORY;
    prefixes[list->count++] = *prefix;
    list->prefixes = prefixes;
    return 0;
}

static int address_append(struct address_list *list, const struct address *address)
{
    struct address *addresses = memory_resize(list->addresses, (list->count + 1) * sizeof *addresses);
    if (!addresses)
        return ERR_MEMORY;
    addresses[list->count++] = *address;
    list->addresses = addresses;
    return 0;
}

int peer_policy_allow(struct peer_policy *policy, const struct address_prefix *prefix)
{
    return prefix_append(&policy->allowed, prefix);
}

int peer_policy_deny(struct peer_policy *policy, const struct address_prefix *prefix)
{
    return prefix_append(&policy->denied, prefix);
}

int peer_policy_listener(struct peer_policy *policy, const struct address *listener)
{
    return address_append(&policy->listeners, listener);
}

int peer_policy_local(struct peer_policy *policy, const struct address *address)
{
    return address_append(&policy->locals, address);
}

int peer_policy_relay(struct peer_policy *policy, const struct address *public_address,
                      const struct address *private_address, bool hairpin)
{
    struct relay_address *relays = memory_resize(policy->relays, (policy->relay_count + 1) * sizeof *relays);
    if (!relays)
        return ERR_MEMORY;
    policy->relays = relays;
    struct relay_address *relay = &relays[policy->relay_count++];
    *relay = (struct relay_address){*public_address, *private_address, hairpin};
    relay->public_address.port = relay->private_address.port = 0;
    return 0;
}

static bool listed(const struct address_prefix *prefixes, size_t count, const struct address *address)
{
    for (size_t i = 0; i < count; i++)
        if (address_prefix_contains(&prefixes[i], address))
            return true;
    return false;
}

static const struct relay_address *relay_of(const struct peer_policy *policy, const struct address *canonical)
{
    for (size_t i = 0; i < policy->relay_count; i++)
        if (address_same_ip(&policy->relays[i].public_address, canonical))
            return &policy->relays[i];
    return NULL;
}

/* An address that an interface of this host has, or a relay address of ours. */
static bool is_own(const struct peer_policy *policy, const struct address *address)
{
    for (size_t i = 0; i < policy->locals.count; i++)
        if (address_same_ip(&policy->locals.addresses[i], address))
            return true;
    for (size_t i = 0; i < policy->relay_count; i++)
        if (address_same_ip(&policy->relays[i].public_address, address) ||
            address_same_ip(&policy->relays[i].private_address, address))
            return true;
    return false;
}

static bool is_local(const struct peer_policy *policy, const struct address *address)
{
    /* All of 127.0.0.0/8 leads here, whichever of it an interface names. */
    bool loopback = address->family == ADDRESS_IPV4 && address->ip[0] == 127;
    return loopback || is_own(policy, address);
}

/* The exceptions of the settings. What comes from the host itself passes by the firewall that keeps others from the
 * host's services, so a range that happens to hold one of our own addresses does not open it: only its full name does.
 */
static bool is_excepted(const struct peer_policy *policy, const struct address *address)
{
    bool own = is_own(policy, address);
    for (size_t i = 0; i < policy->allowed.count; i++) {
        const struct address_prefix *allowed = &policy->allowed.prefixes[i];
        bool whole = allowed->bits == 8 * address_ip_length(allowed->base.family);
        if ((whole || !own) && address_prefix_contains(allowed, address))
            return true;
    }
    return false;
}

static bool listens_at(const struct peer_policy *policy, const struct address *address)
{
    for (size_t i = 0; i < policy->listeners.count; i++) {
        const struct address *listener = &policy->listeners.addresses[i];
        if (listener->port != address->port || listener->family != address->family)
            continue;
        if (address_same_ip(listener, address) || (address_is_unspecified(listener) && is_local(policy, address)))
            return true;
    }
    return false;
}

bool peer_policy_is_listener(const struct peer_policy *policy, const struct address *canonical)
{
    if (listens_at(policy, canonical))
        return true;
    const struct relay_address *relay = relay_of(policy, canonical);
    if (!relay)
        return false;
    struct address bound = relay->private_address;
    bound.port = canonical->port;
    return listens_at(policy, &bound);
}

enum peer_verdict peer_policy_judge(const struct peer_policy *policy, const struct address *canonical)
{
    const struct relay_address *relay = relay_of(policy, canonical);
    const struct address *other = relay ? &relay->private_address : canonical;
    if (listed(policy->denied.prefixes, policy->denied.count, canonical) ||
        listed(policy->denied.prefixes, policy->denied.count, other))
        return PEER_FORBIDDEN;
    if (canonical->port != 0 && peer_policy_is_listener(policy, canonical))
        return PEER_FORBIDDEN;
    if (is_excepted(policy, canonical) || is_excepted(policy, other))
        return PEER_ALLOWED;
    if (relay)
        return relay->hairpin ? PEER_HAIRPIN : PEER_FORBIDDEN;
    if (is_local(policy, canonical))
        return PEER_FORBIDDEN;
    return listed(policy->special, SPECIAL_PURPOSE_COUNT, canonical) ? PEER_FORBIDDEN : PEER_ALLOWED;
}

/* RFC 4380 §4: the server's address in bits 32 to 63, the client's, inverted, in the last 32. */
static struct address teredo_embedded(const struct peer_policy *policy, const struct address *peer)
{
    uint8_t client[4];
    for (size_t i = 0; i < sizeof client; i++)
        client[i] = (uint8_t)~peer->ip[12 + i];
    struct address server = address_ipv4(peer->ip + 4, peer->port);
    return peer_policy_judge(policy, &server) == PEER_FORBIDDEN ? server : address_ipv4(client, peer->port);
}

static struct address embedded(const struct peer_policy *policy, const struct address *peer)
{
    if (peer->family != ADDRESS_IPV6)
        return *peer;
    if (address_prefix_contains(&policy->teredo, peer))
        return teredo_embedded(policy, peer);
    for (size_t i = 0; i < EMBEDDING_COUNT; i++) {
        if (!address_prefix_contains(&policy->embedding[i], peer))
            continue;
        /* :: and ::1 are addresses of their own, not 0.0.0.0 and 0.0.0.1: an exception for ::1 has to find it. */
        static const uint8_t zeros[15];
        if (memcmp(peer->ip, zeros, sizeof zeros) == 0 && peer->ip[15] <= 1)
            break;
        return address_ipv4(peer->ip + embeddings[i].offset, peer->port);
    }
    return *peer;
}

struct address peer_policy_canonical(const struct peer_policy *policy, const struct address *peer)
{
    struct address canonical = embedded(policy, peer);
    for (size_t i = 0; i < policy->relay_count; i++) {
        if (!address_same_ip(&policy->relays[i].private_address, &canonical))
            continue;
        uint16_t port = canonical.port;
        canonical = policy->relays[i].public_address;
        canonical.port = port;
        break;
    }
    return canonical;
}
