/* SPDX-License-Identifier: BSD-3-Clause
 * Reserved ports (EVEN-PORT with R, RFC 8656 §14.6, §14.10): token to port and open relay socket, shared by all workers
 * (control path only, one lock), so that the token works from whatever flow it comes. Held for 30 seconds by the user
 * that reserved it. */
#ifndef TURN_RESERVATION_H
#define TURN_RESERVATION_H

#include <stdint.h>

#include "base/now.h"
#include "base/span.h"
#include "turn/relay_port.h"

#define RESERVATION_TOKEN_SIZE 8
#define RESERVATION_LIFETIME_S 30

struct reservations;

/* |close_socket| closes a relay socket handle of a reservation that nobody came for. Returns 0 or ERR_MEMORY. */
int reservations_create(struct relay_ports *ports, void (*close_socket)(intptr_t socket), struct reservations **out);
/* Closes and gives back all that are left. */
void reservations_destroy(struct reservations **reservations);

/* Takes over |port| and its |socket| on 0. ERR_FULL: the user has as many as one may have, or there is no room or
 * memory: the caller keeps both. */
int reservations_install(struct reservations *reservations, const struct relay_port *port, intptr_t socket,
                         struct span user_part, struct now now, uint8_t token_out[RESERVATION_TOKEN_SIZE]);
/* Takes a reservation out. Returns 0 or ERR_NOT_FOUND (unknown, expired, of another user). */
int reservations_redeem(struct reservations *reservations, const uint8_t token[RESERVATION_TOKEN_SIZE],
                        struct span user_part, struct now now, struct relay_port *port_out, intptr_t *socket_out);
/* Ends the expired ones; any worker may call it. Installing and redeeming do so themselves. */
void reservations_expire(struct reservations *reservations, struct now now);

#endif
