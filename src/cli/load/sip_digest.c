/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/load/sip_digest.h"

#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "base/error.h"
#include "cli/load/sip_text.h"
#include "crypto/digest.h"

#define HEX_SIZE (2 * SHA256_SIZE + 1)
#define PARTS    11

/* The hash of |count| texts with colons between them, in hexadecimal. */
static void hash(bool sha256, const struct span *texts, size_t count, char out[HEX_SIZE])
{
    struct span spans[2 * PARTS];
    uint8_t bytes[SHA256_SIZE];
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            spans[used++] = span_of_text(":");
        spans[used++] = texts[i];
    }
    if (sha256)
        crypto_sha256(spans, used, bytes);
    else
        crypto_md5(spans, used, bytes);
    for (size_t i = 0; i < (sha256 ? SHA256_SIZE : MD5_SIZE); i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static bool is_text(struct span span, const char *text)
{
    return span.length == strlen(text) && strncasecmp(span.bytes, text, span.length) == 0;
}

int sip_digest_answer(struct span challenge, const char *user, const char *password, const char *method,
                      const char *uri, char *out, size_t size)
{
    struct span realm = sip_text_parameter(challenge, "realm"), nonce = sip_text_parameter(challenge, "nonce");
    struct span algorithm = sip_text_parameter(challenge, "algorithm"), qop = sip_text_parameter(challenge, "qop");
    struct span opaque = sip_text_parameter(challenge, "opaque");
    bool sha256 = is_text(algorithm, "SHA-256"), plain = qop.length == 0;
    if (challenge.length < 7 || strncasecmp(challenge.bytes, "Digest ", 7) != 0 || nonce.length == 0 ||
        !(sha256 || algorithm.length == 0 || is_text(algorithm, "MD5")))
        return ERR_MALFORMED;
    uint64_t random;
    char cnonce[17], ha1[HEX_SIZE], ha2[HEX_SIZE], response[HEX_SIZE];
    crypto_random(&random, sizeof random);
    snprintf(cnonce, sizeof cnonce, "%016" PRIx64, random);
    const struct span who[] = {span_of_text(user), realm, span_of_text(password)};
    hash(sha256, who, 3, ha1);
    const struct span what[] = {span_of_text(method), span_of_text(uri)};
    hash(sha256, what, 2, ha2);
    const struct span all[] = {span_of_text(ha1),        nonce,
                               span_of_text("00000001"), span_of_text(cnonce),
                               span_of_text("auth"),     span_of_text(ha2)};
    const struct span old[] = {span_of_text(ha1), nonce, span_of_text(ha2)};
    hash(sha256, plain ? old : all, plain ? 3 : 6, response);
    int length = snprintf(
        out, size, "Digest username=\"%s\", realm=\"%.*s\", nonce=\"%.*s\", uri=\"%s\", response=\"%s\", algorithm=%s",
        user, (int)realm.length, (const char *)realm.bytes, (int)nonce.length, (const char *)nonce.bytes, uri, response,
        sha256 ? "SHA-256" : "MD5");
    if (!plain && length >= 0 && (size_t)length < size)
        length += snprintf(out + length, size - (size_t)length, ", qop=auth, nc=00000001, cnonce=\"%s\"", cnonce);
    if (opaque.length > 0 && length >= 0 && (size_t)length < size)
        length += snprintf(out + length, size - (size_t)length, ", opaque=\"%.*s\"", (int)opaque.length,
                           (const char *)opaque.bytes);
    return length >= 0 && (size_t)length < size ? 0 : ERR_FULL;
}
