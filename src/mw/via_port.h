/* SPDX-License-Identifier: BSD-3-Clause
 * Where a response goes when the connection is gone that its request came by (RFC 3261 §18.2.2): to the same address, at
 * the port of the topmost Via. */
#ifndef MW_VIA_PORT_H
#define MW_VIA_PORT_H

#include <stddef.h>
#include <stdint.h>

/* The port of the topmost Via's sent-by, 0 where it states none. Returns 0, or ERR_NOT_FOUND where |bytes| is no
 * response or its Via cannot be read. */
int mw_via_port(const void *bytes, size_t length, uint16_t *out);

#endif
