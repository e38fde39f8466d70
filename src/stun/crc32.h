/* SPDX-License-Identifier: BSD-3-Clause
 * The CRC-32 of ISO 3309 and ITU V.42, as FINGERPRINT uses it (RFC 8489 §14.7). */
#ifndef STUN_CRC32_H
#define STUN_CRC32_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32_of(const uint8_t *bytes, size_t length);

#endif
