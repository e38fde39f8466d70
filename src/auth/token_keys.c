/* SPDX-License-Identifier: BSD-3-Clause */
#include "auth/token_keys.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "base/error.h"
#include "base/memory.h"
#include "crypto/digest.h"

#define KEY_FILE_MAX (256 * 1024)
#define EXPONENT_MAX 8 /* bytes; a longer one only makes verification slow */

static int fail(struct token_error *error, const char *file, const char *cause)
{
    snprintf(error->text, sizeof error->text, "%.120s: %s", file, cause);
    return ERR_MALFORMED;
}

void token_keys_fini(struct token_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        cjose_jwk_release(keys->items[i].jwk);
    keys->count = 0;
}

static cjose_jwk_t *jwk_create(const struct public_key *key)
{
    uint8_t *first = (uint8_t *)key->first, *second = (uint8_t *)key->second; /* copied, whatever cjose's types say */
    if (key->kind == PUBLIC_KEY_RSA) {
        const cjose_jwk_rsa_keyspec spec = {
            .n = first, .nlen = key->first_length, .e = second, .elen = key->second_length};
        return cjose_jwk_create_RSA_spec(&spec, NULL);
    }
    static const cjose_jwk_ec_curve curves[] = {
        [PUBLIC_KEY_P256] = CJOSE_JWK_EC_P_256,
        [PUBLIC_KEY_P384] = CJOSE_JWK_EC_P_384,
        [PUBLIC_KEY_P521] = CJOSE_JWK_EC_P_521,
    };
    const cjose_jwk_ec_keyspec spec = {
        .crv = curves[key->kind], .x = first, .xlen = key->first_length, .y = second, .ylen = key->second_length};
    return cjose_jwk_create_EC_spec(&spec, NULL);
}

/* Returns 0, ERR_FULL, or ERR_MALFORMED where the numbers are no key. */
static int add(struct token_keys *keys, const struct public_key *key, const char *kid, const char *algorithm)
{
    if (keys->count == TOKEN_KEYS_MAX)
        return ERR_FULL;
    struct token_key *added = &keys->items[keys->count];
    *added = (struct token_key){.jwk = jwk_create(key), .kind = key->kind};
    crypto_forget_failures();
    if (!added->jwk)
        return ERR_MALFORMED;
    added->signature_size = key->kind == PUBLIC_KEY_RSA ? key->first_length : 2 * public_key_coordinate_size(key->kind);
    snprintf(added->kid, sizeof added->kid, "%s", kid);
    snprintf(added->algorithm, sizeof added->algorithm, "%s", algorithm);
    keys->count++;
    return 0;
}

/* The text of member |name|, "" where there is none of that type. */
static const char *member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

/* Returns the number of bytes, 0 where the member is missing or no number (RFC 7518 §2, Base64urlUInt). */
static size_t number_read(const json_t *object, const char *name, uint8_t *out, size_t size)
{
    const char *text = member(object, name);
    int length = crypto_base64url_decode(text, strlen(text), out, size);
    return length > 0 ? (size_t)length : 0;
}

static bool numbers_read(const json_t *item, struct public_key *out)
{
    static const struct {
        const char *name;
        enum public_key_kind kind;
    } curves[] = {{"P-256", PUBLIC_KEY_P256}, {"P-384", PUBLIC_KEY_P384}, {"P-521", PUBLIC_KEY_P521}};
    memset(out, 0, sizeof *out);
    if (strcmp(member(item, "kty"), "RSA") == 0) {
        out->kind = PUBLIC_KEY_RSA;
        out->first_length = number_read(item, "n", out->first, sizeof out->first);
        out->second_length = number_read(item, "e", out->second, EXPONENT_MAX);
        return out->first_length >= PUBLIC_KEY_MODULUS_MIN && out->first[0] != 0 && out->second_length > 0;
    }
    if (strcmp(member(item, "kty"), "EC") != 0)
        return false;
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
        if (strcmp(member(item, "crv"), curves[i].name) != 0)
            continue;
        size_t size = public_key_coordinate_size(curves[i].kind);
        out->kind = curves[i].kind;
        out->first_length = number_read(item, "x", out->first, sizeof out->first);
        out->second_length = number_read(item, "y", out->second, sizeof out->second);
        return out->first_length == size && out->second_length == size;
    }
    return false;
}

