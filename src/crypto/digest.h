/* SPDX-License-Identifier: BSD-3-Clause
 * Hashes, keyed hashes, randomness: all that postern asks of OpenSSL besides TLS. Thread-safe. None of these can fail
 * in a way a caller could mend, so a failure of OpenSSL is an assertion. */
#ifndef CRYPTO_DIGEST_H
#define CRYPTO_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define MD5_SIZE    16
#define SHA1_SIZE   20
#define SHA256_SIZE 32

/* Several spans are hashed as if they stood together. */
void crypto_md5(const struct span *spans, size_t count, uint8_t out[MD5_SIZE]);
void crypto_sha256(const struct span *spans, size_t count, uint8_t out[SHA256_SIZE]);
/* Only for Sec-WebSocket-Accept (RFC 6455 §4.2.2), which protects nothing. */
void crypto_sha1(const struct span *spans, size_t count, uint8_t out[SHA1_SIZE]);
void crypto_hmac_sha1(struct span key, const struct span *spans, size_t count, uint8_t out[SHA1_SIZE]);
void crypto_hmac_sha256(struct span key, const struct span *spans, size_t count, uint8_t out[SHA256_SIZE]);

void crypto_random(void *out, size_t length);
/* Uniform in [0, bound). */
uint32_t crypto_random_below(uint32_t bound);

/* Constant-time equality. */
bool crypto_equal(const void *a, const void *b, size_t length);
/* Erases secrets; not optimised away. */
void crypto_erase(void *bytes, size_t length);

/* Standard base64 with padding (RFC 4648 §4) or the URL alphabet without (§5). |out| takes CRYPTO_BASE64_SIZE(length)
 * bytes with its NUL. Return the text's length. */
#define CRYPTO_BASE64_SIZE(length) (((length) + 2) / 3 * 4 + 1)
size_t crypto_base64(const void *bytes, size_t length, char *out);
size_t crypto_base64url(const void *bytes, size_t length, char *out);
/* Reads base64url without padding. Returns the number of bytes, or ERR_MALFORMED (also where |size| is too small). */
int crypto_base64url_decode(const char *text, size_t length, uint8_t *out, size_t size);

#endif
