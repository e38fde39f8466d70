/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/error.h"
#include "base/memory.h"
#include "turn/peer_policy.h"

static struct address address_of(const char *text)
{
    struct address address;
    assert_int_equal(address_parse(text, &address), 0);
    return address;
}

static struct address_prefix prefix_of(const char *text)
{
    struct address_prefix prefix;
    assert_int_equal(address_prefix_parse(text, &prefix), 0);
    return prefix;
}

static struct peer_policy *policy;

static int setup(void **state)
{
    (void)state;
    return peer_policy_create(&policy);
}

static int teardown(void **state)
{
    (void)state;
    peer_policy_destroy(&policy);
    return 0;
}

static void allow(const char *prefix_text)
{
    struct address_prefix prefix = prefix_of(prefix_text);
    assert_int_equal(peer_policy_allow(policy, &prefix), 0);
}

static void deny(const char *prefix_text)
{
    struct address_prefix prefix = prefix_of(prefix_text);
    assert_int_equal(peer_policy_deny(policy, &prefix), 0);
}

static void relay(const char *public_text, const char *private_text, bool hairpin)
{
    struct address public_address = address_of(public_text), private_address = address_of(private_text);
    assert_int_equal(peer_policy_relay(policy, &public_address, &private_address, hairpin), 0);
}

static void listener(const char *text)
{
    struct address address = address_of(text);
    assert_int_equal(peer_policy_listener(policy, &address), 0);
}

static enum peer_verdict verdict(const char *text)
{
    struct address peer = address_of(text), canonical = peer_policy_canonical(policy, &peer);
    return peer_policy_judge(policy, &canonical);
}

static void assert_verdict(const char *text, enum peer_verdict expected)
{
    if (verdict(text) != expected)
        fail_msg("%s: %d, not %d", text, (int)verdict(text), (int)expected);
}

static void special_purpose_peers_are_refused(void **state)
{
    (void)state;
    static const char *const refused[] = {"0.0.0.0",
                                          "0.255.255.255",
                                          "10.0.0.1",
                                          "100.64.0.1",
                                          "100.127.255.255",
                                          "127.0.0.1",
                                          "127.255.255.1",
                                          "168.63.129.16",
                                          "169.254.169.254",
                                          "172.16.0.1",
                                          "172.31.255.255",
                                          "192.0.0.8",
                                          "192.0.0.170",
                                          "192.0.2.1",
                                          "192.88.99.1",
                                          "192.168.0.1",
                                          "198.18.0.1",
                                          "198.19.255.255",
                                          "198.51.100.1",
                                          "203.0.113.1",
                                          "224.0.0.1",
                                          "239.255.255.250",
                                          "240.0.0.1",
                                          "255.255.255.255",
                                          "::",
                                          "::1",
                                          "::2",
                                          "100::1",
                                          "fc00::1",
                                          "fd00:ec2::254",
                                          "fe80::1",
                                          "febf::1",
                                          "fec0::1",
                                          "ff02::1",
                                          "2001:db8::1",
                                          "2001:2::1",
                                          "2001:10::1",
                                          "2001:20::1",
                                          "3fff::1",
                                          "4000::1",
                                          "5f00::1",
                                          "64:ff9b:1::1",
                                          "1fff::1"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_verdict(refused[i], PEER_FORBIDDEN);
    static const char *const allowed[] = {
        "1.1.1.1",         "9.255.255.255", "11.0.0.0",    "100.63.255.255", "100.128.0.0",  "126.255.255.255",
        "128.0.0.1",       "168.63.129.17", "169.253.0.1", "172.15.0.1",     "172.32.0.1",   "192.0.1.1",
        "192.167.255.255", "192.169.0.1",   "198.17.0.1",  "198.20.0.1",     "203.0.112.1",  "223.255.255.255",
        "2000::1",         "2001:200::1",   "2003::1",     "2606:4700::",    "2a00:1450::1", "3ffe::1"};
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
        assert_verdict(allowed[i], PEER_ALLOWED);
}

/* |hex| is the IPv4 address as it stands in an IPv6 one, |inverted| for Teredo. */
struct spelled {
    const char *ip, *hex, *inverted;
};

static void refused_peer_is_refused_in_every_spelling(void **state)
{
    (void)state;
    static const struct spelled inside[] = {
        {"127.0.0.1", "7f00:1", "80ff:fffe"},          {"10.0.0.1", "a00:1", "f5ff:fffe"},
        {"169.254.169.254", "a9fe:a9fe", "5601:5601"}, {"192.168.1.1", "c0a8:101", "3f57:fefe"},
        {"198.21.0.9", "c615:9", "39ea:fff6"},
    };
    static const char *const spellings[] = {
        "::ffff:%s", "::ffff:0:%s", "::%s", "64:ff9b::%s", "2002:%s::1", "2001:0:%s:0:1234:f7f7:f7f7", NULL};
    deny("198.21.0.0/16");
    /* Not by the IPv6 ranges alone: an operator may have opened them. */
    allow("::/0");
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        char text[ADDRESS_TEXT_MAX];
        for (size_t s = 0; spellings[s]; s++) {
            snprintf(text, sizeof text, spellings[s], inside[i].hex);
            assert_verdict(text, PEER_FORBIDDEN);
        }
        snprintf(text, sizeof text, "2001:0:102:304:0:1234:%s", inside[i].inverted);
        assert_verdict(text, PEER_FORBIDDEN);
    }
    assert_verdict("::ffff:8.8.8.8", PEER_ALLOWED);
    assert_verdict("2001:0:102:304:0:1234:f7f7:f7f7", PEER_ALLOWED);
}

