/* SPDX-License-Identifier: BSD-3-Clause
 * The registrar behind real edges, on two workers: what `make run` does, without its sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/digest.h"
#include "auth/provision.h"
#include "base/error.h"
#include "registrar/accounts.h"
#include "registrar/registrar.h"
#include "world.h"

#define QUEUE 256

static struct world *world;
static struct accounts *accounts;
static struct registrar *registrar;
static char *queue[QUEUE];
static unsigned queued, delivered, seen;

static void to_edges(void *context, const void *bytes, size_t length)
{
    (void)context;
    assert_true(queued < QUEUE);
    queue[queued++] = strndup(bytes, length);
}

/* Carries messages between edges and registrar until there are none. */
static void carry(void)
{
    static const struct edge_target here = {.transport = EDGE_LOCAL};
    while (seen < world->to_core_count || delivered < queued) {
        if (seen < world->to_core_count) {
            const char *text = world_to_core_before(world, world->to_core_count - 1 - seen++);
            registrar_receive(registrar, text, strlen(text), world->now);
            continue;
        }
        const char *text = queue[delivered++];
        int worker = edge_worker_of(&world->flow_key, text, strlen(text));
        edge_receive_core(world->edges[worker < 0 ? 0 : worker], &here, text, strlen(text), world->now);
        world_pass(world, 1);
    }
}

/* Until bindings, subscriptions and calls have ended by themselves. */
static void pass_hours(void)
{
    for (unsigned i = 0; i < 200; i++) {
        world_pass(world, 60000);
        carry();
    }
}

static int setup(void **state)
{
    (void)state;
    struct accounts_error error;
    world = world_create(&(struct world_options){.transport = EDGE_LOCAL, .subscriptions = true});
    assert_int_equal(accounts_open(NULL, DOMAIN, 0, &accounts, &error), 0);
    assert_int_equal(accounts_add(accounts, "alice", "wonderland", 1), 0);
    assert_int_equal(accounts_add(accounts, "bob", "builder", 1), 0);
    const struct registrar_host host = {.timers = &world->timers, .send = to_edges};
    assert_int_equal(registrar_create(DOMAIN, "core.invalid", accounts, &host, &registrar), 0);
    queued = delivered = seen = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    registrar_destroy(&registrar);
    accounts_close(&accounts);
    world_destroy(&world);
    for (unsigned i = 0; i < queued; i++)
        free(queue[i]);
    return 0;
}

static void log_in(struct wic *wic, const char *password)
{
    static char fields[1024];
    char ha1[DIGEST_HEX_SIZE], response[DIGEST_HEX_SIZE], nonce[64];
    wic->extra = "Accept: " PROVISION_TYPE "\n";
    wic_register_begin(wic);
    carry();
    assert_true(has(first_line(world_to_client(world)), "401"));
    const char *challenge = field(world_to_client(world), "WWW-Authenticate", 0);
    assert_true(has(challenge, "SHA-256"));
    sscanf(strstr(challenge, "nonce=\""), "nonce=\"%63[^\"]", nonce);
    digest_ha1(DIGEST_SHA256, span_of_text(wic->user), span_of_text(DOMAIN), span_of_text(password), ha1);
    const struct digest_request request = {.method = span_of_text("REGISTER"),
                                           .uri = span_of_text("sip:" DOMAIN),
                                           .nonce = span_of_text(nonce),
                                           .nc = span_of_text("00000001"),
                                           .cnonce = span_of_text("c"),
                                           .qop = span_of_text("auth")};
    digest_response(DIGEST_SHA256, ha1, &request, response);
    snprintf(fields, sizeof fields,
             "%sAuthorization: Digest username=\"%s\", realm=\"" DOMAIN "\", nonce=\"%s\", uri=\"sip:" DOMAIN
             "\", algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"c\", response=\"%s\"\n",
             wic->extra, wic->user, nonce, response);
    wic->extra = fields;
    wic_register_begin(wic);
    carry();
    assert_true(has(first_line(world_to_client(world)), "200"));
    assert_true(has(body_of(world_to_client(world)), wic->user)); /* whose TURN credentials they are */
}

static void call_bob(struct wic *alice)
{
    wic_request(alice, "INVITE", "sip:bob@" DOMAIN, "<sip:bob@" DOMAIN ">",
                "Contact: <sip:alice@a.invalid;transport=ws>\nContent-Type: application/sdp\n", "v=0\r\n");
    carry();
}

