/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "auth/ledger.h"
#include "base/error.h"
#include "base/memory.h"

#define START_NS (1000 * NS_PER_S)

static struct now at_ms(uint64_t ms)
{
    return (struct now){.monotonic_ns = START_NS + ms * NS_PER_MS, .wall_s = 1700000000 + ms / 1000};
}

static struct address address_of(const char *text)
{
    struct address address;
    assert_int_equal(address_parse(text, &address), 0);
    return address;
}

static struct ledger *built(struct ledger_limits limits)
{
    struct ledger *ledger;
    assert_int_equal(ledger_create(&limits, &ledger), 0);
    return ledger;
}

struct use {
    struct ledger_user *user;
    struct ledger_source *source;
    bool everybody;
};

static int begin(struct ledger *ledger, const char *user, const char *client, struct use *use)
{
    struct address address = address_of(client);
    return ledger_allocation_begin(ledger, (struct span){user, strlen(user)}, &address, &use->user, &use->source,
                                   &use->everybody);
}

static void end(struct ledger *ledger, struct use *use)
{
    ledger_allocation_end(ledger, &use->user, &use->source);
    assert_null(use->user);
    assert_null(use->source);
}

static void limit_per_user_counts_all_his_sources(void **state)
{
    (void)state;
    struct ledger *ledger = built((struct ledger_limits){.allocations_per_user = 2});
    struct use one, two, other;
    assert_int_equal(begin(ledger, "alice", "192.0.2.1", &one), 0);
    assert_int_equal(begin(ledger, "alice", "192.0.2.2", &two), 0);
    assert_int_equal(begin(ledger, "alice", "192.0.2.3", &other), ERR_FULL);
    assert_false(other.everybody);
    assert_int_equal(begin(ledger, "alice2", "192.0.2.3", &other), 0);
    assert_int_equal(ledger_totals(ledger).allocations, 3);
    assert_int_equal(ledger_totals(ledger).users, 2);
    assert_int_equal(ledger_totals(ledger).sources, 3);
    end(ledger, &one);
    assert_int_equal(begin(ledger, "alice", "192.0.2.3", &one), 0);
    end(ledger, &one);
    end(ledger, &two);
    end(ledger, &other);
    ledger_destroy(&ledger);
}

static void limit_per_source_counts_an_ipv6_site_as_one(void **state)
{
    (void)state;
    struct ledger *ledger = built((struct ledger_limits){.allocations_per_source = 1});
    struct use one, same, other, v4;
    assert_int_equal(begin(ledger, "a", "[2001:db8:0:1::1]:1000", &one), 0);
    assert_int_equal(begin(ledger, "b", "[2001:db8:0:1:ffff::2]:2000", &same), ERR_FULL);
    assert_int_equal(begin(ledger, "b", "2001:db8:0:2::1", &other), 0);
    assert_int_equal(begin(ledger, "b", "192.0.2.1", &v4), 0);
    assert_int_equal(begin(ledger, "b", "192.0.2.1:9", &same), ERR_FULL);
    end(ledger, &v4);
    assert_int_equal(begin(ledger, "b", "192.0.2.2", &v4), 0);
    end(ledger, &one);
    end(ledger, &other);
    end(ledger, &v4);
    ledger_destroy(&ledger);
}

static void limit_of_all_is_told_apart(void **state)
{
    (void)state;
    struct ledger *ledger = built((struct ledger_limits){.allocations = 1});
    struct use one, more;
    assert_int_equal(begin(ledger, "a", "192.0.2.1", &one), 0);
    assert_int_equal(begin(ledger, "b", "192.0.2.2", &more), ERR_FULL);
    assert_true(more.everybody);
    assert_int_equal(ledger_totals(ledger).users, 1);
    assert_int_equal(ledger_totals(ledger).sources, 1);
    end(ledger, &one);
    ledger_destroy(&ledger);
}

