/* SPDX-License-Identifier: BSD-3-Clause
 * Tokens are signed here by OpenSSL itself, so that nothing that verifies them has also made them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/token.h"
#include "base/error.h"
#include "base/memory.h"
#include "crypto/digest.h"

#define NOW    UINT64_C(1700000000)
#define ISSUER "https://login.example.org"
#define PAYLOAD                                                                                             \
    "{\"iss\":\"" ISSUER "\",\"aud\":\"postern\",\"exp\":1700000300,\"nbf\":1700000000,\"iat\":1700000000," \
    "\"sub\":\"alice@example.org\",\"impu\":\"sip:alice@example.org\"}"

enum key_name {
    RSA_ONE,
    RSA_TWO,
    P256_ONE,
    P256_TWO,
    P384,
    P521,
    KEYS,
};
static EVP_PKEY *keys[KEYS];
static char folder[] = "/tmp/token-test-XXXXXX";
static char jwks_file[64], pem_file[64], certificate_file[64], other_file[64];

struct text {
    char bytes[20000];
};

static void append_base64url(struct text *out, const void *bytes, size_t length)
{
    crypto_base64url(bytes, length, out->bytes + strlen(out->bytes));
}

static const EVP_MD *hash_of(const char *algorithm)
{
    return strstr(algorithm, "256") ? EVP_sha256() : strstr(algorithm, "384") ? EVP_sha384() : EVP_sha512();
}

/* R || S instead of DER (RFC 7518 §3.4). */
static size_t signature_flatten(uint8_t *signature, size_t length, size_t size)
{
    const uint8_t *at = signature;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)length);
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, (int)size);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + size, (int)size);
    ECDSA_SIG_free(pair);
    return 2 * size;
}

/* A compact JWS over |header| and |payload|, whatever they are. */
static void sign_as(enum key_name name, const char *algorithm, const char *header, const char *payload,
                    struct text *out)
{
    uint8_t signature[1024];
    size_t length = sizeof signature;
    out->bytes[0] = '\0';
    append_base64url(out, header, strlen(header));
    strcat(out->bytes, ".");
    append_base64url(out, payload, strlen(payload));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *parameters;
    assert_int_equal(EVP_DigestSignInit(context, &parameters, hash_of(algorithm), NULL, keys[name]), 1);
    if (algorithm[0] == 'P') {
        EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST);
    }
    assert_int_equal(EVP_DigestSign(context, signature, &length, (const uint8_t *)out->bytes, strlen(out->bytes)), 1);
    EVP_MD_CTX_free(context);
    if (algorithm[0] == 'E')
        length = signature_flatten(signature, length, (size_t)(EVP_PKEY_get_bits(keys[name]) + 7) / 8);
    strcat(out->bytes, ".");
    append_base64url(out, signature, length);
}

static void sign(enum key_name name, const char *algorithm, const char *payload, struct text *out)
{
    char header[64];
    snprintf(header, sizeof header, "{\"alg\":\"%s\"}", algorithm);
    sign_as(name, algorithm, header, payload, out);
}

static void add_number(json_t *jwk, const char *member, EVP_PKEY *key, const char *parameter, int size)
{
    BIGNUM *number = NULL;
    uint8_t bytes[1024];
    struct text text = {""};
    assert_int_equal(EVP_PKEY_get_bn_param(key, parameter, &number), 1);
    int length = size ? size : BN_num_bytes(number);
    BN_bn2binpad(number, bytes, length);
    append_base64url(&text, bytes, (size_t)length);
    json_object_set_new(jwk, member, json_string(text.bytes));
    BN_free(number);
}

static json_t *jwk_of(enum key_name name, const char *kid)
{
    EVP_PKEY *key = keys[name];
    json_t *jwk = json_object();
    if (EVP_PKEY_is_a(key, "RSA")) {
        json_object_set_new(jwk, "kty", json_string("RSA"));
        add_number(jwk, "n", key, "n", 0);
        add_number(jwk, "e", key, "e", 0);
    } else {
        int bits = EVP_PKEY_get_bits(key);
        json_object_set_new(jwk, "kty", json_string("EC"));
        json_object_set_new(jwk, "crv", json_string(bits == 256 ? "P-256" : bits == 384 ? "P-384" : "P-521"));
        add_number(jwk, "x", key, "qx", (bits + 7) / 8);
        add_number(jwk, "y", key, "qy", (bits + 7) / 8);
    }
    if (kid)
        json_object_set_new(jwk, "kid", json_string(kid));
    return jwk;
}

