/* SPDX-License-Identifier: BSD-3-Clause
 * What a WIC may try against others and against the edge, a core that sends garbage, and memory that is short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/provision.h"
#include "base/memory.h"
#include "world.h"

#define BOB     "<sip:bob@" DOMAIN ">"
#define CONTACT "Contact: <sip:alice@a.invalid;transport=ws;ob>\n"

static const struct world_options over_tcp = {.transport = EDGE_TCP};

static void one_wic_cannot_answer_for_another(void **state)
{
    (void)state;
    struct world *world = world_create(&over_tcp);
    struct wic alice = wic_open(world, 0, "alice"), eve = wic_open(world, 0, "eve");
    wic_register(&alice);
    wic_register(&eve);
    core_request(&alice, "INVITE", "", "Contact: <sip:bob@198.51.100.9>\n");
    unsigned before = world->to_core_count;
    wic_answer(&eve, 200, "e", CONTACT);
    assert_int_equal(world->to_core_count, before);
    wic_answer(&alice, 486, "a", "");
    assert_true(has(first_line(world_to_core(world)), "486"));
    wic_close(&alice);
    wic_close(&eve);
    world_destroy(&world);
}

static void one_wic_cannot_cancel_for_another(void **state)
{
    (void)state;
    struct world *world = world_create(&over_tcp);
    struct wic alice = wic_open(world, 0, "alice"), eve = wic_open(world, 0, "eve");
    wic_register(&alice);
    wic_register(&eve);
    wic_request(&alice, "INVITE", "sip:bob@" DOMAIN, BOB, CONTACT, "");
    core_answer(world, 180, "bob", "Contact: <sip:bob@198.51.100.9>\n");
    wic_say(&eve,
            "CANCEL sip:bob@" DOMAIN " SIP/2.0\nVia: SIP/2.0/WSS %s.invalid;branch=%s\nTo: " BOB
            "\nFrom: <sip:alice@" DOMAIN ">;tag=%s\nCall-ID: call-%s\nCSeq: %u CANCEL\nContent-Length: 0\n\n",
            alice.tag, alice.branch, alice.tag, alice.call_id, alice.cseq);
    assert_true(has(first_line(world_to_client(world)), "481"));
    assert_true(has(first_line(world_to_core(world)), "INVITE "));
    core_answer(world, 486, "bob", "");
    wic_close(&alice);
    wic_close(&eve);
    world_destroy(&world);
}

static void one_wic_cannot_speak_in_the_dialog_of_another(void **state)
{
    (void)state;
    struct world *world = world_create(&over_tcp);
    struct wic alice = wic_open(world, 0, "alice"), eve = wic_open(world, 0, "eve");
    wic_register(&alice);
    wic_register(&eve);
    wic_request(&alice, "INVITE", "sip:bob@" DOMAIN, BOB, CONTACT, "");
    core_answer(world, 200, "bob", "Contact: <sip:bob@198.51.100.9>\n");
    unsigned before = world->to_core_count;
    wic_say(&eve,
            "BYE sip:bob@198.51.100.9 SIP/2.0\nVia: SIP/2.0/WSS e.invalid;branch=z9hG4bKe\nMax-Forwards: 9\n"
            "Route: <sip:%s@" SENT_BY ";lr>\nTo: " BOB ";tag=bob\nFrom: <sip:alice@" DOMAIN
            ">;tag=%s\nCall-ID: call-%s\nCSeq: 9 BYE\nContent-Length: 0\n\n",
            alice.token, alice.tag, alice.call_id);
    assert_true(has(first_line(world_to_client(world)), "481"));
    assert_int_equal(world->to_core_count, before);
    wic_close(&alice);
    wic_close(&eve);
    world_destroy(&world);
}

static void the_way_back_is_not_what_a_wic_says(void **state)
{
    (void)state;
    struct world *world = world_create(&over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    core_request(&alice, "INVITE", "", "Contact: <sip:bob@198.51.100.9>\nRecord-Route: <sip:scscf;lr>\n");
    wic_answer(&alice, 200, "a",
               CONTACT "Via: SIP/2.0/UDP evil:5060;branch=z9hG4bKevil\nRecord-Route: <sip:evil;lr>\n");
    assert_true(has(first_line(world_to_core(world)), "200"));
    assert_false(has(world_to_core(world), "evil"));
    wic_close(&alice);
    world_destroy(&world);
}

static void a_response_about_another_call_is_no_response(void **state)
{
    (void)state;
    struct world *world = world_create(&over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    core_request(&alice, "MESSAGE", "", "");
    unsigned before = world->to_core_count;
    wic_say(&alice,
            "SIP/2.0 200 OK\nVia: %s\nTo: x;tag=a\nFrom: y;tag=b\nCall-ID: another\nCSeq: 1 MESSAGE\n"
            "Content-Length: 0\n\n",
            field(world_to_client(world), "Via", 0));
    assert_int_equal(world->to_core_count, before);
    wic_close(&alice);
    world_destroy(&world);
}

static void floods_are_bounded(void **state)
{
    (void)state;
    struct world *world = world_create(&over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    for (unsigned i = 0; i < 5; i++)
        wic_register_begin(&alice);
    assert_int_equal(world->to_core_count, 4);
    assert_true(has(first_line(world_to_client(world)), "503"));
    for (unsigned i = 0; i < 4; i++)
        core_answer_before(world, i, 403, "core", "");
    world_pass(world, 1);
    wic_register(&alice);
    world_pass(world, 1);
    unsigned before = world->to_core_count;
    for (unsigned i = 0; i < 100; i++)
        wic_request(&alice, "MESSAGE", "sip:bob@" DOMAIN, BOB, "", "");
    assert_int_equal(world->to_core_count, before + 64);
    assert_true(has(first_line(world_to_client(world)), "503"));
    wic_close(&alice);
    world_destroy(&world);
}

/* By UDP a transaction stays for five seconds behind its answer (Timer K). */
static void what_was_answered_is_no_flood(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    for (unsigned i = 0; i < 10; i++) {
        wic_register_begin(&alice);
        core_answer(world, 401, "core", "");
        assert_true(has(first_line(world_to_client(world)), "401"));
    }
    for (unsigned i = 0; i < 100; i++) {
        wic_register_begin(&alice);
        if (has(first_line(world_to_client(world)), "503"))
            break;
        core_answer(world, 401, "core", "");
    }
    assert_true(has(first_line(world_to_client(world)), "503"));
    wic_close(&alice);
    world_destroy(&world);
}

