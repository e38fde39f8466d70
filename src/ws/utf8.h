/* SPDX-License-Identifier: BSD-3-Clause
 * UTF-8 as RFC 3629 §4 has it, checked piece by piece: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef WS_UTF8_H
#define WS_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero at the start of a text. */
struct ws_utf8 {
    uint8_t left;        /* bytes of the character that are still to come */
    uint8_t least, most; /* what the next of them may be */
};

/* Goes on with |length| bytes of the text. False at the first that cannot stand there. */
bool ws_utf8_check(struct ws_utf8 *state, const uint8_t *bytes, size_t length);
/* Whether the text may end here. */
static inline bool ws_utf8_complete(const struct ws_utf8 *state)
{
    return state->left == 0;
}
/* Whether |bytes| are a whole text. */
bool ws_utf8_valid(const uint8_t *bytes, size_t length);

#endif