static void write_file(const char *file, const char *content)
{
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    fputs(content, out);
    fclose(out);
}

static void write_jwks(const char *file, json_t *list)
{
    json_t *page = json_pack("{s:o}", "keys", list);
    assert_int_equal(json_dump_file(page, file, 0), 0);
    json_decref(page);
}

/* RSA and P-256 with key ids, the other curves without. */
static int set_up(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *group;
    } kinds[KEYS] = {{"RSA", NULL}, {"RSA", NULL}, {"EC", "P-256"}, {"EC", "P-256"}, {"EC", "P-384"}, {"EC", "P-521"}};
    if (!mkdtemp(folder))
        return -1;
    for (size_t i = 0; i < KEYS; i++)
        keys[i] = kinds[i].group ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", kinds[i].group)
                                 : EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    snprintf(jwks_file, sizeof jwks_file, "%s/jwks.json", folder);
    snprintf(pem_file, sizeof pem_file, "%s/key.pem", folder);
    snprintf(certificate_file, sizeof certificate_file, "%s/certificate.pem", folder);
    snprintf(other_file, sizeof other_file, "%s/other", folder);
    write_jwks(jwks_file, json_pack("[o, o, o, o]", jwk_of(RSA_ONE, "rsa"), jwk_of(P256_ONE, "p256"),
                                    jwk_of(P384, NULL), jwk_of(P521, NULL)));
    FILE *pem = fopen(pem_file, "w");
    PEM_write_PUBKEY(pem, keys[P256_TWO]);
    PEM_write_PUBKEY(pem, keys[RSA_TWO]);
    fclose(pem);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < KEYS; i++)
        EVP_PKEY_free(keys[i]);
    unlink(jwks_file);
    unlink(pem_file);
    unlink(certificate_file);
    unlink(other_file);
    return rmdir(folder);
}

static int create(const char *const *files, size_t count, struct token_verifier **out, struct token_error *error)
{
    const struct token_settings settings = {
        .key_files = files,
        .key_file_count = count,
        .issuer = ISSUER,
        .audience = "postern",
        .impi_claim = "sub",
        .impu_claim = "impu",
    };
    return token_verifier_create(&settings, out, error);
}

static struct token_verifier *verifier_of(const char *file)
{
    struct token_verifier *verifier;
    struct token_error error;
    assert_int_equal(create(&file, 1, &verifier, &error), 0);
    return verifier;
}

static int verify(const struct token_verifier *verifier, const char *token, struct token_identity *out,
                  const char **reason)
{
    return token_verify(verifier, span_of_text(token), NOW, out, reason);
}

static void assert_result(const struct token_verifier *verifier, const char *token, int result)
{
    struct token_identity identity;
    const char *reason;
    int got = verify(verifier, token, &identity, &reason);
    if (got != result)
        print_message("%s: %s: %s\n", token, error_text(got), reason);
    assert_int_equal(got, result);
}

static void every_algorithm_of_the_three_families_is_verified(void **state)
{
    (void)state;
    static const struct {
        const char *algorithm;
        enum key_name key;
    } rows[] = {{"RS256", RSA_ONE}, {"RS384", RSA_ONE},  {"RS512", RSA_ONE}, {"PS256", RSA_ONE}, {"PS384", RSA_ONE},
                {"PS512", RSA_ONE}, {"ES256", P256_ONE}, {"ES384", P384},    {"ES512", P521}};
    struct token_verifier *verifier = verifier_of(jwks_file);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct text token;
        struct token_identity identity;
        const char *reason;
        sign(rows[i].key, rows[i].algorithm, PAYLOAD, &token);
        assert_int_equal(verify(verifier, token.bytes, &identity, &reason), 0);
        assert_string_equal(identity.impi, "alice@example.org");
        assert_int_equal(identity.impu_count, 1);
        assert_string_equal(identity.impus[0], "sip:alice@example.org");
        assert_true(identity.expires_s == 1700000300);
    }
    token_verifier_destroy(&verifier);
    assert_null(verifier);
}

#define RFC_PAYLOAD "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

