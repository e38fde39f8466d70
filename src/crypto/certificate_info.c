/* SPDX-License-Identifier: BSD-3-Clause
 * What a certificate says, for people who have to find their server. */
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "crypto/certificate.h"

static int fail(struct tls_error *error, const char *file, const char *cause)
{
    snprintf(error->text, sizeof error->text, "%.120s: %s", file, cause);
    return ERR_CRYPTO;
}

/* The first certificate of |file|, or NULL with |error| filled. */
static X509 *certificate_read(const char *file, struct tls_error *error)
{
    FILE *stream = fopen(file, "r");
    if (!stream) {
        fail(error, file, "cannot be read");
        return NULL;
    }
    X509 *certificate = PEM_read_X509(stream, NULL, NULL, NULL);
    fclose(stream);
    if (!certificate)
        fail(error, file, "holds no certificate in PEM");
    return certificate;
}

int certificate_public_key_hash(const char *certificate_file, uint8_t out[SHA256_SIZE], struct tls_error *error)
{
    X509 *certificate = certificate_read(certificate_file, error);
    if (!certificate)
        return ERR_CRYPTO;
    unsigned char *key = NULL;
    int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);
    X509_free(certificate);
    if (length <= 0)
        return fail(error, certificate_file, "its public key cannot be encoded");
    crypto_sha256(&(struct span){key, (size_t)length}, 1, out);
    OPENSSL_free(key);
    return 0;
}

/* True for a name that a client can look up: no wildcard, nothing but what host names are made of. */
static bool is_host_name(const unsigned char *name, size_t length, size_t size)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    if (length == 0 || length >= size)
        return false;
    for (size_t i = 0; i < length; i++)
        if (name[i] == '\0' || !strchr(letters, name[i]))
            return false;
    return true;
}

int certificate_host_name(const char *certificate_file, char *out, size_t size, struct tls_error *error)
{
    X509 *certificate = certificate_read(certificate_file, error);
    if (!certificate)
        return ERR_CRYPTO;
    int status = ERR_NOT_FOUND;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && status != 0; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS)
            continue;
        const unsigned char *bytes = ASN1_STRING_get0_data(name->d.dNSName);
        size_t length = (size_t)ASN1_STRING_length(name->d.dNSName);
        if (is_host_name(bytes, length, size)) {
            memcpy(out, bytes, length);
            out[length] = '\0';
            status = 0;
        }
    }
    GENERAL_NAMES_free(names);
    X509_free(certificate);
    if (status != 0)
        fail(error, certificate_file, "has no host name that a client could look up");
    return status;
}
