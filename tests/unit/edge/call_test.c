/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "world.h"

#define BOB "<sip:bob@" DOMAIN ">"

static const struct world_options over_tcp = {.transport = EDGE_TCP};

/* A call of |wic| that was answered, its ACK included; Record-Route as a core would have it. */
static void call(struct wic *wic)
{
    struct world *world = wic->world;
    wic_request(wic, "INVITE", "sip:bob@" DOMAIN, BOB, "Contact: <sip:alice@a.invalid;transport=ws;ob>\n", "");
    core_answer(world, 180, "bob", "Contact: <sip:bob@198.51.100.9>\n");
    core_answer(world, 200, "bob", "Contact: <sip:bob@198.51.100.9>\n");
    wic_request(wic, "ACK", "sip:bob@198.51.100.9", BOB ";tag=bob", "", "");
}

static void an_invite_follows_the_service_route_and_says_who_calls(void **state)
{
    (void)state;
    struct world *world = world_create(&over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    wic_request(&alice, "INVITE", "sip:bob@" DOMAIN, BOB,
                "Route: <sip:evil.invalid;lr>\nP-Preferred-Identity: <tel:+15551234>\n", "");
    const char *sent = world_to_core(world);
    assert_string_equal(first_line(sent), "INVITE sip:bob@example.org SIP/2.0");
    assert_string_equal(field(sent, "Route", 0), "<sip:scscf.example.org;lr>");
    assert_string_equal(field(sent, "Route", 1), "");
    assert_string_equal(world->lookup_uri, "sip:scscf.example.org;lr");
    assert_string_equal(field(sent, "P-Asserted-Identity", 0), "<tel:+15551234>");
    assert_string_equal(field(sent, "P-Preferred-Identity", 0), "");
    assert_true(has(field(sent, "Record-Route", 0), "@" SENT_BY ";transport=tcp;lr>"));
    assert_true(has(field(sent, "Record-Route", 1), "@" DOMAIN ";transport=ws;lr>"));
    assert_string_equal(field(sent, "Record-Route", 2), "");
    assert_string_equal(first_line(world_to_client(world)), "SIP/2.0 100 Trying");
    core_answer(world, 486, "bob", "");
    assert_true(has(first_line(world_to_core(world)), "ACK sip:bob@example.org"));
    assert_true(has(first_line(world_to_client(world)), "486"));
    wic_request(&alice, "ACK", "sip:bob@" DOMAIN, BOB ";tag=bob", "", "");
    wic_close(&alice);
    world_destroy(&world);
}

static void within_a_dialog_the_stored_route_counts(void **state)
{
    (void)state;
    struct world *world = world_create(&over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    call(&alice);
    const char *ack = world_to_core(world);
    assert_string_equal(first_line(ack), "ACK sip:bob@198.51.100.9 SIP/2.0");
    wic_request(&alice, "INFO", "sip:elsewhere@198.51.100.66", BOB ";tag=bob", "Route: <sip:evil.invalid;lr>\n", "x");
    const char *info = world_to_core(world);
    assert_string_equal(first_line(info), "INFO sip:bob@198.51.100.9 SIP/2.0");
    assert_string_equal(field(info, "Route", 0), "");
    assert_string_equal(field(info, "P-Asserted-Identity", 0), "");
    core_answer(world, 200, "bob", "");
    assert_int_equal(edge_totals(world->edges[0]).dialogs, 1);
    wic_request(&alice, "BYE", "sip:bob@198.51.100.9", BOB ";tag=bob", "", "");
    core_answer(world, 200, "bob", "");
    assert_int_equal(edge_totals(world->edges[0]).dialogs, 0);
    wic_request(&alice, "INFO", "sip:bob@198.51.100.9", BOB ";tag=bob", "", "");
    assert_true(has(first_line(world_to_client(world)), "481"));
    wic_close(&alice);
    world_destroy(&world);
}

static void a_call_comes_in_and_is_answered(void **state)
{
    (void)state;
    struct world *world = world_create(&over_tcp);
    struct wic alice = wic_open(world, 1, "alice");
    wic_register(&alice);
    core_request(&alice, "INVITE", "",
                 "Contact: <sip:bob@198.51.100.9>\nRecord-Route: <sip:scscf." DOMAIN ";lr>\n"
                 "P-Asserted-Identity: " BOB "\nP-Charging-Vector: icid-value=1\n");
    const char *sent = world_to_client(world);
    assert_true(has(first_line(sent), "INVITE sip:alice@"));
    assert_true(has(field(sent, "Via", 0), "SIP/2.0/WSS " DOMAIN ";branch="));
    assert_string_equal(field(sent, "Route", 0), "");
    assert_string_equal(field(sent, "P-Charging-Vector", 0), "");
    assert_string_equal(field(sent, "P-Asserted-Identity", 0), BOB);
    assert_true(has(field(sent, "Record-Route", 0), ";transport=ws;lr>"));
    assert_true(has(field(sent, "Record-Route", 1), ";transport=tcp;lr>"));
    assert_string_equal(field(sent, "Record-Route", 2), "<sip:scscf.example.org;lr>");
    wic_answer(&alice, 180, "a", "Contact: <sip:alice@a.invalid>\n");
    assert_true(has(first_line(world_to_core(world)), "180"));
    wic_answer(&alice, 200, "a", "Contact: <sip:alice@a.invalid>\nP-Asserted-Identity: <sip:eve@" DOMAIN ">\n");
    const char *answer = world_to_core(world);
    assert_true(has(first_line(answer), "200"));
    assert_true(has(field(answer, "Via", 0), "scscf." DOMAIN));
    assert_string_equal(field(answer, "Via", 1), "");
    assert_true(has(field(answer, "Record-Route", 0), ";transport=ws;lr>"));
    assert_string_equal(field(answer, "Record-Route", 2), "<sip:scscf.example.org;lr>");
    assert_string_equal(field(answer, "P-Asserted-Identity", 0), "<sip:alice@" DOMAIN ">");
    assert_int_equal(edge_totals(world->edges[1]).dialogs, 1);
    core_request(&alice, "ACK", "a", "");
    assert_true(has(first_line(world_to_client(world)), "ACK sip:alice@"));
    core_request(&alice, "BYE", "a", "");
    assert_true(has(first_line(world_to_client(world)), "BYE sip:alice@"));
    wic_answer(&alice, 200, "a", "");
    assert_int_equal(edge_totals(world->edges[1]).dialogs, 0);
    wic_close(&alice);
    world_destroy(&world);
}

/* Regressed from: all tokens of the edge were taken for those of the caller's own flow. */
static void a_call_between_two_wics_of_one_edge_keeps_the_other_s_route(void **state)
{
    (void)state;
    struct world *world = world_create(&over_tcp);
    struct wic alice = wic_open(world, 0, "alice"), bob = wic_open(world, 0, "bob");
    wic_register(&alice);
    wic_register(&bob);
    wic_request(&alice, "INVITE", "sip:bob@" DOMAIN, BOB, "Contact: <sip:alice@a.invalid;transport=ws;ob>\n", "");
    char fields[512], other[128];
    snprintf(other, sizeof other, "<sip:%s@" SENT_BY ";transport=tcp;lr>", bob.token);
    snprintf(fields, sizeof fields,
             "Contact: <sip:bob@b.invalid>\nRecord-Route: <sip:%s@" DOMAIN ";transport=ws;lr>\nRecord-Route: %s\n"
             "Record-Route: <sip:scscf." DOMAIN ";lr>\n",
             bob.token, other);
    core_answer(world, 200, "bob", fields);
    wic_request(&alice, "ACK", "sip:bob@b.invalid", BOB ";tag=bob", "", "");
    const char *ack = world_to_core(world);
    assert_string_equal(first_line(ack), "ACK sip:bob@b.invalid SIP/2.0");
    char expected[512];
    snprintf(expected, sizeof expected, "<sip:scscf." DOMAIN ";lr>,%s,<sip:%s@" DOMAIN ";transport=ws;lr>", other,
             bob.token);
    assert_string_equal(field(ack, "Route", 0), expected);
    wic_close(&alice);
    wic_close(&bob);
    world_destroy(&world);
}

static void a_lost_flow_ends_its_call_with_a_bye(void **state)
{
    (void)state;
    struct world *world = world_create(&over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    call(&alice);
    wic_request(&alice, "INFO", "sip:bob@198.51.100.9", BOB ";tag=bob", "", "");
    core_answer(world, 200, "bob", "");
    wic_close(&alice);
    const char *bye = world_to_core(world);
    assert_string_equal(first_line(bye), "BYE sip:bob@198.51.100.9 SIP/2.0");
    char cseq[16];
    snprintf(cseq, sizeof cseq, "%u BYE", alice.cseq + 1);
    assert_string_equal(field(bye, "CSeq", 0), cseq);
    assert_true(has(field(bye, "To", 0), ";tag=bob"));
    assert_true(has(field(bye, "Reason", 0), "SIP;cause=503"));
    core_answer(world, 200, "bob", "");
    world_destroy(&world);
}

static void a_call_that_rings_is_cancelled_when_its_flow_is_lost(void **state)
{
    (void)state;
    struct world *world = world_create(&over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    wic_request(&alice, "INVITE", "sip:bob@" DOMAIN, BOB, "Contact: <sip:alice@a.invalid;ob>\n", "");
    core_answer(world, 180, "bob", "Contact: <sip:bob@198.51.100.9>\n");
    char branch[200];
    snprintf(branch, sizeof branch, "%s", field(world_to_core(world), "Via", 0));
    wic_close(&alice);
    assert_string_equal(first_line(world_to_core(world)), "CANCEL sip:bob@example.org SIP/2.0");
    assert_string_equal(field(world_to_core(world), "Via", 0), branch);
    core_answer(world, 200, "bob", "");
    /* Bob was quicker: he is told all the same. */
    core_answer_before(world, 1, 200, "bob", "Contact: <sip:bob@198.51.100.9>\n");
    assert_true(has(first_line(world_to_core_before(world, 1)), "ACK sip:bob@198.51.100.9"));
    assert_true(has(first_line(world_to_core(world)), "BYE sip:bob@198.51.100.9"));
    core_answer(world, 200, "bob", "");
    world_destroy(&world);
}

static void a_caller_is_told_when_the_flow_is_lost(void **state)
{
    (void)state;
    struct world *world = world_create(&over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    core_request(&alice, "INVITE", "", "Contact: <sip:bob@198.51.100.9>\n");
    wic_close(&alice);
    assert_true(has(first_line(world_to_core(world)), "430"));
    core_request(&alice, "INVITE", "", "Contact: <sip:bob@198.51.100.9>\n");
    assert_true(has(first_line(world_to_core(world)), "430"));
    world_destroy(&world);
}

static void cancel_goes_hop_by_hop(void **state)
{
    (void)state;
    struct world *world = world_create(&over_tcp);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    wic_request(&alice, "INVITE", "sip:bob@" DOMAIN, BOB, "Contact: <sip:alice@a.invalid;ob>\n", "");
    unsigned before = world->to_core_count;
    wic_say(&alice,
            "CANCEL sip:bob@" DOMAIN " SIP/2.0\nVia: SIP/2.0/WSS %s.invalid;branch=%s\nTo: " BOB
            "\nFrom: <sip:alice@" DOMAIN ">;tag=%s\nCall-ID: call-%s\nCSeq: %u CANCEL\nContent-Length: 0\n\n",
            alice.tag, alice.branch, alice.tag, alice.call_id, alice.cseq);
    assert_true(has(first_line(world_to_client(world)), "200"));
    assert_int_equal(world->to_core_count, before); /* RFC 3261 §9.1: not before a provisional response */
    core_answer(world, 100, NULL, "");
    assert_true(has(first_line(world_to_core(world)), "CANCEL "));
    core_answer(world, 200, "bob", "");
    core_answer_before(world, 1, 487, "bob", "");
    assert_true(has(first_line(world_to_core(world)), "ACK "));
    assert_true(has(first_line(world_to_client(world)), "487"));
    wic_close(&alice);
    world_destroy(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_invite_follows_the_service_route_and_says_who_calls),
        cmocka_unit_test(within_a_dialog_the_stored_route_counts),
        cmocka_unit_test(a_call_comes_in_and_is_answered),
        cmocka_unit_test(a_call_between_two_wics_of_one_edge_keeps_the_other_s_route),
        cmocka_unit_test(a_lost_flow_ends_its_call_with_a_bye),
        cmocka_unit_test(a_call_that_rings_is_cancelled_when_its_flow_is_lost),
        cmocka_unit_test(a_caller_is_told_when_the_flow_is_lost),
        cmocka_unit_test(cancel_goes_hop_by_hop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
