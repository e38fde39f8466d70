/* SPDX-License-Identifier: BSD-3-Clause
 * The hash table, the timer heap, the pool, and the hash behind the first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/pool.h"
#include "base/siphash.h"
#include "base/timers.h"

/* The published vector: key 00..0f, message 00..0e. */
static void siphash_gives_the_published_vector(void **state)
{
    (void)state;
    uint8_t message[15];
    for (unsigned i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)i;
    struct siphash_key key = {0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};
    assert_true(siphash(&key, message, sizeof message) == 0xa129ca6149be45e5ull);
}

struct number {
    struct hash_entry entry;
    uint64_t value;
};

static void hash_finds_what_was_inserted_and_not_what_was_removed(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    static struct number numbers[COUNT];
    struct hash table;
    assert_int_equal(hash_init(&table), 0);
    for (uint64_t i = 0; i < COUNT; i++) {
        numbers[i].value = i;
        hash_insert(&table, &numbers[i].entry, i % 100);
    }
    for (uint64_t i = 0; i < COUNT; i += 2)
        hash_remove(&table, &numbers[i].entry);
    assert_int_equal(table.count, COUNT / 2);

    unsigned odd = 0;
    for (uint64_t h = 0; h < 100; h++)
        for (struct hash_entry *e = hash_first(&table, h); e; e = hash_next(e))
            odd += container_of(e, struct number, entry)->value % 2;
    assert_int_equal(odd, COUNT / 2);
    hash_fini(&table);
}

static void hash_goes_on_where_growing_fails(void **state)
{
    (void)state;
    static struct number numbers[65];
    struct hash table;
    assert_int_equal(hash_init(&table), 0);
    for (uint64_t i = 0; i < 64; i++)
        hash_insert(&table, &numbers[i].entry, i);
    memory_fail_at(1);
    hash_insert(&table, &numbers[64].entry, 64);
    memory_fail_at(0);
    assert_int_equal(table.bucket_count, 64);
    assert_ptr_equal(hash_first(&table, 64), &numbers[64].entry);
    hash_fini(&table);
}

static uint64_t last_deadline;
static unsigned fired;

static void note(struct timer *timer, struct now now)
{
    assert_true(timer->deadline_ns >= last_deadline && timer->deadline_ns <= now.monotonic_ns);
    last_deadline = timer->deadline_ns;
    fired++;
}

static void timers_fire_in_order_and_only_when_due(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    static struct timer timers_of_test[COUNT];
    struct timers timers;
    timers_init(&timers);
    last_deadline = 0;
    fired = 0;
    for (uint64_t i = 0; i < COUNT; i++) {
        timers_of_test[i].callback = note;
        assert_int_equal(timers_set(&timers, &timers_of_test[i], i * 7919 % 1009), 0);
    }
    for (uint64_t i = 0; i < COUNT; i += 5)
        timers_cancel(&timers, &timers_of_test[i]);
    for (uint64_t i = 1; i < COUNT; i += 5)
        assert_int_equal(timers_set(&timers, &timers_of_test[i], 2000), 0);
    timers_expire(&timers, (struct now){.monotonic_ns = 1500});
    assert_int_equal(fired, COUNT * 3 / 5);
    assert_true(timers_deadline(&timers) == 2000);
    timers_expire(&timers, (struct now){.monotonic_ns = 2000});
    assert_int_equal(fired, COUNT * 4 / 5);
    assert_true(timers_deadline(&timers) == TIME_NEVER);
    timers_fini(&timers);
}

static void timer_follows_a_deadline_that_moves_comes_and_goes(void **state)
{
    (void)state;
    struct timer timer = {.callback = note};
    struct timers timers;
    timers_init(&timers);
    last_deadline = 0;
    fired = 0;
    assert_int_equal(timers_update(&timers, &timer, TIME_NEVER), 0);
    assert_true(timers_deadline(&timers) == TIME_NEVER);
    assert_int_equal(timers_update(&timers, &timer, 10), 0);
    assert_int_equal(timers_update(&timers, &timer, 20), 0);
    assert_int_equal(timers_update(&timers, &timer, 20), 0);
    assert_true(timers_deadline(&timers) == 20);
    timers_expire(&timers, (struct now){.monotonic_ns = 20});
    assert_int_equal(fired, 1);
    assert_int_equal(timers_update(&timers, &timer, 20), 0); /* it has fired, so it is set anew */
    assert_true(timers_deadline(&timers) == 20);
    assert_int_equal(timers_update(&timers, &timer, TIME_NEVER), 0);
    timers_expire(&timers, (struct now){.monotonic_ns = 30});
    assert_int_equal(fired, 1);
    timers_fini(&timers);
}

static void pool_gives_no_more_than_its_limit(void **state)
{
    (void)state;
    struct pool pool;
    pool_init(&pool, 24, 4, 5);
    void *objects[5];
    for (int i = 0; i < 5; i++)
        assert_non_null(objects[i] = pool_take(&pool));
    assert_null(pool_take(&pool));
    pool_give(&pool, objects[2]);
    assert_ptr_equal(pool_take(&pool), objects[2]);
    for (int i = 0; i < 5; i++)
        pool_give(&pool, objects[i]);
    assert_int_equal(pool.taken, 0);
    pool_fini(&pool);
}

static void pool_survives_a_failing_allocation(void **state)
{
    (void)state;
    struct pool pool;
    pool_init(&pool, 24, 4, 0);
    memory_fail_at(1);
    assert_null(pool_take(&pool));
    memory_fail_at(0);
    assert_non_null(pool_take(&pool));
    pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_gives_the_published_vector),
        cmocka_unit_test(hash_finds_what_was_inserted_and_not_what_was_removed),
        cmocka_unit_test(hash_goes_on_where_growing_fails),
        cmocka_unit_test(timers_fire_in_order_and_only_when_due),
        cmocka_unit_test(timer_follows_a_deadline_that_moves_comes_and_goes),
        cmocka_unit_test(pool_gives_no_more_than_its_limit),
        cmocka_unit_test(pool_survives_a_failing_allocation),
    };
    return cmocka_run_group_tests_name("containers", tests, NULL, NULL);
}
