/* SPDX-License-Identifier: BSD-3-Clause
 * The edge's subscription to the state of a registration (RFC 3680, TS 24.229 §5.2.3): so it learns when the network
 * ends one. */
#ifndef EDGE_REG_EVENT_H
#define EDGE_REG_EVENT_H

#include "edge/registration.h"

void edge_subscription_init(struct edge_registration *registration);
void edge_subscription_fini(struct edge_registration *registration);
/* Sends the SUBSCRIBE. A core that does not know the event is left alone for a while. */
void edge_subscription_begin(struct edge_registration *registration, struct now now);
/* The response to it; none came, or nobody could be asked. */
void edge_subscribe_answered(struct edge_exchange *exchange, const struct edge_message *request,
                             const struct edge_message *response, struct now now);
void edge_subscribe_failed(struct edge_exchange *exchange, unsigned status, struct now now);
/* A NOTIFY to the edge itself. Returns the status to answer. */
unsigned edge_subscription_notified(struct edge *edge, const struct edge_message *notify, struct now now);

#endif
