/* SPDX-License-Identifier: BSD-3-Clause
 * Typed values of settings: from the text of one YAML scalar. */
#ifndef DAEMON_SETTINGS_VALUE_H
#define DAEMON_SETTINGS_VALUE_H

#include "daemon/settings_table.h"

/* What is wrong with a value and what to do about it, without file, line and key. */
struct settings_problem {
    char text[384];
};

/* Reads |text| as a value of |row| into |value|, memory of that type. |line| is kept in types that have one. Returns 0,
 * ERR_MEMORY, or ERR_MALFORMED with |problem| filled. */
int settings_value_read(const struct settings_row *row, const char *text, unsigned line, void *value,
                        struct settings_problem *problem);
/* Frees what the value owns, and erases it first. */
void settings_value_fini(const struct settings_row *row, void *value);

/* Writes a number as settings_value_read() takes it: "15s", "2M", "10". Returns |out|. */
const char *settings_number_format(enum settings_type type, uint64_t value, char *out, size_t size);

/* Judges a secret: returns NULL if it will do, or what is wrong with it; static. */
const char *settings_secret_problem(const char *secret);

#endif
