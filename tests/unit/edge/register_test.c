/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "world.h"

static void register_goes_to_the_core_with_what_only_the_edge_may_say(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register_begin(&alice);
    const char *sent = world_to_core(world);
    assert_string_equal(first_line(sent), "REGISTER sip:example.org SIP/2.0");
    assert_true(has(field(sent, "Via", 0), "SIP/2.0/UDP " SENT_BY ";branch=z9hG4bK"));
    assert_true(has(field(sent, "Via", 1), "received=203.0.113.7"));
    assert_true(has(field(sent, "Path", 0), "@" SENT_BY ";lr;ob>"));
    assert_string_equal(field(sent, "Require", 0), "path");
    assert_string_equal(field(sent, "P-Visited-Network-ID", 0), "\"" DOMAIN "\"");
    assert_true(has(field(sent, "P-Charging-Vector", 0), "icid-value=\""));
    assert_true(has(field(sent, "P-Charging-Vector", 0), ";icid-generated-at=192.0.2.1;orig-ioi=\"" DOMAIN "\""));
    assert_string_equal(field(sent, "Max-Forwards", 0), "68");
    assert_string_equal(field(sent, "Authorization", 0), "");
    wic_close(&alice);
    world_destroy(&world);
}

static void the_200_is_passed_and_registers(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    const char *answer = world_to_client(world);
    assert_string_equal(first_line(answer), "SIP/2.0 200 Whatever");
    assert_true(has(field(answer, "Via", 0), alice.branch));
    assert_string_equal(field(answer, "Via", 1), "");
    assert_int_equal(edge_totals(world->edges[0]).registrations, 1);
    wic_close(&alice);
    assert_int_equal(edge_totals(world->edges[0]).registrations, 0);
    world_destroy(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(register_goes_to_the_core_with_what_only_the_edge_may_say),
        cmocka_unit_test(the_200_is_passed_and_registers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
