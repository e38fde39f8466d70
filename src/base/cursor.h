/* SPDX-License-Identifier: BSD-3-Clause
 * Bounded reading and writing of network-order bytes with a sticky error: a parser reads on without checking
 * each step and asks once at the end. After a failure readers return zeros and writers write nothing. */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Reads from borrowed memory. */
struct reader {
    const uint8_t *at, *end;
    bool failed;
};

static inline struct reader reader_over(const void *bytes, size_t length)
{
    const uint8_t *start = bytes;
    return (struct reader){.at = start, .end = start + length};
}

static inline size_t reader_left(const struct reader *r)
{
    return (size_t)(r->end - r->at);
}

/* Borrows the next |length| bytes, or NULL and a sticky failure. */
static inline const uint8_t *reader_take(struct reader *r, size_t length)
{
    if (r->failed || reader_left(r) < length) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *bytes = r->at;
    r->at += length;
    return bytes;
}

static inline uint8_t reader_u8(struct reader *r)
{
    const uint8_t *b = reader_take(r, 1);
    return b ? b[0] : 0;
}

static inline uint16_t reader_u16(struct reader *r)
{
    const uint8_t *b = reader_take(r, 2);
    return b ? (uint16_t)(b[0] << 8 | b[1]) : 0;
}

/* Writes into the caller's memory. */
struct writer {
    uint8_t *start, *at, *end;
    bool failed;
};

static inline struct writer writer_over(void *bytes, size_t size)
{
    uint8_t *start = bytes;
    return (struct writer){.start = start, .at = start, .end = start + size};
}

static inline size_t writer_length(const struct writer *w)
{
    return (size_t)(w->at - w->start);
}

/* Reserves |length| bytes to be filled by the caller, or NULL and a sticky failure. */
static inline uint8_t *writer_reserve(struct writer *w, size_t length)
{
    if (w->failed || (size_t)(w->end - w->at) < length) {
        w->failed = true;
        return NULL;
    }
    uint8_t *bytes = w->at;
    w->at += length;
    return bytes;
}

static inline void writer_bytes(struct writer *w, const void *bytes, size_t length)
{
    uint8_t *to = writer_reserve(w, length);
    if (to && length > 0)
        memcpy(to, bytes, length);
}

static inline void writer_zeros(struct writer *w, size_t length)
{
    uint8_t *to = writer_reserve(w, length);
    if (to && length > 0)
        memset(to, 0, length);
}

static inline void store_u16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static inline void store_u32(uint8_t *to, uint32_t value)
{
    store_u16(to, (uint16_t)(value >> 16));
    store_u16(to + 2, (uint16_t)value);
}

static inline uint16_t load_u16(const uint8_t *from)
{
    return (uint16_t)(from[0] << 8 | from[1]);
}

static inline uint32_t load_u32(const uint8_t *from)
{
    return (uint32_t)load_u16(from) << 16 | load_u16(from + 2);
}

static inline void writer_u8(struct writer *w, uint8_t value)
{
    writer_bytes(w, &value, 1);
}

static inline void writer_u16(struct writer *w, uint16_t value)
{
    uint8_t *to = writer_reserve(w, 2);
    if (to)
        store_u16(to, value);
}

static inline void writer_u32(struct writer *w, uint32_t value)
{
    uint8_t *to = writer_reserve(w, 4);
    if (to)
        store_u32(to, value);
}

#endif
