/* SPDX-License-Identifier: BSD-3-Clause
 * A run of `postern load sip` from beginning to end, on one thread. */
#ifndef CLI_LOAD_SIP_RUN_H
#define CLI_LOAD_SIP_RUN_H

#include <stdio.h>

#include "cli/load/sip_plan.h"

/* Does what |plan| says and fills |result|, which is all zero. Returns false after writing one line about the cause to
 * stderr. SIGINT and SIGTERM end the run early; the WICs deregister all the same. */
bool sip_run(const struct sip_plan *plan, struct sip_result *result);

void sip_report_text(FILE *to, const struct sip_plan *plan, const struct sip_result *result);
/* One JSON object on one line. */
void sip_report_json(FILE *to, const struct sip_plan *plan, const struct sip_result *result);

#endif
