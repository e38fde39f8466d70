/* SPDX-License-Identifier: BSD-3-Clause
 * The allocator of all of postern's code, so that a test can make the n-th allocation fail. Never on the
 * packet path. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

/* Zeroed memory for |count| objects of |size| bytes, or NULL (also where the product overflows). */
void *memory_zeroed(size_t count, size_t size);
/* As realloc(3); the new part is not zeroed. */
void *memory_resize(void *memory, size_t size);
/* A copy of |text|, or NULL. */
char *memory_string(const char *text);
/* Accepts NULL. */
void memory_free(void *memory);

/* Tests: the |n|-th allocation of this thread from now on fails, once; 0 turns it off. */
void memory_fail_at(unsigned long n);

#endif
