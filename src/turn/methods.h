/* SPDX-License-Identifier: BSD-3-Clause
 * The methods' handlers. Each gets an authenticated request, with the mandatory attributes of its row in server.c and
 * an allocation where the row says so. It returns STUN_OK, having added its attributes to |answer|, or the refusal,
 * whose answer is made for it. Private to the server's core. */
#ifndef TURN_METHODS_H
#define TURN_METHODS_H

#include "turn/request.h"

typedef enum stun_error_code turn_method_handler(struct turn_request *request, struct stun_builder *answer);

turn_method_handler turn_allocate;          /* allocate.c */
turn_method_handler turn_refresh;           /* refresh.c */
turn_method_handler turn_create_permission; /* permission.c */
turn_method_handler turn_channel_bind;      /* channel.c */
turn_method_handler turn_connect;           /* peer_connection.c */
turn_method_handler turn_connection_bind;   /* peer_connection.c */

/* The lifetime that a request gets (RFC 8656 §7.2 and §8.2): what LIFETIME asks for, between the default and the
 * maximum. */
uint32_t turn_lifetime_granted(const struct turn_request *request);
/* True if REQUESTED-ADDRESS-FAMILY or its like names a family; |*out| is enum address_family, NONE for an unknown one.
 */
bool turn_family_requested(const struct turn_request *request, uint16_t type, uint8_t *out);

#endif
