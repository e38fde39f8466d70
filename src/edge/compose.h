/* SPDX-License-Identifier: BSD-3-Clause
 * What the edge itself says in a request that it sends: Via, Path, Record-Route, all by where it goes. */
#ifndef EDGE_COMPOSE_H
#define EDGE_COMPOSE_H

#include "edge/exchange.h"

/* The request of |exchange| for its current target. */
void edge_compose_request(const struct edge_exchange *exchange, const char *branch, struct text *text);
/* A request of one hop about it: CANCEL (RFC 3261 §9.1), or the ACK of a refusal (§17.1.1.3). */
void edge_compose_hop(const struct edge_exchange *exchange, const char *method, struct span to, struct text *text);
/* The Record-Route fields of the edge, the nearer side first (RFC 5658). */
void edge_compose_record_routes(const struct edge_exchange *exchange, struct text *text);

#endif
