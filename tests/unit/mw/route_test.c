/* SPDX-License-Identifier: BSD-3-Clause
 * From a URI to the places to send to (RFC 3263), with a DNS server on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "fake_dns.h"
#include "world.h"

static struct edge_target targets[EDGE_TARGETS_MAX];
static struct tls_context *client_tls;

static int set_up(void **state)
{
    (void)state;
    struct tls_error error;
    world_init();
    assert_int_equal(tls_context_create_client(false, NULL, &client_tls, &error), 0);
    world.tls_client = client_tls;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_stop();
    tls_context_destroy(&client_tls);
    return 0;
}

/* What |uri| leads to, as "udp 192.0.2.1:5060, tcp ...". */
static const char *way(const char *uri)
{
    static const char *const names[] = {"udp", "tcp", "tls"};
    static char text[EDGE_TARGETS_MAX * 64];
    char place[ADDRESS_TEXT_MAX];
    int count = world_lookup(world.worker_count - 1, uri, targets);
    size_t length = 0;
    text[0] = '\0';
    if (count < 0)
        return error_text(count);
    for (int i = 0; i < count; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s %s", i ? ", " : "",
                                   names[targets[i].transport], address_format(&targets[i].address, place));
    return text;
}

static void literals_and_ports_need_no_services(void **state)
{
    (void)state;
    world_start();
    fake_dns_address("host.example", "192.0.2.1", 60);
    fake_dns_service("_sip._udp.host.example", 0, 0, 1, "elsewhere.example", 60);
    assert_string_equal(way("sip:192.0.2.7"), "udp 192.0.2.7:5060");
    assert_string_equal(way("sip:192.0.2.7;transport=tcp"), "tcp 192.0.2.7:5060");
    assert_string_equal(way("sips:192.0.2.7"), "tls 192.0.2.7:5061");
    assert_string_equal(way("sip:192.0.2.7:5090;transport=tls"), "tls 192.0.2.7:5090");
    assert_string_equal(way("sip:host.example:5090"), "udp 192.0.2.1:5090");
    assert_string_equal(way("sips:host.example:5090"), "tls 192.0.2.1:5090");
    assert_string_equal(way("sip:other.example;maddr=192.0.2.8"), "udp 192.0.2.8:5060");
    assert_int_equal(fake_dns_asked("_sip._udp.host.example"), 0);
}

static void a_stated_transport_chooses_the_service(void **state)
{
    (void)state;
    world_start();
    fake_dns_service("_sip._udp.core.example", 0, 0, 5061, "u.example", 60);
    fake_dns_service("_sip._tcp.core.example", 0, 0, 5062, "t.example", 60);
    fake_dns_service("_sips._tcp.core.example", 0, 0, 5063, "s.example", 60);
    fake_dns_address("u.example", "192.0.2.1", 60);
    fake_dns_address("t.example", "192.0.2.2", 60);
    fake_dns_address("s.example", "192.0.2.3", 60);
    assert_string_equal(way("sip:core.example;transport=udp"), "udp 192.0.2.1:5061");
    assert_string_equal(way("sip:core.example;transport=tcp"), "tcp 192.0.2.2:5062");
    assert_string_equal(way("sip:core.example;transport=tls"), "tls 192.0.2.3:5063");
    assert_string_equal(way("sips:core.example;transport=tcp"), "tls 192.0.2.3:5063");
    assert_string_equal(router_name(&world.core->router, targets[0].name), "core.example");
    assert_int_equal(fake_dns_asked("core.example"), 0);
}

static void pointers_say_transport_and_order(void **state)
{
    (void)state;
    world_start();
    fake_dns_pointer("core.example", 20, 1, "SIP+D2U", "_sip._udp.core.example", 60);
    fake_dns_pointer("core.example", 10, 2, "SIP+D2T", "_second.core.example", 60);
    fake_dns_pointer("core.example", 10, 1, "sips+d2t", "_first.core.example", 60);
    fake_dns_pointer("core.example", 1, 1, "SIP+D2W", "_web.core.example", 60);
    fake_dns_service("_sip._udp.core.example", 0, 0, 5060, "a.example", 60);
    fake_dns_service("_second.core.example", 0, 0, 5062, "a.example", 60);
    fake_dns_service("_first.core.example", 0, 0, 5061, "a.example", 60);
    fake_dns_address("a.example", "192.0.2.1", 60);
    assert_string_equal(way("sip:core.example"), "tls 192.0.2.1:5061, tcp 192.0.2.1:5062, udp 192.0.2.1:5060");
    assert_string_equal(way("sips:core.example"), "tls 192.0.2.1:5061");
    assert_int_equal(fake_dns_asked("_web.core.example"), 0);
}

