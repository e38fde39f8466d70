/* SPDX-License-Identifier: BSD-3-Clause
 * GET /v1/turn: TURN servers and credentials by HTTP, for web applications that do not speak SIP. The same JSON as in
 * the 200 to REGISTER. */
#ifndef DAEMON_TURN_SERVICE_H
#define DAEMON_TURN_SERVICE_H

#include "daemon/shared.h"
#include "front/http_service.h"

struct turn_service;

/* |shared| is borrowed. Returns 0, with |*out| NULL where there is nothing to hand out or nobody could prove who he is;
 * or an error with |error| filled. */
int turn_service_create(const struct shared *shared, struct turn_service **out, struct settings_error *error);
void turn_service_destroy(struct turn_service **service);

/* The row for struct front_settings. */
const struct front_http_service *turn_service_row(const struct turn_service *service);

#endif
