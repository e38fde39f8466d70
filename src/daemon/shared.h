/* SPDX-License-Identifier: BSD-3-Clause
 * What all workers share, built once from the settings and immutable but for the ledger, the ports and the
 * reservations, which are made for sharing. */
#ifndef DAEMON_SHARED_H
#define DAEMON_SHARED_H

#include "crypto/tls.h"
#include "daemon/settings.h"
#include "turn/server.h"

struct shared {
    const struct settings *settings;
    struct tls_context *tls; /* NULL where the settings name no certificate */
    struct credentials *credentials;
    struct ledger *ledger;
    struct relay_ports *ports;
    struct reservations *reservations;
    struct peer_policy *policy;
    struct turn_settings turn; /* for turn_server_create(): borrows all of the above */
};

/* |settings| is borrowed. Returns 0, or ERR_MALFORMED, ERR_SYSTEM or ERR_MEMORY with |error| filled; shared_fini() is
 * due in any case. */
int shared_init(struct shared *shared, const struct settings *settings, struct settings_error *error);
/* No worker may be left. */
void shared_fini(struct shared *shared);

/* The relay addresses that are really used: those of the settings, or what was found on the host. |out| takes
 * RELAY_ADDRESSES_MAX of them. Returns how many there are. */
size_t shared_relay_addresses(const struct settings *settings, struct settings_relay_address *out);

#endif
