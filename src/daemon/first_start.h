/* SPDX-License-Identifier: BSD-3-Clause
 * A start without a settings file: certificate and account are made once and kept in the state directory, the rest is
 * found from the host. */
#ifndef DAEMON_FIRST_START_H
#define DAEMON_FIRST_START_H

#include "daemon/settings.h"

#define FIRST_START_USER "postern"

/* Makes what is not there yet and builds settings from it. |port| 0: UDP and TCP on 3478, everything on 8443; otherwise
 * everything on |port| alone. Without any address but loopback it listens on loopback only, and only then are loopback
 * peers allowed. Returns 0 with |*out| the caller's, or an error with |error| filled. */
int first_start_settings(uint16_t port, struct settings **out, struct settings_error *error);

#endif
