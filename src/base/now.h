/* SPDX-License-Identifier: BSD-3-Clause
 * The time, as an argument. Lifetimes use the monotonic half; expiry of credentials, nonces and certificates
 * the wall half. */
#ifndef BASE_NOW_H
#define BASE_NOW_H

#include <stdint.h>

struct now {
    uint64_t monotonic_ns;
    uint64_t wall_s; /* seconds since 1970-01-01T00:00:00Z */
};

#define NS_PER_S   UINT64_C(1000000000)
#define NS_PER_MS  UINT64_C(1000000)
#define NS_PER_US  UINT64_C(1000)
#define TIME_NEVER UINT64_MAX /* a deadline that never comes */

#endif
