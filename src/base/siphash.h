/* SPDX-License-Identifier: BSD-3-Clause
 * SipHash-2-4, the keyed hash behind every table whose keys come from the network. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t k0, k1;
};

uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t length);

#endif
