/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/provision.h"
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

#define DIGEST "Digest username=\"alice\", realm=\"" DOMAIN "\", nonce=\"n\", uri=\"sip:" DOMAIN "\", response=\"r\""

static void digest_passes_as_it_is_but_for_integrity_protected(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    alice.extra = "Authorization: " DIGEST ", auts=\"x\",integrity-protected=\"auth-done\", userhash=false\n";
    wic_register(&alice);
    assert_string_equal(field(world_to_core_before(world, 1), "Authorization", 0),
                        DIGEST ", auts=\"x\", userhash=false, integrity-protected=\"tls-pending\"");
    wic_register_begin(&alice);
    assert_true(has(field(world_to_core(world), "Authorization", 0), "integrity-protected=\"tls-yes\""));
    wic_close(&alice);
    world_destroy(&world);
}

static void a_registration_vouches_for_nobody_else(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    alice.extra = "Authorization: " DIGEST "\n";
    wic_register(&alice);
    alice.user = "boss";
    alice.extra = "Authorization: Digest username=\"boss\", realm=\"" DOMAIN "\", nonce=\"n\"\n";
    wic_register_begin(&alice);
    assert_true(has(field(world_to_core(world), "Authorization", 0), "integrity-protected=\"tls-pending\""));
    wic_close(&alice);
    world_destroy(&world);
}

/* What is no Digest does not reach the core, so nobody has looked at the name in it. */
static void a_name_beside_the_digest_is_nobodys(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    alice.extra = "Authorization: Other username=\"boss\", realm=\"x\"\nAuthorization: " DIGEST "\n";
    wic_register(&alice);
    alice.user = "boss";
    alice.extra = "Authorization: Digest username=\"boss\", realm=\"" DOMAIN "\", nonce=\"n\"\n";
    wic_register_begin(&alice);
    assert_true(has(field(world_to_core(world), "Authorization", 0), "integrity-protected=\"tls-pending\""));
    wic_close(&alice);
    world_destroy(&world);
}

static void two_digests_are_refused(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    alice.extra = "Authorization: Digest username=\"boss\", realm=\"x\"\nAuthorization: " DIGEST "\n";
    wic_register_begin(&alice);
    assert_int_equal(world->to_core_count, 0);
    assert_true(has(first_line(world_to_client(world)), "400"));
    wic_close(&alice);
    world_destroy(&world);
}

static void a_digest_that_can_be_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    static const char *const values[] = {
        "Digest username=\"a\\\", integrity-protected=\"auth-done\", x=\"\"",
        "Digest username=\"a, integrity-protected=\"auth-done\"",
        "Digest username=\"a\" integrity-protected=\"auth-done\"",
        "Digest username",
    };
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char extra[200];
        unsigned before = world->to_core_count;
        snprintf(extra, sizeof extra, "Authorization: %s\n", values[i]);
        alice.extra = extra;
        wic_register_begin(&alice);
        if (world->to_core_count > before) /* another scheme than Digest by its look: nothing of it has passed */
            assert_string_equal(field(world_to_core(world), "Authorization", 0), "");
        assert_false(has(world_to_core(world), "auth-done"));
    }
    wic_close(&alice);
    world_destroy(&world);
}

