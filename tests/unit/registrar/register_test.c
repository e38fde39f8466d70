/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "office.h"

#define INSTANCE "00000000-0000-1000-8000-AABBCCDDEEFF"

static struct office office;

static int setup(void **state)
{
    (void)state;
    office_open(&office);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    office_close(&office);
    return 0;
}

static const char *send(const struct device *device)
{
    const char *answer = office_register(&office, device);
    assert_non_null(answer);
    assert_null(office_next(&office));
    return answer;
}

static void assert_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no %s in:\n%s", part, text);
}

static void assert_has_not(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("%s in:\n%s", part, text);
}

/* Fetches the bindings of |user|. */
static const char *bindings_of(const char *user)
{
    return send(&(struct device){.user = user, .flow = "fetch", .contact = ""});
}

static unsigned contacts_in(const char *answer)
{
    unsigned count = 0;
    while (line_of(answer, "Contact", count)[0])
        count++;
    return count;
}

/* A challenge: the |index|-th of those that alice gets. */
static const char *challenged(unsigned index)
{
    const char *answer = send(&(struct device){.user = "alice", .flow = "a", .authorization = "Bearer none"});
    assert_int_equal(status_of(answer), 401);
    return line_of(answer, "WWW-Authenticate", index);
}

static const char *answered(const char *challenge, const char *user, const char *password, unsigned count)
{
    return send(&(struct device){
        .user = "alice", .flow = "a", .authorization = digest_answer(challenge, user, password, "REGISTER", count)});
}

static void stranger_is_challenged_for_sha256_first_and_md5_after_it(void **state)
{
    (void)state;
    const char *answer = send(&(struct device){.user = "alice", .flow = "a", .authorization = "Bearer none"});
    assert_int_equal(status_of(answer), 401);
    assert_has(line_of(answer, "WWW-Authenticate", 0), "algorithm=SHA-256");
    assert_has(line_of(answer, "WWW-Authenticate", 1), "algorithm=MD5");
    assert_string_equal(line_of(answer, "WWW-Authenticate", 2), "");
    assert_has(line_of(answer, "WWW-Authenticate", 0), "realm=\"" DOMAIN "\"");
    assert_has(line_of(answer, "WWW-Authenticate", 0), "qop=\"auth\"");
    assert_has_not(answer, "stale");
    assert_has(line_of(answer, "To", 0), ";tag=");
    assert_has(line_of(answer, "Via", 0), EDGE);
    assert_has(line_of(answer, "Via", 1), "a.invalid");
}

static void right_password_registers_under_either_algorithm(void **state)
{
    (void)state;
    for (unsigned index = 0; index < 2; index++) {
        const char *answer = answered(challenged(index), "alice", "alice's", 1);
        assert_int_equal(status_of(answer), 200);
        assert_has(line_of(answer, "Contact", 0), "<sip:alice@a.invalid;transport=ws>");
        assert_has(line_of(answer, "Contact", 0), ";expires=600");
        assert_string_equal(line_of(answer, "Path", 0), "<sip:a@" EDGE ";lr;ob>");
        assert_string_equal(line_of(answer, "Service-Route", 0), "<sip:orig@" OFFICE ";lr>");
        assert_string_equal(line_of(answer, "P-Associated-URI", 0), "<sip:alice@" DOMAIN ">");
        assert_string_equal(line_of(answer, "Date", 0), "Tue, 14 Nov 2023 22:13:20 GMT");
        assert_string_equal(line_of(answer, "Require", 0), "outbound");
    }
}

/* What differs is by chance: nonce and tag. */
static void wrong_password_and_unknown_name_get_the_same_answer(void **state)
{
    (void)state;
    char wrong[4096];
    snprintf(wrong, sizeof wrong, "%s", answered(challenged(0), "alice", "guess", 1));
    const char *unknown = answered(challenged(0), "nobody", "guess", 1);
    assert_int_equal(status_of(wrong), 401);
    assert_int_equal(status_of(unknown), 401);
    assert_int_equal(strlen(wrong), strlen(unknown));
    assert_has_not(unknown, "stale");
    assert_int_equal(contacts_in(bindings_of("alice")), 0);
}

static void name_is_registered_by_its_owner_only(void **state)
{
    (void)state;
    assert_int_equal(status_of(answered(challenged(0), "bob", "bob's", 1)), 403);
    assert_int_equal(contacts_in(bindings_of("alice")), 0);
}

