/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"
#include "sip/via.h"

static unsigned status;

static int setup(void **state)
{
    (void)state;
    sip_init();
    return 0;
}

/* Decodes from memory of exactly that length, so that a sanitizer sees each step past the end. */
static int decode_bytes(const void *bytes, size_t length, osip_message_t **out)
{
    char *alone = malloc(length > 0 ? length : 1);
    assert_non_null(alone);
    memcpy(alone, bytes, length);
    int result = sip_message_decode(alone, length, out, &status);
    assert_true((result == 0) == (*out != NULL));
    free(alone);
    return result;
}

static osip_message_t *decoded(const char *text)
{
    osip_message_t *message;
    assert_int_equal(decode_bytes(text, strlen(text), &message), 0);
    return message;
}

static void assert_encodes(osip_message_t *message, const char *expected)
{
    char *text;
    int length = sip_message_encode(message, &text);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(text, expected, (size_t)length);
    sip_text_free(text);
}

static const char invite[] = "INVITE sip:bob@biloxi.example.com SIP/2.0\r\n"
                             "Via: SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks\r\n"
                             "From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n"
                             "To: <sip:bob@biloxi.example.com>\r\n"
                             "Call-ID: 3848276298220188511@atlanta.example.com\r\n"
                             "CSeq: 1 INVITE\r\n"
                             "Contact: <sip:alice@df7jal23ls0d.invalid;transport=ws>\r\n"
                             "Max-Forwards: 70\r\n"
                             "Content-Type: application/sdp\r\n"
                             "Content-Length: 4\r\n"
                             "\r\n"
                             "v=0\n";

static void message_comes_out_as_it_went_in(void **state)
{
    (void)state;
    osip_message_t *message = decoded(invite);
    assert_encodes(message, invite);
    sip_message_destroy(&message);
    assert_null(message);
}

/* What every request has; the lines of the test go in front. */
#define REST                                         \
    "Via: SIP/2.0/TCP a.example;branch=z9hG4bK1\r\n" \
    "From: <sip:alice@a.example>;tag=1\r\n"          \
    "To: <sip:bob@b.example>\r\n"                    \
    "Call-ID: 1@a.example\r\n"                       \
    "CSeq: 1 OPTIONS\r\n"
#define OPTIONS "OPTIONS sip:bob@b.example SIP/2.0\r\n"

static osip_message_t *decoded_with(const char *lines)
{
    char text[4096];
    snprintf(text, sizeof text, "%s%s%s\r\n", OPTIONS, lines, REST);
    return decoded(text);
}

/* What |text| is refused with: the status, 0 for silence; -1 where it passes. */
static int refusal(const char *text, size_t length)
{
    osip_message_t *message;
    status = 999;
    if (decode_bytes(text, length, &message) == 0) {
        sip_message_destroy(&message);
        return -1;
    }
    return (int)status;
}

static void assert_refused(const char *lines, int expected)
{
    char text[4096];
    int length = snprintf(text, sizeof text, "%s%s%s\r\n", OPTIONS, lines, REST);
    if (refusal(text, (size_t)length) != expected)
        fail_msg("not refused: %s", lines);
}

static const char *field(const osip_message_t *message, const char *name, unsigned index)
{
    static char value[256];
    return sip_field_value(message, name, index, value, sizeof value);
}

static void body_is_kept_byte_for_byte(void **state)
{
    (void)state;
    static const char head[] =
        OPTIONS REST "Content-Type: multipart/mixed;boundary=\"b\"\r\nContent-Length: 40\r\n\r\n";
    static const char body[40] = "--b\r\n\0\r\n\n\xff--b\r\nX-Y: y\r\n\r\n\r\n\r\n--b--tail\0\0";
    char text[sizeof head + sizeof body + 7];
    memcpy(text, head, sizeof head - 1);
    memcpy(text + sizeof head - 1, body, sizeof body);
    memcpy(text + sizeof head - 1 + sizeof body, "garbage", 7); /* behind the body: no part of it */
    osip_message_t *message, *clone;
    assert_int_equal(decode_bytes(text, sizeof head - 1 + sizeof body + 7, &message), 0);
    clone = sip_message_clone(message);
    sip_message_destroy(&message);
    assert_int_equal(sip_message_body(clone).length, sizeof body);
    assert_memory_equal(sip_message_body(clone).bytes, body, sizeof body);
    char *encoded;
    int length = sip_message_encode(clone, &encoded);
    assert_true(length > (int)sizeof body);
    assert_memory_equal(encoded + length - sizeof body, body, sizeof body);
    assert_non_null(memmem(encoded, (size_t)length, "Content-Length: 40\r\n\r\n--b", 25));
    sip_text_free(encoded);
    sip_message_destroy(&clone);
}

