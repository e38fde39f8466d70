/* SPDX-License-Identifier: BSD-3-Clause
 * A run of borrowed bytes. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
    const void *bytes;
    size_t length;
};

/* |text| without its NUL. */
static inline struct span span_of_text(const char *text)
{
    return (struct span){text, strlen(text)};
}

/* Not in constant time: crypto_equal() is for secrets. */
static inline bool span_equal(struct span a, struct span b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

#endif
