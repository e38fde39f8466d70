/* SPDX-License-Identifier: BSD-3-Clause
 * What a client needs to know to come in: for the person who has started a server without a settings file. */
#ifndef DAEMON_WAYS_IN_H
#define DAEMON_WAYS_IN_H

#include <stdio.h>

#include "daemon/settings.h"

/* Prints the `iceServers` of a web page with all ways in for |account|, the address of the status page, and how to
 * trust a self-signed certificate. Wildcard listeners are called by |addresses|. Returns 0 or ERR_MEMORY. */
int ways_in_print(FILE *out, const struct settings *settings, const struct settings_account *account,
                  const struct settings_relay_address *addresses, size_t count);

#endif
