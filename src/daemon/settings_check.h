/* SPDX-License-Identifier: BSD-3-Clause
 * Whether settings make sense together. */
#ifndef DAEMON_SETTINGS_CHECK_H
#define DAEMON_SETTINGS_CHECK_H

#include "daemon/settings.h"

/* Finds keys that contradict each other. Returns 0, ERR_MEMORY, or ERR_MALFORMED with |error| filled. */
int settings_check(const struct settings *settings, struct settings_error *error);

#endif
