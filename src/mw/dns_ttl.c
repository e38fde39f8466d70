/* SPDX-License-Identifier: BSD-3-Clause */
#include "mw/dns_ttl.h"

#include "base/cursor.h"
#include "base/error.h"

#define POINTER_BITS 0xc0 /* RFC 1035 §4.1.4 */

/* Only how long a name is matters here, not where its pointer leads: so nothing can lead round in a circle. */
static void name_skip(struct reader *reader)
{
    for (;;) {
        uint8_t length = reader_u8(reader);
        if (reader->failed || length == 0)
            return;
        if ((length & POINTER_BITS) == POINTER_BITS) {
            reader_take(reader, 1);
            return;
        }
        if (length & POINTER_BITS)
            reader->failed = true;
        reader_take(reader, length);
    }
}

int dns_ttl_decode(const uint8_t *message, size_t length, uint32_t *ttl_out)
{
    struct reader reader = reader_over(message, length);
    reader_take(&reader, 4);
    unsigned questions = reader_u16(&reader), answers = reader_u16(&reader);
    reader_take(&reader, 4);
    for (unsigned i = 0; i < questions && !reader.failed; i++) {
        name_skip(&reader);
        reader_take(&reader, 4);
    }
    uint32_t ttl = UINT32_MAX;
    for (unsigned i = 0; i < answers && !reader.failed; i++) {
        name_skip(&reader);
        reader_take(&reader, 4);
        const uint8_t *field = reader_take(&reader, 4);
        if (field && load_u32(field) < ttl)
            ttl = load_u32(field);
        reader_take(&reader, reader_u16(&reader));
    }
    if (reader.failed)
        return ERR_MALFORMED;
    if (answers == 0)
        return ERR_NOT_FOUND;
    *ttl_out = ttl;
    return 0;
}
