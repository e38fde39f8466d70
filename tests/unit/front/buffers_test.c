/* SPDX-License-Identifier: BSD-3-Clause
 * What a stream keeps between two turns of the loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "front/buffers.h"

static uint8_t content[BUFFER_LARGE];

static void a_rest_costs_what_it_needs_and_nothing_when_empty(void **state)
{
    (void)state;
    struct buffers buffers;
    struct buffer *slot = NULL;
    buffers_init(&buffers, 1024 * 1024);
    assert_int_equal(buffers_keep(&buffers, &slot, content, 10, 0), 0);
    assert_int_equal(slot->size, BUFFER_SMALL);
    assert_int_equal(buffers_keep(&buffers, &slot, content, 10, 60000), 0); /* a frame that announces much */
    assert_int_equal(slot->size, BUFFER_LARGE);
    assert_int_equal(buffer_length(slot), 10);
    assert_int_equal(buffers.small.taken, 0);
    assert_int_equal(buffers_keep(&buffers, &slot, content, 0, 0), 0);
    assert_null(slot);
    assert_int_equal(buffers.large.taken, 0);
    assert_int_equal(buffers_keep(&buffers, &slot, content, 10, BUFFER_LARGE + 1), ERR_TOO_LARGE);
    buffers_fini(&buffers);
}

static void appended_bytes_stay_in_order_while_the_buffer_grows(void **state)
{
    (void)state;
    struct buffers buffers;
    struct buffer *slot = NULL;
    buffers_init(&buffers, 1024 * 1024);
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (uint8_t)(i % 251);
    size_t appended = 0, consumed = 0;
    for (size_t step = 1; appended + step <= 60000; step = step * 3 / 2 + 1) {
        assert_int_equal(buffers_append(&buffers, &slot, content + appended, step), 0);
        appended += step;
        /* Part of it leaves again, so that room appears at the front. */
        slot->start += (uint32_t)(step / 2);
        consumed += step / 2;
        assert_int_equal(buffer_length(slot), appended - consumed);
        assert_memory_equal(slot->bytes + slot->start, content + consumed, appended - consumed);
    }
    assert_int_equal(buffers_append(&buffers, &slot, content, BUFFER_LARGE), ERR_TOO_LARGE);
    assert_memory_equal(slot->bytes + slot->start, content + consumed, appended - consumed);
    buffers_give(&buffers, &slot);
    assert_int_equal(buffers.small.taken + buffers.record.taken + buffers.large.taken, 0);
    buffers_fini(&buffers);
}

static void slow_clients_of_a_worker_cost_no_more_than_the_limit(void **state)
{
    (void)state;
    struct buffers buffers;
    struct buffer *slots[4] = {NULL};
    buffers_init(&buffers, 2 * (BUFFER_LARGE + sizeof(struct buffer)));
    assert_int_equal(buffers_append(&buffers, &slots[0], content, BUFFER_LARGE), 0);
    assert_int_equal(buffers_append(&buffers, &slots[1], content, BUFFER_LARGE), 0);
    assert_int_equal(buffers_append(&buffers, &slots[2], content, BUFFER_LARGE), ERR_MEMORY);
    assert_null(slots[2]);
    assert_int_equal(buffers_append(&buffers, &slots[2], content, 100), 0);
    for (size_t i = 0; i < 4; i++)
        buffers_give(&buffers, &slots[i]);
    buffers_fini(&buffers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rest_costs_what_it_needs_and_nothing_when_empty),
        cmocka_unit_test(appended_bytes_stay_in_order_while_the_buffer_grows),
        cmocka_unit_test(slow_clients_of_a_worker_cost_no_more_than_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
