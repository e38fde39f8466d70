/* SPDX-License-Identifier: BSD-3-Clause
 * Ways to the core, and what a core may do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "world.h"

#define BOB     "<sip:bob@" DOMAIN ">"
#define CONTACT "Contact: <sip:alice@a.invalid;transport=ws;ob>\n"

static const struct world_options two_over_udp = {.transport = EDGE_UDP, .targets = 2};
static const struct world_options two_over_tcp = {.transport = EDGE_TCP, .targets = 2};

static unsigned target_of_latest(const struct world *world)
{
    return world->to_core[(world->to_core_count - 1) % WORLD_SENT_MAX].target.address.ip[3];
}

static void a_request_over_udp_is_repeated_until_it_is_answered(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register_begin(&alice);
    world_pass(world, 600);
    assert_int_equal(world->to_core_count, 2);
    core_answer(world, 403, "core", "");
    world_pass(world, 5000);
    assert_int_equal(world->to_core_count, 2);
    wic_close(&alice);
    world_destroy(&world);
}

static void a_silent_core_is_a_timeout(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register_begin(&alice);
    world_pass(world, 33000);
    assert_true(has(first_line(world_to_client(world)), "408"));
    assert_int_equal(world->silent, 1);
    wic_close(&alice);
    world_destroy(&world);
}

static void a_silent_udp_target_is_passed_over_after_four_seconds(void **state)
{
    (void)state;
    struct world *world = world_create(&two_over_udp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register_begin(&alice);
    assert_int_equal(target_of_latest(world), 10);
    char branch[200];
    snprintf(branch, sizeof branch, "%s", field(world_to_core(world), "Via", 0));
    world_pass(world, 4100);
    assert_int_equal(world->silent, 1);
    assert_int_equal(target_of_latest(world), 11);
    assert_string_not_equal(field(world_to_core(world), "Via", 0), branch);
    core_answer(world, 403, "core", "");
    assert_true(has(first_line(world_to_client(world)), "403"));
    wic_close(&alice);
    world_destroy(&world);
}

static void a_provisional_response_keeps_the_target(void **state)
{
    (void)state;
    struct world *world = world_create(&two_over_udp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    wic_request(&alice, "INVITE", "sip:bob@" DOMAIN, BOB, CONTACT, "");
    core_answer(world, 100, NULL, "");
    world_pass(world, 10000);
    assert_int_equal(world->silent, 0);
    assert_int_equal(target_of_latest(world), 10);
    core_answer(world, 486, "bob", "");
    wic_request(&alice, "ACK", "sip:bob@" DOMAIN, BOB ";tag=bob", "", "");
    wic_close(&alice);
    world_destroy(&world);
}

static void a_dead_target_is_followed_by_the_next_and_by_503(void **state)
{
    (void)state;
    struct world *world = world_create(&two_over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register_begin(&alice);
    edge_target_failed(world->edges[0], &world->targets[0], world->now);
    assert_int_equal(target_of_latest(world), 11);
    edge_target_failed(world->edges[0], &world->targets[0], world->now); /* an old one changes nothing */
    assert_int_equal(world->to_core_count, 2);
    edge_target_failed(world->edges[0], &world->targets[1], world->now);
    assert_true(has(first_line(world_to_client(world)), "503"));
    world_pass(world, 1);
    assert_int_equal(edge_totals(world->edges[0]).transactions, 0);
    wic_close(&alice);
    world_destroy(&world);
}

