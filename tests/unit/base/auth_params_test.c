/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/auth_params.h"
#include "base/error.h"

static struct auth_params params;

static int read_text(const char *text)
{
    return auth_params_read(span_of_text(text), &params);
}

/* From memory of exactly that length, so that a sanitizer sees each step past the end. */
static int read_alone(const char *text)
{
    size_t length = strlen(text);
    char *alone = malloc(length > 0 ? length : 1);
    assert_non_null(alone);
    memcpy(alone, text, length);
    int result = auth_params_read((struct span){alone, length}, &params);
    free(alone);
    return result;
}

static void assert_value(const char *name, const char *expected)
{
    char value[64];
    assert_int_equal(auth_params_copy(&params, name, value, sizeof value), strlen(expected));
    assert_string_equal(value, expected);
}

static void challenge_is_taken_apart(void **state)
{
    (void)state;
    assert_int_equal(read_text("  Digest \t REALM = \"say \\\"friend\\\", \\\\ and = enter\" ,nonce=\"\",qop=\"auth, "
                               "auth-int\", Algorithm=MD5,stale=FALSE "),
                     0);
    assert_true(auth_params_is(&params, "digest"));
    assert_false(auth_params_is(&params, "Digest2"));
    assert_int_equal(params.count, 5);
    assert_value("realm", "say \"friend\", \\ and = enter");
    assert_value("nonce", "");
    assert_value("algorithm", "MD5");
    assert_true(auth_params_equal(&params, "stale", "false", true));
    assert_false(auth_params_equal(&params, "stale", "false", false));
    assert_false(auth_params_equal(&params, "stale", "FALS", true));
    assert_false(auth_params_equal(&params, "stale", "FALSE ", true));
    assert_true(auth_params_equal(&params, "Realm", "say \"friend\", \\ and = enter", false));
    assert_true(auth_params_list(&params, "qop", "AUTH"));
    assert_true(auth_params_list(&params, "qop", "auth-int"));
    assert_false(auth_params_list(&params, "qop", "int"));
    assert_false(auth_params_list(&params, "opaque", "auth"));
    assert_null(auth_params_find(&params, "opaque"));
    char small[4];
    assert_int_equal(auth_params_copy(&params, "opaque", small, sizeof small), ERR_NOT_FOUND);
    assert_int_equal(auth_params_copy(&params, "stale", small, sizeof small), ERR_TOO_LARGE);
    assert_int_equal(auth_params_copy(&params, "nonce", small, 0), ERR_TOO_LARGE);
    assert_int_equal(auth_params_copy(&params, "algorithm", small, sizeof small), 3);
}

static void token_is_taken_whole(void **state)
{
    (void)state;
    assert_int_equal(read_text("Bearer eyJhbGciOiJSUzI1NiJ9.e30.a-_~+/b=="), 0);
    assert_true(auth_params_is(&params, "BEARER"));
    assert_int_equal(params.token.length, strlen("eyJhbGciOiJSUzI1NiJ9.e30.a-_~+/b=="));
    assert_int_equal(params.count, 0);
    assert_int_equal(read_text("Bearer access_token=\"eyJhbGciOiJSUzI1NiJ9.e30.ab\""), 0);
    assert_int_equal(params.token.length, 0);
    assert_value("access_token", "eyJhbGciOiJSUzI1NiJ9.e30.ab");
    assert_int_equal(read_text("NTLM"), 0);
    assert_int_equal(params.token.length, 0);
}

static void what_two_readers_may_see_differently_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        ",",
        "Digest,a=b",
        "Digest a b",
        "Digest a=b,",
        "Digest a=b;c=d",
        "Digest a=b c=d",
        "Digest a=\"b",
        "Digest a=\"b\\",
        "Digest a=\"b\\\"",
        "Digest a=\"b\"c",
        "Digest a=b\"c\"",
        "Digest a=b, A=c",
        "Digest nonce=\"x\", nonce=\"x\"",
        "Digest a=\"b\nc\"",
        "Digest a=\"b\\\nc\"",
        "Digest a=\"\x7f\"",
        "Digest =b",
        "Digest a=b, Bearer c",
        "Bearer a=b=c",
        "Bearer a b",
        "Bearer \xc3\xa4",
    };
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(read_alone(texts[i]), ERR_MALFORMED);
}

static void too_much_is_refused(void **state)
{
    (void)state;
    char text[1024] = "Digest a0=b";
    for (unsigned i = 1; i < AUTH_PARAMS_MAX; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), ",a%u=b", i);
    assert_int_equal(read_alone(text), 0);
    assert_int_equal(params.count, AUTH_PARAMS_MAX);
    strcat(text, ",more=b");
    assert_int_equal(read_alone(text), ERR_TOO_LARGE);
    static char huge[AUTH_PARAMS_VALUE_MAX + 2];
    memset(huge, 'a', sizeof huge - 1);
    assert_int_equal(read_alone(huge), ERR_TOO_LARGE);
}

static void what_is_written_reads_the_same(void **state)
{
    (void)state;
    char text[128];
    struct auth_writer writer = auth_writer_begin(text, sizeof text, "Digest");
    auth_writer_add_quoted(&writer, "realm", span_of_text("a \"b\" \\ c"));
    auth_writer_add(&writer, "algorithm", "SHA-256");
    auth_writer_add_quoted(&writer, "nonce", span_of_text(""));
    assert_int_equal(auth_writer_end(&writer), strlen(text));
    assert_string_equal(text, "Digest realm=\"a \\\"b\\\" \\\\ c\", algorithm=SHA-256, nonce=\"\"");
    assert_int_equal(read_text(text), 0);
    assert_value("realm", "a \"b\" \\ c");

    for (size_t size = 0; size < strlen("Digest a=\"b\"") + 1; size++) {
        writer = auth_writer_begin(text, size, "Digest");
        auth_writer_add_quoted(&writer, "a", span_of_text("b"));
        assert_int_equal(auth_writer_end(&writer), ERR_TOO_LARGE);
    }
    writer = auth_writer_begin(text, sizeof text, "Digest");
    auth_writer_add_quoted(&writer, "a", span_of_text("b\r\nInjected: c"));
    assert_int_equal(auth_writer_end(&writer), ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(challenge_is_taken_apart),
        cmocka_unit_test(token_is_taken_whole),
        cmocka_unit_test(what_two_readers_may_see_differently_is_refused),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(what_is_written_reads_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
