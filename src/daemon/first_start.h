/* SPDX-License-Identifier: BSD-3-Clause
 * A start without a settings file: certificate and accounts are made once and kept in the state directory, the rest is
 * found from the host. */
#ifndef DAEMON_FIRST_START_H
#define DAEMON_FIRST_START_H

#include "daemon/password.h"
#include "daemon/settings.h"

#define FIRST_START_USER   "postern" /* for TURN alone */
#define FIRST_START_DOMAIN "postern.internal"
#define FIRST_START_PEOPLE 2

/* Who can log in on the page and call. */
struct first_start_person {
    const char *name; /* static */
    char password[PASSWORD_SIZE];
};

/* Makes what is not there yet and builds settings from it. |port| 0: UDP and TCP on 3478, everything on 8443; otherwise
 * everything on |port| alone. Without any address but loopback it listens on loopback only, and only then are loopback
 * peers allowed. Returns 0 with |*out| the caller's, or an error with |error| filled. */
int first_start_settings(uint16_t port, struct first_start_person people[FIRST_START_PEOPLE], struct settings **out,
                         struct settings_error *error);

#endif
