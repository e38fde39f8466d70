/* SPDX-License-Identifier: BSD-3-Clause
 * Ties the edge together: each worker's eP-CSCF to its WebSockets, and all of them to the core, which is either
 * somebody else's (src/mw/) or the registrar in this process. */
#ifndef DAEMON_EDGE_SERVICE_H
#define DAEMON_EDGE_SERVICE_H

#include "auth/provision.h"
#include "auth/revocations.h"
#include "auth/token.h"
#include "crypto/tls.h"
#include "daemon/settings.h"
#include "front/websocket.h"
#include "worker/worker.h"

struct edge_service;

/* Borrowed until edge_service_destroy(). */
struct edge_service_parts {
    const struct settings *settings;
    struct tls_context *tls; /* of the listeners; NULL: none */
    const struct token_verifier *tokens;
    const struct provision *provision;
    struct revocations *revocations;
    struct worker *const *workers;
    unsigned worker_count;
};

/* Whether the next hops are such, and the authorities can be read. Opens no socket. Returns 0, ERR_MEMORY, or
 * ERR_MALFORMED with |error| filled. */
int edge_service_check(const struct settings *settings, struct settings_error *error);
/* Opens the sockets towards the core. Before the threads start. Returns 0, or ERR_MEMORY, ERR_SYSTEM or ERR_MALFORMED
 * with |error| filled. */
int edge_service_create(const struct edge_service_parts *parts, struct edge_service **out,
                        struct settings_error *error);
/* After the threads have stopped, the mailboxes have been emptied and the fronts are gone. */
void edge_service_destroy(struct edge_service **service);

/* Who uses worker |index|'s WebSockets; borrowed from the service. */
const struct front_websocket_user *edge_service_user(struct edge_service *service, unsigned index);

#endif
