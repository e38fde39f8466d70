/* SPDX-License-Identifier: BSD-3-Clause
 * What a client needs to know to come in. */
#ifndef DAEMON_WAYS_IN_H
#define DAEMON_WAYS_IN_H

#include <stdbool.h>
#include <stdio.h>

#include "daemon/settings.h"

/* By what clients call the server. */
struct ways_in {
    const struct settings *settings;
    const struct settings_relay_address *addresses; /* where a listener is a wildcard: on these */
    size_t address_count;
    const char *tls_name; /* for TLS; NULL: the addresses will do */
};

#define WAYS_IN_MAX 32 /* more listeners than that are told to nobody */
struct ways_in_url {
    char text[400];
};
/* TURN URIs (RFC 7065) of all ways in, in the order in which a client had better try them. Returns how many there are.
 */
size_t ways_in_urls(const struct ways_in *ways, struct ways_in_url out[WAYS_IN_MAX]);

/* Prints the `iceServers` of a web page (JSON) with all ways in. Returns 0, ERR_MEMORY or ERR_SYSTEM. */
int ways_in_print_servers(FILE *out, const struct ways_in *ways, const char *username, const char *password);

/* The URL of the pages for people, |size| bytes at most. False where nothing listens for TLS. */
bool ways_in_page(const struct ways_in *ways, char *url, size_t size);

#endif
