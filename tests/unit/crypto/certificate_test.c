/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/error.h"
#include "crypto/certificate.h"

static char folder[] = "/tmp/certificate-test-XXXXXX";
static char certificate_file[64], key_file[64];
static struct tls_error error;

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(certificate_file, sizeof certificate_file, "%s/certificate.pem", folder);
    snprintf(key_file, sizeof key_file, "%s/key.pem", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(certificate_file);
    unlink(key_file);
    return rmdir(folder); /* fails where something else was left in it */
}

static X509 *read_certificate(void)
{
    FILE *file = fopen(certificate_file, "r");
    assert_non_null(file);
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    assert_non_null(certificate);
    return certificate;
}

static EVP_PKEY *read_key(void)
{
    FILE *file = fopen(key_file, "r");
    assert_non_null(file);
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    assert_non_null(key);
    return key;
}

static int create(const char *const *names, size_t count)
{
    return certificate_create_self_signed(certificate_file, key_file, names, count, 30, &error);
}

static void certificate_is_good_for_each_name_and_no_other(void **state)
{
    (void)state;
    static const char *const names[] = {"turn.example.org", "*.edge.example.org", "192.0.2.1", "2001:db8::1"};
    assert_int_equal(create(names, 4), 0);
    X509 *certificate = read_certificate();
    EVP_PKEY *key = read_key();
    assert_int_equal(X509_check_private_key(certificate, key), 1);
    assert_int_equal(X509_verify(certificate, key), 1);
    assert_int_equal(X509_check_host(certificate, "turn.example.org", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(certificate, "a.edge.example.org", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(certificate, "example.org", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(certificate, "192.0.2.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(certificate, "2001:db8::1", 0), 1);
    assert_int_equal(X509_check_ip_asc(certificate, "192.0.2.2", 0), 0);
    assert_int_equal(X509_check_purpose(certificate, X509_PURPOSE_SSL_SERVER, 0), 1);
    assert_int_equal(X509_check_ca(certificate), 0);

    int days, seconds;
    assert_int_equal(ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)), 1);
    assert_in_range(days, 29, 30);
    assert_int_equal(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(certificate), NULL), 1);
    assert_int_equal(days, 0);
    assert_in_range(seconds, 3600, 3700);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void only_the_owner_reads_the_key_whatever_was_there_before(void **state)
{
    (void)state;
    static const char *const names[] = {"localhost"};
    char stale[80];
    snprintf(stale, sizeof stale, "%s.new", key_file);
    FILE *left = fopen(stale, "w"); /* of an interrupted start, readable by all */
    assert_non_null(left);
    fclose(left);
    assert_int_equal(chmod(stale, 0666), 0);

    assert_int_equal(create(names, 1), 0);
    X509 *first = read_certificate();
    assert_int_equal(create(names, 1), 0);
    X509 *second = read_certificate();
    EVP_PKEY *key = read_key();
    assert_int_equal(X509_check_private_key(second, key), 1);
    assert_int_equal(X509_check_private_key(first, key), 0);
    assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(first), X509_get0_serialNumber(second)), 0);
    X509_free(first);
    X509_free(second);
    EVP_PKEY_free(key);

    struct stat file;
    assert_int_equal(stat(key_file, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    assert_int_equal(stat(stale, &file), -1);
}

static void long_host_name_does_not_stop_a_first_start(void **state)
{
    (void)state;
    static const char *const names[] = {"a-host-name-that-some-cloud-made-of-many-words.region.provider.example.org",
                                        "127.0.0.1"};
    assert_true(strlen(names[0]) > 64);
    assert_int_equal(create(names, 2), 0);
    X509 *certificate = read_certificate();
    assert_int_equal(X509_check_host(certificate, names[0], 0, 0, NULL), 1);
    X509_free(certificate);
}

static void name_that_is_none_is_refused_by_name(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "two words", "a\nb", "192.0.2.1:443", "\xc3\xa4.example"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *const names[] = {"localhost", wrong[i]};
        error.text[0] = '\0';
        assert_int_equal(create(names, 2), ERR_CRYPTO);
        assert_non_null(strstr(error.text, wrong[i]));
    }
}

static void folder_that_is_not_there_is_named(void **state)
{
    (void)state;
    static const char *const names[] = {"localhost"};
    char elsewhere[80];
    snprintf(elsewhere, sizeof elsewhere, "%s/none/key.pem", folder);
    assert_int_equal(certificate_create_self_signed(certificate_file, elsewhere, names, 1, 30, &error), ERR_SYSTEM);
    assert_non_null(strstr(error.text, elsewhere));
    assert_non_null(strstr(error.text, strerror(2)));
    /* The other way round, nothing of the key may stay behind either: tear_down() looks. */
    snprintf(elsewhere, sizeof elsewhere, "%s/none/certificate.pem", folder);
    assert_int_equal(certificate_create_self_signed(elsewhere, key_file, names, 1, 30, &error), ERR_SYSTEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificate_is_good_for_each_name_and_no_other),
        cmocka_unit_test(only_the_owner_reads_the_key_whatever_was_there_before),
        cmocka_unit_test(long_host_name_does_not_stop_a_first_start),
        cmocka_unit_test(name_that_is_none_is_refused_by_name),
        cmocka_unit_test(folder_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests_name("certificate", tests, set_up, tear_down);
}
