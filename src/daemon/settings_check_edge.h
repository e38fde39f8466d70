/* SPDX-License-Identifier: BSD-3-Clause
 * Whether the settings of the edge, its tokens and its credentials make sense together. Private to settings_check.c. */
#ifndef DAEMON_SETTINGS_CHECK_EDGE_H
#define DAEMON_SETTINGS_CHECK_EDGE_H

#include "daemon/settings.h"

/* As settings_check(). */
int settings_check_edge(const struct settings *settings, struct settings_error *error);

#endif
