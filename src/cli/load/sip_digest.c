/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/load/sip_digest.h"

#include <inttypes.h>
#include <stdio.h>

#include "auth/digest.h"
#include "base/error.h"

static struct span value_of(const struct auth_params *challenge, const char *name)
{
    const struct auth_param *param = auth_params_find(challenge, name);
    return param ? param->value : (struct span){"", 0};
}

int sip_digest_answer(struct span challenge, const char *user, const char *password, const char *method,
                      const char *uri, char *out, size_t size)
{
    struct auth_params params;
    enum digest_algorithm algorithm;
    uint64_t random;
    char cnonce[17], ha1[DIGEST_HEX_SIZE], response[DIGEST_HEX_SIZE];
    if (auth_params_read(challenge, &params) != 0 || !auth_params_is(&params, "Digest") ||
        digest_algorithm_of(&params, &algorithm) != 0)
        return ERR_MALFORMED;
    bool old = !auth_params_find(&params, "qop"); /* RFC 2617 and before */
    if (!old && !auth_params_list(&params, "qop", "auth"))
        return ERR_MALFORMED;
    struct span realm = value_of(&params, "realm"), opaque = value_of(&params, "opaque");
    struct digest_request request = {
        .method = span_of_text(method), .uri = span_of_text(uri), .nonce = value_of(&params, "nonce")};
    crypto_random(&random, sizeof random);
    snprintf(cnonce, sizeof cnonce, "%016" PRIx64, random);
    if (!old) {
        request.nc = span_of_text("00000001");
        request.cnonce = span_of_text(cnonce);
        request.qop = span_of_text("auth");
    }
    digest_ha1(algorithm, span_of_text(user), realm, span_of_text(password), ha1);
    digest_response(algorithm, ha1, &request, response);
    struct auth_writer writer = auth_writer_begin(out, size, "Digest");
    auth_writer_add_quoted(&writer, "username", span_of_text(user));
    auth_writer_add_quoted(&writer, "realm", realm);
    auth_writer_add_quoted(&writer, "nonce", request.nonce);
    auth_writer_add_quoted(&writer, "uri", request.uri);
    auth_writer_add_quoted(&writer, "response", span_of_text(response));
    auth_writer_add(&writer, "algorithm", digest_algorithm_name(algorithm));
    if (!old) {
        auth_writer_add(&writer, "qop", "auth");
        auth_writer_add(&writer, "nc", "00000001");
        auth_writer_add_quoted(&writer, "cnonce", request.cnonce);
    }
    if (opaque.length > 0)
        auth_writer_add_quoted(&writer, "opaque", opaque);
    return auth_writer_end(&writer) > 0 ? 0 : ERR_FULL;
}
