/* SPDX-License-Identifier: BSD-3-Clause
 * Passwords that the server makes, and those of them that it keeps in a file so that each start can tell them. */
#ifndef DAEMON_PASSWORD_H
#define DAEMON_PASSWORD_H

#include "daemon/settings.h"

#define PASSWORD_SIZE 25 /* with its NUL */

enum password_use {
    PASSWORD_FOR_PROGRAMS, /* 144 bits, to be pasted: keyed hashes of it pass networks in the clear */
    PASSWORD_FOR_PEOPLE,   /* 80 bits, to be typed: four groups without letters that look alike */
};

void password_make(enum password_use use, char out[PASSWORD_SIZE]);

/* Reads the password of |file|, or makes one and keeps it there, readable by nobody else. Of two that do so at once one
 * wins and the other reads the winner's. Returns 0 or ERR_SYSTEM with |error| filled; a file that holds something else
 * is not replaced. */
int password_keep(const char *file, enum password_use use, char out[PASSWORD_SIZE], struct settings_error *error);

#endif
