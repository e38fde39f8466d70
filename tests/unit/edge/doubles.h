/* SPDX-License-Identifier: BSD-3-Clause
 * What the edge asks of auth/, made plain for tests: tokens that say what they mean, JSON that can be read, revocations
 * that are written down. They take the place of the library's. */
#ifndef TESTS_EDGE_DOUBLES_H
#define TESTS_EDGE_DOUBLES_H

#include "auth/provision.h"
#include "auth/revocations.h"
#include "auth/token.h"

struct world;
/* Takes tokens of the form `impi/impu/impu.../seconds`; one of `bad` is refused. */
const struct token_verifier *double_verifier(void);
const struct provision *double_provision(void);
struct revocations *double_revocations(struct world *world);

#endif
