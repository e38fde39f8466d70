/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/quote.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ELLIPSIS "...\""

static size_t escape(unsigned char byte, char out[5])
{
    if (byte == '"' || byte == '\\')
        return (size_t)snprintf(out, 5, "\\%c", byte);
    if (byte >= 0x20 && byte < 0x7F)
        return (size_t)snprintf(out, 5, "%c", byte);
    return (size_t)snprintf(out, 5, "\\x%02x", byte);
}

const char *quote(char *out, size_t size, const void *bytes, size_t length)
{
    assert(size >= 8);
    const unsigned char *from = bytes;
    size_t at = 0;
    out[at++] = '"';
    for (size_t i = 0; i < length; i++) {
        char piece[5];
        size_t piece_length = escape(from[i], piece);
        if (at + piece_length + sizeof ELLIPSIS > size) {
            memcpy(out + at, ELLIPSIS, sizeof ELLIPSIS);
            return out;
        }
        memcpy(out + at, piece, piece_length);
        at += piece_length;
    }
    memcpy(out + at, "\"", 2);
    return out;
}

static bool is_bare(unsigned char byte)
{
    return byte > 0x20 && byte < 0x7F && byte != '"' && byte != '\\' && byte != '=';
}

const char *quote_value(char *out, size_t size, const void *bytes, size_t length)
{
    const unsigned char *from = bytes;
    bool bare = length > 0 && length < size;
    for (size_t i = 0; bare && i < length; i++)
        bare = is_bare(from[i]);
    if (!bare)
        return quote(out, size, bytes, length);
    memcpy(out, bytes, length);
    out[length] = '\0';
    return out;
}