static void canonical_form_is_what_is_embedded(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"[::ffff:8.8.4.4]:53", "8.8.4.4:53"},        {"[64:ff9b::8.8.4.4]:53", "8.8.4.4:53"},
        {"[2002:808:404::1]:53", "8.8.4.4:53"},       {"[::8.8.4.4]:53", "8.8.4.4:53"},
        {"[2001::102:304]:53", "254.253.252.251:53"}, {"[::1]:53", "[::1]:53"},
        {"[2a00::8.8.4.4]:53", "[2a00::808:404]:53"}, {"8.8.4.4:53", "8.8.4.4:53"}};
    allow("0.0.0.0/0");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct address peer = address_of(rows[i][0]), canonical = peer_policy_canonical(policy, &peer);
        char text[ADDRESS_TEXT_MAX];
        assert_string_equal(address_format(&canonical, text), rows[i][1]);
    }
}

static void denial_wins_over_allowance_and_allowance_over_the_list(void **state)
{
    (void)state;
    allow("10.0.0.0/8");
    deny("10.1.0.0/16");
    deny("9.9.9.9");
    assert_verdict("10.2.0.1", PEER_ALLOWED);
    assert_verdict("10.1.0.1", PEER_FORBIDDEN);
    assert_verdict("9.9.9.9", PEER_FORBIDDEN);
    assert_verdict("192.168.0.1", PEER_FORBIDDEN);
    allow("::1");
    assert_verdict("::1", PEER_ALLOWED);
    assert_verdict("127.0.0.1", PEER_FORBIDDEN);
}

static void own_listener_is_no_peer_whatever_is_allowed(void **state)
{
    (void)state;
    allow("0.0.0.0/0");
    listener("8.8.8.8:443");
    assert_verdict("8.8.8.8:443", PEER_FORBIDDEN);
    assert_verdict("8.8.8.8:444", PEER_ALLOWED);
    assert_verdict("8.8.8.8", PEER_ALLOWED);
    assert_verdict("[::ffff:8.8.8.8]:443", PEER_FORBIDDEN);
    assert_verdict("8.8.8.9:443", PEER_ALLOWED);
}

