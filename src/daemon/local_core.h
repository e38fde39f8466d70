/* SPDX-License-Identifier: BSD-3-Clause
 * The core where the settings name none: the registrar, on the first worker, which the edges of all workers reach by
 * mail. */
#ifndef DAEMON_LOCAL_CORE_H
#define DAEMON_LOCAL_CORE_H

#include "daemon/settings.h"
#include "edge/edge.h"
#include "worker/worker.h"

struct local_core;

/* What stands for the edge in the Via, Path and Record-Route that the registrar sees. */
#define LOCAL_CORE_EDGE_SENT_BY "edge.invalid:5060"

/* Opens the accounts of |settings|. Before the threads start; all is borrowed. Returns 0, or ERR_MEMORY or
 * ERR_MALFORMED with |error| filled. */
int local_core_create(const struct settings *settings, const struct sip_flow_key *flow_key,
                      struct worker *const *workers, unsigned worker_count, struct local_core **out,
                      struct settings_error *error);
/* After the threads have stopped and the mailboxes are closed. */
void local_core_destroy(struct local_core **core);
/* The edge of worker |index|, before the threads start. */
void local_core_attach(struct local_core *core, unsigned index, struct edge *edge);
/* One SIP message from an edge; copied. Any worker's thread. */
void local_core_send(struct local_core *core, const void *bytes, size_t length);

#endif
