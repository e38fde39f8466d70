/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/error.h"
#include "crypto/digest.h"

/* OpenSSL's own reader ignores white space and wants padding, and it knows no URL alphabet. */

static const char standard_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Writes the digits without padding; returns their number. */
static size_t encode(const uint8_t *bytes, size_t length, const char *alphabet, char *out)
{
    size_t written = 0;
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < length; i++) {
        bits = bits << 8 | bytes[i];
        for (held += 8; held >= 6; held -= 6)
            out[written++] = alphabet[bits >> (held - 6) & 63];
    }
    if (held > 0)
        out[written++] = alphabet[bits << (6 - held) & 63];
    return written;
}

size_t crypto_base64(const void *bytes, size_t length, char *out)
{
    size_t written = encode(bytes, length, standard_alphabet, out);
    while (written % 4 != 0)
        out[written++] = '=';
    out[written] = '\0';
    return written;
}

size_t crypto_base64url(const void *bytes, size_t length, char *out)
{
    size_t written = encode(bytes, length, url_alphabet, out);
    out[written] = '\0';
    return written;
}

static int digit_value(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    return digit == '-' ? 62 : digit == '_' ? 63 : -1;
}

int crypto_base64url_decode(const char *text, size_t length, uint8_t *out, size_t size)
{
    if (length % 4 == 1 || length > INT32_MAX)
        return ERR_MALFORMED;
    size_t written = 0;
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < length; i++) {
        int value = digit_value(text[i]);
        if (value < 0)
            return ERR_MALFORMED;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held < 8)
            continue;
        held -= 8;
        if (written == size)
            return ERR_MALFORMED;
        out[written++] = (uint8_t)(bits >> held);
    }
    /* One spelling for each value: the bits left over are zero (RFC 4648 §3.5). */
    if ((bits & ((1u << held) - 1)) != 0)
        return ERR_MALFORMED;
    return (int)written;
}
