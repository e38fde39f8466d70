/* SPDX-License-Identifier: BSD-3-Clause
 * A load run from beginning to end. */
#ifndef CLI_LOAD_RUN_H
#define CLI_LOAD_RUN_H

#include "cli/load/plan.h"

/* Does what |plan| says and fills |result|, which is all zero. Returns false after writing one line about the cause to
 * stderr. Blocks SIGINT and SIGTERM, which end the run early, but give the allocations back. */
bool load_run(const struct load_plan *plan, struct load_result *result);

#endif
