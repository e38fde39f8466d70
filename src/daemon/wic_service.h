/* SPDX-License-Identifier: BSD-3-Clause
 * GET /v1/wic: what a WIC has to know of this server before it registers. */
#ifndef DAEMON_WIC_SERVICE_H
#define DAEMON_WIC_SERVICE_H

#include "daemon/settings.h"
#include "front/http_service.h"

struct wic_service; /* immutable, shared by all workers */

/* |settings| is borrowed for the call. Returns 0 or ERR_MEMORY. */
int wic_service_create(const struct settings *settings, struct wic_service **out);
void wic_service_destroy(struct wic_service **service);
/* Its row for front_settings.services; valid as long as |service| is. */
struct front_http_service wic_service_row(struct wic_service *service);

#endif
