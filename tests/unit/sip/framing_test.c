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
#include "sip/framing.h"
#include "sip/message.h"

#define HEAD "OPTIONS sip:bob@b.example SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bK1\r\n"

static int frame(const char *text)
{
    size_t length = strlen(text);
    char *alone = malloc(length > 0 ? length : 1);
    assert_non_null(alone);
    memcpy(alone, text, length);
    int result = sip_frame_length(alone, length);
    free(alone);
    return result;
}

static void message_ends_where_its_length_says(void **state)
{
    (void)state;
    static const char text[] = HEAD "Content-Length : 0005 \r\nX-Y: Content-Length: 7\r\n\r\nhello";
    char more[sizeof text + 10];
    snprintf(more, sizeof more, "%sBYE sip:", text);
    assert_int_equal(frame(more), sizeof text - 1);
    /* The length is known as soon as the head is there. */
    assert_int_equal(sip_frame_length(text, sizeof text - 1 - 5), sizeof text - 1);
    for (size_t cut = 0; cut < sizeof text - 1 - 5; cut++)
        assert_int_equal(sip_frame_length(text, cut), ERR_SHORT);
    assert_int_equal(frame(HEAD "l:0\r\n\r\n"), sizeof HEAD - 1 + 7);
    assert_int_equal(frame(HEAD "Subject: a\r\n fold\r\nL: 0\r\n\r\n"), sizeof HEAD - 1 + 27);
}

static void stream_without_a_clear_length_is_given_up(void **state)
{
    (void)state;
    static const char *const texts[] = {
        HEAD "\r\n",
        HEAD "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        HEAD "Content-Length: 1\r\nl: 2\r\n\r\nx",
        HEAD "Content-Length: -1\r\n\r\n",
        HEAD "Content-Length: 1x\r\n\r\n",
        HEAD "Content-Length:\r\n\r\n",
        HEAD "Content-Length\r\n\r\n",
        HEAD "Content-Length: 1\r\n 2\r\n\r\nx",
        HEAD "Content-Length:\r\n 2\r\n\r\nx",
        HEAD "X: a\nl: 1\r\n\r\n",
        HEAD "X: a\rl: 1\r\n\r\n",
    };
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(frame(texts[i]), ERR_MALFORMED);
    assert_int_equal(sip_frame_length("OPT\0", 4), ERR_MALFORMED);
    assert_int_equal(frame(HEAD "X: a\nmore to come"), ERR_MALFORMED); /* said at once, not waited for */
}

static void too_long_a_message_is_refused_by_its_head(void **state)
{
    (void)state;
    char text[512];
    int head = snprintf(text, sizeof text, HEAD "l: %05d\r\n\r\n", 0);
    snprintf(text, sizeof text, HEAD "l: %05d\r\n\r\n", SIP_MESSAGE_MAX - head);
    assert_int_equal(frame(text), SIP_MESSAGE_MAX);
    snprintf(text, sizeof text, HEAD "l: %05d\r\n\r\n", SIP_MESSAGE_MAX - head + 1);
    assert_int_equal(frame(text), ERR_TOO_LARGE);
    assert_int_equal(frame(HEAD "l: 99999999999999999999\r\n\r\n"), ERR_TOO_LARGE);

    static char endless[SIP_HEAD_MAX + 1];
    memset(endless, 'a', sizeof endless);
    assert_int_equal(sip_frame_length(endless, SIP_HEAD_MAX - 1), ERR_SHORT);
    assert_int_equal(sip_frame_length(endless, SIP_HEAD_MAX), ERR_TOO_LARGE);
    assert_int_equal(sip_frame_length(endless, sizeof endless), ERR_TOO_LARGE);
}

static void assert_keep_alives(const char *text, size_t expected_length, unsigned expected_pings)
{
    unsigned pings;
    assert_int_equal(sip_keep_alive_length(text, strlen(text), &pings), expected_length);
    assert_int_equal(pings, expected_pings);
}

static void pings_are_counted_and_pongs_skipped(void **state)
{
    (void)state;
    assert_keep_alives("", 0, 0);
    assert_keep_alives("OPTIONS", 0, 0);
    assert_keep_alives("\r\n\r\n", 4, 1);
    assert_keep_alives("\r\n\r\n\r\n\r\nOPTIONS", 8, 2);
    assert_keep_alives("\r\nOPTIONS", 2, 0);
    assert_keep_alives("\r\n\r\n\r\nOPTIONS", 6, 1);
    /* It may become a ping yet. */
    assert_keep_alives("\r", 0, 0);
    assert_keep_alives("\r\n", 0, 0);
    assert_keep_alives("\r\n\r", 0, 0);
    assert_keep_alives("\r\n\r\n\r\n", 4, 1);
    assert_keep_alives("\r\rOPTIONS", 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_ends_where_its_length_says),
        cmocka_unit_test(stream_without_a_clear_length_is_given_up),
        cmocka_unit_test(too_long_a_message_is_refused_by_its_head),
        cmocka_unit_test(pings_are_counted_and_pongs_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