static void without_pointers_each_service_is_asked_for_tcp_first(void **state)
{
    (void)state;
    world_start();
    fake_dns_service("_sip._udp.core.example", 0, 0, 5060, "a.example", 60);
    fake_dns_service("_sip._tcp.core.example", 0, 0, 5060, "a.example", 60);
    fake_dns_address("a.example", "192.0.2.1", 60);
    fake_dns_address("plain.example", "192.0.2.2", 60);
    assert_string_equal(way("sip:core.example"), "tcp 192.0.2.1:5060, udp 192.0.2.1:5060");
    assert_string_equal(way("sip:plain.example"), "udp 192.0.2.2:5060");
    assert_string_equal(way("sips:plain.example"), "tls 192.0.2.2:5061");
    assert_string_equal(way("sip:nowhere.example"), "not found");
}

static void priorities_order_services_and_weights_share_the_load(void **state)
{
    (void)state;
    world_start();
    fake_dns_service("_sip._tcp.core.example", 2, 0, 5060, "c.example", 60);
    fake_dns_service("_sip._tcp.core.example", 1, 90, 5060, "a.example", 60);
    fake_dns_service("_sip._tcp.core.example", 1, 10, 5060, "b.example", 60);
    fake_dns_address("a.example", "192.0.2.1", 60);
    fake_dns_address("b.example", "192.0.2.2", 60);
    fake_dns_address("c.example", "192.0.2.3", 60);
    int first[2] = {0};
    for (int i = 0; i < 400; i++) {
        assert_int_equal(world_lookup(0, "sip:core.example;transport=tcp", targets), 3);
        assert_int_equal(targets[2].address.ip[3], 3);
        assert_in_range(targets[0].address.ip[3], 1, 2);
        first[targets[0].address.ip[3] - 1]++;
    }
    /* 360 expected; six standard deviations of 6 each way. */
    assert_in_range(first[0], 324, 396);
    assert_int_equal(fake_dns_asked("_sip._tcp.core.example"), 1);
}

static void a_service_that_is_declined_is_not_looked_for_elsewhere(void **state)
{
    (void)state;
    world_start();
    fake_dns_service("_sip._tcp.core.example", 0, 0, 0, "", 60);
    fake_dns_address("core.example", "192.0.2.1", 60);
    assert_string_equal(way("sip:core.example;transport=tcp"), "not found");
}

static void addresses_of_a_family_without_a_listener_are_left_out(void **state)
{
    (void)state;
    world_start();
    fake_dns_address("host.example", "2001:db8::1", 60);
    fake_dns_address("host.example", "192.0.2.1", 60);
    fake_dns_address("six.example", "2001:db8::1", 60);
    assert_string_equal(way("sip:host.example:5060"), "udp 192.0.2.1:5060");
    assert_string_equal(way("sip:six.example:5060"), "not found");
    assert_string_equal(way("sip:[2001:db8::1]"), "not found");
}

static void both_families_are_used_where_both_are_served(void **state)
{
    (void)state;
    world_start();
    world.core->router.speaks[EDGE_TCP][1] = true;
    fake_dns_address("host.example", "2001:db8::1", 60);
    fake_dns_address("host.example", "192.0.2.1", 60);
    assert_int_equal(world_lookup(0, "sip:host.example;transport=tcp", targets), 2);
    assert_int_equal(targets[0].address.family + targets[1].address.family, ADDRESS_IPV4 + ADDRESS_IPV6);
}