static void body_without_a_length_is_all_that_follows(void **state)
{
    (void)state;
    osip_message_t *message = decoded(OPTIONS REST "c: text/plain\r\n\r\nhello");
    assert_true(span_equal(sip_message_body(message), span_of_text("hello")));
    assert_int_equal(sip_message_set_body(message, "application/json ; charset=utf-8", "{}", 2), 0);
    assert_true(span_equal(sip_message_body(message), span_of_text("{}")));
    assert_string_equal(field(message, "Content-Type", 0), "application/json; charset=utf-8");
    assert_int_equal(sip_message_set_body(message, "json", "[]", 2), ERR_MALFORMED);
    assert_true(span_equal(sip_message_body(message), span_of_text("{}")));
    assert_string_equal(field(message, "c", 0), "application/json; charset=utf-8");
    assert_int_equal(sip_message_set_body(message, NULL, "[]", 2), 0);
    assert_true(span_equal(sip_message_body(message), span_of_text("[]")));
    assert_int_equal(sip_message_set_body(message, NULL, NULL, 0), 0);
    assert_int_equal(sip_message_body(message).length, 0);
    assert_null(field(message, "Content-Type", 0));
    sip_message_destroy(&message);
}

static void unknown_fields_survive_in_their_order_and_spelling(void **state)
{
    (void)state;
    osip_message_t *message = decoded_with("X-Odd: ;;,,;;,;\r\n"
                                           "P-Asserted-Identity: \"A, B\" <sip:a,b@example.org>, <tel:+1>\r\n"
                                           "x-oDD:\r\n"
                                           "Authorization: Digest username=\"a\", odd=\"b, c\", realm=\"d\"\r\n"
                                           "X-Odd: \xc3\xa4 \t last\r\n"
                                           "k: path,\r\n  outbound\r\n");
    assert_encodes(message, OPTIONS REST "X-Odd: ;;,,;;,;\r\n"
                                         "P-Asserted-Identity: \"A, B\" <sip:a,b@example.org>, <tel:+1>\r\n"
                                         "x-oDD: \r\n"
                                         "Authorization: Digest username=\"a\", odd=\"b, c\", realm=\"d\"\r\n"
                                         "X-Odd: \xc3\xa4 \t last\r\n"
                                         "Supported: path,    outbound\r\n"
                                         "Content-Length: 0\r\n\r\n");
    assert_string_equal(field(message, "p-asserted-identity", 0), "\"A, B\" <sip:a,b@example.org>");
    assert_string_equal(field(message, "P-Asserted-Identity", 1), "<tel:+1>");
    assert_null(field(message, "P-Asserted-Identity", 2));
    assert_string_equal(field(message, "Authorization", 0), "Digest username=\"a\", odd=\"b, c\", realm=\"d\"");
    assert_null(field(message, "Authorization", 1));
    assert_true(sip_field_lists(message, "Supported", "OUTBOUND"));
    assert_false(sip_field_lists(message, "Supported", "out"));
    assert_string_equal(sip_field_find(message, "x-odd"), ";;,,;;,;");
    assert_null(sip_field_find(message, "X"));
    char small[5];
    assert_null(sip_field_value(message, "P-Asserted-Identity", 1, small, sizeof small));
    sip_message_destroy(&message);
}

