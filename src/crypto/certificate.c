/* SPDX-License-Identifier: BSD-3-Clause */
#include "crypto/certificate.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "crypto/tls_internal.h"

#define COMMON_NAME_MAX 64   /* RFC 5280 appendix A, ub-common-name */
#define DNS_NAME_MAX    253  /* RFC 1035 §2.3.4, as text */
#define SERIAL_SIZE     16   /* RFC 5280 §4.1.2.2 allows 20 */
#define SKEW_S          3600 /* a client's clock may be that much late */

static int openssl_failed(struct tls_error *error)
{
    tls_error_set(error, "cannot make a certificate: %s", tls_failure_reason(NULL));
    return ERR_CRYPTO;
}

static bool is_dns_name(const char *name)
{
    size_t length = strlen(name);
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._*";
    return length > 0 && length <= DNS_NAME_MAX && strspn(name, alphabet) == length;
}

/* |name| as subjectAltName, or NULL where it is neither a DNS name nor an IP literal, or for want of memory. */
static GENERAL_NAME *alternative_name(const char *name)
{
    struct address ip;
    bool is_ip = address_parse(name, &ip) == 0 && ip.port == 0;
    if (!is_ip && !is_dns_name(name))
        return NULL;
    GENERAL_NAME *alternative = GENERAL_NAME_new();
    ASN1_STRING *value = ASN1_STRING_type_new(is_ip ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
    const void *bytes = is_ip ? (const void *)ip.ip : name;
    size_t length = is_ip ? address_ip_length(ip.family) : strlen(name);
    if (!alternative || !value || ASN1_STRING_set(value, bytes, (int)length) != 1) {
        GENERAL_NAME_free(alternative);
        ASN1_STRING_free(value);
        return NULL;
    }
    GENERAL_NAME_set0_value(alternative, is_ip ? GEN_IPADD : GEN_DNS, value);
    return alternative;
}

static int add_alternative_names(X509 *certificate, const char *const *names, size_t count, struct tls_error *error)
{
    GENERAL_NAMES *list = GENERAL_NAMES_new();
    int failure = list ? 0 : openssl_failed(error);
    for (size_t i = 0; i < count && !failure; i++) {
        GENERAL_NAME *name = alternative_name(names[i]);
        if (name && sk_GENERAL_NAME_push(list, name) > 0)
            continue;
        GENERAL_NAME_free(name);
        tls_error_set(error, "cannot make a certificate for \"%.80s\": neither a DNS name nor an IP address", names[i]);
        failure = ERR_CRYPTO;
    }
    if (!failure && X509_add1_ext_i2d(certificate, NID_subject_alt_name, list, 0, X509V3_ADD_DEFAULT) != 1)
        failure = openssl_failed(error);
    GENERAL_NAMES_free(list);
    return failure;
}

static bool add_extension(X509 *certificate, int kind, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
    bool done = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return done;
}

static bool set_serial(X509 *certificate)
{
    uint8_t bytes[SERIAL_SIZE];
    crypto_random(bytes, sizeof bytes);
    bytes[0] = (bytes[0] & 0x7f) | 0x40; /* positive and of full length */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool done = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
    BN_free(number);
    return done;
}

/* Everything but the names it is good for and the signature. */
static bool describe(X509 *certificate, const char *subject, unsigned days, EVP_PKEY *key)
{
    /* Clients go by subjectAltName; the subject is for a person to read, and must be short. */
    if (strlen(subject) > COMMON_NAME_MAX)
        subject = "postern";
    X509_NAME *name = X509_get_subject_name(certificate);
    return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -SKEW_S) &&
           X509_time_adj_ex(X509_getm_notAfter(certificate), (int)days, 0, NULL) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)subject, -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, name) == 1 && X509_set_pubkey(certificate, key) == 1 &&
           add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
           add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
           add_extension(certificate, NID_subject_key_identifier, "hash");
}

/* A file that is written beside its name and then renamed, so that nobody ever sees half of it. */
struct pem_file {
    const char *name;
    char beside[PATH_MAX];
    mode_t mode;
    BIO *content;
};

static int system_failed(const struct pem_file *file, struct tls_error *error)
{
    tls_error_set(error, "cannot write %.120s: %s", file->name, strerror(errno));
    return ERR_SYSTEM;
}

static bool write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes += written;
        length -= (size_t)written;
    }
    return true;
}

static int write_beside(struct pem_file *file, struct tls_error *error)
{
    int length = snprintf(file->beside, sizeof file->beside, "%s.new", file->name);
    if (length >= (int)sizeof file->beside) {
        errno = ENAMETOOLONG;
        file->beside[0] = '\0';
        return system_failed(file, error);
    }
    /* What an interrupted start left. O_EXCL then follows no link and keeps no wider mode. */
    unlink(file->beside);
    int fd = open(file->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file->mode);
    if (fd < 0) {
        file->beside[0] = '\0';
        return system_failed(file, error);
    }
    char *bytes;
    long size = BIO_get_mem_data(file->content, &bytes);
    bool done = write_all(fd, bytes, (size_t)size) && fsync(fd) == 0;
    int failure = done ? 0 : system_failed(file, error);
    if (close(fd) != 0 && !failure)
        failure = system_failed(file, error);
    return failure;
}

/* Both are written before either takes its place: a full disk leaves what was there before. */
static int write_files(struct pem_file *key, struct pem_file *certificate, struct tls_error *error)
{
    struct pem_file *const files[] = {key, certificate};
    int failure = 0;
    for (size_t i = 0; i < 2 && !failure; i++)
        failure = write_beside(files[i], error);
    for (size_t i = 0; i < 2 && !failure; i++) {
        if (rename(files[i]->beside, files[i]->name) == 0)
            files[i]->beside[0] = '\0';
        else
            failure = system_failed(files[i], error);
    }
    for (size_t i = 0; i < 2; i++) {
        if (files[i]->beside[0] != '\0')
            unlink(files[i]->beside);
    }
    return failure;
}

int certificate_create_self_signed(const char *certificate_file, const char *key_file, const char *const *names,
                                   size_t name_count, unsigned days, struct tls_error *error)
{
    assert(name_count > 0 && days <= INT_MAX);
    struct pem_file certificate_pem = {.name = certificate_file, .mode = 0644, .content = BIO_new(BIO_s_mem())};
    struct pem_file key_pem = {.name = key_file, .mode = 0600, .content = BIO_new(BIO_s_mem())};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();

    int failure = 0;
    if (!certificate_pem.content || !key_pem.content || !key || !certificate ||
        !describe(certificate, names[0], days, key))
        failure = openssl_failed(error);
    if (!failure)
        failure = add_alternative_names(certificate, names, name_count, error);
    if (!failure && (X509_sign(certificate, key, EVP_sha256()) == 0 ||
                     PEM_write_bio_X509(certificate_pem.content, certificate) != 1 ||
                     PEM_write_bio_PrivateKey(key_pem.content, key, NULL, NULL, 0, NULL, NULL) != 1))
        failure = openssl_failed(error);
    if (!failure)
        failure = write_files(&key_pem, &certificate_pem, error);

    X509_free(certificate);
    EVP_PKEY_free(key);
    BIO_free(key_pem.content);
    BIO_free(certificate_pem.content);
    return failure;
}