/* They have no audience, so that they get as far as that. */
static void examples_of_rfc_7515_have_good_signatures(void **state)
{
    (void)state;
    static const char jwks[] =
        "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPC"
        "JrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5"
        "rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8N"
        "Aco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\",\"e\":\"AQAB\"},"
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}";
    static const char *const tokens[] = {
        "eyJhbGciOiJSUzI1NiJ9." RFC_PAYLOAD
        ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CU"
        "Ar7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO"
        "--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN"
        "_IoypGlUPQGe77Rw",
        "eyJhbGciOiJFUzI1NiJ9." RFC_PAYLOAD
        ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    };
    write_file(other_file, jwks);
    const char *file = other_file;
    struct token_settings settings = {&file, 1, "joe", "postern", "sub", "impu"};
    struct token_verifier *verifier;
    struct token_error error;
    assert_int_equal(token_verifier_create(&settings, &verifier, &error), 0);
    for (size_t i = 0; i < 2; i++) {
        struct token_identity identity;
        const char *reason;
        struct span token = span_of_text(tokens[i]);
        assert_int_equal(token_verify(verifier, token, 1300819379, &identity, &reason), ERR_FORBIDDEN);
        assert_string_equal(reason, "it is for another audience");
        char *changed = memory_string(tokens[i]);
        changed[30] = changed[30] == 'A' ? 'B' : 'A';
        assert_int_equal(token_verify(verifier, span_of_text(changed), 1300819379, &identity, &reason), ERR_CRYPTO);
        memory_free(changed);
    }
    token_verifier_destroy(&verifier);
}

static void unsigned_token_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"none", "None", "NONE", "nOnE", ""};
    struct token_verifier *verifier = verifier_of(jwks_file);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char header[64];
        struct text token = {""};
        snprintf(header, sizeof header, "{\"alg\":\"%s\"}", names[i]);
        append_base64url(&token, header, strlen(header));
        strcat(token.bytes, ".");
        append_base64url(&token, PAYLOAD, strlen(PAYLOAD));
        assert_result(verifier, token.bytes, ERR_MALFORMED);
        strcat(token.bytes, ".");
        assert_result(verifier, token.bytes, ERR_MALFORMED);
        strcat(token.bytes, "AAAA");
        assert_result(verifier, token.bytes, ERR_MALFORMED);
    }
    token_verifier_destroy(&verifier);
}

/* The classic: the public key, which everybody has, as the secret of a keyed hash. */
static void keyed_hash_with_the_public_key_as_its_secret_is_refused(void **state)
{
    (void)state;
    struct token_verifier *verifier = verifier_of(pem_file);
    char pem[4096];
    FILE *in = fopen(pem_file, "r");
    size_t length = fread(pem, 1, sizeof pem, in);
    fclose(in);
    struct text token = {""};
    uint8_t hash[SHA256_SIZE];
    append_base64url(&token, "{\"alg\":\"HS256\"}", 15);
    strcat(token.bytes, ".");
    append_base64url(&token, PAYLOAD, strlen(PAYLOAD));
    struct span covered = span_of_text(token.bytes);
    crypto_hmac_sha256((struct span){pem, length}, &covered, 1, hash);
    strcat(token.bytes, ".");
    append_base64url(&token, hash, sizeof hash);
    assert_result(verifier, token.bytes, ERR_MALFORMED);
    token_verifier_destroy(&verifier);
}

static void algorithm_has_to_fit_the_key(void **state)
{
    (void)state;
    struct token_verifier *verifier = verifier_of(jwks_file);
    struct text token;
    sign_as(P256_ONE, "ES256", "{\"alg\":\"ES384\",\"kid\":\"p256\"}", PAYLOAD, &token);
    assert_result(verifier, token.bytes, ERR_CRYPTO);
    sign_as(P256_ONE, "ES256", "{\"alg\":\"RS256\",\"kid\":\"p256\"}", PAYLOAD, &token);
    assert_result(verifier, token.bytes, ERR_CRYPTO);
    sign_as(RSA_ONE, "PS256", "{\"alg\":\"RS256\",\"kid\":\"rsa\"}", PAYLOAD, &token);
    assert_result(verifier, token.bytes, ERR_CRYPTO);
    token_verifier_destroy(&verifier);

    json_t *bound = jwk_of(RSA_ONE, NULL);
    json_object_set_new(bound, "alg", json_string("PS256"));
    write_jwks(other_file, json_pack("[o]", bound));
    verifier = verifier_of(other_file);
    sign(RSA_ONE, "PS256", PAYLOAD, &token);
    assert_result(verifier, token.bytes, 0);
    sign(RSA_ONE, "RS256", PAYLOAD, &token);
    assert_result(verifier, token.bytes, ERR_CRYPTO);
    token_verifier_destroy(&verifier);
}

