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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_comes_out_as_it_went_in),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