static void a_503_is_followed_by_the_next_target(void **state)
{
    (void)state;
    struct world *world = world_create(&two_over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    wic_request(&alice, "INVITE", "sip:bob@" DOMAIN, BOB, CONTACT, "");
    core_answer(world, 503, "core", "Retry-After: 3600\n");
    assert_true(has(first_line(world_to_core(world)), "INVITE "));
    assert_int_equal(target_of_latest(world), 11);
    assert_true(has(first_line(world_to_core_before(world, 1)), "ACK "));
    core_answer(world, 503, "core", "Retry-After: 3600\n");
    assert_true(has(first_line(world_to_client(world)), "503"));
    assert_string_equal(field(world_to_client(world), "Retry-After", 0), "");
    wic_request(&alice, "ACK", "sip:bob@" DOMAIN, BOB ";tag=core", "", "");
    wic_close(&alice);
    world_destroy(&world);
}

static void no_target_at_all_is_503(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    world->target_count = 0;
    wic_register_begin(&alice);
    assert_true(has(first_line(world_to_client(world)), "503"));
    world_pass(world, 1);
    assert_int_equal(edge_totals(world->edges[0]).transactions, 0);
    wic_close(&alice);
    world_destroy(&world);
}

static void a_look_up_may_take_its_time(void **state)
{
    (void)state;
    struct world *world = world_create(&(struct world_options){.slow_lookup = true});
    struct wic alice = wic_open(world, 0, "alice"), bob = wic_open(world, 0, "bob");
    wic_register_begin(&alice);
    assert_int_equal(world->to_core_count, 0);
    world_look_up(world);
    assert_true(has(first_line(world_to_core(world)), "REGISTER "));
    wic_register_begin(&bob);
    wic_close(&bob); /* the look-up is given up with it */
    assert_true(list_empty(&world->hosts[0].lookups));
    wic_close(&alice);
    world_destroy(&world);
}

/* It was dropped with its look-up, and the other side went on in a call with nobody. */
static void a_bye_goes_out_though_its_flow_is_gone(void **state)
{
    (void)state;
    struct world *world = world_create(&(struct world_options){.transport = EDGE_TCP});
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    wic_request(&alice, "INVITE", "sip:bob@" DOMAIN, BOB, CONTACT, "");
    core_answer(world, 200, "bob", CONTACT);
    wic_request(&alice, "ACK", "sip:bob@" DOMAIN, BOB ";tag=bob", "", "");
    world->slow_lookup = true;
    unsigned before = world->to_core_count;
    wic_request(&alice, "BYE", "sip:bob@" DOMAIN, BOB ";tag=bob", "", "");
    wic_close(&alice);
    world_look_up(world);
    assert_true(has(first_line(world_to_core(world)), "BYE "));
    assert_int_equal(world->to_core_count, before + 1);
    core_answer(world, 200, "bob", "");
    world_destroy(&world);
}

static void a_register_whose_flow_is_gone_is_not_tried_elsewhere(void **state)
{
    (void)state;
    struct world *world = world_create(&(struct world_options){.transport = EDGE_UDP, .targets = 2});
    struct wic alice = wic_open(world, 0, "alice");
    wic_register_begin(&alice);
    wic_close(&alice);
    world_pass(world, 60 * 1000);
    for (unsigned i = 0; i < world->to_core_count; i++)
        assert_false(has(field(world_to_core_before(world, i), "Path", 0), "sip:@"));
    world_destroy(&world);
}

static void a_core_that_asks_whether_the_edge_lives_is_answered(void **state)
{
    (void)state;
    static const char rest[] = " SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKprobe\nFrom: <sip:core>;tag=t\n"
                               "To: <sip:edge>\nCall-ID: probe\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n";
    struct world *world = world_create(NULL);
    core_say(world, 0, "OPTIONS sip:" SENT_BY "%s", rest);
    assert_true(has(first_line(world_to_core(world)), "200"));
    core_say(world, 0, "OPTIONS sip:somebody@" SENT_BY "%s", rest);
    assert_true(has(first_line(world_to_core(world)), "404"));
    world_destroy(&world);
}

static void a_call_that_rings_for_ever_is_cancelled(void **state)
{
    (void)state;
    struct world *world = world_create(&two_over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    alice.expires = 6000;
    wic_register(&alice);
    wic_request(&alice, "INVITE", "sip:bob@" DOMAIN, BOB, CONTACT, "");
    core_answer(world, 180, "bob", CONTACT);
    world_pass(world, 181 * 1000);
    core_answer(world, 180, "bob", CONTACT); /* starts Timer C again */
    world_pass(world, 181 * 1000);
    assert_true(has(first_line(world_to_core(world)), "INVITE "));
    world_pass(world, 5 * 1000);
    assert_true(has(first_line(world_to_core(world)), "CANCEL "));
    world_pass(world, 33 * 1000);
    assert_true(has(first_line(world_to_client(world)), "487"));
    assert_int_equal(edge_totals(world->edges[0]).dialogs, 1);
    wic_request(&alice, "ACK", "sip:bob@" DOMAIN, BOB ";tag=bob", "", "");
    world_pass(world, 60 * 1000);
    assert_int_equal(edge_totals(world->edges[0]).dialogs, 0);
    wic_close(&alice);
    world_destroy(&world);
}

static void forks_are_dialogs_of_their_own(void **state)
{
    (void)state;
    struct world *world = world_create(&two_over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    wic_request(&alice, "INVITE", "sip:bob@" DOMAIN, BOB, CONTACT, "");
    core_answer(world, 180, "one", "Contact: <sip:bob@198.51.100.1>\n");
    core_answer(world, 180, "two", "Contact: <sip:bob@198.51.100.2>\n");
    assert_int_equal(edge_totals(world->edges[0]).dialogs, 2);
    wic_request(&alice, "PRACK", "sip:bob@198.51.100.1", BOB ";tag=one", "RAck: 1 1 INVITE\n", "");
    assert_string_equal(first_line(world_to_core(world)), "PRACK sip:bob@198.51.100.1 SIP/2.0");
    core_answer(world, 200, "one", "");
    core_answer_before(world, 1, 200, "two", "Contact: <sip:bob@198.51.100.2>\n");
    wic_request(&alice, "ACK", "sip:bob@198.51.100.2", BOB ";tag=two", "", "");
    assert_string_equal(first_line(world_to_core(world)), "ACK sip:bob@198.51.100.2 SIP/2.0");
    world_pass(world, 40 * 1000);
    assert_int_equal(edge_totals(world->edges[0]).dialogs, 1);
    wic_close(&alice);
    assert_true(has(first_line(world_to_core(world)), "BYE sip:bob@198.51.100.2"));
    core_answer(world, 200, "two", "");
    world_destroy(&world);
}

static void subscriptions_have_dialogs_that_end(void **state)
{
    (void)state;
    struct world *world = world_create(&two_over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    alice.expires = 60000;
    wic_register(&alice);
    wic_request(&alice, "SUBSCRIBE", "sip:bob@" DOMAIN, BOB, CONTACT "Event: presence\nExpires: 100\n", "");
    core_answer(world, 200, "bob", "Contact: <sip:presence@198.51.100.5>\nExpires: 100\n");
    assert_int_equal(edge_totals(world->edges[0]).dialogs, 1);
    wic_request(&alice, "SUBSCRIBE", "sip:wrong@" DOMAIN, BOB ";tag=bob", CONTACT "Event: presence\n", "");
    assert_string_equal(first_line(world_to_core(world)), "SUBSCRIBE sip:presence@198.51.100.5 SIP/2.0");
    core_answer(world, 200, "bob", "Contact: <sip:presence@198.51.100.5>\nExpires: 100\n");
    wic_close(&alice);
    assert_true(has(first_line(world_to_core(world)), "SUBSCRIBE ")); /* no BYE for what is no call */
    world_destroy(&world);
}

static void requests_without_our_route_are_404_and_430_where_it_is_gone(void **state)
{
    (void)state;
    struct world *world = world_create(&two_over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    static const char *const routes[][2] = {
        {"", "404"},
        {"Route: <sip:scscf.example.org;lr>\n", "404"},
        {"Route: <sip:forged@" SENT_BY ";lr>\n", "430"},
        {"Route: <sip:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@" DOMAIN ";transport=ws;lr>\n", "430"},
    };
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        core_say(world, 0,
                 "OPTIONS sip:alice@a.invalid SIP/2.0\nVia: SIP/2.0/TCP scscf;branch=z9hG4bKx%zu\nMax-Forwards: 9\n%s"
                 "To: <sip:alice@" DOMAIN ">\nFrom: " BOB ";tag=b\nCall-ID: c\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n",
                 i, routes[i][0]);
        assert_true(has(first_line(world_to_core(world)), routes[i][1]));
    }
    wic_close(&alice);
    world_destroy(&world);
}

static void messages_of_the_core_name_their_worker(void **state)
{
    (void)state;
    struct world *world = world_create(&two_over_tcp);
    struct wic alice = wic_open(world, 1, "alice");
    wic_register_begin(&alice);
    char text[1000];
    snprintf(text, sizeof text, "SIP/2.0 200 OK\r\nX: y\r\nv: %s\r\n\r\n", field(world_to_core(world), "Via", 0));
    assert_int_equal(edge_worker_of(&world->flow_key, text, strlen(text)), 1);
    snprintf(text, sizeof text, "INVITE sip:a@b SIP/2.0\r\nroute:\r\n %s,<sip:x>\r\n\r\n",
             field(world_to_core(world), "Path", 0));
    assert_int_equal(edge_worker_of(&world->flow_key, text, strlen(text)), 1);
    snprintf(text, sizeof text, "INVITE sip:a@b SIP/2.0\r\nRoute: <sip:evil@" SENT_BY ">\r\n\r\n");
    assert_int_equal(edge_worker_of(&world->flow_key, text, strlen(text)), ERR_FORBIDDEN);
    assert_int_equal(edge_worker_of(&world->flow_key, "", 0), ERR_FORBIDDEN);
    assert_int_equal(edge_worker_of(&world->flow_key, "SIP/2.0", 7), ERR_FORBIDDEN);
    wic_close(&alice);
    world_destroy(&world);
}

static void hops_come_to_an_end(void **state)
{
    (void)state;
    struct world *world = world_create(&two_over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    wic_say(&alice, "OPTIONS sip:b@" DOMAIN " SIP/2.0\nVia: SIP/2.0/WSS a.invalid;branch=z9hG4bKh\nMax-Forwards: 0\n"
                    "To: " BOB "\nFrom: <sip:alice@" DOMAIN ">;tag=a\nCall-ID: h\nCSeq: 1 OPTIONS\n"
                    "Content-Length: 0\n\n");
    assert_true(has(first_line(world_to_client(world)), "483"));
    wic_request(&alice, "OPTIONS", "sip:b@" DOMAIN, BOB, "Proxy-Require: path, sec-agree\n", "");
    assert_true(has(first_line(world_to_client(world)), "420"));
    assert_string_equal(field(world_to_client(world), "Unsupported", 0), "sec-agree");
    wic_close(&alice);
    world_destroy(&world);
}

static void privacy_hides_who_it_is_from_the_client(void **state)
{
    (void)state;
    struct world *world = world_create(&two_over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    core_request(&alice, "MESSAGE", "", "P-Asserted-Identity: " BOB "\nPrivacy: header;id;critical\n");
    assert_string_equal(field(world_to_client(world), "P-Asserted-Identity", 0), "");
    assert_string_equal(field(world_to_client(world), "Privacy", 0), "header;id;critical");
    wic_answer(&alice, 200, "a", "");
    wic_close(&alice);
    world_destroy(&world);
}

static void unknown_methods_pass(void **state)
{
    (void)state;
    struct world *world = world_create(&two_over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    wic_request(&alice, "FROBNICATE", "sip:bob@" DOMAIN, BOB, "X-Unheard-Of: \"a, b\";c\n", "");
    assert_true(has(first_line(world_to_core(world)), "FROBNICATE "));
    assert_string_equal(field(world_to_core(world), "X-Unheard-Of", 0), "\"a, b\";c");
    core_answer(world, 200, "bob", "");
    assert_true(has(first_line(world_to_client(world)), "200"));
    wic_close(&alice);
    world_destroy(&world);
}

static void a_target_refresh_moves_the_dialog(void **state)
{
    (void)state;
    struct world *world = world_create(&two_over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    core_request(&alice, "INVITE", "", "Contact: <sip:bob@198.51.100.9>\nRecord-Route: <sip:two;lr>, <sip:one;lr>\n");
    wic_answer(&alice, 200, "a", CONTACT);
    core_request(&alice, "ACK", "a", "");
    core_request(&alice, "UPDATE", "a", "Contact: <sip:bob@198.51.100.77>\n");
    wic_answer(&alice, 200, "a", CONTACT);
    wic_say(&alice,
            "BYE sip:bob@1.2.3.4 SIP/2.0\nVia: SIP/2.0/WSS a.invalid;branch=z9hG4bKbye\nMax-Forwards: 9\n"
            "From: <sip:alice@" DOMAIN ">;tag=a\nTo: " BOB ";tag=bob\nCall-ID: incoming-%s\nCSeq: 1 BYE\n"
            "Content-Length: 0\n\n",
            alice.call_id);
    assert_string_equal(first_line(world_to_core(world)), "BYE sip:bob@198.51.100.77 SIP/2.0");
    assert_string_equal(field(world_to_core(world), "Route", 0), "<sip:two;lr>,<sip:one;lr>");
    assert_string_equal(world->lookup_uri, "sip:two;lr");
    core_answer(world, 200, "bob", "");
    wic_close(&alice);
    world_destroy(&world);
}

static void a_restart_leaves_nothing_that_is_believed(void **state)
{
    (void)state;
    struct world *world = world_create(&two_over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    sip_flow_key_init(&world->flow_key);
    core_request(&alice, "INVITE", "", "Contact: <sip:bob@198.51.100.9>\n");
    assert_true(has(first_line(world_to_core(world)), "430"));
    wic_close(&alice);
    world_destroy(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_over_udp_is_repeated_until_it_is_answered),
        cmocka_unit_test(a_silent_core_is_a_timeout),
        cmocka_unit_test(a_silent_udp_target_is_passed_over_after_four_seconds),
        cmocka_unit_test(a_provisional_response_keeps_the_target),
        cmocka_unit_test(a_dead_target_is_followed_by_the_next_and_by_503),
        cmocka_unit_test(a_503_is_followed_by_the_next_target),
        cmocka_unit_test(no_target_at_all_is_503),
        cmocka_unit_test(a_look_up_may_take_its_time),
        cmocka_unit_test(a_bye_goes_out_though_its_flow_is_gone),
        cmocka_unit_test(a_register_whose_flow_is_gone_is_not_tried_elsewhere),
        cmocka_unit_test(a_core_that_asks_whether_the_edge_lives_is_answered),
        cmocka_unit_test(a_call_that_rings_for_ever_is_cancelled),
        cmocka_unit_test(forks_are_dialogs_of_their_own),
        cmocka_unit_test(subscriptions_have_dialogs_that_end),
        cmocka_unit_test(requests_without_our_route_are_404_and_430_where_it_is_gone),
        cmocka_unit_test(messages_of_the_core_name_their_worker),
        cmocka_unit_test(hops_come_to_an_end),
        cmocka_unit_test(privacy_hides_who_it_is_from_the_client),
        cmocka_unit_test(unknown_methods_pass),
        cmocka_unit_test(a_target_refresh_moves_the_dialog),
        cmocka_unit_test(a_restart_leaves_nothing_that_is_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