static void key_id_chooses_the_key_and_vouches_for_nothing(void **state)
{
    (void)state;
    struct token_verifier *verifier = verifier_of(jwks_file);
    struct text token;
    sign_as(P256_ONE, "ES256", "{\"alg\":\"ES256\",\"kid\":\"p256\"}", PAYLOAD, &token);
    assert_result(verifier, token.bytes, 0);
    static const char *const headers[] = {
        "{\"alg\":\"ES256\",\"kid\":\"rsa\"}",
        "{\"alg\":\"ES256\",\"kid\":\"../../etc/passwd\"}",
        "{\"alg\":\"ES256\",\"kid\":\"' OR 1=1 --\"}",
        "{\"alg\":\"ES256\",\"kid\":\"P256\"}",
    };
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        sign_as(P256_ONE, "ES256", headers[i], PAYLOAD, &token);
        assert_result(verifier, token.bytes, ERR_CRYPTO);
    }
    /* Another key under the name of one of ours. */
    sign_as(P256_TWO, "ES256", "{\"alg\":\"ES256\",\"kid\":\"p256\"}", PAYLOAD, &token);
    assert_result(verifier, token.bytes, ERR_CRYPTO);
    sign_as(P256_ONE, "ES256", "{\"alg\":\"ES256\",\"kid\":7}", PAYLOAD, &token);
    assert_result(verifier, token.bytes, ERR_MALFORMED);
    sign_as(P256_ONE, "ES256", "{\"alg\":\"ES256\",\"kid\":\"p256\\u0000\"}", PAYLOAD, &token);
    assert_result(verifier, token.bytes, ERR_MALFORMED);
    token_verifier_destroy(&verifier);
}

static void keys_that_a_token_brings_along_are_not_looked_at(void **state)
{
    (void)state;
    struct token_verifier *verifier = verifier_of(jwks_file);
    struct text token;
    json_t *header =
        json_pack("{s:s, s:s, s:o}", "alg", "ES256", "jku", "https://evil.example/jwks", "jwk", jwk_of(P256_TWO, NULL));
    char *text = json_dumps(header, 0);
    sign_as(P256_TWO, "ES256", text, PAYLOAD, &token);
    assert_result(verifier, token.bytes, ERR_CRYPTO);
    free(text);
    json_decref(header);
    token_verifier_destroy(&verifier);
}

static void extension_that_would_change_the_meaning_is_refused(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{\"alg\":\"ES256\",\"crit\":[\"exp\"],\"exp\":1}",
        "{\"alg\":\"ES256\",\"crit\":[]}",
        "{\"alg\":\"ES256\",\"b64\":false,\"crit\":[\"b64\"]}",
        "{\"alg\":\"ES256\",\"b64\":false}",
    };
    struct token_verifier *verifier = verifier_of(jwks_file);
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        struct text token;
        sign_as(P256_ONE, "ES256", headers[i], PAYLOAD, &token);
        assert_result(verifier, token.bytes, ERR_MALFORMED);
    }
    token_verifier_destroy(&verifier);
}

static void claim_that_is_there_twice_is_refused(void **state)
{
    (void)state;
    struct token_verifier *verifier = verifier_of(jwks_file);
    struct text token;
    sign(P256_ONE, "ES256",
         "{\"iss\":\"" ISSUER "\",\"aud\":\"postern\",\"exp\":1700000300,\"sub\":\"alice\",\"sub\":\"bob\","
         "\"impu\":\"sip:alice@example.org\"}",
         &token);
    assert_result(verifier, token.bytes, ERR_MALFORMED);
    sign_as(P256_ONE, "ES256", "{\"alg\":\"none\",\"alg\":\"ES256\"}", PAYLOAD, &token);
    assert_result(verifier, token.bytes, ERR_MALFORMED);
    token_verifier_destroy(&verifier);
}