static void vias_in_one_line_are_told_apart(void **state)
{
    (void)state;
    osip_message_t *message = decoded_with("v: SIP / 2.0 / WSS  [2001:DB8::1] : 5061 ; Branch = z9hG4bKa ; rport,\r\n"
                                           "\tSIP/2.0/UDP b.example;branch=z9hG4bKb;x=\"a,b;c\"\r\n");
    assert_int_equal(osip_list_size(&message->vias), 3);
    assert_string_equal(sip_via_branch(message), "z9hG4bKa");
    char sent_by[SIP_SENT_BY_SIZE];
    assert_int_equal(sip_via_sent_by(message, sent_by), 0);
    assert_string_equal(sent_by, "[2001:db8::1]:5061");
    assert_string_equal(field(message, "Via", 0), "SIP/2.0/WSS [2001:DB8::1]:5061;Branch=z9hG4bKa;rport");
    assert_string_equal(field(message, "Via", 1), "SIP/2.0/UDP b.example;branch=z9hG4bKb;x=\"a,b;c\"");

    assert_int_equal(sip_via_push(message, "TCP", "edge.example:5060", "z9hG4bKour"), 0);
    assert_string_equal(field(message, "Via", 0), "SIP/2.0/TCP edge.example:5060;branch=z9hG4bKour");
    assert_int_equal(sip_via_push(message, "TCP", "a b", "z9hG4bKour"), ERR_MALFORMED);
    assert_int_equal(sip_via_push(message, "TCP", "a\r\nb", "z9hG4bKour"), ERR_MALFORMED);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(sip_via_pop(message), 0);
    assert_int_equal(sip_via_pop(message), ERR_NOT_FOUND);
    assert_string_equal(sip_via_branch(message), "");
    assert_null(sip_via_top(message));
    assert_int_equal(sip_via_sent_by(message, sent_by), ERR_NOT_FOUND);
    sip_message_destroy(&message);
}

static void fields_are_added_and_removed_by_name(void **state)
{
    (void)state;
    osip_message_t *message = decoded_with("Path: <sip:a@p.example;lr>, <sip:b@p.example;lr>\r\n"
                                           "X-Y: y\r\n"
                                           "Route: <sip:r1.example;lr>, <sip:r2.example;lr>\r\n");
    assert_int_equal(sip_field_add_first(message, "Path", "<sip:first@p.example;lr>"), 0);
    assert_int_equal(sip_field_add(message, "Path", "<sip:last@p.example;lr>"), 0);
    assert_string_equal(field(message, "Path", 0), "<sip:first@p.example;lr>");
    assert_string_equal(field(message, "Path", 1), "<sip:a@p.example;lr>");
    assert_string_equal(field(message, "Path", 3), "<sip:last@p.example;lr>");
    assert_int_equal(sip_field_remove_first(message, "Path"), 0);
    assert_int_equal(sip_field_remove_first(message, "Path"), 0);
    assert_string_equal(field(message, "Path", 0), "<sip:b@p.example;lr>");
    assert_int_equal(sip_field_remove(message, "path"), 2);
    assert_int_equal(sip_field_remove_first(message, "Path"), ERR_NOT_FOUND);

    assert_int_equal(sip_field_add_first(message, "Route", "<sip:r0.example;lr>"), 0);
    assert_int_equal(sip_field_add(message, "Route", "<sip:r3.example;lr>"), 0);
    assert_string_equal(field(message, "Route", 3), "<sip:r3.example;lr>");
    assert_int_equal(sip_field_remove_first(message, "Route"), 0);
    assert_string_equal(field(message, "Route", 0), "<sip:r1.example;lr>");
    assert_int_equal(sip_field_remove(message, "Route"), 3);

    assert_int_equal(sip_field_add(message, "To", "<sip:c@c.example>;tag=2"), 0);
    assert_string_equal(field(message, "t", 0), "<sip:c@c.example>;tag=2");
    assert_int_equal(sip_field_add(message, "To", "<sip:c@c.example"), ERR_MALFORMED);
    assert_string_equal(field(message, "t", 0), "<sip:c@c.example>;tag=2");
    assert_int_equal(sip_field_remove(message, "To"), 1);
    assert_int_equal(sip_field_remove(message, "To"), 0);
    assert_int_equal(sip_field_add(message, "X-Y", "y\r\nInjected: z"), ERR_MALFORMED);
    assert_int_equal(sip_field_add(message, "X-Y: y\r\nInjected", "z"), ERR_MALFORMED);
    assert_int_equal(sip_field_remove(message, "X-Y"), 1);
    sip_message_destroy(&message);
}

