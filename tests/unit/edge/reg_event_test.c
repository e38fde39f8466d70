/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "edge/reginfo.h"
#include "world.h"

static const struct world_options subscribed = {.transport = EDGE_TCP, .subscriptions = true};

/* A WIC whose registration the edge has subscribed to. */
static struct wic watched(struct world *world)
{
    struct wic alice = wic_open(world, 0, "alice");
    alice.extra = "Accept: application/vnd.postern.ice-servers+json\n";
    wic_register(&alice);
    return alice;
}

static void accept(struct world *world)
{
    core_answer(world, 200, "core", "Contact: <sip:scscf." DOMAIN ">\nExpires: 1200\n");
}

static void notify(struct world *world, const char *subscribe, const char *state, const char *body)
{
    const char *contact = strstr(field(subscribe, "Contact", 0), "sip:");
    static unsigned notifies;
    notifies++;
    core_say(world, 0,
             "NOTIFY %.*s SIP/2.0\nVia: SIP/2.0/TCP scscf;branch=z9hG4bKn%u\nMax-Forwards: 70\nTo: %s\n"
             "From: %s;tag=core\nCall-ID: %s\nCSeq: %u NOTIFY\nEvent: reg\nSubscription-State: %s\n"
             "Content-Type: application/reginfo+xml\nContent-Length: %zu\n\n%s",
             (int)strcspn(contact, ">"), contact, notifies, field(subscribe, "From", 0), field(subscribe, "To", 0),
             field(subscribe, "Call-ID", 0), notifies, state, strlen(body), body);
}

#define REGINFO(version, state, inner)                                                                         \
    "<?xml version='1.0'?><reginfo xmlns='urn:ietf:params:xml:ns:reginfo' version='" version "' state='full'>" \
    "<registration aor='sip:alice@" DOMAIN "' id='a' state='" state "'>" inner "</registration></reginfo>"
#define CONTACT(state, event, uri) "<contact id='c' state='" state "' event='" event "'><uri>" uri "</uri></contact>"

static void the_edge_subscribes_to_what_it_has_registered(void **state)
{
    (void)state;
    struct world *world = world_create(&subscribed);
    struct wic alice = watched(world);
    const char *sent = world_to_core(world);
    assert_string_equal(first_line(sent), "SUBSCRIBE sip:alice@" DOMAIN " SIP/2.0");
    assert_string_equal(field(sent, "Event", 0), "reg");
    assert_string_equal(field(sent, "Expires", 0), "1200");
    assert_string_equal(field(sent, "P-Asserted-Identity", 0), "<sip:" SENT_BY ">");
    assert_string_equal(world->lookup_uri, "");
    accept(world);
    unsigned before = world->to_core_count;
    wic_register_begin(&alice); /* once is enough */
    assert_int_equal(world->to_core_count, before + 1);
    wic_close(&alice);
    world_destroy(&world);
}

static void the_network_ends_a_registration(void **state)
{
    (void)state;
    struct world *world = world_create(&subscribed);
    struct wic alice = watched(world);
    char subscribe[4000], body[600];
    snprintf(subscribe, sizeof subscribe, "%s", world_to_core(world));
    accept(world);
    snprintf(body, sizeof body, REGINFO("0", "active", CONTACT("active", "registered", "sip:alice@%s.invalid")),
             alice.tag);
    notify(world, subscribe, "active;expires=1200", body);
    assert_true(has(first_line(world_to_core(world)), "SIP/2.0 200"));
    assert_int_equal(edge_totals(world->edges[0]).registrations, 1);
    notify(world, subscribe, "active;expires=1200",
           REGINFO("1", "active", CONTACT("terminated", "expired", "sip:alice@other.invalid")));
    assert_int_equal(edge_totals(world->edges[0]).registrations, 1);
    snprintf(body, sizeof body, REGINFO("2", "active", CONTACT("terminated", "deactivated", "sip:alice@%s.invalid")),
             alice.tag);
    notify(world, subscribe, "active;expires=1200", body);
    assert_int_equal(edge_totals(world->edges[0]).registrations, 0);
    assert_int_equal(world->revoked_count, 1);
    wic_request(&alice, "OPTIONS", "sip:" DOMAIN, "<sip:" DOMAIN ">", "", "");
    assert_true(has(first_line(world_to_client(world)), "403"));
    notify(world, subscribe, "active;expires=1200", body);
    assert_true(has(first_line(world_to_core(world)), "SIP/2.0 481"));
    wic_close(&alice);
    world_destroy(&world);
}

