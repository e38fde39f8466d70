/* SPDX-License-Identifier: BSD-3-Clause
 * What the workers have to tell, as lines of the log. */
#ifndef DAEMON_SERVICE_LOG_H
#define DAEMON_SERVICE_LOG_H

#include "front/front.h"
#include "turn/server.h"

/* Fills in the calls of |host| that tell of allocations and refusals. */
void service_log_attach(struct turn_host *host);
/* front_settings.log */
void service_log_front(void *context, enum front_log_level level, const char *text);

#endif