static void half_open_connections_are_limited_apart_from_allocations(void **state)
{
    (void)state;
    struct ledger *ledger =
        built((struct ledger_limits){.half_open = 3, .half_open_per_source = 2, .allocations_per_source = 1});
    struct address one = address_of("192.0.2.1"), two = address_of("192.0.2.2");
    struct ledger_source *sources[3], *more;
    struct use use;
    assert_int_equal(ledger_half_open_begin(ledger, &one, &sources[0]), 0);
    assert_int_equal(ledger_half_open_begin(ledger, &one, &sources[1]), 0);
    assert_int_equal(ledger_half_open_begin(ledger, &one, &more), ERR_FULL);
    assert_int_equal(begin(ledger, "a", "192.0.2.1", &use), 0);
    assert_int_equal(ledger_half_open_begin(ledger, &two, &sources[2]), 0);
    assert_int_equal(ledger_half_open_begin(ledger, &two, &more), ERR_FULL);
    assert_int_equal(ledger_totals(ledger).half_open, 3);
    end(ledger, &use);
    for (int i = 0; i < 3; i++)
        ledger_half_open_end(ledger, &sources[i]);
    assert_int_equal(ledger_totals(ledger).sources, 0);
    ledger_destroy(&ledger);
}

static void websockets_are_limited_by_source_and_come_back(void **state)
{
    (void)state;
    struct ledger *ledger = built((struct ledger_limits){.websockets_per_source = 2, .half_open_per_source = 1});
    struct address one = address_of("2001:db8::1"), same_site = address_of("2001:db8::2:0:0:1");
    struct address two = address_of("2001:db8:0:1::1");
    struct ledger_source *sources[4] = {NULL};
    assert_int_equal(ledger_websocket_begin(ledger, &one, &sources[0]), 0);
    assert_int_equal(ledger_websocket_begin(ledger, &same_site, &sources[1]), 0);
    assert_int_equal(ledger_websocket_begin(ledger, &one, &sources[2]), ERR_FULL);
    assert_int_equal(ledger_websocket_begin(ledger, &two, &sources[2]), 0);
    ledger_websocket_end(ledger, &sources[0]);
    assert_int_equal(ledger_websocket_begin(ledger, &one, &sources[0]), 0);
    for (int i = 0; i < 4; i++)
        ledger_websocket_end(ledger, &sources[i]);
    assert_int_equal(ledger_totals(ledger).sources, 0);
    ledger_destroy(&ledger);
}

/* Asks for |bytes| each millisecond of a second; returns what was granted. */
static uint64_t leased_in_a_second(struct ledger *ledger, struct ledger_user *user, uint64_t bytes, uint64_t start_ms)
{
    uint64_t granted = 0;
    for (uint64_t ms = 0; ms < 1000; ms++)
        granted += ledger_bandwidth_lease(ledger, user, bytes, at_ms(start_ms + ms));
    return granted;
}

static void bandwidth_of_a_user_is_what_the_limit_says(void **state)
{
    (void)state;
    struct ledger *ledger = built((struct ledger_limits){.bandwidth_per_user_bps = 8000000});
    struct use alice, bob;
    assert_true(ledger_bandwidth_limited(ledger));
    assert_int_equal(begin(ledger, "alice", "192.0.2.1", &alice), 0);
    assert_int_equal(begin(ledger, "bob", "192.0.2.2", &bob), 0);
    uint64_t first = leased_in_a_second(ledger, alice.user, 16384, 0);
    assert_in_range(first, 1000000, 1260000); /* with what the full bucket held */
    assert_in_range(leased_in_a_second(ledger, alice.user, 16384, 1000), 999000, 1001000);
    assert_true(ledger_bandwidth_lease(ledger, bob.user, 16384, at_ms(2000)) == 16384);
    /* An hour of silence saves up no more than the bucket's depth. */
    assert_in_range(leased_in_a_second(ledger, alice.user, 16384, 3600000), 1000000, 1260000);
    end(ledger, &alice);
    end(ledger, &bob);
    ledger_destroy(&ledger);
}

static void bandwidth_is_not_renewed_by_a_new_allocation(void **state)
{
    (void)state;
    struct ledger *ledger = built((struct ledger_limits){.bandwidth_per_user_bps = 8000000});
    uint64_t granted = 0;
    for (uint64_t ms = 100; ms < 200; ms += 10) {
        struct use use;
        assert_int_equal(begin(ledger, "alice", "192.0.2.1", &use), 0);
        granted += ledger_bandwidth_lease(ledger, use.user, 1000000, at_ms(ms));
        end(ledger, &use);
    }
    /* A tenth of a second is 100,000 bytes; ten fresh buckets would be 2,500,000. */
    assert_in_range(granted, 1, 10 * 16384 + 10);
    ledger_destroy(&ledger);
}

