/* SPDX-License-Identifier: BSD-3-Clause
 * A histogram of times whose error stays below one in 128 at any size, from one nanosecond to four minutes: each power
 * of two is cut into 128 equal parts. */
#ifndef CLI_LOAD_HISTOGRAM_H
#define CLI_LOAD_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_PARTS_BITS 7
#define HISTOGRAM_PARTS      (1u << HISTOGRAM_PARTS_BITS)
#define HISTOGRAM_BITS       38 /* longer times count as the longest */
#define HISTOGRAM_COUNTS     ((HISTOGRAM_BITS - HISTOGRAM_PARTS_BITS + 1) * HISTOGRAM_PARTS)

/* All zero is empty. */
struct histogram {
    uint64_t counts[HISTOGRAM_COUNTS];
    uint64_t total, highest_ns;
};

void histogram_record(struct histogram *histogram, uint64_t value_ns);
void histogram_merge(struct histogram *histogram, const struct histogram *other);
/* The time that |percent| of all values do not exceed; 0 where there are none. */
uint64_t histogram_percentile(const struct histogram *histogram, double percent);

#endif
