/* SPDX-License-Identifier: BSD-3-Clause
 * Relayed transport addresses: which ports of which relay address are free. One map shared by all workers: taking and
 * giving back is lock-free (a bit each), chosen at random (RFC 8656 §7.2, §21.1.1). UDP and TCP ports are mapped apart.
 */
#ifndef TURN_RELAY_PORT_H
#define TURN_RELAY_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"

#define RELAY_ADDRESSES_MAX 16

struct relay_ports;

/* Ports |first|..|last| of each address that is added. Returns 0 or ERR_MEMORY. */
int relay_ports_create(uint16_t first, uint16_t last, struct relay_ports **out);
void relay_ports_destroy(struct relay_ports **ports);
/* |public_address| is told to clients, |private_address| is bound; equal without NAT. Returns 0, ERR_FULL or
 * ERR_MEMORY. */
int relay_ports_add_address(struct relay_ports *ports, const struct address *public_address,
                            const struct address *private_address);

enum relay_protocol {
    RELAY_UDP,
    RELAY_TCP,
};
enum relay_parity {
    RELAY_PORT_ANY,
    RELAY_PORT_EVEN,      /* EVEN-PORT */
    RELAY_PORT_EVEN_PAIR, /* EVEN-PORT with R: the next higher port is taken as well */
};

/* A taken port. */
struct relay_port {
    struct address public_address, private_address; /* with the port */
    uint8_t protocol;                               /* enum relay_protocol */
    uint8_t index;                                  /* which address */
};

/* Walks the free ports of |family| in a random order until |bind| takes one: ports that other programs hold are
 * skipped. |bind| returns 0, ERR_IN_USE (try on), or any other error, which ends the walk. For a pair it is called for
 * both ports; where the second cannot be had the first has been given back and |bind| is called for another first.
 * Returns 0, ERR_FAMILY (no such relay address), ERR_FULL only when every port was tried, or |bind|'s error. */
typedef int relay_port_bind(void *context, const struct relay_port *port, bool second);
int relay_ports_take(struct relay_ports *ports, uint8_t family, enum relay_protocol protocol, enum relay_parity parity,
                     relay_port_bind *bind, void *context, struct relay_port *out);
/* Gives |port| back (its second of a pair is given back on its own). */
void relay_ports_give(struct relay_ports *ports, const struct relay_port *port);

/* The hairpin's question: is |canonical| (public spelling, with port) a live UDP allocation's? If so |*private_out| is
 * where to send. Lock-free. A port counts as live from relay_ports_set_live() until given back: a reserved one is not.
 */
bool relay_ports_live(const struct relay_ports *ports, const struct address *canonical, struct address *private_out);
void relay_ports_set_live(struct relay_ports *ports, const struct relay_port *port);
/* The public spelling of a private relay address with port, for packets that arrive by the hairpin; false if |address|
 * is none of ours. */
bool relay_ports_public(const struct relay_ports *ports, const struct address *address, struct address *public_out);

/* The other way round: where |public_address| is bound; false if it is none of ours. */
bool relay_ports_private(const struct relay_ports *ports, const struct address *public_address,
                         struct address *private_out);

/* Ports taken now, for the status and the tests. */
uint32_t relay_ports_taken(const struct relay_ports *ports);

#endif