static void bandwidth_of_a_low_limit_is_not_renewed_either(void **state)
{
    (void)state;
    struct ledger *ledger = built((struct ledger_limits){.bandwidth_per_user_bps = 80000});
    uint64_t granted = 0;
    for (uint64_t ms = 100; ms < 10100; ms += 2) {
        struct use use;
        assert_int_equal(begin(ledger, "alice", "192.0.2.1", &use), 0);
        granted += ledger_bandwidth_lease(ledger, use.user, 16384, at_ms(ms));
        end(ledger, &use);
    }
    assert_in_range(granted, 90000, 100000 + 16384);
    ledger_destroy(&ledger);
}

static void accounts_that_are_even_again_do_not_stay(void **state)
{
    (void)state;
    struct ledger *ledger = built((struct ledger_limits){.bandwidth_per_user_bps = 8000000});
    for (unsigned i = 0; i < 1000; i++) {
        char name[16];
        struct use use;
        snprintf(name, sizeof name, "user%u", i);
        assert_int_equal(begin(ledger, name, "192.0.2.1", &use), 0);
        ledger_bandwidth_lease(ledger, use.user, 16384, at_ms(1000 + 100 * i));
        end(ledger, &use);
    }
    assert_in_range(ledger_totals(ledger).users, 1, 40); /* of each shard the latest ones */
    ledger_destroy(&ledger);
}

static void bandwidth_of_all_is_shared_by_users(void **state)
{
    (void)state;
    struct ledger *ledger = built((struct ledger_limits){.bandwidth_bps = 800000});
    struct use users[2];
    uint64_t granted = 0;
    assert_int_equal(begin(ledger, "a", "192.0.2.1", &users[0]), 0);
    assert_int_equal(begin(ledger, "b", "192.0.2.2", &users[1]), 0);
    for (uint64_t ms = 0; ms < 10000; ms++)
        granted += ledger_bandwidth_lease(ledger, users[ms % 2].user, 1200, at_ms(ms));
    assert_in_range(granted, 1000000, 1026000);
    end(ledger, &users[0]);
    end(ledger, &users[1]);
    ledger_destroy(&ledger);
}

static void bandwidth_without_a_limit_is_granted(void **state)
{
    (void)state;
    struct ledger *ledger = built((struct ledger_limits){0});
    struct use use;
    assert_false(ledger_bandwidth_limited(ledger));
    assert_int_equal(begin(ledger, "a", "192.0.2.1", &use), 0);
    assert_true(ledger_bandwidth_lease(ledger, use.user, UINT64_MAX, at_ms(0)) == UINT64_MAX);
    end(ledger, &use);
    ledger_destroy(&ledger);
}

static unsigned answers(struct ledger *ledger, const char *client, unsigned asked, uint64_t ms)
{
    unsigned allowed = 0;
    struct address address = address_of(client);
    for (unsigned i = 0; i < asked; i++)
        allowed += ledger_answer_allowed(ledger, &address, at_ms(ms));
    return allowed;
}

static void answers_are_limited_by_network(void **state)
{
    (void)state;
    struct ledger *ledger = built((struct ledger_limits){.answers_per_network = 100});
    assert_int_equal(answers(ledger, "192.0.2.1:1", 150, 0), 100);
    assert_int_equal(answers(ledger, "192.0.2.255:2", 10, 0), 0);
    assert_int_equal(answers(ledger, "192.0.3.1", 10, 0), 10);
    assert_int_equal(answers(ledger, "192.0.2.1:1", 150, 100), 10);
    assert_int_equal(answers(ledger, "192.0.2.1:1", 150, 100000), 100);

    assert_int_equal(answers(ledger, "2001:db8:0:100::1", 150, 0), 100);
    assert_int_equal(answers(ledger, "2001:db8:0:1ff::2", 10, 0), 0);
    assert_int_equal(answers(ledger, "2001:db8:0:200::1", 10, 0), 10);
    ledger_destroy(&ledger);
}