static void hops_are_counted_down(void **state)
{
    (void)state;
    osip_message_t *message = decoded_with("Max-Forwards: 0002\r\n");
    assert_int_equal(sip_max_forwards_decrement(message), 0);
    assert_string_equal(field(message, "Max-Forwards", 0), "1");
    assert_int_equal(sip_max_forwards_decrement(message), 0);
    assert_int_equal(sip_max_forwards_decrement(message), ERR_EXPIRED);
    assert_string_equal(field(message, "Max-Forwards", 0), "0");
    sip_message_destroy(&message);
    message = decoded_with("");
    assert_int_equal(sip_max_forwards_decrement(message), 0);
    assert_string_equal(field(message, "Max-Forwards", 0), "70");
    sip_message_destroy(&message);
}

static void contacts_say_what_they_ask_for(void **state)
{
    (void)state;
    osip_message_t *message = decoded_with(
        "Expires: 99999999999\r\n"
        "m: \"A, \\\"B\\\"\" <sip:a@x.invalid;transport=ws;ob>;reg-id=1;+sip.instance=\"<urn:uuid:0>\";Q=0.5"
        ";expires=60, sip:b@x.invalid;expires=none\r\n");
    const osip_contact_t *first = osip_list_get(&message->contacts, 0), *second = osip_list_get(&message->contacts, 1);
    assert_string_equal(first->displayname, "\"A, \\\"B\\\"\"");
    assert_string_equal(sip_parameter_find(&first->gen_params, "REG-ID"), "1");
    assert_string_equal(sip_parameter_find(&first->url->url_params, "ob"), "");
    assert_null(sip_parameter_find(&first->url->url_params, "reg-id"));
    assert_string_equal(sip_parameter_find(&first->gen_params, "+sip.instance"), "\"<urn:uuid:0>\"");
    assert_int_equal(sip_contact_expires(message, first, 7), 60);
    assert_true(sip_contact_expires(message, second, 7) == UINT32_MAX);
    assert_null(second->displayname);
    assert_string_equal(second->url->host, "x.invalid");
    sip_field_remove(message, "Expires");
    assert_int_equal(sip_contact_expires(message, second, 7), 7);
    assert_false(sip_contact_is_star(first));
    sip_message_destroy(&message);

    message = decoded_with("Contact: *\r\nExpires: 0\r\n");
    assert_true(sip_contact_is_star(osip_list_get(&message->contacts, 0)));
    assert_int_equal(sip_contact_expires(message, osip_list_get(&message->contacts, 0), 7), 0);
    assert_string_equal(field(message, "Contact", 0), "*");
    sip_message_destroy(&message);
}

static void parameter_in_a_quoted_string_is_none(void **state)
{
    (void)state;
    osip_message_t *message = decoded(OPTIONS "Via: SIP/2.0/TCP a.example;branch=z9hG4bK1\r\n"
                                              "From: \"<sip:mallory@m.example>;tag=2\" <sip:alice@a.example>"
                                              ";x=\"y;tag=3\";tag=4\r\n"
                                              "To: <sip:bob@b.example>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n");
    assert_string_equal(message->from->url->username, "alice");
    assert_string_equal(sip_parameter_find(&message->from->gen_params, "tag"), "4");
    sip_message_destroy(&message);
}

static void escapes_in_uris_are_undone_and_made_again(void **state)
{
    (void)state;
    osip_message_t *message =
        decoded_with("Contact: <sip:a%20b%3Bc:p%3aw@x.example:5080;p=%3b%25?Subject=a%20b&x=>\r\n");
    const osip_contact_t *contact = osip_list_get(&message->contacts, 0);
    assert_string_equal(contact->url->username, "a b;c");
    assert_string_equal(contact->url->password, "p:w");
    assert_string_equal(sip_parameter_find(&contact->url->url_params, "p"), ";%");
    assert_string_equal(sip_parameter_find(&contact->url->url_headers, "subject"), "a b");
    char *text;
    assert_true(sip_message_encode(message, &text) > 0);
    osip_message_t *again;
    assert_int_equal(decode_bytes(text, strlen(text), &again), 0);
    contact = osip_list_get(&again->contacts, 0);
    assert_string_equal(contact->url->username, "a b;c");
    assert_string_equal(sip_parameter_find(&contact->url->url_params, "p"), ";%");
    assert_string_equal(sip_parameter_find(&contact->url->url_headers, "x"), "");
    sip_text_free(text);
    sip_message_destroy(&again);
    sip_message_destroy(&message);
}

