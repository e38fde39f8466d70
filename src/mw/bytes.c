/* SPDX-License-Identifier: BSD-3-Clause */
#include "mw/bytes.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

#define SIZE_MIN 4096

int mw_bytes_append(struct mw_bytes *bytes, const void *more, size_t length, size_t limit)
{
    size_t waiting = mw_bytes_length(bytes);
    if (length == 0)
        return 0;
    if (length > limit || waiting > limit - length)
        return ERR_FULL;
    if (bytes->size - bytes->end < length) {
        if (waiting > 0)
            memmove(bytes->memory, bytes->memory + bytes->start, waiting);
        bytes->start = 0;
        bytes->end = waiting;
    }
    if (bytes->size - bytes->end < length) {
        size_t size = bytes->size > 0 ? bytes->size : SIZE_MIN;
        while (size < waiting + length)
            size *= 2;
        uint8_t *memory = memory_resize(bytes->memory, size);
        if (!memory)
            return ERR_MEMORY;
        bytes->memory = memory;
        bytes->size = size;
    }
    memcpy(bytes->memory + bytes->end, more, length);
    bytes->end += length;
    return 0;
}

void mw_bytes_consume(struct mw_bytes *bytes, size_t length)
{
    assert(length <= mw_bytes_length(bytes));
    bytes->start += length;
    if (bytes->start == bytes->end)
        mw_bytes_clear(bytes);
}

void mw_bytes_clear(struct mw_bytes *bytes)
{
    memory_free(bytes->memory);
    *bytes = (struct mw_bytes){0};
}
