/* SPDX-License-Identifier: BSD-3-Clause */
#include "auth/token.h"

#include <jansson.h>
#include <stdio.h>
#include <strings.h>

#include "auth/token_keys.h"
#include "base/auth_params.h"
#include "base/error.h"
#include "base/memory.h"
#include "crypto/digest.h"

#define HEADER_MAX    2048 /* bytes, decoded */
#define SIGNATURE_MAX PUBLIC_KEY_MODULUS_MAX
#define SKEW_S        60 /* the clocks of issuer and server may differ by this much */
#define TIME_MAX_S    (UINT64_C(1) << 40)
/* A token without a key id has so many keys tried; each costs a verification. */
#define TRIES_MAX 8

struct token_verifier {
    struct token_keys keys;
    char *issuer, *audience, *impi_claim, *impu_claim;
};

/* RFC 7518 §3.1, and nothing else of it: neither `none` nor a keyed hash, whose key would be a public one. */
static const struct algorithm {
    const char *name;
    enum public_key_kind kind;
} algorithms[] = {
    {"RS256", PUBLIC_KEY_RSA},  {"RS384", PUBLIC_KEY_RSA},  {"RS512", PUBLIC_KEY_RSA},
    {"PS256", PUBLIC_KEY_RSA},  {"PS384", PUBLIC_KEY_RSA},  {"PS512", PUBLIC_KEY_RSA},
    {"ES256", PUBLIC_KEY_P256}, {"ES384", PUBLIC_KEY_P384}, {"ES512", PUBLIC_KEY_P521},
};

int token_verifier_create(const struct token_settings *settings, struct token_verifier **out, struct token_error *error)
{
    json_object_seed(0); /* before threads could want to do it at once */
    struct token_verifier *verifier = memory_zeroed(1, sizeof *verifier);
    if (!verifier)
        goto no_memory;
    verifier->issuer = memory_string(settings->issuer);
    verifier->audience = memory_string(settings->audience);
    verifier->impi_claim = memory_string(settings->impi_claim);
    verifier->impu_claim = memory_string(settings->impu_claim);
    if (!verifier->issuer || !verifier->audience || !verifier->impi_claim || !verifier->impu_claim)
        goto no_memory;
    for (size_t i = 0; i < settings->key_file_count; i++) {
        int result = token_keys_read(&verifier->keys, settings->key_files[i], error);
        if (result != 0) {
            token_verifier_destroy(&verifier);
            return result;
        }
    }
    *out = verifier;
    return 0;
no_memory:
    token_verifier_destroy(&verifier);
    snprintf(error->text, sizeof error->text, "out of memory");
    return ERR_MEMORY;
}

void token_verifier_destroy(struct token_verifier **verifier)
{
    struct token_verifier *gone = *verifier;
    if (!gone)
        return;
    token_keys_fini(&gone->keys);
    memory_free(gone->issuer);
    memory_free(gone->audience);
    memory_free(gone->impi_claim);
    memory_free(gone->impu_claim);
    memory_free(gone);
    *verifier = NULL;
}

/* The parts of the compact serialization (RFC 7515 §7.1), still encoded. Returns false where there are not three. */
static bool split(struct span token, struct span parts[3])
{
    const char *at = token.bytes, *end = at + token.length;
    for (int i = 0; i < 3; i++) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        if (!dot == (i < 2))
            return false;
        parts[i] = (struct span){at, (size_t)((dot ? dot : end) - at)};
        if (parts[i].length == 0)
            return false;
        at = dot ? dot + 1 : end;
    }
    return true;
}

