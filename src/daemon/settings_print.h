/* SPDX-License-Identifier: BSD-3-Clause
 * The settings table as a person reads it. */
#ifndef DAEMON_SETTINGS_PRINT_H
#define DAEMON_SETTINGS_PRINT_H

#include <stdio.h>

/* Each key with its default, range and meaning, for --help. */
void settings_print_help(FILE *out);
/* A settings file with all keys commented out. */
void settings_print_sample(FILE *out);
/* The entries of the manual page, in man(7)'s macros. */
void settings_print_manual(FILE *out);

#endif
