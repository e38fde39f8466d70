/* SPDX-License-Identifier: BSD-3-Clause
 * The addresses of this host. */
#ifndef NET_HOST_H
#define NET_HOST_H

#include <stdbool.h>

#include "base/address.h"

/* Calls |visit| with each IP address of each interface that is up, port 0. Returns 0 or ERR_SYSTEM. */
int net_host_addresses(void (*visit)(void *context, const struct address *address), void *context);

/* The address from which this host would reach the internet by |family|: that of its default route. No packet is sent.
 * False where there is no such route. */
bool net_host_default_address(uint8_t family, struct address *out);

#endif
