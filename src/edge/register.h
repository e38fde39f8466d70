/* SPDX-License-Identifier: BSD-3-Clause
 * REGISTER (RFC 3261 §10, RFC 3327, RFC 3608, RFC 5626, RFC 8898, TS 24.229 §5.2.2, TS 33.203 X.3). */
#ifndef EDGE_REGISTER_H
#define EDGE_REGISTER_H

#include "edge/registration.h"

void edge_register_from_client(struct edge_flow *flow, const struct edge_message *request, struct now now);
/* Passes the core's response to the |request| that was sent to it, and does what it says. */
void edge_register_pass(struct edge_exchange *exchange, const struct edge_message *request,
                        const struct edge_message *response, struct now now);

#endif
