/* SPDX-License-Identifier: BSD-3-Clause
 * What is taken from a SIP URI, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "mw/uri.h"

static struct mw_uri uri;

static void expect(const char *text, const char *host, uint16_t port, enum mw_uri_transport transport)
{
    assert_int_equal(mw_uri_decode(text, &uri), 0);
    assert_string_equal(uri.host, host);
    assert_int_equal(uri.port, port);
    assert_int_equal(uri.transport, transport);
}

static void host_port_and_transport_are_found_behind_any_user(void **state)
{
    (void)state;
    expect("sip:example.org", "example.org", 0, MW_URI_ANY);
    expect("sip:alice@example.org:5070;lr", "example.org", 5070, MW_URI_ANY);
    expect("sip:a;b?c:d@example.org;transport=tcp", "example.org", 0, MW_URI_TCP);
    expect("SIP:Example.ORG.;TRANSPORT=UDP?Subject=x;transport=tls", "example.org", 0, MW_URI_UDP);
    expect("sips:[2001:DB8::1]:5061;transport=tcp", "2001:db8::1", 5061, MW_URI_TCP);
    assert_true(uri.secure);
    expect("sip:192.0.2.1;transport=tls", "192.0.2.1", 0, MW_URI_TLS);
    assert_false(uri.secure);
}

static void maddr_is_looked_up_and_the_host_stays_the_name(void **state)
{
    (void)state;
    expect("sip:example.org;maddr=192.0.2.7", "example.org", 0, MW_URI_ANY);
    assert_string_equal(uri.target, "192.0.2.7");
    expect("sip:example.org;maddr=[2001:db8::7]", "example.org", 0, MW_URI_ANY);
    assert_string_equal(uri.target, "2001:db8::7");
    expect("sip:example.org", "example.org", 0, MW_URI_ANY);
    assert_string_equal(uri.target, "example.org");
}

static void a_telephone_number_has_no_host(void **state)
{
    (void)state;
    assert_int_equal(mw_uri_decode("tel:+49-30-1234;phone-context=x", &uri), 0);
    assert_true(uri.telephone);
}

static void other_schemes_and_transports_lead_nowhere(void **state)
{
    (void)state;
    static const char *const texts[] = {"http://example.org", "urn:service:sos", "sip:example.org;transport=ws",
                                        "sip:example.org;transport=", "sips:example.org;transport=udp"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(mw_uri_decode(texts[i], &uri), ERR_NOT_FOUND);
}

static void what_is_no_uri_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "sip",
                                        "sip:",
                                        "sip:@example.org",
                                        "sip:evil@example.org@example.com",
                                        "sip:exa mple.org",
                                        "sip:example..org",
                                        "sip:.example.org",
                                        "sip:example.org..",
                                        "sip:example.org:0",
                                        "sip:example.org:65536",
                                        "sip:example.org:5060x",
                                        "sip:example.org:",
                                        "sip:[2001:db8::1",
                                        "sip:[2001:db8::1]5060",
                                        "sip:[example.org]",
                                        "sip:[192.0.2.1]",
                                        "sip:%65xample.org",
                                        "sip:example.org;maddr=",
                                        "sip:example.org;maddr=a;maddr=b",
                                        "sip:example.org;transport=tcp;transport=udp",
                                        "sip:example.org\r\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(mw_uri_decode(texts[i], &uri), ERR_MALFORMED);
    static char longest[300] = "sip:";
    memset(longest + 4, 'a', 253);
    assert_int_equal(mw_uri_decode(longest, &uri), 0);
    longest[4 + 253] = 'a';
    assert_int_equal(mw_uri_decode(longest, &uri), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(host_port_and_transport_are_found_behind_any_user),
        cmocka_unit_test(maddr_is_looked_up_and_the_host_stays_the_name),
        cmocka_unit_test(a_telephone_number_has_no_host),
        cmocka_unit_test(other_schemes_and_transports_lead_nowhere),
        cmocka_unit_test(what_is_no_uri_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
