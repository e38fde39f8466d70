/* SPDX-License-Identifier: BSD-3-Clause
 * What somebody who starts without a settings file sees: how to make a first call, and how to use the relay. */
#ifndef DAEMON_INTRODUCTION_H
#define DAEMON_INTRODUCTION_H

#include <stdio.h>

#include "daemon/first_start.h"

void introduction_print(FILE *out, const struct settings *settings,
                        const struct first_start_person people[FIRST_START_PEOPLE]);

#endif
