/* SPDX-License-Identifier: BSD-3-Clause
 * A DNS server on loopback, in a thread of its own, that knows what a test tells it; of all else it says that there is
 * none. */
#ifndef MW_FAKE_DNS_H
#define MW_FAKE_DNS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"

/* Empties what it knew. Returns its address. */
struct address fake_dns_start(void);
void fake_dns_stop(void);
void fake_dns_address(const char *name, const char *address, uint32_t ttl);
void fake_dns_service(const char *name, uint16_t priority, uint16_t weight, uint16_t port, const char *target,
                      uint32_t ttl);
void fake_dns_pointer(const char *name, uint16_t order, uint16_t preference, const char *service,
                      const char *replacement, uint32_t ttl);
/* Forgets all of |name|. */
void fake_dns_remove(const char *name);
/* It answers nothing any more; or what it has to, again. */
void fake_dns_hush(bool silent);
/* Questions of |name| that have come, of all types. */
unsigned fake_dns_asked(const char *name);

#endif
