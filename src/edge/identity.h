/* SPDX-License-Identifier: BSD-3-Clause
 * Who says who somebody is: the core does, and the edge for a registered WIC; a WIC does not (RFC 3325, RFC 7315,
 * TS 24.229 §5.2.6). */
#ifndef EDGE_IDENTITY_H
#define EDGE_IDENTITY_H

#include "edge/registration.h"

/* Names of fields, ended by NULL: what a WIC may not say, */
extern const char *const edge_fields_not_asserted[];
/* and what of |message| of the core is not for a WIC: charging, the network's own, and with `Privacy: id` who it is. */
const char *const *edge_fields_to_hide(const struct edge_message *message);

/* The registration that |message| of a WIC is under: that of its P-Preferred-Identity, or of its From (To, in a
 * response), or the first. NULL without registrations. */
const struct edge_registration *edge_identity_find(const struct edge_flow *flow, const struct edge_message *message);
/* P-Asserted-Identity: the preferred one where it is the WIC's own, else its default. */
void edge_identity_write(const struct edge_flow *flow, const struct edge_message *message, struct text *text);
/* P-Charging-Vector with a new ICID. */
void edge_charging_write(const struct edge *edge, struct text *text);
/* P-Access-Network-Info as far as the WIC may say it: not in the network's name. */
void edge_access_network_write(const struct edge_message *message, struct text *text);

#endif