static void what_a_client_may_not_assert_is_stripped(void **state)
{
    (void)state;
    static const char *const names[] = {"P-Asserted-Identity",
                                        "P-Charging-Function-Addresses",
                                        "Path",
                                        "Service-Route",
                                        "P-Associated-URI",
                                        "Record-Route",
                                        "Route",
                                        "P-Served-User",
                                        "P-Profile-Key"};
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    alice.extra = "P-Asserted-Identity: <sip:boss@evil>\nP-Charging-Function-Addresses: ccf=evil\nPath: <sip:evil>\n"
                  "Service-Route: <sip:evil>\nP-Associated-URI: <sip:evil>\nRecord-Route: <sip:evil>\n"
                  "Route: <sip:evil>\nP-Served-User: <sip:evil>\nP-Profile-Key: <sip:evil>\n"
                  "P-Charging-Vector: icid-value=evil\nP-Visited-Network-ID: evil\n"
                  "P-Access-Network-Info: IEEE-802.11, 3GPP-E-UTRAN;network-provided;evil\n";
    wic_register_begin(&alice);
    assert_false(has(world_to_core(world), "evil"));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_string_equal(field(world_to_core(world), names[i], has("Path", names[i])), "");
    assert_string_equal(field(world_to_core(world), "P-Access-Network-Info", 0), "IEEE-802.11");
    wic_close(&alice);
    world_destroy(&world);
}

static void a_challenge_passes_without_the_edges_keys_and_with_bearer_where_set(void **state)
{
    (void)state;
    struct world *world = world_create(&(struct world_options){.tokens = true, .challenge = true});
    struct wic alice = wic_open(world, 0, "alice");
    wic_register_begin(&alice);
    core_answer(world, 401, "core",
                "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", ck=\"00\", ik=\"11\", qop=\"auth\"\n");
    const char *answer = world_to_client(world);
    assert_string_equal(field(answer, "WWW-Authenticate", 0), "Digest realm=\"r\", nonce=\"n\", qop=\"auth\"");
    assert_string_equal(field(answer, "WWW-Authenticate", 1),
                        "Bearer realm=\"" DOMAIN "\", authz_server=\"https://login.example.org\"");
    wic_close(&alice);
    world_destroy(&world);
}

static void a_token_becomes_the_trusted_nodes_authorization(void **state)
{
    (void)state;
    struct world *world = world_create(&(struct world_options){.tokens = true});
    struct wic alice = wic_open(world, 0, "alice");
    alice.extra = "Authorization: Bearer alice@private/sip:alice@" DOMAIN "/300\n";
    wic_register(&alice);
    const char *sent = world_to_core_before(world, 1);
    assert_string_equal(field(sent, "Authorization", 0),
                        "Digest username=\"alice@private\", realm=\"" DOMAIN "\", nonce=\"\", uri=\"sip:" DOMAIN
                        "\", response=\"\", integrity-protected=\"auth-done\"");
    assert_false(has(sent, "Bearer"));
    assert_string_equal(field(sent, "Expires", 0), "300");
    assert_true(has(field(sent, "Contact", 0), ";expires=300"));
    world_pass(world, 299 * 1000);
    assert_int_equal(edge_totals(world->edges[0]).registrations, 1);
    world_pass(world, 2000);
    assert_int_equal(edge_totals(world->edges[0]).registrations, 0);
    wic_close(&alice);
    world_destroy(&world);
}

static void a_token_for_somebody_else_is_refused(void **state)
{
    (void)state;
    struct world *world = world_create(&(struct world_options){.tokens = true});
    struct wic alice = wic_open(world, 0, "alice");
    alice.extra = "Authorization: Bearer alice@private/sip:bob@" DOMAIN "/300\n";
    wic_register_begin(&alice);
    assert_true(has(first_line(world_to_client(world)), "403"));
    alice.extra = "Authorization: Bearer bad\n";
    wic_register_begin(&alice);
    assert_true(has(first_line(world_to_client(world)), "401"));
    assert_true(has(field(world_to_client(world), "WWW-Authenticate", 0), "error=\"invalid_token\""));
    assert_int_equal(world->to_core_count, 0);
    wic_close(&alice);
    world_destroy(&world);
}

