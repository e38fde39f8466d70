/* SPDX-License-Identifier: BSD-3-Clause
 * Begin and end, what is refused at the start, and memory that fails. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"
#include "fake_dns.h"
#include "net/socket.h"
#include "world.h"

static struct worker *worker;
static struct address dns;
static struct mw_core *core;
static struct mw_core_error error;
static struct mw_core_listener listeners[2];
static const char *entries[2];

static int set_up(void **state)
{
    (void)state;
    dns = fake_dns_start();
    entries[0] = "sip:core.example";
    entries[1] = "sip:192.0.2.1";
    address_parse("127.0.0.1", &listeners[0].address);
    listeners[1] = listeners[0];
    listeners[0].transport = EDGE_UDP;
    listeners[1].transport = EDGE_TCP;
    assert_int_equal(worker_create(0, &worker), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mw_core_destroy(&core);
    worker_destroy(&worker);
    fake_dns_stop();
    return 0;
}

static int create(void)
{
    struct mw_core_settings settings = {.entries = entries,
                                        .entry_count = 2,
                                        .listeners = listeners,
                                        .listener_count = 2,
                                        .dns_servers = &dns,
                                        .dns_server_count = 1};
    return mw_core_create(&settings, &worker, 1, &core, &error);
}

static void an_entry_that_leads_nowhere_is_named(void **state)
{
    (void)state;
    static const char *const wrong[] = {"core.example", "tel:+4930", "sips:core.example",
                                        "sip:core.example;transport=tls", "sip:core.example;transport=ws"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        entries[1] = wrong[i];
        assert_int_equal(create(), ERR_MALFORMED);
        assert_int_equal(error.entry, 1);
        assert_int_equal(error.listener, -1);
        assert_null(core);
    }
}

static void a_listener_that_is_taken_is_named(void **state)
{
    (void)state;
    int fd = net_tcp_listen(&listeners[1].address, false);
    listeners[1].address = net_local_address(fd);
    assert_int_equal(create(), ERR_IN_USE);
    assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(error.listener, 1);
    assert_int_equal(error.entry, -1);
    close(fd);
}

static void names_begin_to_be_looked_up_at_once_and_trust_nobody_before(void **state)
{
    (void)state;
    assert_int_equal(create(), 0);
    struct address first, second;
    address_parse("192.0.2.1", &second);
    address_parse("127.0.0.1", &first);
    assert_true(core->entries[0].pending);
    assert_true(sources_trust(&core->sources, &second));
    assert_false(sources_trust(&core->sources, &first));
}

static void a_start_without_memory_fails_whole(void **state)
{
    (void)state;
    unsigned long n = 0;
    int result;
    do {
        memory_fail_at(++n);
        result = create();
        memory_fail_at(0);
        assert_true(result == 0 || result == ERR_MEMORY);
    } while (result != 0);
    assert_in_range(n, 3, 100);
}

static const char request[] = "OPTIONS sip:edge SIP/2.0\r\nContent-Length: 0\r\n\r\n";

struct failing {
    unsigned long at;
    struct edge_target target;
    struct edge_lookup lookup;
};

static void ask_and_send_without_memory(void *argument)
{
    struct failing *failing = argument;
    struct edge_target targets[EDGE_TARGETS_MAX];
    memory_fail_at(failing->at);
    mw_core_lookup(world.core, 0, &failing->lookup, "sip:new.example", targets);
    mw_core_lookup_cancel(world.core, 0, &failing->lookup);
    mw_core_send(world.core, 0, &failing->target, request, strlen(request));
    memory_fail_at(0);
}

static void memory_that_fails_costs_messages_only(void **state)
{
    (void)state;
    struct failing failing = {0};
    world_init();
    world_start();
    int listener = net_tcp_listen(&(struct address){.ip = {127, 0, 0, 1}, .family = ADDRESS_IPV4}, false);
    for (unsigned long n = 1; n < 12; n++) {
        failing.at = n;
        failing.target = mw_target(&(struct address){0}, EDGE_TCP);
        failing.target.address = net_local_address(listener);
        world_run(0, ask_and_send_without_memory, &failing);
        world_settle();
    }
    struct edge_target targets[EDGE_TARGETS_MAX];
    fake_dns_address("other.example", "192.0.2.1", 60);
    assert_int_equal(world_lookup(0, "sip:other.example:5060", targets), 1);
    close(listener);
    world_stop();
}

static void an_entry_stays_where_it_was_while_its_name_cannot_be_looked_up(void **state)
{
    (void)state;
    struct edge_target targets[EDGE_TARGETS_MAX];
    world_init();
    world.entries[0] = "sip:core.example:5060";
    fake_dns_address("core.example", "127.0.0.3", 10);
    world_start();
    assert_int_equal(world_lookup(0, NULL, targets), 1);
    fake_dns_remove("core.example");
    unsigned asked = fake_dns_asked("core.example");
    world_pass(11); /* time to refresh it */
    while (fake_dns_asked("core.example") < asked + 2 || world_logged("cannot be looked up") == 0)
        world_settle();
    assert_int_equal(world_lookup(0, NULL, targets), 1);
    assert_int_equal(targets[0].address.ip[3], 3);
    world_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_entry_that_leads_nowhere_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_listener_that_is_taken_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_begin_to_be_looked_up_at_once_and_trust_nobody_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_start_without_memory_fails_whole, set_up, tear_down),
        cmocka_unit_test(memory_that_fails_costs_messages_only),
        cmocka_unit_test(an_entry_stays_where_it_was_while_its_name_cannot_be_looked_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
