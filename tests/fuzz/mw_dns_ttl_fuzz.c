/* SPDX-License-Identifier: BSD-3-Clause
 * What is said of a DNS message does not change with what is cut off behind its answers. */
#include "harness.h"

#include <assert.h>

#include "base/error.h"
#include "mw/dns_ttl.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    uint32_t ttl = 0, part_ttl = 0;
    int result = dns_ttl_decode(bytes, length, &ttl);
    assert(result == 0 || result == ERR_NOT_FOUND || result == ERR_MALFORMED);
    for (size_t cut = 0; cut < length; cut += cut < 64 ? 1 : 61) {
        int part = dns_ttl_decode(bytes, cut, &part_ttl);
        assert(part == ERR_MALFORMED || (part == result && (part != 0 || part_ttl == ttl)));
    }
    return 0;
}
