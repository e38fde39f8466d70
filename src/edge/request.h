/* SPDX-License-Identifier: BSD-3-Clause
 * Requests that arrive, other than REGISTER: whether they may pass, and as what (RFC 3261 §16.3 to 16.6). */
#ifndef EDGE_REQUEST_H
#define EDGE_REQUEST_H

#include "edge/registration.h"

void edge_request_from_client(struct edge_flow *flow, const struct edge_message *request, struct now now);
void edge_request_from_core(struct edge *edge, const struct edge_target *source, const struct edge_message *request,
                            struct now now);

/* What both kinds of requests of a WIC have in common: */
/* The Via fields, the topmost with where it came from (RFC 3261 §18.2.1, RFC 3581) and keep (RFC 6223). */
void edge_request_write_vias(const struct edge_message *request, const struct address *source, bool keep,
                             struct text *text);
/* Max-Forwards, one less. False where it has come to its end. */
bool edge_request_write_max_forwards(const struct edge_message *request, struct text *text);
/* Makes an exchange out of a request that was prepared as |text|, which it takes. Refuses it where it cannot. */
void edge_request_forward(struct edge_flow *flow, const struct edge_message *request, struct text *text,
                          struct span next_hop, struct edge_register reg, struct now now);

#endif
