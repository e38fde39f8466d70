/* SPDX-License-Identifier: BSD-3-Clause
 * How long a DNS answer may be kept (RFC 1035 §4.1): c-ares tells it for addresses only. */
#ifndef MW_DNS_TTL_H
#define MW_DNS_TTL_H

#include <stddef.h>
#include <stdint.h>

/* The smallest TTL, in seconds, in the answer section of |message|. Returns 0 with |*ttl_out|, ERR_NOT_FOUND where
 * there is no record, or ERR_MALFORMED. */
int dns_ttl_decode(const uint8_t *message, size_t length, uint32_t *ttl_out);

#endif