static void a_token_on_a_request_is_checked_and_goes_no_further(void **state)
{
    (void)state;
    struct world *world = world_create(&(struct world_options){.tokens = true});
    struct wic alice = wic_open(world, 0, "alice");
    alice.extra = "Authorization: Bearer alice@private/sip:alice@" DOMAIN "/300\n";
    wic_register(&alice);
    wic_request(&alice, "MESSAGE", "sip:bob@" DOMAIN, "<sip:bob@" DOMAIN ">", alice.extra, "hi");
    assert_true(has(first_line(world_to_core(world)), "MESSAGE "));
    assert_false(has(world_to_core(world), "Bearer"));
    core_answer(world, 200, "bob", "");
    wic_request(&alice, "MESSAGE", "sip:bob@" DOMAIN, "<sip:bob@" DOMAIN ">",
                "Authorization: Bearer bob@private/sip:alice@" DOMAIN "/300\n", "hi");
    assert_true(has(first_line(world_to_client(world)), "403"));
    wic_request(&alice, "MESSAGE", "sip:bob@" DOMAIN, "<sip:bob@" DOMAIN ">", "Authorization: Bearer bad\n", "hi");
    assert_true(has(first_line(world_to_client(world)), "401"));
    wic_close(&alice);
    world_destroy(&world);
}

static void who_is_not_registered_may_only_register(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    wic_request(&alice, "OPTIONS", "sip:" DOMAIN, "<sip:" DOMAIN ">", "", "");
    assert_true(has(first_line(world_to_client(world)), "403"));
    assert_int_equal(world->to_core_count, 0);
    wic_close(&alice);
    world_destroy(&world);
}

/* Credentials */

#define WANTED "Accept: application/sdp, " PROVISION_TYPE "\n"

static void the_200_carries_credentials_for_who_accepts_them(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    assert_string_equal(body_of(world_to_client(world)), "");
    alice.extra = WANTED;
    wic_register(&alice);
    const char *answer = world_to_client(world);
    assert_string_equal(field(answer, "Content-Type", 0), PROVISION_TYPE);
    assert_true(has(body_of(answer), "\"impi\":\"alice@" DOMAIN "\",\"ttl\":600}"));
    wic_close(&alice);
    world_destroy(&world);
}

/* Answers a REGISTER that is under way with |fields| besides the Contact. */
static void accept(struct wic *wic, const char *fields)
{
    char lines[1000];
    snprintf(lines, sizeof lines, "Contact: %s\n%s", field(world_to_core(wic->world), "Contact", 0), fields);
    core_answer(wic->world, 200, "core", lines);
    if (has(first_line(world_to_core(wic->world)), "SUBSCRIBE"))
        core_answer(wic->world, 403, "core", "");
}

static void credentials_join_the_cores_own_body(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    alice.extra = WANTED;
    wic_register_begin(&alice);
    accept(&alice, "Content-Type: text/plain\n\nwelcome");
    const char *answer = world_to_client(world), *type = field(answer, "Content-Type", 0);
    assert_true(has(type, "multipart/mixed;boundary="));
    char delimiter[80];
    snprintf(delimiter, sizeof delimiter, "--%s\r\nContent-Type: text/plain\r\n\r\nwelcome\r\n--",
             strstr(type, "boundary=") + 9);
    assert_true(has(body_of(answer), delimiter));
    assert_true(has(body_of(answer), "Content-Type: " PROVISION_TYPE "\r\n\r\n{\"id\""));
    unsigned length = (unsigned)atoi(field(answer, "Content-Length", 0));
    assert_int_equal(length, strlen(body_of(answer)));
    wic_close(&alice);
    world_destroy(&world);
}

static void a_protected_body_is_left_alone(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    alice.extra = WANTED;
    wic_register_begin(&alice);
    accept(&alice, "Authentication-Info: qop=auth-int, rspauth=\"00\"\n");
    assert_string_equal(body_of(world_to_client(world)), "");
    alice.extra = WANTED "Authorization: " DIGEST ", qop=auth-int\n";
    wic_register_begin(&alice);
    accept(&alice, "");
    assert_string_equal(body_of(world_to_client(world)), "");
    wic_close(&alice);
    world_destroy(&world);
}

/* The end of registrations */