static void wildcard_listener_stands_for_the_local_addresses(void **state)
{
    (void)state;
    allow("0.0.0.0/0");
    static const char *const own[] = {"9.9.9.9", "2a00::9", "8.8.8.8", "10.0.0.8"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        allow(own[i]);
    listener("0.0.0.0:443");
    struct address local = address_of("9.9.9.9"), local6 = address_of("2a00::9");
    assert_int_equal(peer_policy_local(policy, &local), 0);
    assert_int_equal(peer_policy_local(policy, &local6), 0);
    relay("8.8.8.8", "10.0.0.8", true);
    assert_verdict("9.9.9.9:443", PEER_FORBIDDEN);
    assert_verdict("8.8.8.8:443", PEER_FORBIDDEN);
    assert_verdict("10.0.0.8:443", PEER_FORBIDDEN);
    assert_verdict("127.0.0.9:443", PEER_FORBIDDEN);
    assert_verdict("9.9.9.9:444", PEER_ALLOWED);
    assert_verdict("9.9.9.10:443", PEER_ALLOWED);
    assert_verdict("[2a00::9]:443", PEER_ALLOWED);
}

static void own_address_is_no_peer_unless_it_is_allowed(void **state)
{
    (void)state;
    struct address local = address_of("9.9.9.9"), local6 = address_of("2a00::9");
    assert_int_equal(peer_policy_local(policy, &local), 0);
    assert_int_equal(peer_policy_local(policy, &local6), 0);
    assert_verdict("9.9.9.9", PEER_FORBIDDEN);
    assert_verdict("9.9.9.9:161", PEER_FORBIDDEN);
    assert_verdict("2a00::9", PEER_FORBIDDEN);
    assert_verdict("9.9.9.8", PEER_ALLOWED);
    relay("2a00::9", "2a00::9", true); /* one that is a relay address is the hairpin */
    assert_verdict("2a00::9", PEER_HAIRPIN);
    allow("9.9.9.9");
    assert_verdict("9.9.9.9", PEER_ALLOWED);
}

static void own_address_is_not_opened_by_a_range_around_it(void **state)
{
    (void)state;
    struct address local = address_of("10.0.0.4");
    assert_int_equal(peer_policy_local(policy, &local), 0);
    relay("8.8.8.8", "10.0.0.5", true);
    allow("10.0.0.0/8");
    assert_verdict("10.0.0.3", PEER_ALLOWED);
    assert_verdict("10.0.0.4", PEER_FORBIDDEN);
    assert_verdict("10.0.0.5", PEER_HAIRPIN);
    assert_verdict("8.8.8.8", PEER_HAIRPIN);
    allow("10.0.0.5");
    assert_verdict("8.8.8.8", PEER_ALLOWED);
}

static void listener_behind_nat_is_no_peer_by_its_public_name(void **state)
{
    (void)state;
    allow("0.0.0.0/0");
    relay("8.8.8.8", "10.0.0.8", true);
    listener("10.0.0.8:443");
    assert_verdict("10.0.0.8:443", PEER_FORBIDDEN);
    assert_verdict("8.8.8.8:443", PEER_FORBIDDEN);
}

static void own_relay_address_is_the_hairpin_in_both_spellings(void **state)
{
    (void)state;
    relay("8.8.8.8", "10.0.0.8", true);
    relay("9.9.9.9", "10.0.0.9", false);
    struct address peer = address_of("10.0.0.8:1000"), expected = address_of("8.8.8.8:1000");
    struct address canonical = peer_policy_canonical(policy, &peer);
    assert_true(address_equal(&canonical, &expected));
    assert_verdict("8.8.8.8:1000", PEER_HAIRPIN);
    assert_verdict("10.0.0.8:1000", PEER_HAIRPIN);
    assert_verdict("::ffff:10.0.0.8", PEER_HAIRPIN);
    assert_verdict("9.9.9.9", PEER_FORBIDDEN);
    assert_verdict("10.0.0.9", PEER_FORBIDDEN);
    deny("10.0.0.8");
    assert_verdict("8.8.8.8", PEER_FORBIDDEN);
    allow("10.0.0.9");
    assert_verdict("9.9.9.9", PEER_ALLOWED);
}

static void want_of_memory_changes_nothing(void **state)
{
    (void)state;
    struct address_prefix prefix = prefix_of("8.8.8.8");
    struct address address = address_of("8.8.8.8:1");
    memory_fail_at(1);
    assert_int_equal(peer_policy_deny(policy, &prefix), ERR_MEMORY);
    memory_fail_at(1);
    assert_int_equal(peer_policy_listener(policy, &address), ERR_MEMORY);
    memory_fail_at(1);
    assert_int_equal(peer_policy_relay(policy, &address, &address, true), ERR_MEMORY);
    memory_fail_at(0);
    assert_verdict("8.8.8.8:1", PEER_ALLOWED);
}

int main(void)
{
#define CLAIM(claim) cmocka_unit_test_setup_teardown(claim, setup, teardown)
    const struct CMUnitTest tests[] = {
        CLAIM(special_purpose_peers_are_refused),
        CLAIM(refused_peer_is_refused_in_every_spelling),
        CLAIM(canonical_form_is_what_is_embedded),
        CLAIM(denial_wins_over_allowance_and_allowance_over_the_list),
        CLAIM(own_listener_is_no_peer_whatever_is_allowed),
        CLAIM(wildcard_listener_stands_for_the_local_addresses),
        CLAIM(own_address_is_no_peer_unless_it_is_allowed),
        CLAIM(own_address_is_not_opened_by_a_range_around_it),
        CLAIM(listener_behind_nat_is_no_peer_by_its_public_name),
        CLAIM(own_relay_address_is_the_hairpin_in_both_spellings),
        CLAIM(want_of_memory_changes_nothing),
    };
    return cmocka_run_group_tests_name("peer policy", tests, NULL, NULL);
}
