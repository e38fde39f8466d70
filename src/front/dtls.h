/* SPDX-License-Identifier: BSD-3-Clause
 * DTLS clients of one worker (RFC 7350): sessions by client and server address, over the UDP listeners. */
#ifndef FRONT_DTLS_H
#define FRONT_DTLS_H

#include "front/front.h"

struct front_udp;

/* A datagram with a first byte of 20..63 that came to |listener|. |flow| is the datagram's: client, server. Where there
 * is no memory for a session it is dropped, as if it had been lost. */
void front_dtls_receive(struct front *front, struct front_udp *listener, const struct turn_flow *flow,
                        const uint8_t *datagram, size_t length, struct now now);

/* For front_create() and front_destroy(). Returns 0 or ERR_MEMORY. */
int dtls_clients_init(struct front *front);
void dtls_clients_fini(struct front *front);

#endif
