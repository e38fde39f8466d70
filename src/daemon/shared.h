/* SPDX-License-Identifier: BSD-3-Clause
 * What all workers share, built once from the settings and immutable but for the ledger, the ports and the
 * reservations, which are made for sharing. */
#ifndef DAEMON_SHARED_H
#define DAEMON_SHARED_H

#include "crypto/tls.h"
#include "daemon/issuing.h"
#include "daemon/settings.h"
#include "daemon/ways_in.h"
#include "turn/server.h"

struct shared {
    const struct settings *settings;
    bool keep;               /* see shared_init() */
    struct tls_context *tls; /* NULL where the settings name no certificate */
    struct credentials *credentials;
    struct ledger *ledger;
    struct relay_ports *ports;
    struct reservations *reservations;
    struct peer_policy *policy;
    struct issuing issuing;
    struct turn_settings turn; /* for turn_server_create(): borrows all of the above */
};

/* |settings| is borrowed. |keep| false: for a look only, nothing in the state directory is made or changed. Returns 0,
 * or ERR_MALFORMED, ERR_SYSTEM or ERR_MEMORY with |error| filled; shared_fini() is due in any case. */
int shared_init(struct shared *shared, const struct settings *settings, bool keep, struct settings_error *error);
/* No worker may be left. */
void shared_fini(struct shared *shared);

/* The relay addresses that are really used: those of the settings, or what was found on the host. |out| takes
 * RELAY_ADDRESSES_MAX of them. Returns how many there are. */
size_t shared_relay_addresses(const struct settings *settings, struct settings_relay_address *out);

/* By what clients call this server, with the memory for it. */
struct shared_ways_in {
    struct ways_in ways;
    struct settings_relay_address addresses[RELAY_ADDRESSES_MAX];
    char name[256];
};
void shared_ways_in(const struct settings *settings, struct shared_ways_in *out);

#endif