/* Each row replaces the middle of a good token. */
static void claims_have_to_be_right(void **state)
{
    (void)state;
    static const struct {
        const char *claims;
        int result;
    } rows[] = {
        {"\"iss\":\"" ISSUER "\",\"aud\":\"postern\",\"exp\":1700000001", 0},
        {"\"iss\":\"" ISSUER "\",\"aud\":[\"other\",\"postern\"],\"exp\":1700000001.5", 0},
        {"\"iss\":\"" ISSUER "\",\"aud\":\"postern\",\"exp\":1700000000", ERR_EXPIRED},
        {"\"iss\":\"" ISSUER "\",\"aud\":\"postern\",\"exp\":0", ERR_EXPIRED},
        {"\"iss\":\"" ISSUER "\",\"aud\":\"postern\"", ERR_FORBIDDEN},
        {"\"iss\":\"" ISSUER "\",\"aud\":\"postern\",\"exp\":\"1700000300\"", ERR_FORBIDDEN},
        {"\"iss\":\"" ISSUER "\",\"aud\":\"postern\",\"exp\":-1", ERR_FORBIDDEN},
        {"\"iss\":\"" ISSUER "\",\"aud\":\"postern\",\"exp\":1e300", ERR_FORBIDDEN},
        {"\"iss\":\"" ISSUER "\",\"aud\":\"postern\",\"exp\":1700000300,\"nbf\":1700000060", 0},
        {"\"iss\":\"" ISSUER "\",\"aud\":\"postern\",\"exp\":1700000300,\"nbf\":1700000061", ERR_EXPIRED},
        {"\"iss\":\"" ISSUER "\",\"aud\":\"postern\",\"exp\":1700000300,\"iat\":1700000061", ERR_EXPIRED},
        {"\"iss\":\"" ISSUER "\",\"aud\":\"postern\",\"exp\":1700000300,\"iat\":\"x\"", ERR_FORBIDDEN},
        {"\"iss\":\"" ISSUER "/\",\"aud\":\"postern\",\"exp\":1700000300", ERR_FORBIDDEN},
        {"\"iss\":[\"" ISSUER "\"],\"aud\":\"postern\",\"exp\":1700000300", ERR_FORBIDDEN},
        {"\"aud\":\"postern\",\"exp\":1700000300", ERR_FORBIDDEN},
        {"\"iss\":\"" ISSUER "\",\"aud\":\"Postern\",\"exp\":1700000300", ERR_FORBIDDEN},
        {"\"iss\":\"" ISSUER "\",\"aud\":[[\"postern\"]],\"exp\":1700000300", ERR_FORBIDDEN},
        {"\"iss\":\"" ISSUER "\",\"aud\":[],\"exp\":1700000300", ERR_FORBIDDEN},
        {"\"iss\":\"" ISSUER "\",\"exp\":1700000300", ERR_FORBIDDEN},
    };
    struct token_verifier *verifier = verifier_of(jwks_file);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char payload[1000];
        struct text token;
        snprintf(payload, sizeof payload, "{%s,\"sub\":\"alice\",\"impu\":\"sip:alice@example.org\"}", rows[i].claims);
        sign(P256_ONE, "ES256", payload, &token);
        assert_result(verifier, token.bytes, rows[i].result);
    }
    token_verifier_destroy(&verifier);
}