static void transports_that_are_not_spoken_lead_nowhere(void **state)
{
    (void)state;
    world.no_listeners_but_tcp = true;
    world.tls_client = NULL;
    world.entries[0] = "sip:127.0.0.9:9;transport=tcp";
    world_start();
    assert_string_equal(way("sip:192.0.2.1;transport=udp"), "not found");
    assert_string_equal(way("sips:192.0.2.1"), "not found");
    assert_string_equal(way("sip:192.0.2.1"), "tcp 192.0.2.1:5060");
}

static void the_entry_is_all_of_its_uris_in_their_order(void **state)
{
    (void)state;
    world.worker_count = 3;
    world.entries[0] = "sip:core.example;transport=tcp";
    world.entries[1] = "sip:192.0.2.9:5070";
    fake_dns_address("core.example", "192.0.2.1", 60);
    world_start();
    assert_string_equal(way(NULL), "tcp 192.0.2.1:5060, udp 192.0.2.9:5070");
    assert_string_equal(way("tel:+49301234"), "tcp 192.0.2.1:5060, udp 192.0.2.9:5070");
    assert_int_equal(world_lookup(0, NULL, targets), 2);
    assert_int_equal(world_lookup(1, "sip:192.0.2.3", targets), 1);
}

static void dead_places_come_last(void **state)
{
    (void)state;
    world.entries[0] = "sip:192.0.2.1:5060";
    world.entries[1] = "sip:192.0.2.2:5060";
    world_start();
    assert_string_equal(way(NULL), "udp 192.0.2.1:5060, udp 192.0.2.2:5060");
    struct edge_target first = targets[0];
    world_silent(0, &first);
    struct world_event *event = world_expect(WORLD_FAILED);
    assert_true(address_equal(&event->target.address, &first.address));
    free(event);
    assert_string_equal(way(NULL), "udp 192.0.2.2:5060, udp 192.0.2.1:5060");
}

struct find {
    const char *name;
    enum dns_type type;
    uint64_t later_ns, since_ns;
    int result;
    unsigned count;
};

/* At a time that lies |later_ns| ahead. */
static void find_run(void *argument)
{
    struct find *find = argument;
    struct now now = loop_now(world.core->loop);
    const struct dns_answer *answer = NULL;
    now.monotonic_ns += find->later_ns;
    find->result = dns_find(world.core->dns, find->name, find->type, find->since_ns, now, &answer);
    find->count = answer ? answer->count : 0;
}

static int found_after(const char *name, enum dns_type type, uint64_t seconds)
{
    struct find find = {.name = name, .type = type, .later_ns = seconds * NS_PER_S, .since_ns = UINT64_MAX};
    world_run(0, find_run, &find);
    return find.result == 0 ? (int)find.count : find.result;
}

static void answers_are_kept_as_long_as_they_say_within_bounds(void **state)
{
    (void)state;
    world_start();
    fake_dns_address("minute.example", "192.0.2.1", 60);
    fake_dns_address("short.example", "192.0.2.1", 0);
    fake_dns_service("_sip._tcp.long.example", 0, 0, 5060, "minute.example", 1000000);
    way("sip:minute.example:1");
    way("sip:short.example:1");
    way("sip:long.example;transport=tcp");
    way("sip:none.example:1");
    assert_int_equal(found_after("minute.example", DNS_ADDRESSES, 55), 1);
    assert_int_equal(found_after("short.example", DNS_ADDRESSES, DNS_TTL_MIN_S - 5), 1);
    assert_int_equal(found_after("_sip._tcp.long.example", DNS_SERVICES, DNS_TTL_MAX_S - 5), 1);
    assert_int_equal(found_after("none.example", DNS_ADDRESSES, DNS_TTL_NEGATIVE_S - 5), 0);
    assert_int_equal(found_after("minute.example", DNS_ADDRESSES, 61), ERR_WOULD_BLOCK);
    assert_int_equal(found_after("short.example", DNS_ADDRESSES, DNS_TTL_MIN_S + 1), ERR_WOULD_BLOCK);
    assert_int_equal(found_after("_sip._tcp.long.example", DNS_SERVICES, DNS_TTL_MAX_S + 1), ERR_WOULD_BLOCK);
    assert_int_equal(found_after("none.example", DNS_ADDRESSES, DNS_TTL_NEGATIVE_S + 1), ERR_WOULD_BLOCK);
}