static void what_two_readers_may_see_differently_is_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "From: <sip:mallory@m.example>;tag=9\r\n",
        "f: <sip:mallory@m.example>;tag=9\r\n",
        "Call-ID: 2\r\n",
        "CSeq: 2 OPTIONS\r\n",
        "Max-Forwards: 1\r\nMax-Forwards: 2\r\n",
        "Expires: 1\r\nexpires: 2\r\n",
        "Content-Length: 0\r\nl: 0\r\n",
        "Content-Length: 1\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +0\r\n",
        "Content-Length: 0x0\r\n",
        "Content-Length: 0 0\r\n",
        "Content-Length:\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Max-Forwards: 256\r\n",
        "Max-Forwards: x\r\n",
        "Via: SIP/2.0/TCP a.example;branch=z9hG4bK2;BRANCH=z9hG4bK3\r\n",
        "Via: SIP/2.0/TCP a.example\r\n",
        "Via: SIP/2.0/TCP a.example;branch=z9hG4bK\r\n",
        "Via: SIP/2.0/TCP a.example;branch=\"z9hG4bK2\"\r\n",
        "Via: SIP/2.0/TCP a.example;branch=z9hG:bK2\r\n",
        "Via: SIP/2.0/TCP a.example;branch=\r\n",
        "Via: SIP/2.0/TCPa.example;branch=z9hG4bK2\r\n",
        "Via: SIP/1.0/TCP a.example;branch=z9hG4bK2\r\n",
        "Via: HTTP/2.0/TCP a.example;branch=z9hG4bK2\r\n",
        "Via: SIP/2.0/TCP a.example:99999;branch=z9hG4bK2\r\n",
        "Via: SIP/2.0/TCP a.example:0;branch=z9hG4bK2\r\n",
        "Via: SIP/2.0/TCP [::1;branch=z9hG4bK2\r\n",
        "Via: SIP/2.0/TCP ;branch=z9hG4bK2\r\n",
        "Via: SIP/2.0/TCP a.example;branch=z9hG4bK2,\r\n",
        "Via:\r\n",
        "Contact: \"a <sip:a@x.example>\r\n",
        "Contact: <sip:a@x.example\r\n",
        "Contact: <sip:a@x.example>>\r\n",
        "Contact: <<sip:a@x.example>\r\n",
        "Contact: < sip:a@x.example>\r\n",
        "Contact: a, b <sip:a@x.example>\r\n",
        "Contact: sip:a@x.example?Route=b\r\n",
        "Contact: <sip:a@x.example>;;a\r\n",
        "Contact: <sip:a@x.example>;a=\"b\r\n",
        "Contact: <sip:a@x.example>;a=b c\r\n",
        "Contact: <sip:a@x.example>;a=1;A=2\r\n",
        "Contact: <sip:a@x.example;a=1;A=2>\r\n",
        "Contact: <sip:a@b@x.example>\r\n",
        "Contact: <sip:@x.example>\r\n",
        "Contact: <sip:a@>\r\n",
        "Contact: <sip:>\r\n",
        "Contact: <>\r\n",
        "Contact: <a@x.example>\r\n",
        "Contact: <sip:a%0@x.example>\r\n",
        "Contact: <sip:a%zz@x.example>\r\n",
        "Contact: <sip:a%00@x.example>\r\n",
        "Contact: <http://x.example/%00>\r\n",
        "Contact: <sip:a@x.example;a=%00>\r\n",
        "Contact: <sip:a@x.example;a=>\r\n",
        "Contact: <sip:a@x.example;>\r\n",
        "Contact: <sip:a@x.example?a>\r\n",
        "Contact: <sip:a@x.example:>\r\n",
        "Contact: <sip:a@[x]>\r\n",
        "Contact: <sip:a b@x.example>\r\n",
        "Contact: <sip:\"a\"@x.example>\r\n",
        "Route: *\r\n",
        "Content-Type: text\r\n",
        "Content-Type: text/\r\n",
    };
    for (unsigned i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_refused(lines[i], 400);
}