static void identities_that_could_break_out_of_a_header_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *identities;
        int result;
    } rows[] = {
        {"\"sub\":\"alice@example.org\",\"impu\":[\"sip:alice@example.org\",\"tel:+4930123456\"]", 0},
        {"\"sub\":\"alice\",\"impu\":\"SIPS:alice@[2001:db8::1]:5061\"", 0},
        {"\"sub\":\"a\\\"b\",\"impu\":\"sip:a@example.org\"", ERR_FORBIDDEN},
        {"\"sub\":\"a\\r\\nVia: x\",\"impu\":\"sip:a@example.org\"", ERR_FORBIDDEN},
        {"\"sub\":\"a b\",\"impu\":\"sip:a@example.org\"", ERR_FORBIDDEN},
        {"\"sub\":\"a\\\\\",\"impu\":\"sip:a@example.org\"", ERR_FORBIDDEN},
        {"\"sub\":\"\xc3\xa4\",\"impu\":\"sip:a@example.org\"", ERR_FORBIDDEN},
        {"\"sub\":\"\",\"impu\":\"sip:a@example.org\"", ERR_FORBIDDEN},
        {"\"sub\":7,\"impu\":\"sip:a@example.org\"", ERR_FORBIDDEN},
        {"\"impu\":\"sip:a@example.org\"", ERR_FORBIDDEN},
        {"\"sub\":\"a@example.org\"", 0},
        {"\"sub\":\"a\"", ERR_FORBIDDEN},
        {"\"sub\":\"a|b@example.org\"", ERR_FORBIDDEN},
        {"\"sub\":\"a@example.org\",\"impu\":null", ERR_FORBIDDEN},
        {"\"sub\":\"a\",\"impu\":[]", ERR_FORBIDDEN},
        {"\"sub\":\"a\",\"impu\":[\"sip:a@example.org\",7]", ERR_FORBIDDEN},
        {"\"sub\":\"a\",\"impu\":\"a@example.org\"", ERR_FORBIDDEN},
        {"\"sub\":\"a\",\"impu\":\"http://example.org\"", ERR_FORBIDDEN},
        {"\"sub\":\"a\",\"impu\":\"sip:a@example.org>;x=<sip:b@example.org\"", ERR_FORBIDDEN},
        {"\"sub\":\"a\",\"impu\":\"sip:a@example.org\\r\\n\"", ERR_FORBIDDEN},
        {"\"sub\":\"a\",\"impu\":\"sip:a@example.org;lr\"", ERR_FORBIDDEN},
        {"\"sub\":\"a\",\"impu\":\"sip:a@example.org?Route=x\"", ERR_FORBIDDEN},
        {"\"sub\":\"a\",\"impu\":\"sip:a@example.org,sip:b@example.org\"", ERR_FORBIDDEN},
        {"\"sub\":\"a\",\"impu\":[\"sip:1@x\",\"sip:2@x\",\"sip:3@x\",\"sip:4@x\",\"sip:5@x\",\"sip:6@x\",\"sip:7@x\","
         "\"sip:8@x\",\"sip:9@x\"]",
         ERR_FORBIDDEN},
    };
    struct token_verifier *verifier = verifier_of(jwks_file);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char payload[1000];
        struct text token;
        snprintf(payload, sizeof payload, "{\"iss\":\"" ISSUER "\",\"aud\":\"postern\",\"exp\":1700000300,%s}",
                 rows[i].identities);
        sign(P256_ONE, "ES256", payload, &token);
        assert_result(verifier, token.bytes, rows[i].result);
    }
    token_verifier_destroy(&verifier);
}

static void token_that_is_too_long_or_nested_is_refused(void **state)
{
    (void)state;
    struct token_verifier *verifier = verifier_of(jwks_file);
    struct text token;
    char *payload = memory_zeroed(1, 9000);
    snprintf(payload, 9000, "{\"pad\":\"%08000d\"}", 0);
    sign(P256_ONE, "ES256", payload, &token);
    assert_true(strlen(token.bytes) > TOKEN_MAX);
    assert_result(verifier, token.bytes, ERR_MALFORMED);
    /* Signed, so that the parser of the claims does see it. */
    memset(payload, '[', 5000);
    payload[5000] = '\0';
    sign(P256_ONE, "ES256", payload, &token);
    assert_result(verifier, token.bytes, ERR_MALFORMED);
    memset(payload, 'a', 3000);
    payload[3000] = '\0';
    sign_as(P256_ONE, "ES256", payload, PAYLOAD, &token);
    assert_result(verifier, token.bytes, ERR_MALFORMED);
    memory_free(payload);
    token_verifier_destroy(&verifier);
}

static void token_with_any_character_changed_is_refused(void **state)
{
    (void)state;
    struct token_verifier *verifier = verifier_of(jwks_file);
    struct text token, changed;
    sign(P256_ONE, "ES256", PAYLOAD, &token);
    for (size_t i = 0; i < strlen(token.bytes); i++) {
        static const char others[] = "A.= \n";
        for (size_t c = 0; c < sizeof others; c++) {
            struct token_identity identity;
            const char *reason;
            if (token.bytes[i] == others[c])
                continue;
            changed = token;
            changed.bytes[i] = others[c];
            struct span span = {changed.bytes, strlen(token.bytes)};
            assert_int_not_equal(token_verify(verifier, span, NOW, &identity, &reason), 0);
        }
    }
    strcat(token.bytes, "=");
    assert_result(verifier, token.bytes, ERR_MALFORMED);
    token_verifier_destroy(&verifier);
}

