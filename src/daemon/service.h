/* SPDX-License-Identifier: BSD-3-Clause
 * The running service: everything that the workers share (certificates, credentials, ledger, ports, policy), the
 * listening sockets, and the workers themselves, each with its TURN core, relay and front. */
#ifndef DAEMON_SERVICE_H
#define DAEMON_SERVICE_H

#include "daemon/settings.h"

struct service;

/* Builds all and opens every socket, so that whatever is wrong is said before anything is served. |settings| is
 * borrowed until service_destroy(). Returns 0, or ERR_MALFORMED, ERR_SYSTEM, ERR_IN_USE or ERR_MEMORY with |error|
 * saying in one line what to do. */
int service_create(const struct settings *settings, struct service **out, struct settings_error *error);
/* Builds what can be wrong about certificates, credentials and addresses, and keeps nothing. Returns as above. */
int service_check(const struct settings *settings, struct settings_error *error);
/* Starts the workers. Returns 0 or ERR_SYSTEM. */
int service_start(struct service *service);
/* What is to be done every second or so, by a thread that may wait for a disk. */
void service_tend(struct service *service);
/* Ends the workers and all allocations. */
void service_stop(struct service *service);
void service_destroy(struct service **service);

#endif