static void requests_of_a_source_are_limited_and_the_wait_is_told(void **state)
{
    (void)state;
    struct ledger *ledger = built((struct ledger_limits){.requests_per_source = 6});
    struct address one = address_of("192.0.2.1:1"), same = address_of("192.0.2.1:2");
    for (int i = 0; i < 6; i++)
        assert_int_equal(ledger_request_wait(ledger, &one, at_ms(0)), 0);
    assert_int_equal(ledger_request_wait(ledger, &same, at_ms(0)), 10);
    assert_int_equal(ledger_request_wait(ledger, &same, at_ms(9500)), 1);
    assert_int_equal(ledger_request_wait(ledger, &same, at_ms(10000)), 0);
    assert_int_equal(ledger_request_wait(ledger, &one, at_ms(10000)), 10);
    struct address site = address_of("[2001:db8::1]:1"), neighbour = address_of("[2001:db8::2]:1");
    for (int i = 0; i < 6; i++)
        assert_int_equal(ledger_request_wait(ledger, &site, at_ms(20000)), 0);
    assert_int_equal(ledger_request_wait(ledger, &neighbour, at_ms(20000)), 10);
    ledger_destroy(&ledger);
    ledger = built((struct ledger_limits){0});
    for (int i = 0; i < 1000; i++)
        assert_int_equal(ledger_request_wait(ledger, &one, at_ms(0)), 0);
    ledger_destroy(&ledger);
}

static void answers_without_a_limit_are_allowed(void **state)
{
    (void)state;
    struct ledger *ledger = built((struct ledger_limits){0});
    assert_int_equal(answers(ledger, "192.0.2.1", 10000, 0), 10000);
    ledger_destroy(&ledger);
}

static void want_of_memory_is_told_and_leaks_nothing(void **state)
{
    (void)state;
    struct ledger_limits limits = {0};
    struct ledger *ledger;
    for (unsigned long n = 1; n <= 33; n++) {
        memory_fail_at(n);
        assert_int_equal(ledger_create(&limits, &ledger), ERR_MEMORY);
        memory_fail_at(0);
    }
    ledger = built(limits);
    struct use use = {0};
    for (unsigned long n = 1; n <= 2; n++) {
        memory_fail_at(n);
        assert_int_equal(begin(ledger, "a", "192.0.2.1", &use), ERR_MEMORY);
        memory_fail_at(0);
        assert_int_equal(ledger_totals(ledger).users, 0);
    }
    ledger_destroy(&ledger);
}

static void *hammer(void *context)
{
    struct ledger *ledger = context;
    for (unsigned i = 0; i < 20000; i++) {
        char user[2] = {(char)('a' + i % 7)}, client[32];
        snprintf(client, sizeof client, "192.0.2.%u", i % 5);
        struct address address;
        address_parse(client, &address);
        struct use use;
        if (ledger_allocation_begin(ledger, (struct span){user, 1}, &address, &use.user, &use.source, &use.everybody))
            continue;
        ledger_bandwidth_lease(ledger, use.user, 100, at_ms(i));
        ledger_answer_allowed(ledger, &address, at_ms(i));
        ledger_allocation_end(ledger, &use.user, &use.source);
    }
    return NULL;
}

static void workers_share_the_ledger_without_losing_count(void **state)
{
    (void)state;
    struct ledger *ledger = built((struct ledger_limits){.allocations = 3,
                                                         .allocations_per_user = 2,
                                                         .allocations_per_source = 2,
                                                         .bandwidth_bps = 1000000,
                                                         .answers_per_network = 10});
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, ledger), 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    struct ledger_totals totals = ledger_totals(ledger);
    assert_int_equal(totals.allocations + totals.users + totals.sources + totals.half_open, 0);
    ledger_destroy(&ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limit_per_user_counts_all_his_sources),
        cmocka_unit_test(limit_per_source_counts_an_ipv6_site_as_one),
        cmocka_unit_test(limit_of_all_is_told_apart),
        cmocka_unit_test(half_open_connections_are_limited_apart_from_allocations),
        cmocka_unit_test(websockets_are_limited_by_source_and_come_back),
        cmocka_unit_test(bandwidth_of_a_user_is_what_the_limit_says),
        cmocka_unit_test(bandwidth_is_not_renewed_by_a_new_allocation),
        cmocka_unit_test(bandwidth_of_a_low_limit_is_not_renewed_either),
        cmocka_unit_test(accounts_that_are_even_again_do_not_stay),
        cmocka_unit_test(bandwidth_of_all_is_shared_by_users),
        cmocka_unit_test(bandwidth_without_a_limit_is_granted),
        cmocka_unit_test(answers_are_limited_by_network),
        cmocka_unit_test(requests_of_a_source_are_limited_and_the_wait_is_told),
        cmocka_unit_test(answers_without_a_limit_are_allowed),
        cmocka_unit_test(want_of_memory_is_told_and_leaks_nothing),
        cmocka_unit_test(workers_share_the_ledger_without_losing_count),
    };
    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