static void head_without_clear_lines_gets_no_answer(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "X-Y: a\nInjected: b\r\n", "X-Y: a\rInjected: b\r\n",          "X-Y: a\x01\r\n", "X-Y: a\x7f\r\n",
        "X-Y: a\r\n \r\n",         "X-Y: a\r\n\t\r\n b\r\n",           "no colon\r\n",   ": no name\r\n",
        "X\xc3\xa4: y\r\n",        " X: a fold of the start line\r\n",
    };
    for (unsigned i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_refused(lines[i], 0);
}

static void refusals_say_what_to_answer(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {OPTIONS REST "\r\n", -1},
        {OPTIONS "\r\n", 400},
        {"OPTIONS sip:bob@b.example SIP/3.0\r\n" REST "\r\n", 505},
        {"OPTIONS sip:bob@b.example SIP/2.00\r\n" REST "\r\n", 505},
        {"OPTIONS sip:bob@b.example sip/2.0\r\n" REST "\r\n", -1},
        {"OPTIONS sip:bob@b.example HTTP/1.1\r\n" REST "\r\n", 400},
        {"OPTIONS  sip:bob@b.example SIP/2.0\r\n" REST "\r\n", 400},
        {"OPTIONS sip:bob@b.example  SIP/2.0\r\n" REST "\r\n", 400},
        {"OPTIONS sip:bob@b.example SIP/2.0 \r\n" REST "\r\n", 400},
        {"OPTIONS sip:bob@b.example?a=b SIP/2.0\r\n" REST "\r\n", 400},
        {"OPTIONS bob SIP/2.0\r\n" REST "\r\n", 400},
        {"OPTIONS tel:+1;phone-context=b.example SIP/2.0\r\n" REST "\r\n", -1},
        {"INFO sip:bob@b.example SIP/2.0\r\n" REST "\r\n", 400},
        {"options sip:bob@b.example SIP/2.0\r\n" REST "\r\n", 400},
        {"ACK sip:bob@b.example SIP/2.0\r\n" REST "\r\n", 0},
        {"SIP/2.0 200 OK\r\n" REST "\r\n", -1},
        {"SIP/2.0 200 \r\n" REST "\r\n", -1},
        {"SIP/2.0 200\r\n" REST "\r\n", 0},
        {"SIP/2.0 099 OK\r\n" REST "\r\n", 0},
        {"SIP/2.0 700 OK\r\n" REST "\r\n", 0},
        {"SIP/2.0 0200 OK\r\n" REST "\r\n", 0},
        {"SIP/3.0 200 OK\r\n" REST "\r\n", 0},
        {"SIP/2.0 200 OK\r\n\r\n", 0},
        {OPTIONS REST, 0},
        {"\r\n" OPTIONS REST "\r\n", 0},
        {"", 0},
        {"\r\n\r\n", 0},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(refusal(cases[i].text, strlen(cases[i].text)), cases[i].status);
}

static void nul_bytes_are_refused(void **state)
{
    (void)state;
    static const char text[] = OPTIONS REST "X-Y: a\0b\r\n\r\n";
    assert_int_equal(refusal(text, sizeof text - 1), 0);
}

static int decode_of(const char *piece, size_t times)
{
    size_t size = sizeof OPTIONS REST + times * strlen(piece) + 8, length;
    char *text = malloc(size);
    assert_non_null(text);
    strcpy(text, OPTIONS REST);
    length = strlen(text);
    for (size_t i = 0; i < times; i++) {
        strcpy(text + length, piece);
        length += strlen(piece);
    }
    strcpy(text + length, "\r\n\r\n");
    osip_message_t *message;
    int result = decode_bytes(text, length + 4, &message);
    sip_message_destroy(&message);
    free(text);
    return result;
}

