/* SPDX-License-Identifier: BSD-3-Clause
 * What a load run found, for people and for programs. */
#ifndef CLI_LOAD_REPORT_H
#define CLI_LOAD_REPORT_H

#include <stdio.h>

#include "cli/load/plan.h"

void load_report_text(FILE *to, const struct load_plan *plan, const struct load_result *result);
/* One JSON object on one line. */
void load_report_json(FILE *to, const struct load_plan *plan, const struct load_result *result);

#endif