static void a_deregistration_revokes(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    alice.extra = WANTED;
    wic_register(&alice);
    alice.expires = 0;
    alice.extra = NULL;
    wic_register_begin(&alice);
    core_answer(world, 200, "core", "");
    assert_int_equal(world->revoked_count, 1);
    assert_true(world->revoked_until_s[0] == WORLD_START_S + 3600);
    assert_int_equal(edge_totals(world->edges[0]).registrations, 0);
    wic_close(&alice);
    assert_int_equal(world->revoked_count, 1);
    world_destroy(&world);
}

static void a_star_takes_all_back(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    alice.extra = WANTED;
    wic_register(&alice);
    wic_say(&alice, "REGISTER sip:" DOMAIN " SIP/2.0\nVia: SIP/2.0/WSS a.invalid;branch=z9hG4bKstar\nMax-Forwards: 69\n"
                    "To: <sip:alice@" DOMAIN ">\nFrom: <sip:alice@" DOMAIN ">;tag=t\nCall-ID: star\nCSeq: 1 REGISTER\n"
                    "Contact: *\nExpires: 0\nContent-Length: 0\n\n");
    assert_string_equal(field(world_to_core(world), "Contact", 0), "*");
    core_answer(world, 200, "core", "");
    assert_int_equal(world->revoked_count, 1);
    wic_close(&alice);
    world_destroy(&world);
}

static void a_registration_expires(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    world_pass(world, 599 * 1000);
    wic_register(&alice);
    world_pass(world, 599 * 1000);
    assert_int_equal(edge_totals(world->edges[0]).registrations, 1);
    world_pass(world, 2 * 1000);
    assert_int_equal(edge_totals(world->edges[0]).registrations, 0);
    wic_request(&alice, "OPTIONS", "sip:" DOMAIN, "<sip:" DOMAIN ">", "", "");
    assert_true(has(first_line(world_to_client(world)), "403"));
    wic_close(&alice);
    world_destroy(&world);
}

/* Its credentials end with it, but allocations that were made with them would go on by Refresh. */
static void an_expiry_revokes(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    alice.extra = WANTED;
    wic_register(&alice);
    world_pass(world, 599 * 1000);
    assert_int_equal(world->revoked_count, 0);
    world_pass(world, 2 * 1000);
    assert_int_equal(world->revoked_count, 1);
    assert_true(world->revoked_until_s[0] >= WORLD_START_S + 600 + 3600);
    wic_close(&alice);
    world_destroy(&world);
}

/* The key of the old one was made of another spelling: its private identity was read after it had been freed. */
static void a_domain_in_capitals_is_the_same_registration(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    wic_say(&alice,
            "REGISTER sip:" DOMAIN " SIP/2.0\nVia: SIP/2.0/WSS a.invalid;branch=z9hG4bKcapitals\nMax-Forwards: 69\n"
            "To: <sip:alice@EXAMPLE.ORG>\nFrom: <sip:alice@" DOMAIN ">;tag=t\nCall-ID: c\nCSeq: 9 REGISTER\n"
            "Contact: <sip:alice@%s.invalid;transport=ws>;reg-id=%u;+sip.instance=\"%s\"\nContent-Length: 0\n\n",
            alice.tag, alice.reg_id, alice.instance);
    char fields[300];
    unsigned before = world->lines;
    snprintf(fields, sizeof fields, "Contact: %s;expires=600\n", field(world_to_core(world), "Contact", 0));
    core_answer(world, 200, "core", fields);
    assert_int_equal(edge_totals(world->edges[0]).registrations, 1);
    assert_int_equal(world->lines, before); /* nothing has ended */
    wic_close(&alice);
    world_destroy(&world);
}

static void a_refused_refresh_leaves_the_registration(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    wic_register(&alice);
    wic_register_begin(&alice);
    core_answer(world, 500, "core", "");
    assert_true(has(first_line(world_to_client(world)), "500"));
    assert_int_equal(edge_totals(world->edges[0]).registrations, 1);
    wic_close(&alice);
    world_destroy(&world);
}