static void each_bound_holds(void **state)
{
    (void)state;
    assert_int_equal(decode_of("X-Y: y\r\n", SIP_FIELDS_MAX - 6), 0);
    assert_int_equal(decode_of("X-Y: y\r\n", SIP_FIELDS_MAX - 4), ERR_TOO_LARGE);
    assert_int_equal(decode_of("X-Y: y\r\n", 10000), ERR_TOO_LARGE);
    assert_int_equal(decode_of("Xx0:3456789a", 1000), 0);
    assert_int_equal(decode_of("Xx0:3456789a", 1100), ERR_TOO_LARGE);
    char list[2048] = "Contact:<sip:a>";
    for (unsigned i = 1; i < SIP_VALUES_MAX; i++)
        strcat(list, ",<sip:a>");
    assert_int_equal(decode_of(list, 1), 0);
    strcat(list, ",<sip:a>");
    assert_int_equal(decode_of(list, 1), ERR_TOO_LARGE);
    assert_int_equal(decode_of("m:<sip:a>\r\n", SIP_VALUES_MAX), 0);
    assert_int_equal(decode_of("m:<sip:a>\r\n", SIP_VALUES_MAX + 1), ERR_TOO_LARGE);
    strcpy(list, "Contact:<sip:a>");
    for (unsigned i = 0; i <= SIP_PARAMETERS_MAX; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), ";p%u", i);
    assert_int_equal(decode_of(list, 1), ERR_TOO_LARGE);

    static char huge[SIP_MESSAGE_MAX + 1] = OPTIONS REST "\r\n";
    osip_message_t *message;
    assert_int_equal(decode_bytes(huge, SIP_MESSAGE_MAX, &message), 0);
    char *text;
    assert_int_equal(sip_message_encode(message, &text), ERR_TOO_LARGE); /* Content-Length was not there before */
    assert_null(text);
    sip_message_destroy(&message);
    assert_int_equal(decode_bytes(huge, SIP_MESSAGE_MAX + 1, &message), ERR_TOO_LARGE);
}

static void answer_has_what_the_request_had(void **state)
{
    (void)state;
    osip_message_t *request = decoded(invite);
    assert_int_equal(sip_field_add(request, "Record-Route", "<sip:p@edge.example;lr>"), 0);
    osip_message_t *response = sip_response_create(request, 180, NULL, "ours");
    assert_encodes(response, "SIP/2.0 180 Ringing\r\n"
                             "Via: SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bK56sdasks\r\n"
                             "Record-Route: <sip:p@edge.example;lr>\r\n"
                             "From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n"
                             "To: <sip:bob@biloxi.example.com>;tag=ours\r\n"
                             "Call-ID: 3848276298220188511@atlanta.example.com\r\n"
                             "CSeq: 1 INVITE\r\n"
                             "Content-Length: 0\r\n\r\n");
    sip_message_destroy(&response);
    response = sip_response_create(request, 404, "Not here", NULL);
    assert_int_equal(osip_list_size(&response->record_routes), 0);
    assert_string_equal(response->reason_phrase, "Not here");
    assert_string_equal(field(response, "To", 0), "<sip:bob@biloxi.example.com>");
    sip_message_destroy(&response);

    /* A tag that is there already stays. */
    assert_int_equal(sip_field_add(request, "To", "<sip:bob@biloxi.example.com>;tag=theirs"), 0);
    response = sip_response_create(request, 200, NULL, "ours");
    assert_string_equal(field(response, "To", 0), "<sip:bob@biloxi.example.com>;tag=theirs");
    sip_message_destroy(&response);
    sip_message_destroy(&request);

    assert_string_equal(sip_status_reason(430), "Flow Failed");
    assert_string_equal(sip_status_reason(499), "Request Failure");
    assert_string_equal(sip_status_reason(999), "Unknown");
}

static void ack_and_cancel_stand_in_for_their_invite(void **state)
{
    (void)state;
    osip_message_t *request = decoded(invite);
    assert_int_equal(sip_via_push(request, "TCP", "edge.example", "z9hG4bKour"), 0);
    assert_int_equal(sip_field_add(request, "Route", "<sip:r.example;lr>"), 0);
    osip_message_t *response = sip_response_create(request, 486, NULL, "theirs");
    osip_message_t *ack = sip_ack_create(request, response), *cancel = sip_cancel_create(request);
    assert_encodes(ack, "ACK sip:bob@biloxi.example.com SIP/2.0\r\n"
                        "Via: SIP/2.0/TCP edge.example;branch=z9hG4bKour\r\n"
                        "Route: <sip:r.example;lr>\r\n"
                        "From: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl\r\n"
                        "To: <sip:bob@biloxi.example.com>;tag=theirs\r\n"
                        "Call-ID: 3848276298220188511@atlanta.example.com\r\n"
                        "CSeq: 1 ACK\r\n"
                        "Max-Forwards: 70\r\n"
                        "Content-Length: 0\r\n\r\n");
    assert_string_equal(field(cancel, "CSeq", 0), "1 CANCEL");
    assert_string_equal(field(cancel, "To", 0), "<sip:bob@biloxi.example.com>");
    assert_string_equal(sip_via_branch(cancel), "z9hG4bKour");
    sip_message_destroy(&ack);
    sip_message_destroy(&cancel);
    sip_message_destroy(&response);
    sip_message_destroy(&request);
    assert_null(sip_request_create("OPTIONS", "no uri"));
}

