/* SPDX-License-Identifier: BSD-3-Clause
 * What a client needs to know to come in. */
#ifndef DAEMON_WAYS_IN_H
#define DAEMON_WAYS_IN_H

#include <stdio.h>

#include "daemon/settings.h"

/* By what clients call the server. */
struct ways_in {
    const struct settings *settings;
    const struct settings_relay_address *addresses; /* where a listener is a wildcard: on these */
    size_t address_count;
    const char *tls_name; /* for TLS; NULL: the addresses will do */
};

/* Prints the `iceServers` of a web page (JSON) with all ways in. Returns 0, ERR_MEMORY or ERR_SYSTEM. */
int ways_in_print_servers(FILE *out, const struct ways_in *ways, const char *username, const char *password);

/* Prints the address of the status page, and how to trust a self-made certificate. */
void ways_in_print_hints(FILE *out, const struct ways_in *ways);

#endif
