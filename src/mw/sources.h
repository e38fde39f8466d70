/* SPDX-License-Identifier: BSD-3-Clause
 * Who is the core: the addresses that its entries resolve to and the prefixes of `edge.trusted`. Whom a request was
 * sent to lately may answer it as well, as a next hop that the core itself named (Service-Route, Record-Route) need not
 * be an entry. Ports do not matter: a TCP connection comes from any. No sockets, no clock. */
#ifndef MW_SOURCES_H
#define MW_SOURCES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"
#include "base/now.h"

#define SOURCES_ENTRIES_MAX 512
#define SOURCES_ASKED_MAX   256
/* A transaction lives for at most 3 minutes and 32 s (Timers C and H, RFC 3261 §16.6). */
#define SOURCES_ASKED_NS (212 * NS_PER_S)

struct source_asked {
    struct address address;
    uint64_t until_ns;
};

/* An all-zero one trusts nobody. */
struct sources {
    const struct address_prefix *trusted; /* borrowed */
    size_t trusted_count;
    struct address entries[SOURCES_ENTRIES_MAX];
    size_t entry_count;
    struct source_asked asked[SOURCES_ASKED_MAX];
};

void sources_entries_clear(struct sources *sources);
/* What there is no room for is not trusted. */
void sources_entries_add(struct sources *sources, const struct address *address);
bool sources_trust(const struct sources *sources, const struct address *address);
/* A request goes to |address|. */
void sources_ask(struct sources *sources, const struct address *address, struct now now);
bool sources_may_answer(const struct sources *sources, const struct address *address, struct now now);

#endif