/* Flows that come again */

static void a_second_flow_takes_the_registration_over(void **state, unsigned other_worker)
{
    (void)state;
    char id[100];
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice"), again = wic_open(world, other_worker, "alice");
    alice.extra = again.extra = WANTED;
    snprintf(again.instance, sizeof again.instance, "%s", alice.instance);
    snprintf(again.call_id, sizeof again.call_id, "%s", alice.call_id);
    wic_register(&alice);
    snprintf(id, sizeof id, "%.30s", body_of(world_to_client(world)));
    wic_register(&again);
    assert_memory_equal(body_of(world_to_client(world)), id, strlen(id));
    unsigned both = edge_totals(world->edges[0]).registrations + edge_totals(world->edges[1]).registrations;
    assert_int_equal(both, 1);
    unsigned before = world->to_core_count;
    wic_close(&alice);
    assert_int_equal(world->to_core_count, before);
    assert_int_equal(world->revoked_count, 0);
    assert_int_equal(edge_totals(world->edges[other_worker]).registrations, 1);
    wic_close(&again);
    world_destroy(&world);
}

static void a_second_flow_on_the_same_worker_takes_over(void **state)
{
    a_second_flow_takes_the_registration_over(state, 0);
}

static void a_second_flow_on_another_worker_takes_over(void **state)
{
    a_second_flow_takes_the_registration_over(state, 1);
}

static void two_reg_ids_are_two_flows_at_once(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic one = wic_open(world, 0, "alice"), two = wic_open(world, 1, "alice");
    snprintf(two.instance, sizeof two.instance, "%s", one.instance);
    two.reg_id = 2;
    wic_register(&one);
    wic_register(&two);
    assert_int_equal(edge_totals(world->edges[0]).registrations, 1);
    assert_int_equal(edge_totals(world->edges[1]).registrations, 1);
    wic_close(&one);
    wic_close(&two);
    world_destroy(&world);
}

static void a_reconnect_keeps_the_id(void **state)
{
    (void)state;
    char id[100];
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice"), again;
    alice.extra = WANTED;
    wic_register(&alice);
    snprintf(id, sizeof id, "%.30s", body_of(world_to_client(world)));
    wic_close(&alice);
    again = wic_open(world, 1, "alice");
    again.extra = WANTED;
    snprintf(again.instance, sizeof again.instance, "%s", alice.instance);
    wic_register(&again);
    assert_memory_equal(body_of(world_to_client(world)), id, strlen(id));
    wic_close(&again);
    world_destroy(&world);
}

/* Credentials that one flow got and the next one did not ask for again. */
static void a_deregistration_after_a_reconnect_revokes(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice"), again = wic_open(world, 1, "alice");
    snprintf(again.instance, sizeof again.instance, "%s", alice.instance);
    alice.extra = WANTED;
    wic_register(&alice);
    wic_register(&again);
    wic_close(&alice);
    again.expires = 0;
    wic_register_begin(&again);
    core_answer(world, 200, "core", "");
    assert_int_equal(world->revoked_count, 1);
    wic_close(&again);
    world_destroy(&world);
}

static void deregister_over_a_new_flow(struct wic *old, struct wic *fresh)
{
    struct world *world = old->world;
    snprintf(fresh->instance, sizeof fresh->instance, "%s", old->instance);
    fresh->expires = 0;
    wic_register_begin(fresh);
    core_answer(world, 200, "core", "");
    world_pass(world, 10);
    assert_int_equal(world->revoked_count, 1);
    assert_int_equal(edge_totals(world->edges[0]).registrations, 0);
}

