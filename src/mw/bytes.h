/* SPDX-License-Identifier: BSD-3-Clause
 * Bytes that wait, in memory that grows as they come and goes when they have gone. */
#ifndef MW_BYTES_H
#define MW_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* An all-zero one is empty. */
struct mw_bytes {
    uint8_t *memory;
    size_t start, end, size;
};

static inline size_t mw_bytes_length(const struct mw_bytes *bytes)
{
    return bytes->end - bytes->start;
}

static inline const uint8_t *mw_bytes_first(const struct mw_bytes *bytes)
{
    return bytes->memory + bytes->start;
}

/* Returns 0, ERR_FULL where more than |limit| bytes would wait, or ERR_MEMORY; nothing is appended then. */
int mw_bytes_append(struct mw_bytes *bytes, const void *more, size_t length, size_t limit);
void mw_bytes_consume(struct mw_bytes *bytes, size_t length);
void mw_bytes_clear(struct mw_bytes *bytes);

#endif
