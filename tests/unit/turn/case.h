/* SPDX-License-Identifier: BSD-3-Clause
 * What the tests of the server's core begin with: cmocka, and a world that each test starts for itself. */
#ifndef TESTS_TURN_CASE_H
#define TESTS_TURN_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "world.h"

#define UDP  TURN_UDP
#define HERE "192.0.2.1:1000" /* a client */

/* Starts |world|; its options are the further arguments, as designated initialisers. */
#define WORLD(...) world_create(&(struct world_options){__VA_ARGS__})

#endif
