/* SPDX-License-Identifier: BSD-3-Clause */
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "base/error.h"
#include "crypto/certificate.h"

static int fail(struct tls_error *error, const char *file, const char *cause)
{
    snprintf(error->text, sizeof error->text, "%.120s: %s", file, cause);
    return ERR_CRYPTO;
}

int certificate_public_key_hash(const char *certificate_file, uint8_t out[SHA256_SIZE], struct tls_error *error)
{
    FILE *file = fopen(certificate_file, "r");
    if (!file)
        return fail(error, certificate_file, "cannot be read");
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    unsigned char *key = NULL;
    int length = certificate ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key) : -1;
    X509_free(certificate);
    if (length <= 0)
        return fail(error, certificate_file, "holds no certificate in PEM");
    crypto_sha256(&(struct span){key, (size_t)length}, 1, out);
    OPENSSL_free(key);
    return 0;
}