static void a_terminated_registration_ends_without_a_contact(void **state)
{
    (void)state;
    struct world *world = world_create(&subscribed);
    struct wic alice = watched(world);
    char subscribe[4000];
    snprintf(subscribe, sizeof subscribe, "%s", world_to_core(world));
    notify(world, subscribe, "terminated", REGINFO("0", "terminated", "")); /* before the 200 */
    assert_int_equal(edge_totals(world->edges[0]).registrations, 0);
    core_answer(world, 200, "core", "Contact: <sip:scscf." DOMAIN ">\nExpires: 1200\n");
    wic_close(&alice);
    world_destroy(&world);
}

static void garbage_ends_nothing(void **state)
{
    (void)state;
    static const char *const bodies[] = {"", "x", "<reginfo", "<a><b></a>",
                                         "<!DOCTYPE reginfo [<!ENTITY a 'b'>]><reginfo version='1'>&a;</reginfo>"};
    struct world *world = world_create(&subscribed);
    struct wic alice = watched(world);
    char subscribe[4000];
    snprintf(subscribe, sizeof subscribe, "%s", world_to_core(world));
    accept(world);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        notify(world, subscribe, "active", bodies[i]);
        assert_true(has(first_line(world_to_core(world)), "SIP/2.0 200"));
    }
    assert_int_equal(edge_totals(world->edges[0]).registrations, 1);
    wic_close(&alice);
    world_destroy(&world);
}

static void a_core_without_the_event_is_left_alone(void **state)
{
    (void)state;
    struct world *world = world_create(&subscribed);
    struct wic alice = watched(world), bob;
    core_answer(world, 489, "core", "");
    bob = wic_open(world, 0, "bob");
    wic_register(&bob);
    assert_true(has(first_line(world_to_core(world)), "REGISTER "));
    wic_close(&bob);
    world_pass(world, 3601 * 1000);
    bob = wic_open(world, 0, "bob");
    wic_register(&bob);
    assert_true(has(first_line(world_to_core(world)), "SUBSCRIBE "));
    wic_close(&alice);
    wic_close(&bob);
    world_destroy(&world);
}

static void a_subscription_is_refreshed_within_its_dialog(void **state)
{
    (void)state;
    struct world *world = world_create(&subscribed);
    struct wic alice = wic_open(world, 0, "alice");
    alice.expires = 3000;
    wic_register(&alice);
    accept(world);
    world_pass(world, 601 * 1000);
    const char *sent = world_to_core(world);
    assert_string_equal(first_line(sent), "SUBSCRIBE sip:scscf." DOMAIN " SIP/2.0");
    assert_string_equal(field(sent, "CSeq", 0), "2 SUBSCRIBE");
    assert_true(has(field(sent, "To", 0), ";tag=core"));
    core_answer(world, 481, "core", "");
    world_pass(world, 2000 * 1000);
    assert_string_equal(field(world_to_core(world), "CSeq", 0), "2 SUBSCRIBE");
    assert_int_equal(edge_totals(world->edges[0]).registrations, 1);
    wic_close(&alice);
    world_destroy(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_edge_subscribes_to_what_it_has_registered),
        cmocka_unit_test(the_network_ends_a_registration),
        cmocka_unit_test(a_terminated_registration_ends_without_a_contact),
        cmocka_unit_test(garbage_ends_nothing),
        cmocka_unit_test(a_core_without_the_event_is_left_alone),
        cmocka_unit_test(a_subscription_is_refreshed_within_its_dialog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