static void names_with_sql_in_them_are_names(void **state)
{
    (void)state;
    static const char *const names[] = {"' OR '1'='1", "alice'--", "alice'; DROP TABLE account;--", "%", "alic_"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_int_equal(status_of(answered(challenged(0), names[i], "alice's", 1)), 401);
    assert_int_equal(status_of(answered(challenged(0), "alice", "alice's", 1)), 200);
}

static void nonce_is_good_for_five_minutes(void **state)
{
    (void)state;
    char challenge[1024];
    snprintf(challenge, sizeof challenge, "%s", challenged(0));
    office_wait(&office, 300 * 1000);
    assert_int_equal(status_of(answered(challenge, "alice", "alice's", 1)), 200);
    office_wait(&office, 2000);
    const char *answer = answered(challenge, "alice", "alice's", 2);
    assert_int_equal(status_of(answer), 401);
    assert_has(line_of(answer, "WWW-Authenticate", 0), "stale=true");
    assert_has(line_of(answer, "WWW-Authenticate", 1), "stale=true");
    /* A stale nonce says nothing to whoever does not know the password. */
    assert_has_not(answered(challenge, "alice", "guess", 3), "stale");
}

static void answer_is_good_once_and_its_count_has_to_grow(void **state)
{
    (void)state;
    char challenge[1024];
    snprintf(challenge, sizeof challenge, "%s", challenged(1));
    assert_int_equal(status_of(answered(challenge, "alice", "alice's", 1)), 200);
    assert_has(answered(challenge, "alice", "alice's", 1), "stale=true");
    assert_int_equal(status_of(answered(challenge, "alice", "alice's", 3)), 200);
    assert_has(answered(challenge, "alice", "alice's", 2), "stale=true");
}

static void nonce_of_somebody_else_is_stale(void **state)
{
    (void)state;
    const char *answer =
        answered("Digest nonce=\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\", algorithm=MD5", "alice", "alice's", 1);
    assert_has(answer, "stale=true");
}

static void answers_that_lack_a_part_are_none(void **state)
{
    (void)state;
    static const char *const parts[] = {"username=", "realm=", "nonce=", "uri=", "cnonce=", "nc=", "qop=", "response="};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char authorization[4096];
        snprintf(authorization, sizeof authorization, "%s",
                 digest_answer(challenged(0), "alice", "alice's", "REGISTER", 1));
        *strstr(authorization, parts[i]) = 'x';
        assert_int_equal(
            status_of(send(&(struct device){.user = "alice", .flow = "a", .authorization = authorization})), 401);
    }
}

static void edge_vouches_for_whom_it_has_authenticated_itself(void **state)
{
    (void)state;
    assert_int_equal(status_of(send(&(struct device){.user = "dora", .flow = "d"})), 200);
    assert_int_equal(contacts_in(bindings_of("dora")), 1);
    /* dora has no account, so none can be taken from her. */
    office_wait(&office, 10 * 1000);
    assert_int_equal(contacts_in(bindings_of("dora")), 1);
}

static void binding_ends_with_its_time(void **state)
{
    (void)state;
    send(&(struct device){.user = "alice", .flow = "a", .expires = 60});
    office_wait(&office, 20500);
    assert_has(line_of(bindings_of("alice"), "Contact", 0), ";expires=40");
    office_wait(&office, 39499);
    assert_int_equal(contacts_in(bindings_of("alice")), 1);
    office_wait(&office, 1);
    assert_int_equal(contacts_in(bindings_of("alice")), 0);
}

static void lifetimes_have_a_least_and_a_most(void **state)
{
    (void)state;
    const char *answer = send(&(struct device){.user = "alice", .flow = "a", .expires = 59});
    assert_int_equal(status_of(answer), 423);
    assert_string_equal(line_of(answer, "Min-Expires", 0), "60");
    assert_int_equal(contacts_in(bindings_of("alice")), 0);
    assert_has(line_of(send(&(struct device){.user = "alice", .flow = "a", .expires = 4000000000}), "Contact", 0),
               ";expires=7200");
}

static void client_takes_back_one_binding_or_all(void **state)
{
    (void)state;
    office_let_in(&office, "alice", "one");
    office_let_in(&office, "alice", "two");
    assert_int_equal(contacts_in(bindings_of("alice")), 2);
    const char *answer = send(&(struct device){
        .user = "alice", .flow = "x", .contact = "Contact: <sip:alice@one.invalid;transport=ws>;expires=0"});
    assert_int_equal(status_of(answer), 200);
    assert_int_equal(contacts_in(answer), 1);
    assert_has(line_of(answer, "Contact", 0), "two.invalid");

    answer = send(&(struct device){.user = "alice", .flow = "x", .contact = "Contact: *\nExpires: 60"});
    assert_int_equal(status_of(answer), 400);
    answer = send(&(struct device){.user = "alice", .flow = "x", .contact = "Contact: *\nExpires: 0"});
    assert_int_equal(status_of(answer), 200);
    assert_int_equal(contacts_in(answer), 0);
}

