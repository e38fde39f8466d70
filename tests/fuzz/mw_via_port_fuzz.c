/* SPDX-License-Identifier: BSD-3-Clause
 * The port of a response's Via is the same whatever body follows. */
#include "harness.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "mw/via_port.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    uint16_t port = 0, again_port = 0;
    int result = mw_via_port(bytes, length, &port);
    assert(result == 0 || result == ERR_NOT_FOUND);
    if (result != 0)
        return 0;
    static const char body[] = "Via: SIP/2.0/TCP other:1\r\n\r\n";
    uint8_t *longer = malloc(length + sizeof body);
    assert(longer);
    memcpy(longer, bytes, length);
    memcpy(longer + length, body, sizeof body);
    assert(mw_via_port(longer, length + sizeof body, &again_port) == 0 && again_port == port);
    free(longer);
    return 0;
}