static void keys_change_over_by_a_second_file(void **state)
{
    (void)state;
    const char *const files[] = {jwks_file, pem_file};
    struct token_verifier *verifier;
    struct token_error error;
    assert_int_equal(create(files, 2, &verifier, &error), 0);
    struct text token;
    static const enum key_name names[] = {P256_ONE, P256_TWO};
    for (size_t i = 0; i < 2; i++) {
        sign(names[i], "ES256", PAYLOAD, &token);
        assert_result(verifier, token.bytes, 0);
    }
    /* PEM has no key ids: such a key is tried for an id that no other has. */
    sign_as(P256_TWO, "ES256", "{\"alg\":\"ES256\",\"kid\":\"new\"}", PAYLOAD, &token);
    assert_result(verifier, token.bytes, 0);
    sign(RSA_TWO, "RS256", PAYLOAD, &token);
    assert_result(verifier, token.bytes, 0);
    token_verifier_destroy(&verifier);
    verifier = verifier_of(pem_file);
    sign(P256_ONE, "ES256", PAYLOAD, &token);
    assert_result(verifier, token.bytes, ERR_CRYPTO);
    token_verifier_destroy(&verifier);
}

static void certificates_sign(X509 *certificate, EVP_PKEY *key, FILE *out)
{
    X509_set_pubkey(certificate, key);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 60);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    PEM_write_X509(out, certificate);
}

static void certificate_of_the_authority_signs_no_tokens(void **state)
{
    (void)state;
    FILE *out = fopen(certificate_file, "w");
    X509 *certificate = X509_new();
    certificates_sign(certificate, keys[P256_ONE], out);
    certificates_sign(certificate, keys[P256_TWO], out);
    X509_free(certificate);
    fclose(out);
    struct token_verifier *verifier = verifier_of(certificate_file);
    struct text token;
    sign(P256_ONE, "ES256", PAYLOAD, &token);
    assert_result(verifier, token.bytes, 0);
    sign(P256_TWO, "ES256", PAYLOAD, &token);
    assert_result(verifier, token.bytes, ERR_CRYPTO);
    token_verifier_destroy(&verifier);
}

static void assert_unusable(const char *content, const char *cause)
{
    write_file(other_file, content);
    const char *file = other_file;
    struct token_verifier *verifier = NULL;
    struct token_error error = {""};
    assert_int_equal(create(&file, 1, &verifier, &error), ERR_MALFORMED);
    assert_null(verifier);
    assert_non_null(strstr(error.text, other_file));
    if (!strstr(error.text, cause))
        print_message("%s\n", error.text);
    assert_non_null(strstr(error.text, cause));
}

static void key_file_that_will_not_do_is_named(void **state)
{
    (void)state;
    assert_unusable("", "no public key or certificate in PEM, and no JWKS");
    assert_unusable("{\"keys\":[", "no public key or certificate in PEM, and no JWKS");
    assert_unusable("{\"keys\":[]}", "no RSA or EC key");
    assert_unusable("{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", "no RSA or EC key");
    assert_unusable("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", "no RSA or EC key");
    /* A point that is on no curve. */
    assert_unusable(
        "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"AAAARu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a00\"}]}",
        "no RSA or EC key");
    json_t *encryption = jwk_of(RSA_ONE, NULL);
    json_object_set_new(encryption, "use", json_string("enc"));
    char *text = json_dumps(encryption, 0);
    assert_unusable(text, "no RSA or EC key");
    free(text);
    json_decref(encryption);

    FILE *out = fopen(other_file, "w");
    PEM_write_PrivateKey(out, keys[P256_ONE], NULL, NULL, 0, NULL, NULL);
    fclose(out);
    const char *file = other_file;
    struct token_verifier *verifier = NULL;
    struct token_error error;
    assert_int_equal(create(&file, 1, &verifier, &error), ERR_MALFORMED);
    assert_non_null(strstr(error.text, "holds a private key"));
    file = "/nonexistent/jwks.json";
    assert_int_equal(create(&file, 1, &verifier, &error), ERR_MALFORMED);
    assert_non_null(strstr(error.text, "No such file"));
}

