/* SPDX-License-Identifier: BSD-3-Clause
 * Whatever comes as a token, or as the claims of one with a good signature (behind a first byte '!'), is judged the
 * same each time, and who it names could stand in a header field of SIP. */
#include "harness.h"

#include <assert.h>
#include <cjose/cjose.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth/token.h"

#define NOW_S 1700000000

static struct token_verifier *verifier;
static cjose_jwk_t *signer;

static void set_up(void)
{
    char file[] = "/tmp/fuzz-token-XXXXXX";
    int fd = mkstemp(file);
    signer = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, NULL);
    char *jwk = cjose_jwk_to_json(signer, false, NULL);
    assert(fd >= 0 && jwk && write(fd, jwk, strlen(jwk)) == (ssize_t)strlen(jwk));
    const char *files[] = {file};
    const struct token_settings settings = {files, 1, "issuer", "audience", "sub", "impu"};
    struct token_error error;
    int result = token_verifier_create(&settings, &verifier, &error);
    assert(result == 0);
    unlink(file);
    close(fd);
    free(jwk);
}

static void check_identity(const char *text)
{
    size_t length = strlen(text);
    assert(length > 0 && length <= TOKEN_IDENTITY_MAX && strcspn(text, "\r\n\"<>\\ ,?") == length);
}

static void judge(struct span token)
{
    static struct token_identity identity, again;
    const char *reason, *reason_again;
    int result = token_verify(verifier, token, NOW_S, &identity, &reason);
    assert(result == token_verify(verifier, token, NOW_S, &again, &reason_again) && reason == reason_again);
    if (result != 0)
        return;
    assert(identity.expires_s > NOW_S && identity.impu_count >= 1 && identity.impu_count <= TOKEN_IMPUS_MAX);
    check_identity(identity.impi);
    for (unsigned i = 0; i < identity.impu_count; i++)
        check_identity(identity.impus[i]);
}

static void judge_claims(const uint8_t *claims, size_t length)
{
    cjose_header_t *header = cjose_header_new(NULL);
    cjose_header_set(header, CJOSE_HDR_ALG, "ES256", NULL);
    cjose_jws_t *jws = cjose_jws_sign(signer, header, claims, length, NULL);
    const char *token;
    if (jws && cjose_jws_export(jws, &token, NULL))
        judge(span_of_text(token));
    cjose_jws_release(jws);
    cjose_header_release(header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span token;
    if (!verifier)
        set_up();
    if (size > 1 && data[0] == '!')
        judge_claims(data + 1, size - 1);
    else
        judge((struct span){data, size});
    if (token_of_authorization((struct span){data, size}, &token) == 0)
        assert(token.length > 0 && token.length < size);
    return 0;
}