static void registrations_of_one_flow_are_bounded(void **state)
{
    (void)state;
    struct world *world = world_create(&over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    for (unsigned i = 0; i < 8; i++) {
        alice.reg_id = 1 + i;
        wic_register(&alice);
    }
    alice.reg_id = 9;
    wic_register_begin(&alice);
    assert_true(has(first_line(world_to_client(world)), "403"));
    assert_int_equal(edge_totals(world->edges[0]).registrations, 8);
    wic_close(&alice);
    world_destroy(&world);
}

static void dialogs_of_one_flow_are_bounded(void **state)
{
    (void)state;
    struct world *world = world_create(&over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    for (unsigned i = 0; i < 70; i++) {
        snprintf(alice.call_id, sizeof alice.call_id, "many-%u", i);
        wic_request(&alice, "SUBSCRIBE", "sip:bob@" DOMAIN, BOB, CONTACT "Event: presence\n", "");
        core_answer(world, 200, "bob", "Contact: <sip:p@198.51.100.5>\nExpires: 100\n");
        world_pass(world, 1);
    }
    assert_int_equal(edge_totals(world->edges[0]).dialogs, 64);
    world_pass(world, 200 * 1000);
    wic_request(&alice, "SUBSCRIBE", "sip:bob@" DOMAIN, BOB, CONTACT "Event: presence\n", "");
    core_answer(world, 200, "bob", "Contact: <sip:p@198.51.100.5>\nExpires: 100\n");
    assert_int_equal(edge_totals(world->edges[0]).dialogs, 1);
    wic_close(&alice);
    world_destroy(&world);
}

static void what_cannot_be_understood_goes_nowhere(void **state)
{
    (void)state;
    static const char head[] = "REGISTER sip:" DOMAIN " SIP/2.0\nVia: SIP/2.0/WSS a.invalid;branch=z9hG4bKq\n";
    static const char rest[] = "From: <sip:alice@" DOMAIN ">;tag=t\nCall-ID: q\nCSeq: 1 REGISTER\n";
    struct world *world = world_create(&over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_say(&alice, "%s%sTo: <sip:alice@" DOMAIN ">\nTo: <sip:bob@" DOMAIN ">\nContent-Length: 0\n\n", head, rest);
    wic_say(&alice, "%s%sContent-Length: 0\n\n", head, rest);
    wic_say(&alice, "%s%sTo: <sip:alice@" DOMAIN ">\nContent-Length: 99\n\nshort", head, rest);
    char *flood = calloc(1, 20000);
    for (unsigned i = 0; i < 400; i++)
        strcat(flood, "X-Flood: 1\n");
    wic_say(&alice, "%s%s%sTo: <sip:alice@" DOMAIN ">\nContent-Length: 0\n\n", head, rest, flood);
    free(flood);
    wic_say(&alice, "\n");
    wic_say(&alice, "REGISTER\n\n");
    wic_say(&alice, "GET / HTTP/1.1\nHost: a\n\n");
    wic_say(&alice, "%s", "");
    assert_int_equal(world->to_core_count, 0);
    core_say(world, 0, "%s", "");
    core_say(world, 0, "SIP/2.0 200 OK\n\n");
    core_say(world, 0, "SIP/2.0 999999 OK\nVia: x\n\n");
    core_say(world, 0, "%s%sTo: <sip:alice@" DOMAIN ">\nContent-Length: 0\n\n", head, rest);
    assert_true(has(first_line(world_to_core(world)), "404"));
    wic_close(&alice);
    world_destroy(&world);
}

static void who_speaks_no_sip_is_closed(void **state)
{
    (void)state;
    struct world *world = world_create(&over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    for (unsigned i = 0; i < 100; i++)
        wic_say(&alice, "GET / HTTP/1.1\nHost: a\n\n");
    assert_int_equal(world->closed, 1);
    wic_register_begin(&alice);
    assert_int_equal(world->to_core_count, 0);
    wic_close(&alice);
    world_destroy(&world);
}

/* A registration and a call, with memory that fails at the |n|-th allocation. */
static void live(struct world *world, unsigned long n)
{
    struct wic alice = wic_open(world, 0, "alice");
    alice.extra = "Accept: " PROVISION_TYPE "\n";
    memory_fail_at(n);
    wic_register_begin(&alice);
    if (world->to_core_count > 0 && has(first_line(world_to_core(world)), "REGISTER ")) {
        char fields[500];
        snprintf(fields, sizeof fields, "Contact: %s\nService-Route: <sip:scscf;lr>\n",
                 field(world_to_core(world), "Contact", 0));
        core_answer(world, 200, "core", fields);
    }
    if (has(first_line(world_to_core(world)), "SUBSCRIBE "))
        core_answer(world, 200, "core", "Contact: <sip:scscf>\nExpires: 1000\n");
    wic_request(&alice, "INVITE", "sip:bob@" DOMAIN, BOB, CONTACT, "v=0");
    if (has(first_line(world_to_core(world)), "INVITE ")) {
        core_answer(world, 180, "bob", "Contact: <sip:bob@198.51.100.9>\nRecord-Route: <sip:scscf;lr>\n");
        core_answer(world, 200, "bob", "Contact: <sip:bob@198.51.100.9>\nRecord-Route: <sip:scscf;lr>\n");
        wic_request(&alice, "ACK", "sip:bob@198.51.100.9", BOB ";tag=bob", "", "");
        wic_request(&alice, "INFO", "sip:bob@198.51.100.9", BOB ";tag=bob", "", "");
    }
    wic_close(&alice);
    memory_fail_at(0);
}

static void memory_that_is_short_loses_nothing(void **state)
{
    (void)state;
    for (unsigned long n = 1; n < 600; n++) {
        struct world *world = world_create(&(struct world_options){.transport = EDGE_TCP, .subscriptions = true});
        live(world, n);
        world_destroy(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_wic_cannot_answer_for_another),
        cmocka_unit_test(one_wic_cannot_cancel_for_another),
        cmocka_unit_test(one_wic_cannot_speak_in_the_dialog_of_another),
        cmocka_unit_test(the_way_back_is_not_what_a_wic_says),
        cmocka_unit_test(a_response_about_another_call_is_no_response),
        cmocka_unit_test(floods_are_bounded),
        cmocka_unit_test(what_was_answered_is_no_flood),
        cmocka_unit_test(registrations_of_one_flow_are_bounded),
        cmocka_unit_test(dialogs_of_one_flow_are_bounded),
        cmocka_unit_test(what_cannot_be_understood_goes_nowhere),
        cmocka_unit_test(who_speaks_no_sip_is_closed),
        cmocka_unit_test(memory_that_is_short_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