static void too_many_keys_to_try_are_refused(void **state)
{
    (void)state;
    json_t *list = json_array();
    for (int i = 0; i < 9; i++)
        json_array_append_new(list, jwk_of(P256_ONE, "same"));
    write_jwks(other_file, list);
    struct token_verifier *verifier = verifier_of(other_file);
    struct text token;
    sign(P256_ONE, "ES256", PAYLOAD, &token);
    assert_result(verifier, token.bytes, ERR_CRYPTO);
    token_verifier_destroy(&verifier);
}

static void token_is_found_in_both_forms_of_the_header(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int result;
        const char *token;
    } rows[] = {
        {"Bearer abc.def.ghi", 0, "abc.def.ghi"},
        {"bearer  abc.def.ghi ", 0, "abc.def.ghi"},
        {"Bearer access_token=\"abc.def.ghi\"", 0, "abc.def.ghi"},
        {"Bearer Access_Token = \"abc\"", 0, "abc"},
        {"Digest username=\"x\"", ERR_NOT_FOUND, NULL},
        {"Bearerabc", ERR_NOT_FOUND, NULL},
        {"", ERR_MALFORMED, NULL},
        {"Bearer", ERR_MALFORMED, NULL},
        {"Bearer ", ERR_MALFORMED, NULL},
        {"Bearer a b", ERR_MALFORMED, NULL},
        {"Bearer access_token=abc", ERR_MALFORMED, NULL},
        {"Bearer access_token=\"", ERR_MALFORMED, NULL},
        {"Bearer access_token=\"\"", ERR_MALFORMED, NULL},
        {"Bearer access_token=\"a\"b\"", ERR_MALFORMED, NULL},
        {"Bearer access_token \"abc\"", ERR_MALFORMED, NULL},
        {"Bearer a,b", ERR_MALFORMED, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct span token;
        assert_int_equal(token_of_authorization(span_of_text(rows[i].value), &token), rows[i].result);
        if (rows[i].token)
            assert_true(span_equal(token, span_of_text(rows[i].token)));
    }
}

static void want_of_memory_is_told(void **state)
{
    (void)state;
    const char *const files[] = {jwks_file, pem_file};
    for (unsigned long n = 1; n <= 8; n++) {
        struct token_verifier *verifier = NULL;
        struct token_error error = {""};
        memory_fail_at(n);
        assert_int_equal(create(files, 2, &verifier, &error), ERR_MEMORY);
        memory_fail_at(0);
        assert_null(verifier);
        assert_non_null(strstr(error.text, "out of memory"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_algorithm_of_the_three_families_is_verified),
        cmocka_unit_test(examples_of_rfc_7515_have_good_signatures),
        cmocka_unit_test(unsigned_token_is_refused),
        cmocka_unit_test(keyed_hash_with_the_public_key_as_its_secret_is_refused),
        cmocka_unit_test(algorithm_has_to_fit_the_key),
        cmocka_unit_test(key_id_chooses_the_key_and_vouches_for_nothing),
        cmocka_unit_test(keys_that_a_token_brings_along_are_not_looked_at),
        cmocka_unit_test(extension_that_would_change_the_meaning_is_refused),
        cmocka_unit_test(claim_that_is_there_twice_is_refused),
        cmocka_unit_test(claims_have_to_be_right),
        cmocka_unit_test(identities_that_could_break_out_of_a_header_are_refused),
        cmocka_unit_test(token_that_is_too_long_or_nested_is_refused),
        cmocka_unit_test(token_with_any_character_changed_is_refused),
        cmocka_unit_test(keys_change_over_by_a_second_file),
        cmocka_unit_test(certificate_of_the_authority_signs_no_tokens),
        cmocka_unit_test(key_file_that_will_not_do_is_named),
        cmocka_unit_test(too_many_keys_to_try_are_refused),
        cmocka_unit_test(token_is_found_in_both_forms_of_the_header),
        cmocka_unit_test(want_of_memory_is_told),
    };
    return cmocka_run_group_tests_name("token", tests, set_up, tear_down);
}
