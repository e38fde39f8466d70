/* SPDX-License-Identifier: BSD-3-Clause
 * Public keys out of PEM files, as the numbers that a JWK (RFC 7518 §6) has. */
#ifndef CRYPTO_PUBLIC_KEY_H
#define CRYPTO_PUBLIC_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum public_key_kind {
    PUBLIC_KEY_RSA,
    PUBLIC_KEY_P256,
    PUBLIC_KEY_P384,
    PUBLIC_KEY_P521,
};

#define PUBLIC_KEY_MODULUS_MIN 256 /* bytes: 2,048 bits, RFC 7518 §3.3 */
#define PUBLIC_KEY_MODULUS_MAX 1024
#define PUBLIC_KEY_OTHER_MAX   66 /* a coordinate on P-521; an exponent is shorter */

struct public_key {
    enum public_key_kind kind;
    uint8_t first[PUBLIC_KEY_MODULUS_MAX]; /* modulus, or x */
    size_t first_length;
    uint8_t second[PUBLIC_KEY_OTHER_MAX]; /* exponent, or y */
    size_t second_length;
};

/* Bytes of a coordinate; 0 for RSA. */
size_t public_key_coordinate_size(enum public_key_kind kind);

/* Reads the keys of |pem|: each PUBLIC KEY, and of certificates the first, since those behind it are the authorities
 * that signed it. Neither dates nor signatures of a certificate are looked at: whoever names the file trusts the key.
 * Returns how many are in |out|, at most |size|, or ERR_MALFORMED with |*cause_out| static, as part of a sentence. */
int public_keys_read(struct span pem, struct public_key *out, size_t size, const char **cause_out);

/* Forgets what OpenSSL noted about failures on this thread: for those who call it through another library. */
void crypto_forget_failures(void);

#endif
