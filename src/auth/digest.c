/* SPDX-License-Identifier: BSD-3-Clause */
#include "auth/digest.h"

#include <string.h>

#include "base/error.h"

#define NC_LENGTH 8

static const struct {
    const char *name;
    size_t size;
} algorithms[] = {
    [DIGEST_MD5] = {"MD5", MD5_SIZE},
    [DIGEST_SHA256] = {"SHA-256", SHA256_SIZE},
};

const char *digest_algorithm_name(enum digest_algorithm algorithm)
{
    return algorithms[algorithm].name;
}

int digest_algorithm_of(const struct auth_params *params, enum digest_algorithm *out)
{
    *out = DIGEST_MD5;
    if (!auth_params_find(params, "algorithm") || auth_params_equal(params, "algorithm", "MD5", true))
        return 0;
    *out = DIGEST_SHA256;
    return auth_params_equal(params, "algorithm", "SHA-256", true) ? 0 : ERR_NOT_FOUND;
}

/* Hex of the hash over |spans|, with a colon between two. */
static void hash_joined(enum digest_algorithm algorithm, const struct span *spans, size_t count,
                        char out[DIGEST_HEX_SIZE])
{
    struct span joined[2 * 6];
    size_t joined_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            joined[joined_count++] = (struct span){":", 1};
        joined[joined_count++] = spans[i];
    }
    uint8_t hash[SHA256_SIZE];
    if (algorithm == DIGEST_MD5)
        crypto_md5(joined, joined_count, hash);
    else
        crypto_sha256(joined, joined_count, hash);
    for (size_t i = 0; i < algorithms[algorithm].size; i++) {
        out[2 * i] = "0123456789abcdef"[hash[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[hash[i] & 15];
    }
    out[2 * algorithms[algorithm].size] = '\0';
    crypto_erase(hash, sizeof hash);
}

void digest_ha1(enum digest_algorithm algorithm, struct span username, struct span realm, struct span password,
                char out[DIGEST_HEX_SIZE])
{
    hash_joined(algorithm, (const struct span[]){username, realm, password}, 3, out);
}

void digest_response(enum digest_algorithm algorithm, const char *ha1, const struct digest_request *request,
                     char out[DIGEST_HEX_SIZE])
{
    char ha2[DIGEST_HEX_SIZE];
    hash_joined(algorithm, (const struct span[]){request->method, request->uri}, 2, ha2);
    const struct span key = span_of_text(ha1), what = span_of_text(ha2);
    if (request->qop.length == 0) {
        hash_joined(algorithm, (const struct span[]){key, request->nonce, what}, 3, out);
        return;
    }
    const struct span all[] = {key, request->nonce, request->nc, request->cnonce, request->qop, what};
    hash_joined(algorithm, all, 6, out);
}

/* As it stands: escapes are hashed with what they escape (RFC 7616 §3.4). */
static struct span value_of(const struct auth_params *params, const char *name)
{
    const struct auth_param *param = auth_params_find(params, name);
    return param ? param->value : (struct span){NULL, 0};
}

int digest_check(enum digest_algorithm algorithm, const char *ha1, const struct auth_params *credentials,
                 struct span method)
{
    struct digest_request request = {
        .method = method,
        .uri = value_of(credentials, "uri"),
        .nonce = value_of(credentials, "nonce"),
        .nc = value_of(credentials, "nc"),
        .cnonce = value_of(credentials, "cnonce"),
        .qop = value_of(credentials, "qop"),
    };
    struct span response = value_of(credentials, "response");
    if (request.uri.length == 0 || request.nonce.length == 0 || response.length != 2 * algorithms[algorithm].size)
        return ERR_MALFORMED;
    if (auth_params_find(credentials, "qop") && (!auth_params_equal(credentials, "qop", "auth", true) ||
                                                 request.nc.length != NC_LENGTH || request.cnonce.length == 0))
        return ERR_MALFORMED;
    char expected[DIGEST_HEX_SIZE];
    digest_response(algorithm, ha1, &request, expected);
    return crypto_equal(expected, response.bytes, response.length) ? 0 : ERR_FORBIDDEN;
}
