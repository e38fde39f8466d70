/* SPDX-License-Identifier: BSD-3-Clause
 * Responses: those the edge makes itself, and those it passes on (RFC 3261 §8.2.6, §16.7). */
#ifndef EDGE_REPLY_H
#define EDGE_REPLY_H

#include "edge/exchange.h"

/* host[:port] of a Via value. */
struct span via_sent_by(struct span via);

/* Writes the response |status| to |request|. |fields|: whole lines. The tag of To is the same each time
 * that the same request is answered, so answers without a transaction are possible. */
void edge_reply_write(struct text *text, const struct edge *edge, const struct edge_message *request, unsigned status,
                      struct span fields);
/* Answers without a transaction; nothing is answered to an ACK. */
void edge_refuse_client(struct edge_flow *flow, const struct edge_message *request, unsigned status,
                        struct span fields);
void edge_refuse_core(struct edge *edge, const struct edge_target *source, const struct edge_message *request,
                      unsigned status);

/* What becomes of a new response: looked at, stripped and passed upstream. */
void edge_response_pass(struct edge_exchange *exchange, const struct edge_message *response, struct now now);

#endif
