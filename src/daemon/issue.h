/* SPDX-License-Identifier: BSD-3-Clause
 * Time-limited credentials by hand: posternd --issue. */
#ifndef DAEMON_ISSUE_H
#define DAEMON_ISSUE_H

#include "daemon/settings.h"

/* Prints `iceServers` with credentials for |user| that are good for credentials.lifetime from now on. Returns 0, or an
 * error with |error| filled. */
int issue_print(const struct settings *settings, const char *user, struct settings_error *error);

#endif
