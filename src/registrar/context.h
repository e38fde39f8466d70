/* SPDX-License-Identifier: BSD-3-Clause
 * The response context of a proxied request (RFC 3261 §16.7): its server transaction, a branch for each place it was
 * sent to, and the best answer so far. It frees itself when all of its transactions are over. */
#ifndef REGISTRAR_CONTEXT_H
#define REGISTRAR_CONTEXT_H

#include "registrar/registrar_state.h"

struct context;

/* |request| (without our Route) is taken over on success. Returns 0, or ERR_FULL, ERR_MEMORY or ERR_TOO_LARGE with
 * nothing answered. Whoever gets a context ends with context_start(). */
int context_create(struct registrar *registrar, osip_message_t *request, struct now now, struct context **out);
/* Sends the request to |binding|, or where that is NULL on along its own routes. Failure counts as an answer. */
void context_branch(struct context *context, const struct binding *binding, struct now now);
/* All branches are there. */
void context_start(struct context *context, struct now now);

/* The caller has cancelled. */
void context_cancel(struct sip_server_transaction *server, struct now now);
/* A response to one of our branches, or to a CANCEL of ours; taken over. */
void context_receive(struct sip_client_transaction *client, osip_message_t *response, struct now now);
void context_destroy_all(struct registrar *registrar);

#endif