static void a_walk_ends_however_short_answers_live(void **state)
{
    (void)state;
    world_start();
    fake_dns_address("short.example", "192.0.2.1", 0);
    way("sip:short.example:1");
    struct find find = {.name = "short.example", .type = DNS_ADDRESSES, .later_ns = 3600 * NS_PER_S, .since_ns = 1};
    world_run(0, find_run, &find);
    assert_int_equal(find.result, 0);
    assert_int_equal(find.count, 1);
}

static void a_server_that_is_silent_ends_in_not_found(void **state)
{
    (void)state;
    world_start();
    fake_dns_hush(true);
    assert_string_equal(way("sip:host.example:5060"), "not found");
    assert_true(fake_dns_asked("host.example") >= 2);
}

static void names_that_are_cached_are_bounded(void **state)
{
    (void)state;
    world_start();
    char name[64];
    for (int i = 0; i < DNS_NAMES_MAX + 10; i++) {
        snprintf(name, sizeof name, "sip:n%d.example:5060", i);
        assert_string_equal(way(name), "not found");
    }
    assert_string_equal(way("sip:n5.example:5060"), "not found");
    assert_true(fake_dns_asked("n5.example") > fake_dns_asked("n900.example"));
    assert_true(fake_dns_asked("n900.example") > 0);
}

struct cancel {
    struct edge_lookup lookup;
    int result;
};

static void begin_and_cancel(void *argument)
{
    struct cancel *cancel = argument;
    cancel->result = mw_core_lookup(world.core, world.worker_count - 1, &cancel->lookup, "sip:slow.example", targets);
    mw_core_lookup_cancel(world.core, world.worker_count - 1, &cancel->lookup);
}

static void a_cancelled_look_up_is_never_answered(void **state)
{
    (void)state;
    world.worker_count = 3;
    world_start();
    for (unsigned i = 0; i < 20; i++) {
        struct cancel *cancel = calloc(1, sizeof *cancel);
        world_run(2, begin_and_cancel, cancel);
        assert_int_equal(cancel->result, ERR_WOULD_BLOCK);
        assert_false(cancel->lookup.pending);
        free(cancel); /* whoever touches it from now on is caught by the sanitizer */
    }
    assert_string_equal(way("sip:slow.example"), "not found");
    world_settle();
    assert_int_equal(world_events(), 0);
}

static void begin_only(void *argument)
{
    struct cancel *cancel = argument;
    cancel->result = mw_core_lookup(world.core, world.worker_count - 1, &cancel->lookup, "sip:slow.example", targets);
}

static struct cancel unfinished;

static void look_ups_under_way_at_the_end_are_let_go(void **state)
{
    (void)state;
    world.worker_count = 3;
    world_start();
    fake_dns_hush(true);
    unfinished = (struct cancel){0};
    world_run(2, begin_only, &unfinished);
    assert_int_equal(unfinished.result, ERR_WOULD_BLOCK);
    assert_true(unfinished.lookup.pending);
    world_settle();
}

static int tear_down_and_see(void **state)
{
    tear_down(state);
    return unfinished.lookup.pending ? -1 : 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(literals_and_ports_need_no_services),
        TEST(a_stated_transport_chooses_the_service),
        TEST(pointers_say_transport_and_order),
        TEST(without_pointers_each_service_is_asked_for_tcp_first),
        TEST(priorities_order_services_and_weights_share_the_load),
        TEST(a_service_that_is_declined_is_not_looked_for_elsewhere),
        TEST(addresses_of_a_family_without_a_listener_are_left_out),
        TEST(both_families_are_used_where_both_are_served),
        TEST(transports_that_are_not_spoken_lead_nowhere),
        TEST(the_entry_is_all_of_its_uris_in_their_order),
        TEST(dead_places_come_last),
        TEST(answers_are_kept_as_long_as_they_say_within_bounds),
        TEST(a_walk_ends_however_short_answers_live),
        TEST(a_server_that_is_silent_ends_in_not_found),
        TEST(names_that_are_cached_are_bounded),
        TEST(a_cancelled_look_up_is_never_answered),
        cmocka_unit_test_setup_teardown(look_ups_under_way_at_the_end_are_let_go, set_up, tear_down_and_see),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
