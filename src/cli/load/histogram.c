/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/load/histogram.h"

/* The topmost bit tells the power of two, the seven bits below it the part. */
static unsigned place_of(uint64_t value)
{
    if (value < 2 * HISTOGRAM_PARTS)
        return (unsigned)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_PARTS_BITS;
    return shift * HISTOGRAM_PARTS + (unsigned)(value >> shift);
}

/* The longest time that is counted at |place|. */
static uint64_t value_at(unsigned place)
{
    if (place < 2 * HISTOGRAM_PARTS)
        return place;
    unsigned shift = place / HISTOGRAM_PARTS - 1;
    uint64_t top = place - shift * HISTOGRAM_PARTS;
    return ((top + 1) << shift) - 1;
}

void histogram_record(struct histogram *histogram, uint64_t value_ns)
{
    const uint64_t longest = (1ull << HISTOGRAM_BITS) - 1;
    if (value_ns > longest)
        value_ns = longest;
    histogram->counts[place_of(value_ns)]++;
    histogram->total++;
    if (value_ns > histogram->highest_ns)
        histogram->highest_ns = value_ns;
}

void histogram_merge(struct histogram *histogram, const struct histogram *other)
{
    for (unsigned i = 0; i < HISTOGRAM_COUNTS; i++)
        histogram->counts[i] += other->counts[i];
    histogram->total += other->total;
    if (other->highest_ns > histogram->highest_ns)
        histogram->highest_ns = other->highest_ns;
}

uint64_t histogram_percentile(const struct histogram *histogram, double percent)
{
    double wanted = (double)histogram->total * percent / 100;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_COUNTS; i++) {
        seen += histogram->counts[i];
        if (seen > 0 && (double)seen >= wanted) {
            uint64_t value = value_at(i);
            return value < histogram->highest_ns ? value : histogram->highest_ns;
        }
    }
    return histogram->highest_ns;
}