static void same_instance_and_reg_id_is_the_same_binding(void **state)
{
    (void)state;
    send(&(struct device){.user = "alice", .flow = "one", .instance = INSTANCE, .reg_id = 1});
    const char *answer = send(&(struct device){.user = "alice", .flow = "two", .instance = INSTANCE, .reg_id = 1});
    assert_int_equal(contacts_in(answer), 1);
    assert_has(line_of(answer, "Contact", 0), "two.invalid");
    assert_has(line_of(answer, "Contact", 0), ";+sip.instance=\"<urn:uuid:" INSTANCE ">\";reg-id=1");
    answer = send(&(struct device){.user = "alice", .flow = "three", .instance = INSTANCE, .reg_id = 2});
    assert_int_equal(contacts_in(answer), 2);
}

static void eleventh_binding_takes_the_place_of_the_oldest(void **state)
{
    (void)state;
    for (int i = 0; i < 11; i++) {
        char flow[16];
        snprintf(flow, sizeof flow, "f%d", i);
        office_let_in(&office, "alice", flow);
    }
    const char *answer = bindings_of("alice");
    assert_int_equal(contacts_in(answer), 10);
    assert_has_not(answer, "f0.invalid");
    assert_has(answer, "f10.invalid");
}

static void request_that_was_overtaken_changes_nothing(void **state)
{
    (void)state;
    office_let_in(&office, "alice", "a");
    static const char *const late = "REGISTER sip:" DOMAIN " SIP/2.0\nVia: SIP/2.0/TCP " EDGE ";branch=z9hG4bKlate\n"
                                    "From: <sip:alice@" DOMAIN ">;tag=f\nTo: <sip:alice@" DOMAIN ">\nCall-ID: a\n"
                                    "CSeq: 0 REGISTER\nContact: <sip:alice@a.invalid;transport=ws>;expires=0\n"
                                    "Authorization: Digest integrity-protected=\"auth-done\"\nContent-Length: 0\n\n";
    office_receive(&office, "%s", late);
    assert_int_equal(status_of(office_next(&office)), 400);
    assert_int_equal(contacts_in(bindings_of("alice")), 1);
}

static void unknown_requirements_and_foreign_contacts_are_refused(void **state)
{
    (void)state;
    const char *answer =
        send(&(struct device){.user = "alice", .flow = "a", .contact = "Require: path, teleport\nContact: <sip:a@b>"});
    assert_int_equal(status_of(answer), 420);
    assert_has(line_of(answer, "Unsupported", 0), "teleport");
    assert_int_equal(status_of(send(&(struct device){.user = "alice", .flow = "a", .contact = "Contact: <tel:+4930>"})),
                     400);
}

/* Every allocation fails in its turn: the answer is one that says so, or none, and nothing is half done. */
static void want_of_memory_changes_nothing_halfway(void **state)
{
    (void)state;
    for (unsigned long n = 1;; n++) {
        memory_fail_at(n);
        const char *answer =
            office_register(&office, &(struct device){.user = "alice", .flow = "a", .instance = INSTANCE, .reg_id = 1});
        bool all = status_of(answer) == 200;
        memory_fail_at(0);
        unsigned count = contacts_in(bindings_of("alice"));
        assert_in_range(count, 0, 1);
        if (all) {
            assert_int_equal(count, 1);
            assert_true(n > 5);
            break;
        }
        send(&(struct device){.user = "alice", .flow = "x", .contact = "Contact: *\nExpires: 0"});
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(stranger_is_challenged_for_sha256_first_and_md5_after_it),
        TEST(right_password_registers_under_either_algorithm),
        TEST(wrong_password_and_unknown_name_get_the_same_answer),
        TEST(name_is_registered_by_its_owner_only),
        TEST(names_with_sql_in_them_are_names),
        TEST(nonce_is_good_for_five_minutes),
        TEST(answer_is_good_once_and_its_count_has_to_grow),
        TEST(nonce_of_somebody_else_is_stale),
        TEST(answers_that_lack_a_part_are_none),
        TEST(edge_vouches_for_whom_it_has_authenticated_itself),
        TEST(binding_ends_with_its_time),
        TEST(lifetimes_have_a_least_and_a_most),
        TEST(client_takes_back_one_binding_or_all),
        TEST(same_instance_and_reg_id_is_the_same_binding),
        TEST(eleventh_binding_takes_the_place_of_the_oldest),
        TEST(request_that_was_overtaken_changes_nothing),
        TEST(unknown_requirements_and_foreign_contacts_are_refused),
        TEST(want_of_memory_changes_nothing_halfway),
    };
    return cmocka_run_group_tests_name("register", tests, NULL, NULL);
}