static void a_deregistration_over_a_new_flow_revokes(void **state)
{
    (void)state;
    for (unsigned lost = 0; lost <= 1; lost++) {
        struct world *world = world_create(NULL);
        struct wic alice = wic_open(world, 0, "alice"), again = wic_open(world, 1, "alice");
        alice.extra = WANTED;
        wic_register(&alice);
        if (lost)
            wic_close(&alice);
        deregister_over_a_new_flow(&alice, &again);
        if (!lost)
            wic_close(&alice);
        wic_close(&again);
        world_destroy(&world);
    }
}

/* Who closes the WebSocket would have kept an allocation for good. */
static void a_lost_registration_expires_and_revokes(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice"), bob = wic_open(world, 0, "bob");
    alice.extra = bob.extra = WANTED;
    wic_register(&alice);
    wic_close(&alice);
    world_pass(world, 300 * 1000);
    wic_register(&bob);
    wic_close(&bob);
    assert_int_equal(world->revoked_count, 0);
    world_pass(world, 301 * 1000);
    assert_int_equal(world->revoked_count, 1);
    world_pass(world, 300 * 1000);
    assert_int_equal(world->revoked_count, 2);
    world_destroy(&world);
}

static void a_first_hop_that_is_none_gets_439(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    alice.extra = "Via: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKother\n";
    wic_register_begin(&alice);
    assert_true(has(first_line(world_to_client(world)), "439"));
    wic_close(&alice);
    world_destroy(&world);
}

static void a_ping_is_answered(void **state)
{
    (void)state;
    struct world *world = world_create(NULL);
    struct wic alice = wic_open(world, 0, "alice");
    wic_say(&alice, "\n\n");
    assert_string_equal(world_to_client(world), "\r\n");
    wic_close(&alice);
    world_destroy(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(register_goes_to_the_core_with_what_only_the_edge_may_say),
        cmocka_unit_test(the_200_is_passed_and_registers),
        cmocka_unit_test(digest_passes_as_it_is_but_for_integrity_protected),
        cmocka_unit_test(a_registration_vouches_for_nobody_else),
        cmocka_unit_test(a_name_beside_the_digest_is_nobodys),
        cmocka_unit_test(two_digests_are_refused),
        cmocka_unit_test(a_digest_that_can_be_read_in_two_ways_is_refused),
        cmocka_unit_test(what_a_client_may_not_assert_is_stripped),
        cmocka_unit_test(a_challenge_passes_without_the_edges_keys_and_with_bearer_where_set),
        cmocka_unit_test(a_token_becomes_the_trusted_nodes_authorization),
        cmocka_unit_test(a_token_for_somebody_else_is_refused),
        cmocka_unit_test(a_token_on_a_request_is_checked_and_goes_no_further),
        cmocka_unit_test(who_is_not_registered_may_only_register),
        cmocka_unit_test(the_200_carries_credentials_for_who_accepts_them),
        cmocka_unit_test(credentials_join_the_cores_own_body),
        cmocka_unit_test(a_protected_body_is_left_alone),
        cmocka_unit_test(a_deregistration_revokes),
        cmocka_unit_test(a_star_takes_all_back),
        cmocka_unit_test(a_registration_expires),
        cmocka_unit_test(an_expiry_revokes),
        cmocka_unit_test(a_domain_in_capitals_is_the_same_registration),
        cmocka_unit_test(a_refused_refresh_leaves_the_registration),
        cmocka_unit_test(a_second_flow_on_the_same_worker_takes_over),
        cmocka_unit_test(a_second_flow_on_another_worker_takes_over),
        cmocka_unit_test(two_reg_ids_are_two_flows_at_once),
        cmocka_unit_test(a_reconnect_keeps_the_id),
        cmocka_unit_test(a_deregistration_after_a_reconnect_revokes),
        cmocka_unit_test(a_deregistration_over_a_new_flow_revokes),
        cmocka_unit_test(a_lost_registration_expires_and_revokes),
        cmocka_unit_test(a_first_hop_that_is_none_gets_439),
        cmocka_unit_test(a_ping_is_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
