/* SPDX-License-Identifier: BSD-3-Clause
 * Objects of one size, taken from slabs and given back to a free list. One thread. Slabs return to the system
 * only with the pool; the free list keeps memory warm and bounded by the peak. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

struct pool_slab;
struct pool_free;

struct pool {
    size_t object_size, per_slab;
    size_t taken, capacity; /* objects */
    size_t limit;           /* objects at most; 0: none */
    struct pool_slab *slabs;
    struct pool_free *free;
};

/* |object_size| bytes each, a slab of |per_slab| at a time, never more than |limit| (0: no limit). */
void pool_init(struct pool *pool, size_t object_size, size_t per_slab, size_t limit);
/* All objects must have been given back or be forgotten by the caller. */
void pool_fini(struct pool *pool);
/* An object whose bytes are undefined, or NULL (limit reached, or no memory). */
void *pool_take(struct pool *pool);
/* Accepts NULL. */
void pool_give(struct pool *pool, void *object);

#endif
