/* SPDX-License-Identifier: BSD-3-Clause
 * Which peers a client may reach. A peer is first put into canonical form, so that every spelling of an address meets
 * the same list; then the built-in list of special-purpose ranges (IANA registries, RFC 6890) refuses unless the
 * settings allow it. Immutable once built. */
#ifndef TURN_PEER_POLICY_H
#define TURN_PEER_POLICY_H

#include <stdbool.h>

#include "base/address.h"

struct peer_policy;

/* Returns 0 or ERR_MEMORY. */
int peer_policy_create(struct peer_policy **out);
void peer_policy_destroy(struct peer_policy **policy);
/* Return 0 or ERR_MEMORY. Deny wins over allow, allow over the built-in refusal. */
int peer_policy_allow(struct peer_policy *policy, const struct address_prefix *prefix);
int peer_policy_deny(struct peer_policy *policy, const struct address_prefix *prefix);
/* A listener of ours: this IP with this port is never a peer; an unspecified IP stands for every local address that
 * peer_policy_local() named, and for none other. No allow-list opens it. */
int peer_policy_listener(struct peer_policy *policy, const struct address *listener);
/* An address of this host: no peer unless it is allowed, or a relay address. */
int peer_policy_local(struct peer_policy *policy, const struct address *address);
/* One of our relay addresses, public and private spelling (equal without NAT): the hairpin. */
int peer_policy_relay(struct peer_policy *policy, const struct address *public_address,
                      const struct address *private_address, bool hairpin);

/* The address that |peer| really reaches: IPv4-mapped, -compatible, -translated, NAT64 (64:ff9b::/96), 6to4 and Teredo
 * spellings become the IPv4 address they embed; a private relay address of ours becomes its public spelling. A Teredo
 * address embeds two: the client's counts, unless the server's is refused. Where the family changes the peer is judged
 * and then still no peer of an IPv6 relay: 443. */
struct address peer_policy_canonical(const struct peer_policy *policy, const struct address *peer);

enum peer_verdict {
    PEER_ALLOWED,
    PEER_HAIRPIN, /* one of our relay addresses: permitted, delivered only to the port of a live allocation */
    PEER_FORBIDDEN,
};
/* Judges a canonical peer. With port 0 (a permission) listeners do not count: each packet is asked again with its port.
 * A relay address of ours is allowed or denied in either spelling. */
enum peer_verdict peer_policy_judge(const struct peer_policy *policy, const struct address *canonical);
/* Only the part of the judgement that depends on the port: for the packet path, after a permission was granted. */
bool peer_policy_is_listener(const struct peer_policy *policy, const struct address *canonical);

#endif
