/* SPDX-License-Identifier: BSD-3-Clause */
#include "crypto/public_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/error.h"

static const struct curve {
    enum public_key_kind kind;
    const char *group;
    size_t coordinate_size;
} curves[] = {
    {PUBLIC_KEY_P256, "prime256v1", 32},
    {PUBLIC_KEY_P384, "secp384r1", 48},
    {PUBLIC_KEY_P521, "secp521r1", 66},
};

size_t public_key_coordinate_size(enum public_key_kind kind)
{
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++)
        if (curves[i].kind == kind)
            return curves[i].coordinate_size;
    return 0;
}

/* A parameter of |key| as big-endian bytes, |padded| of them, or as many as it takes where that is 0. Returns their
 * number, 0 on failure. */
static size_t number_read(const EVP_PKEY *key, const char *name, uint8_t *out, size_t size, size_t padded)
{
    BIGNUM *number = NULL;
    size_t length = 0;
    if (EVP_PKEY_get_bn_param(key, name, &number)) {
        size_t needed = (size_t)BN_num_bytes(number);
        length = padded > 0 ? padded : needed;
        if (length > size || needed > length || BN_bn2binpad(number, out, (int)length) < 0)
            length = 0;
    }
    BN_free(number);
    return length;
}

static int rsa_read(const EVP_PKEY *key, struct public_key *out, const char **cause_out)
{
    out->kind = PUBLIC_KEY_RSA;
    out->first_length = number_read(key, OSSL_PKEY_PARAM_RSA_N, out->first, sizeof out->first, 0);
    out->second_length = number_read(key, OSSL_PKEY_PARAM_RSA_E, out->second, sizeof out->second, 0);
    if (out->first_length >= PUBLIC_KEY_MODULUS_MIN && out->second_length > 0)
        return 0;
    *cause_out = "its RSA key is not of 2,048 to 8,192 bits";
    return ERR_MALFORMED;
}

static int curve_read(const EVP_PKEY *key, struct public_key *out, const char **cause_out)
{
    char group[64] = "";
    EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group, sizeof group, NULL);
    *cause_out = "its key is on another curve than P-256, P-384 and P-521";
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
        if (strcmp(group, curves[i].group) != 0)
            continue;
        size_t size = curves[i].coordinate_size;
        out->kind = curves[i].kind;
        out->first_length = number_read(key, OSSL_PKEY_PARAM_EC_PUB_X, out->first, sizeof out->first, size);
        out->second_length = number_read(key, OSSL_PKEY_PARAM_EC_PUB_Y, out->second, sizeof out->second, size);
        return out->first_length > 0 && out->second_length > 0 ? 0 : ERR_MALFORMED;
    }
    return ERR_MALFORMED;
}

static int key_read(const EVP_PKEY *key, struct public_key *out, const char **cause_out)
{
    memset(out, 0, sizeof *out);
    if (EVP_PKEY_is_a(key, "RSA"))
        return rsa_read(key, out, cause_out);
    if (EVP_PKEY_is_a(key, "EC"))
        return curve_read(key, out, cause_out);
    *cause_out = "its key is neither RSA nor EC";
    return ERR_MALFORMED;
}

/* One block of the file. Returns 1 where it gave a key, 0 where it is to be passed over, or ERR_MALFORMED. */
static int block_read(const char *name, const unsigned char *bytes, long length, bool *certificate_seen,
                      struct public_key *out, const char **cause_out)
{
    EVP_PKEY *key = NULL;
    if (strstr(name, "PRIVATE KEY")) {
        *cause_out = "holds a private key: name a file with the public one";
        return ERR_MALFORMED;
    }
    if (strcmp(name, PEM_STRING_PUBLIC) == 0) {
        key = d2i_PUBKEY(NULL, &bytes, length);
    } else if (strcmp(name, PEM_STRING_X509) == 0) {
        if (*certificate_seen)
            return 0;
        *certificate_seen = true;
        X509 *certificate = d2i_X509(NULL, &bytes, length);
        key = certificate ? X509_get_pubkey(certificate) : NULL;
        X509_free(certificate);
    } else {
        return 0;
    }
    *cause_out = "has a block that is no public key or certificate after all";
    int result = key ? key_read(key, out, cause_out) : ERR_MALFORMED;
    EVP_PKEY_free(key);
    return result == 0 ? 1 : result;
}

int public_keys_read(struct span pem, struct public_key *out, size_t size, const char **cause_out)
{
    size_t count = 0;
    bool certificate_seen = false;
    int result = 0;
    BIO *bio = BIO_new_mem_buf(pem.bytes, (int)pem.length);
    char *name, *header;
    unsigned char *bytes;
    long length;
    while (bio && result >= 0 && PEM_read_bio(bio, &name, &header, &bytes, &length)) {
        struct public_key key;
        result = block_read(name, bytes, length, &certificate_seen, &key, cause_out);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(bytes);
        if (result == 1 && count == size) {
            *cause_out = "holds more keys than fit";
            result = ERR_MALFORMED;
        }
        if (result == 1)
            out[count++] = key;
    }
    BIO_free(bio);
    crypto_forget_failures();
    if (result >= 0 && count == 0) {
        *cause_out = "holds no public key or certificate in PEM, and no JWKS";
        result = ERR_MALFORMED;
    }
    return result < 0 ? result : (int)count;
}

void crypto_forget_failures(void)
{
    ERR_clear_error();
}
