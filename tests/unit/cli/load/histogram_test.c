/* SPDX-License-Identifier: BSD-3-Clause
 * The histogram of the load generator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/memory.h"
#include "cli/load/histogram.h"

static struct histogram *histogram_create(void)
{
    struct histogram *histogram = memory_zeroed(1, sizeof *histogram);
    assert_non_null(histogram);
    return histogram;
}

static void a_time_is_told_within_one_part_in_128(void **state)
{
    (void)state;
    for (uint64_t value = 1; value < 1ull << HISTOGRAM_BITS; value += value / 97 + 1) {
        struct histogram *histogram = histogram_create();
        histogram_record(histogram, value);
        histogram_record(histogram, (1ull << HISTOGRAM_BITS) - 1); /* so that the longest does not mend the rest */
        uint64_t told = histogram_percentile(histogram, 50);
        assert_true(told >= value);
        assert_true(told - value <= value / 128);
        memory_free(histogram);
    }
}

static void percentiles_count_values_not_time(void **state)
{
    (void)state;
    struct histogram *histogram = histogram_create();
    assert_int_equal(histogram_percentile(histogram, 99), 0);
    for (uint64_t i = 1; i <= 100; i++)
        histogram_record(histogram, i);
    assert_int_equal(histogram_percentile(histogram, 0), 1);
    assert_int_equal(histogram_percentile(histogram, 50), 50);
    assert_int_equal(histogram_percentile(histogram, 99), 99);
    assert_int_equal(histogram_percentile(histogram, 100), 100);
    histogram_record(histogram, 1000000);
    assert_int_equal(histogram_percentile(histogram, 99), 100);
    assert_int_equal(histogram_percentile(histogram, 100), 1000000);
    memory_free(histogram);
}

static void merging_adds_up(void **state)
{
    (void)state;
    struct histogram *a = histogram_create(), *b = histogram_create();
    for (uint64_t i = 0; i < 90; i++)
        histogram_record(a, 10);
    for (uint64_t i = 0; i < 10; i++)
        histogram_record(b, 200);
    histogram_merge(a, b);
    assert_int_equal(a->total, 100);
    assert_int_equal(a->highest_ns, 200);
    assert_int_equal(histogram_percentile(a, 90), 10);
    assert_int_equal(histogram_percentile(a, 91), 200);
    memory_free(a);
    memory_free(b);
}

static void what_is_longer_than_the_longest_counts_as_the_longest(void **state)
{
    (void)state;
    struct histogram *histogram = histogram_create();
    histogram_record(histogram, UINT64_MAX);
    assert_int_equal(histogram->total, 1);
    assert_int_equal(histogram_percentile(histogram, 50), (1ull << HISTOGRAM_BITS) - 1);
    memory_free(histogram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_is_told_within_one_part_in_128),
        cmocka_unit_test(percentiles_count_values_not_time),
        cmocka_unit_test(merging_adds_up),
        cmocka_unit_test(what_is_longer_than_the_longest_counts_as_the_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
