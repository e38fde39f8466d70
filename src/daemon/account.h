/* SPDX-License-Identifier: BSD-3-Clause
 * The accounts of the own registrar, by hand: posternd --add-account, --remove-account, --list-accounts. */
#ifndef DAEMON_ACCOUNT_H
#define DAEMON_ACCOUNT_H

#include <stdbool.h>

#include "daemon/settings.h"

struct accounts; /* registrar/accounts.h */

/* Opens the accounts of edge.domain in the state directory. |patience_ms|: as for accounts_open(). Returns 0 with
 * |*out| the caller's, or an error with |error| filled. */
int account_open(const struct settings *settings, unsigned patience_ms, struct accounts **out,
                 struct settings_error *error);

/* These return 0, or an error with |error| filled. Without |password_from_input| a password is made and printed, else
 * it is the first line of standard input. */
int account_add(const struct settings *settings, const char *name, bool password_from_input,
                struct settings_error *error);
int account_remove(const struct settings *settings, const char *name, struct settings_error *error);
int account_list(const struct settings *settings, struct settings_error *error);

#endif