/* RFC 7517 §4.2, §4.3: keys may say what they are not for. */
static bool is_for_signatures(const json_t *item)
{
    const json_t *use = json_object_get(item, "use"), *operations = json_object_get(item, "key_ops"), *operation;
    if (use && strcmp(member(item, "use"), "sig") != 0)
        return false;
    if (!operations)
        return true;
    size_t i;
    json_array_foreach(operations, i, operation) if (json_is_string(operation) &&
                                                     strcmp(json_string_value(operation), "verify") == 0) return true;
    return false;
}

/* RFC 7517 §5: keys of unknown type, and such as cannot be understood, are passed over. Returns 0 or ERR_FULL. */
static int item_read(struct token_keys *keys, const json_t *item)
{
    struct public_key key;
    const char *kid = member(item, "kid"), *algorithm = member(item, "alg");
    if (strlen(kid) > TOKEN_KID_MAX || strlen(algorithm) >= sizeof keys->items[0].algorithm ||
        !is_for_signatures(item) || !numbers_read(item, &key))
        return 0;
    int result = add(keys, &key, kid, algorithm);
    return result == ERR_FULL ? result : 0;
}

/* Returns the number of keys in |text|, ERR_NOT_FOUND where it is no JSON, or ERR_FULL. */
static int jwks_read(struct token_keys *keys, struct span text)
{
    json_t *page = json_loadb(text.bytes, text.length, JSON_REJECT_DUPLICATES, NULL), *item;
    if (!page)
        return ERR_NOT_FOUND;
    size_t before = keys->count, i;
    int result = 0;
    const json_t *list = json_object_get(page, "keys");
    if (!list)
        result = item_read(keys, page); /* a JWK alone */
    json_array_foreach(list, i, item) if (result == 0) result = item_read(keys, item);
    json_decref(page);
    return result == 0 ? (int)(keys->count - before) : result;
}

static int pem_read(struct token_keys *keys, struct span text, const char *file, struct token_error *error)
{
    const char *cause;
    struct public_key *found = memory_zeroed(TOKEN_KEYS_MAX, sizeof *found);
    if (!found) {
        fail(error, file, "out of memory");
        return ERR_MEMORY;
    }
    int count = public_keys_read(text, found, TOKEN_KEYS_MAX, &cause), result = 0;
    for (int i = 0; i < count && result == 0; i++)
        result = add(keys, &found[i], "", "");
    memory_free(found);
    if (count < 0)
        return fail(error, file, cause);
    if (result != 0)
        return fail(error, file, result == ERR_FULL ? "too many keys, with those of the files before it" : "bad key");
    return 0;
}

/* Returns 0 with |*out| the caller's, or ERR_MEMORY or ERR_MALFORMED. */
static int file_read(const char *file, char **out, size_t *length_out, struct token_error *error)
{
    FILE *stream = fopen(file, "re");
    if (!stream)
        return fail(error, file, strerror(errno));
    int result = 0;
    char *text = memory_zeroed(1, KEY_FILE_MAX + 1);
    if (text) {
        *length_out = fread(text, 1, KEY_FILE_MAX + 1, stream);
        if (ferror(stream))
            result = fail(error, file, "cannot be read");
        else if (*length_out > KEY_FILE_MAX)
            result = fail(error, file, "larger than 256 KiB");
    } else {
        fail(error, file, "out of memory");
        result = ERR_MEMORY;
    }
    fclose(stream);
    if (result == 0)
        *out = text;
    else
        memory_free(text);
    return result;
}

int token_keys_read(struct token_keys *keys, const char *file, struct token_error *error)
{
    char *text = NULL;
    size_t length;
    int result = file_read(file, &text, &length, error);
    if (result != 0)
        return result;
    struct span span = {text, length};
    int count = jwks_read(keys, span);
    if (count == ERR_NOT_FOUND)
        result = pem_read(keys, span, file, error);
    else if (count == ERR_FULL)
        result = fail(error, file, "too many keys, with those of the files before it");
    else if (count == 0)
        result = fail(error, file, "holds no RSA or EC key for signatures that will do");
    memory_free(text);
    return result;
}
