/* SPDX-License-Identifier: BSD-3-Clause
 * What waits for a slow client, in virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "front/stream_queue.h"

static struct pool blocks;
static struct stream_queue queue;
static uint8_t out[200000];

static int set_up(void **state)
{
    (void)state;
    queue = (struct stream_queue){0};
    stream_queue_blocks_init(&blocks, 4 * 1024 * 1024);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stream_queue_clear(&queue, &blocks);
    assert_int_equal(blocks.taken, 0);
    pool_fini(&blocks);
    return 0;
}

/* A packet of |length| bytes that begins with |letter|, and three bytes of padding. */
static int push(enum turn_class class, char letter, size_t length, uint64_t ms)
{
    static uint8_t payload[70000];
    uint8_t head[4] = {(uint8_t)letter, 1, 2, 3};
    memset(payload, letter, sizeof payload);
    struct turn_packet packet = {
        .head = head, .head_length = 4, .payload = payload, .payload_length = length - 7, .padding = 3, .class = class};
    return stream_queue_push(&queue, &blocks, &packet, ms * NS_PER_MS);
}

/* Takes packet by packet and returns their letters. */
static const char *letters(uint64_t ms)
{
    static char text[1000];
    size_t count = 0;
    while (stream_queue_take(&queue, &blocks, out, 1, sizeof out, ms * NS_PER_MS) > 0)
        text[count++] = (char)out[0];
    text[count] = '\0';
    return text;
}

static void answers_and_live_go_before_bulk(void **state)
{
    (void)state;
    push(TURN_CLASS_BULK, 'b', 1000, 0);
    push(TURN_CLASS_LIVE, 'l', 200, 0);
    push(TURN_CLASS_BULK, 'c', 1000, 0);
    push(TURN_CLASS_ANSWER, 'A', 100, 0);
    push(TURN_CLASS_LIVE, 'm', 200, 0);
    push(TURN_CLASS_ANSWER, 'B', 100, 0);
    assert_string_equal(letters(0), "ABlmbc");
    assert_true(stream_queue_empty(&queue));
}

static void stale_packets_are_dropped_from_the_head_and_answers_never(void **state)
{
    (void)state;
    push(TURN_CLASS_ANSWER, 'A', 100, 0);
    push(TURN_CLASS_LIVE, 'l', 200, 0);
    push(TURN_CLASS_BULK, 'b', 200, 0);
    push(TURN_CLASS_LIVE, 'm', 200, 60);
    push(TURN_CLASS_BULK, 'c', 200, 60);
    assert_int_equal(queue.classes[TURN_CLASS_LIVE].bytes, 400);
    assert_string_equal(letters(101), "Ambc");
    push(TURN_CLASS_ANSWER, 'A', 100, 200);
    push(TURN_CLASS_BULK, 'b', 200, 200);
    push(TURN_CLASS_BULK, 'c', 200, 300);
    push(TURN_CLASS_LIVE, 'l', 200, 300);
    assert_string_equal(letters(401), "Ac");
    push(TURN_CLASS_ANSWER, 'A', 100, 500);
    assert_string_equal(letters(3600 * 1000), "A");
}

/* A stall is forgiven, lasting overload is not: then a short queue serves the client better than a long one. */
static void a_queue_that_stands_is_cut_short_and_one_that_passes_is_not(void **state)
{
    (void)state;
    uint64_t ms = 1000;
    /* Two packets in for each one out, every 10 ms: what leaves is as old as the limit allows. */
    uint64_t oldest = 0;
    for (; ms < 2000; ms += 10) {
        push(TURN_CLASS_LIVE, 'l', 200, ms);
        push(TURN_CLASS_LIVE, 'l', 200, ms);
        if (queue.classes[TURN_CLASS_LIVE].bytes / 400 > oldest && ms >= 1500)
            oldest = queue.classes[TURN_CLASS_LIVE].bytes / 400;
        assert_int_equal(stream_queue_take(&queue, &blocks, out, 1, sizeof out, ms * NS_PER_MS), 200);
    }
    assert_in_range(oldest * 10, 30, 50); /* ms */

    /* The overload ends; a stall of 90 ms after that costs nothing. */
    letters(ms);
    push(TURN_CLASS_LIVE, 'a', 200, ms += 10);
    assert_string_equal(letters(ms), "a");
    push(TURN_CLASS_LIVE, 'b', 200, ms += 10);
    push(TURN_CLASS_LIVE, 'c', 200, ms + 50);
    assert_string_equal(letters(ms + 90), "bc");

    /* A client that takes one packet in a while gets the newest. */
    for (int i = 0; i < 20; i++, ms += 80) {
        push(TURN_CLASS_LIVE, 'o', 200, ms);
        push(TURN_CLASS_LIVE, 'n', 200, ms + 5);
        stream_queue_take(&queue, &blocks, out, 1, sizeof out, (ms + 70) * NS_PER_MS);
    }
    assert_int_equal(out[0], 'n');
}