/* NULL where it is none, or names something twice. */
static json_t *object_read(const uint8_t *json, int length)
{
    json_t *object = length > 0 ? json_loadb((const char *)json, (size_t)length, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (json_is_object(object))
        return object;
    json_decref(object);
    return NULL;
}

/* What of the header (RFC 7515 §4.1) decides how the signature is verified. */
struct token_header {
    const struct algorithm *algorithm;
    char kid[TOKEN_KID_MAX + 1]; /* "": none */
};

static int header_judge(const json_t *header, struct token_header *out, const char **reason_out)
{
    const char *name = json_string_value(json_object_get(header, "alg"));
    *out = (struct token_header){0};
    for (size_t i = 0; name && i < sizeof algorithms / sizeof algorithms[0]; i++)
        if (strcmp(name, algorithms[i].name) == 0)
            out->algorithm = &algorithms[i];
    *reason_out = "the algorithm is none of RS, PS and ES";
    if (!out->algorithm)
        return ERR_MALFORMED;
    /* No extension is understood, so none may be critical; b64 (RFC 7797) would change what is signed. */
    *reason_out = "the header wants an extension";
    if (json_object_get(header, "crit") || json_object_get(header, "b64"))
        return ERR_MALFORMED;
    const json_t *kid = json_object_get(header, "kid");
    *reason_out = "the key id is no text, or too long";
    if (kid && (!json_is_string(kid) || json_string_length(kid) > TOKEN_KID_MAX))
        return ERR_MALFORMED;
    if (kid)
        memcpy(out->kid, json_string_value(kid), json_string_length(kid));
    return 0;
}

static int header_read(struct span part, struct token_header *out, const char **reason_out)
{
    uint8_t memory[HEADER_MAX];
    json_t *header = object_read(memory, crypto_base64url_decode(part.bytes, part.length, memory, sizeof memory));
    *reason_out = "the header is no JSON object in base64url";
    int result = header ? header_judge(header, out, reason_out) : ERR_MALFORMED;
    json_decref(header);
    return result;
}

static bool fits(const struct token_key *key, const struct token_header *header, size_t signature_length)
{
    return key->kind == header->algorithm->kind && key->signature_size == signature_length &&
           (key->algorithm[0] == '\0' || strcmp(key->algorithm, header->algorithm->name) == 0);
}

/* The keys to try: those of the token's key id; where there are none, and for a key id that no key has, those without
 * one of their own (PEM has none); for a token without one all that fit. Returns their number, or ERR_FULL. */
static int candidates(const struct token_verifier *verifier, const struct token_header *header, size_t signature_length,
                      const struct token_key *out[TRIES_MAX])
{
    int count = 0;
    bool named = false;
    for (size_t i = 0; i < verifier->keys.count && header->kid[0]; i++)
        named |= strcmp(verifier->keys.items[i].kid, header->kid) == 0;
    for (size_t i = 0; i < verifier->keys.count; i++) {
        const struct token_key *key = &verifier->keys.items[i];
        bool chosen = named ? strcmp(key->kid, header->kid) == 0 : !header->kid[0] || !key->kid[0];
        if (!chosen || !fits(key, header, signature_length))
            continue;
        if (count == TRIES_MAX)
            return ERR_FULL;
        out[count++] = key;
    }
    return count;
}

/* Returns 0, ERR_CRYPTO or ERR_MEMORY. */
static int signature_verify(struct span token, const struct token_key *const *keys, int count)
{
    int result = ERR_CRYPTO;
    cjose_jws_t *jws = cjose_jws_import(token.bytes, token.length, NULL);
    for (int i = 0; jws && i < count && result != 0; i++)
        if (cjose_jws_verify(jws, keys[i]->jwk, NULL))
            result = 0;
    cjose_jws_release(jws);
    crypto_forget_failures();
    return result;
}

/* NumericDate (RFC 7519 §2), which may have a fraction. Returns false where there is no such time. */
static bool time_read(const json_t *claims, const char *name, uint64_t *out)
{
    const json_t *claim = json_object_get(claims, name);
    double seconds = json_number_value(claim);
    if (!json_is_number(claim) || !(seconds >= 0 && seconds < (double)TIME_MAX_S))
        return false;
    *out = (uint64_t)seconds;
    return true;
}

static int times_judge(const json_t *claims, uint64_t wall_s, struct token_identity *out, const char **reason_out)
{
    static const char *const beginnings[] = {"nbf", "iat"};
    *reason_out = "it has no expiry";
    if (!time_read(claims, "exp", &out->expires_s))
        return ERR_FORBIDDEN;
    *reason_out = "it has expired";
    if (out->expires_s <= wall_s)
        return ERR_EXPIRED;
    for (size_t i = 0; i < 2; i++) {
        uint64_t begins_s = 0;
        *reason_out = "a time in it is none";
        if (json_object_get(claims, beginnings[i]) && !time_read(claims, beginnings[i], &begins_s))
            return ERR_FORBIDDEN;
        *reason_out = "it is not valid yet";
        if (begins_s > wall_s + SKEW_S)
            return ERR_EXPIRED;
    }
    return 0;
}

static bool text_is(const json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

/* RFC 7519 §4.1.3: one text or a list of them. */
static bool lists(const json_t *value, const char *text)
{
    const json_t *item;
    size_t i;
    json_array_foreach(value, i, item) if (text_is(item, text)) return true;
    return text_is(value, text);
}

/* Both kinds of identity go into header fields of SIP: a private one in quotes, a public one in angle brackets. Nothing
 * that could end those, or begin a parameter of the URI, is let through. */
static bool identity_copy(const json_t *value, const char *allowed_marks, char out[TOKEN_IDENTITY_MAX + 1])
{
    size_t length = json_string_length(value);
    const char *text = json_string_value(value);
    if (!text || length == 0 || length > TOKEN_IDENTITY_MAX)
        return false;
    for (size_t i = 0; i < length; i++)
        if (!(text[i] >= 'a' && text[i] <= 'z') && !(text[i] >= 'A' && text[i] <= 'Z') &&
            !(text[i] >= '0' && text[i] <= '9') && !strchr(allowed_marks, text[i]))
            return false;
    memcpy(out, text, length + 1);
    return true;
}

static bool impu_add(const json_t *value, struct token_identity *out)
{
    if (out->impu_count == TOKEN_IMPUS_MAX)
        return false;
    char *impu = out->impus[out->impu_count];
    bool telephone = json_is_string(value) && strncasecmp(json_string_value(value), "tel:", 4) == 0;
    if (!identity_copy(value, telephone ? "-_.!~*'()+=:;" : "-_.!~*'()%&=+$/:@[]", impu))
        return false;
    if (!telephone && strncasecmp(impu, "sip:", 4) != 0 && strncasecmp(impu, "sips:", 5) != 0)
        return false;
    out->impu_count++;
    return true;
}

/* Without the claim the private identity, which usually looks like one, is the public one, too. */
static bool impu_of_impi(struct token_identity *out)
{
    char text[TOKEN_IDENTITY_MAX + 8];
    snprintf(text, sizeof text, "sip:%s", out->impi);
    json_t *value = strchr(out->impi, '@') ? json_string(text) : NULL;
    bool added = impu_add(value, out);
    json_decref(value);
    return added;
}

static int identity_read(const struct token_verifier *verifier, const json_t *claims, struct token_identity *out,
                         const char **reason_out)
{
    *reason_out = "the claim of the private identity is missing, or no identity";
    if (!identity_copy(json_object_get(claims, verifier->impi_claim), "-_.!~*'()%&=+$/:@|", out->impi))
        return ERR_FORBIDDEN;
    const json_t *impus = json_object_get(claims, verifier->impu_claim), *item;
    *reason_out = "the claim of the public identities has one that is no SIP or tel URI, or too many";
    if (!impus)
        return impu_of_impi(out) ? 0 : ERR_FORBIDDEN;
    if (!json_is_array(impus))
        return impu_add(impus, out) ? 0 : ERR_FORBIDDEN;
    size_t i;
    json_array_foreach(impus, i, item) if (!impu_add(item, out)) return ERR_FORBIDDEN;
    return out->impu_count > 0 ? 0 : ERR_FORBIDDEN;
}

static int claims_judge(const struct token_verifier *verifier, const json_t *claims, uint64_t wall_s,
                        struct token_identity *out, const char **reason_out)
{
    *reason_out = "another issuer";
    if (!text_is(json_object_get(claims, "iss"), verifier->issuer))
        return ERR_FORBIDDEN;
    *reason_out = "it is for another audience";
    if (!lists(json_object_get(claims, "aud"), verifier->audience))
        return ERR_FORBIDDEN;
    int result = times_judge(claims, wall_s, out, reason_out);
    return result == 0 ? identity_read(verifier, claims, out, reason_out) : result;
}

static int signature_judge(const struct token_verifier *verifier, struct span token, const struct token_header *header,
                           struct span part, const char **reason_out)
{
    uint8_t signature[SIGNATURE_MAX];
    int length = crypto_base64url_decode(part.bytes, part.length, signature, sizeof signature);
    *reason_out = "the signature is no base64url, or too long";
    if (length < 0)
        return ERR_MALFORMED;
    const struct token_key *keys[TRIES_MAX];
    int count = candidates(verifier, header, (size_t)length, keys);
    *reason_out = "it names no key, and too many would fit";
    if (count == ERR_FULL)
        return ERR_CRYPTO;
    *reason_out = count > 0 ? "no key of ours made that signature" : "no key of ours fits";
    return signature_verify(token, keys, count);
}

/* All three parts are decoded here, and strictly, before cjose sees any: a token has one spelling then, and cjose
 * asserts that base64 has a length that it can have. */
int token_verify(const struct token_verifier *verifier, struct span token, uint64_t wall_s, struct token_identity *out,
                 const char **reason_out)
{
    struct span parts[3];
    struct token_header header;
    uint8_t payload[TOKEN_MAX / 4 * 3];
    memset(out, 0, sizeof *out);
    *reason_out = "longer than a token may be";
    if (token.length > TOKEN_MAX)
        return ERR_MALFORMED;
    *reason_out = "not three parts with dots in between";
    if (!split(token, parts))
        return ERR_MALFORMED;
    int length = crypto_base64url_decode(parts[1].bytes, parts[1].length, payload, sizeof payload);
    *reason_out = "the claims are no base64url";
    if (length < 0)
        return ERR_MALFORMED;
    int result = header_read(parts[0], &header, reason_out);
    if (result == 0)
        result = signature_judge(verifier, token, &header, parts[2], reason_out);
    if (result != 0)
        return result;
    json_t *claims = object_read(payload, length);
    *reason_out = "the claims are no JSON object, or one is there twice";
    result = claims ? claims_judge(verifier, claims, wall_s, out, reason_out) : ERR_MALFORMED;
    json_decref(claims);
    return result;
}

int token_of_authorization(struct span value, struct span *out)
{
    struct auth_params params;
    int result = auth_params_read(value, &params);
    if (result != 0)
        return ERR_MALFORMED;
    if (!auth_params_is(&params, "Bearer"))
        return ERR_NOT_FOUND;
    const struct auth_param *form_of_3gpp = auth_params_find(&params, "access_token");
    *out = form_of_3gpp && form_of_3gpp->quoted ? form_of_3gpp->value : params.token;
    return out->length > 0 ? 0 : ERR_MALFORMED;
}