/* What the caller's requests in the dialog that |answer| made begin with: its Record-Route from the last to the first.
 */
static void write_routes(const char *answer, char *out, size_t size)
{
    unsigned count = 0;
    while (field(answer, "Record-Route", count)[0])
        count++;
    out[0] = '\0';
    while (count-- > 0)
        snprintf(out + strlen(out), size - strlen(out), "Route: %s\n", field(answer, "Record-Route", count));
}

static void two_people_log_in_and_call(void **state)
{
    (void)state;
    char answer[20000], routes[4000], to[200];
    struct wic alice = wic_open(world, 0, "alice"), bob = wic_open(world, 1, "bob");
    log_in(&alice, "wonderland");
    log_in(&bob, "builder");

    call_bob(&alice);
    assert_true(has(first_line(world_to_client(world)), "INVITE sip:bob@"));
    assert_string_equal(body_of(world_to_client(world)), "v=0\r\n");
    wic_answer(&bob, 180, "b", "Contact: <sip:bob@b.invalid;transport=ws>\n");
    carry();
    assert_true(has(first_line(world_to_client(world)), "180"));
    wic_answer(&bob, 200, "b", "Contact: <sip:bob@b.invalid;transport=ws>\n");
    carry();
    snprintf(answer, sizeof answer, "%s", world_to_client(world));
    assert_true(has(first_line(answer), "200"));
    write_routes(answer, routes, sizeof routes);
    snprintf(to, sizeof to, "%s", field(answer, "To", 0));

    alice.cseq--; /* ACK has the number of its INVITE */
    wic_request(&alice, "ACK", "sip:bob@b.invalid;transport=ws", to, routes, "");
    carry();
    assert_true(has(first_line(world_to_client(world)), "ACK sip:bob@b.invalid"));
    wic_request(&alice, "BYE", "sip:bob@b.invalid;transport=ws", to, routes, "");
    carry();
    assert_true(has(first_line(world_to_client(world)), "BYE sip:bob@b.invalid"));
    wic_answer(&bob, 200, NULL, "");
    carry();
    assert_true(has(first_line(world_to_client(world)), "200"));
    wic_close(&alice);
    wic_close(&bob);
    pass_hours();
}

static void flow_that_went_is_found_out_by_the_next_call(void **state)
{
    (void)state;
    struct wic alice = wic_open(world, 0, "alice"), bob = wic_open(world, 1, "bob");
    log_in(&alice, "wonderland");
    log_in(&bob, "builder");
    wic_close(&bob);
    call_bob(&alice);
    assert_true(has(first_line(world_to_client(world)), "480"));
    wic_close(&alice);
    pass_hours();
}

/* The edge took an empty tag for none, and so a new call; the registrar for one, and so asked nobody who was calling.
 */
static void an_empty_tag_makes_nobody_somebody_else(void **state)
{
    (void)state;
    static const char *const tags[] = {";tag", ";tag=\"\"", " ; tag = \"\""};
    struct wic alice = wic_open(world, 0, "alice"), bob = wic_open(world, 1, "bob");
    log_in(&alice, "wonderland");
    log_in(&bob, "builder");
    for (unsigned i = 0; i < sizeof tags / sizeof *tags; i++) {
        wic_say(&alice,
                "INVITE sip:bob@" DOMAIN " SIP/2.0\nVia: SIP/2.0/WSS a.invalid;branch=z9hG4bKtag%u\n"
                "From: <sip:bob@" DOMAIN ">;tag=t\nTo: <sip:bob@" DOMAIN ">%s\nCall-ID: tag%u\nCSeq: 1 INVITE\n"
                "Contact: <sip:alice@a.invalid;transport=ws>\nContent-Length: 0\n\n",
                i, tags[i], i);
        carry();
        assert_true(has(first_line(world_to_client(world)), "400"));
    }
    wic_close(&alice);
    wic_close(&bob);
    pass_hours();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_people_log_in_and_call, setup, teardown),
        cmocka_unit_test_setup_teardown(flow_that_went_is_found_out_by_the_next_call, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_tag_makes_nobody_somebody_else, setup, teardown),
    };
    return cmocka_run_group_tests_name("with_edge", tests, NULL, NULL);
}