static void bulk_gets_its_share_where_live_alone_is_more_than_the_client_takes(void **state)
{
    (void)state;
    for (int i = 0; i < 40; i++) {
        push(TURN_CLASS_LIVE, 'l', 100, 0);
        push(TURN_CLASS_BULK, 'b', 100, 0);
    }
    char first[25];
    memcpy(first, letters(0), 24);
    first[24] = '\0';
    assert_string_equal(first, "lllllllblllllllblllllllb");
}

static void packets_come_out_whole_whatever_their_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {8, 2015, 2016, 2017, 2020, 4056, 4057, 10000, 65552};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_int_equal(push(TURN_CLASS_LIVE, 'x', sizes[i], 0), 0);
        memset(out, 0xEE, sizeof out);
        assert_int_equal(stream_queue_take(&queue, &blocks, out, 1, sizeof out, 0), sizes[i]);
        assert_memory_equal(out, "x\1\2\3", 4);
        for (size_t at = 4; at < sizes[i] - 3; at++)
            assert_int_equal(out[at], 'x');
        assert_memory_equal(out + sizes[i] - 3, "\0\0\0\xEE", 4);
        assert_int_equal(blocks.taken, 0);
    }
}

static void a_batch_ends_at_what_is_wanted_or_what_fits(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        push(TURN_CLASS_LIVE, 'l', 1000, 0);
    assert_int_equal(stream_queue_take(&queue, &blocks, out, 1500, sizeof out, 0), 2000);
    assert_int_equal(stream_queue_take(&queue, &blocks, out, 5000, 1999, 0), 1000);
    assert_int_equal(stream_queue_take(&queue, &blocks, out, 5000, 999, 0), 0);
    assert_int_equal(stream_queue_take(&queue, &blocks, out, 5000, sizeof out, 0), 2000);
}

static void bytes_are_bounded_and_the_oldest_go(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++)
        assert_int_equal(push(TURN_CLASS_LIVE, (char)('a' + i), 60000, 0), 0);
    assert_true(queue.classes[TURN_CLASS_LIVE].bytes <= QUEUE_CLASS_BYTES_MAX);
    assert_string_equal(letters(0), "cdefghij");
}

static void without_memory_bulk_gives_way_to_live_and_live_to_answers(void **state)
{
    (void)state;
    pool_fini(&blocks);
    stream_queue_blocks_init(&blocks, 4 * QUEUE_BLOCK_SIZE);
    push(TURN_CLASS_BULK, 'a', 100, 0);
    push(TURN_CLASS_BULK, 'b', 100, 0);
    push(TURN_CLASS_LIVE, 'l', 100, 0);
    push(TURN_CLASS_LIVE, 'm', 100, 0);
    assert_int_equal(push(TURN_CLASS_LIVE, 'n', 100, 0), 0); /* for a */
    assert_int_equal(push(TURN_CLASS_BULK, 'c', 100, 0), 0); /* for b */
    assert_int_equal(push(TURN_CLASS_ANSWER, 'A', 100, 0), 0);
    assert_int_equal(push(TURN_CLASS_ANSWER, 'B', 100, 0), 0);
    assert_int_equal(push(TURN_CLASS_BULK, 'd', 100, 0), ERR_FULL);
    assert_int_equal(push(TURN_CLASS_ANSWER, 'C', 100, 0), 0);
    assert_int_equal(push(TURN_CLASS_ANSWER, 'D', 100, 0), 0);
    assert_int_equal(push(TURN_CLASS_ANSWER, 'E', 100, 0), ERR_FULL);
    assert_int_equal(stream_queue_answer_bytes(&queue), 400);
    assert_string_equal(letters(0), "ABCD");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_and_live_go_before_bulk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stale_packets_are_dropped_from_the_head_and_answers_never, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_queue_that_stands_is_cut_short_and_one_that_passes_is_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bulk_gets_its_share_where_live_alone_is_more_than_the_client_takes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(packets_come_out_whole_whatever_their_size, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_batch_ends_at_what_is_wanted_or_what_fits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_are_bounded_and_the_oldest_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_memory_bulk_gives_way_to_live_and_live_to_answers, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