static void response_is_told_without_decoding(void **state)
{
    (void)state;
    assert_true(sip_peek_is_response("SIP/2.0 200 OK", 14));
    assert_false(sip_peek_is_response("SIP", 3));
    assert_false(sip_peek_is_response(invite, sizeof invite - 1));
}

/* Everything that takes memory, with each allocation failing once: no crash, no leak, an error. */
static void shortage_of_memory_is_survived(void **state)
{
    (void)state;
    static const char text[] =
        "INVITE sip:bob:pw@b.example:5060;lr;a=b SIP/2.0\r\n"
        "Via: SIP/2.0/TCP a.example:5060;branch=z9hG4bK1;rport, SIP/2.0/UDP b\r\n"
        "Record-Route: <sip:a;lr>\r\nRoute: <sip:b;lr>;x=y\r\n"
        "From: \"A\" <sip:alice@a.example>;tag=1\r\nTo: B <tel:+1>\r\nCall-ID: 1@a.example\r\nCSeq: 1 INVITE\r\n"
        "Contact: <sip:a@x.invalid;ob?h=v>;reg-id=1\r\nX-Y: y\r\nMax-Forwards: 3\r\nContent-Type: "
        "text/plain;a=b\r\n\r\nbody";
    bool failed = true;
    for (unsigned long n = 1; failed; n++) {
        osip_message_t *message = NULL, *clone = NULL, *response = NULL, *ack = NULL;
        char *encoded = NULL;
        unsigned ignored;
        memory_fail_at(n);
        failed =
            sip_message_decode(text, sizeof text - 1, &message, &ignored) != 0 ||
            sip_max_forwards_decrement(message) != 0 || sip_via_push(message, "TCP", "edge.example", "z9hG4bK2") != 0 ||
            sip_field_add(message, "To", "<sip:c@c.example>") != 0 || sip_field_remove_first(message, "Contact") != 0 ||
            sip_message_set_body(message, "text/html", "html", 4) != 0 || !(clone = sip_message_clone(message)) ||
            !(response = sip_response_create(clone, 486, NULL, "t")) || !(ack = sip_ack_create(clone, response)) ||
            sip_message_encode(clone, &encoded) < 0;
        memory_fail_at(0);
        assert_true(n < 1000);
        sip_text_free(encoded);
        sip_message_destroy(&message);
        sip_message_destroy(&clone);
        sip_message_destroy(&response);
        sip_message_destroy(&ack);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_comes_out_as_it_went_in),
        cmocka_unit_test(body_is_kept_byte_for_byte),
        cmocka_unit_test(body_without_a_length_is_all_that_follows),
        cmocka_unit_test(unknown_fields_survive_in_their_order_and_spelling),
        cmocka_unit_test(vias_in_one_line_are_told_apart),
        cmocka_unit_test(fields_are_added_and_removed_by_name),
        cmocka_unit_test(hops_are_counted_down),
        cmocka_unit_test(contacts_say_what_they_ask_for),
        cmocka_unit_test(parameter_in_a_quoted_string_is_none),
        cmocka_unit_test(escapes_in_uris_are_undone_and_made_again),
        cmocka_unit_test(what_two_readers_may_see_differently_is_refused),
        cmocka_unit_test(head_without_clear_lines_gets_no_answer),
        cmocka_unit_test(refusals_say_what_to_answer),
        cmocka_unit_test(nul_bytes_are_refused),
        cmocka_unit_test(each_bound_holds),
        cmocka_unit_test(answer_has_what_the_request_had),
        cmocka_unit_test(ack_and_cancel_stand_in_for_their_invite),
        cmocka_unit_test(response_is_told_without_decoding),
        cmocka_unit_test(shortage_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
