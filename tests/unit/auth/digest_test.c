/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "auth/digest.h"
#include "base/error.h"

#define NONCE  "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
#define CNONCE "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"

static struct auth_params credentials;
static char ha1[DIGEST_HEX_SIZE];

static void read_credentials(const char *text)
{
    assert_int_equal(auth_params_read(span_of_text(text), &credentials), 0);
}

static void hash_password(enum digest_algorithm algorithm)
{
    digest_ha1(algorithm, span_of_text("Mufasa"), span_of_text("http-auth@example.org"), span_of_text("Circle of Life"),
               ha1);
}

static int check(enum digest_algorithm algorithm)
{
    return digest_check(algorithm, ha1, &credentials, span_of_text("GET"));
}

static void vectors_of_rfc7616_hold(void **state)
{
    (void)state;
    static const struct {
        const char *name, *response;
        enum digest_algorithm algorithm;
    } vectors[] = {
        {"MD5", "8ca523f5e9506fed4657c9700eebdbec", DIGEST_MD5},
        {"SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", DIGEST_SHA256},
    };
    for (unsigned i = 0; i < 2; i++) {
        char text[600];
        snprintf(text, sizeof text,
                 "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", uri=\"/dir/index.html\", algorithm=%s, "
                 "nonce=\"" NONCE "\", nc=00000001, cnonce=\"" CNONCE "\", qop=auth, response=\"%s\", "
                 "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"",
                 vectors[i].name, vectors[i].response);
        read_credentials(text);
        enum digest_algorithm algorithm;
        assert_int_equal(digest_algorithm_of(&credentials, &algorithm), 0);
        assert_int_equal(algorithm, vectors[i].algorithm);
        assert_string_equal(digest_algorithm_name(algorithm), vectors[i].name);
        hash_password(algorithm);
        assert_int_equal(check(algorithm), 0);
        assert_int_equal(digest_check(algorithm, ha1, &credentials, span_of_text("POST")), ERR_FORBIDDEN);
        ha1[0] = ha1[0] == '0' ? '1' : '0';
        assert_int_equal(check(algorithm), ERR_FORBIDDEN);
    }
}

/* RFC 2617 §3.5, and the same without qop as RFC 2069 has it. */
static void vectors_of_rfc2617_hold(void **state)
{
    (void)state;
    char key[DIGEST_HEX_SIZE], response[DIGEST_HEX_SIZE];
    digest_ha1(DIGEST_MD5, span_of_text("Mufasa"), span_of_text("testrealm@host.com"), span_of_text("Circle Of Life"),
               key);
    assert_string_equal(key, "939e7578ed9e3c518a452acee763bce9");
    struct digest_request request = {
        .method = span_of_text("GET"),
        .uri = span_of_text("/dir/index.html"),
        .nonce = span_of_text("dcd98b7102dd2f0e8b11d0f600bfb0c093"),
        .nc = span_of_text("00000001"),
        .cnonce = span_of_text("0a4f113b"),
        .qop = span_of_text("auth"),
    };
    digest_response(DIGEST_MD5, key, &request, response);
    assert_string_equal(response, "6629fae49393a05397450978507c4ef1");
    request.qop.length = 0;
    digest_response(DIGEST_MD5, key, &request, response);
    assert_string_equal(response, "670fd8c2df070c60b045671b8b24ff02");
}

static void incomplete_credentials_are_malformed(void **state)
{
    (void)state;
#define RESPONSE "response=\"8ca523f5e9506fed4657c9700eebdbec\""
    static const char *const texts[] = {
        "Digest username=\"Mufasa\"",
        "Digest uri=\"/\", nonce=\"n\", response=\"8ca523f5e9506fed4657c9700eebdb\"",
        "Digest uri=\"/\", " RESPONSE,
        "Digest nonce=\"n\", " RESPONSE,
        "Digest uri=\"\", nonce=\"n\", " RESPONSE,
        "Digest uri=\"/\", nonce=\"n\", " RESPONSE ", qop=auth",
        "Digest uri=\"/\", nonce=\"n\", " RESPONSE ", qop=auth, nc=1, cnonce=\"c\"",
        "Digest uri=\"/\", nonce=\"n\", " RESPONSE ", qop=\"\"",
        "Digest uri=\"/\", nonce=\"n\", " RESPONSE ", qop=auth-int, nc=00000001, cnonce=\"c\"",
    };
    hash_password(DIGEST_MD5);
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        read_credentials(texts[i]);
        assert_int_equal(check(DIGEST_MD5), ERR_MALFORMED);
    }
}

static void algorithms_without_a_stored_key_are_unknown(void **state)
{
    (void)state;
    enum digest_algorithm algorithm;
    read_credentials("Digest realm=\"r\"");
    assert_int_equal(digest_algorithm_of(&credentials, &algorithm), 0);
    assert_int_equal(algorithm, DIGEST_MD5);
    read_credentials("Digest algorithm=\"sha-256\"");
    assert_int_equal(digest_algorithm_of(&credentials, &algorithm), 0);
    assert_int_equal(algorithm, DIGEST_SHA256);
    static const char *const others[] = {"Digest algorithm=MD5-sess", "Digest algorithm=SHA-256-sess",
                                         "Digest algorithm=AKAv1-MD5", "Digest algorithm=\"\""};
    for (unsigned i = 0; i < 4; i++) {
        read_credentials(others[i]);
        assert_int_equal(digest_algorithm_of(&credentials, &algorithm), ERR_NOT_FOUND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_rfc7616_hold),
        cmocka_unit_test(vectors_of_rfc2617_hold),
        cmocka_unit_test(incomplete_credentials_are_malformed),
        cmocka_unit_test(algorithms_without_a_stored_key_are_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
