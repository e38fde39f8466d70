/* SPDX-License-Identifier: BSD-3-Clause */
#include "ws/utf8.h"

/* First bytes of characters of more than one byte, and what may follow them (RFC 3629 §4). */
static const struct {
    uint8_t first, last;
    struct ws_utf8 then;
} leads[] = {
    {0xc2, 0xdf, {1, 0x80, 0xbf}}, {0xe0, 0xe0, {2, 0xa0, 0xbf}}, {0xe1, 0xec, {2, 0x80, 0xbf}},
    {0xed, 0xed, {2, 0x80, 0x9f}}, {0xee, 0xef, {2, 0x80, 0xbf}}, {0xf0, 0xf0, {3, 0x90, 0xbf}},
    {0xf1, 0xf3, {3, 0x80, 0xbf}}, {0xf4, 0xf4, {3, 0x80, 0x8f}},
};

static bool begin_character(struct ws_utf8 *state, uint8_t byte)
{
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++) {
        if (byte >= leads[i].first && byte <= leads[i].last) {
            *state = leads[i].then;
            return true;
        }
    }
    return false;
}

bool ws_utf8_check(struct ws_utf8 *state, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (state->left > 0) {
            if (bytes[i] < state->least || bytes[i] > state->most)
                return false;
            *state = (struct ws_utf8){(uint8_t)(state->left - 1), 0x80, 0xbf};
        } else if (bytes[i] >= 0x80 && !begin_character(state, bytes[i])) {
            return false;
        }
    }
    return true;
}

bool ws_utf8_valid(const uint8_t *bytes, size_t length)
{
    struct ws_utf8 state = {0};
    return ws_utf8_check(&state, bytes, length) && ws_utf8_complete(&state);
}
