/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/pool.h"

#include <assert.h>
#include <stdalign.h>

#include "base/error.h"
#include "base/memory.h"

struct pool_slab {
    struct pool_slab *next;
    alignas(max_align_t) unsigned char objects[];
};

struct pool_free {
    struct pool_free *next;
};

void pool_init(struct pool *pool, size_t object_size, size_t per_slab, size_t limit)
{
    assert(object_size > 0 && per_slab > 0);
    size_t alignment = alignof(max_align_t);
    *pool = (struct pool){
        .object_size = (object_size + alignment - 1) / alignment * alignment, .per_slab = per_slab, .limit = limit};
}

void pool_fini(struct pool *pool)
{
    while (pool->slabs) {
        struct pool_slab *slab = pool->slabs;
        pool->slabs = slab->next;
        memory_free(slab);
    }
    *pool = (struct pool){0};
}

static int add_slab(struct pool *pool)
{
    struct pool_slab *slab = memory_zeroed(1, sizeof *slab + pool->object_size * pool->per_slab);
    if (!slab)
        return ERR_MEMORY;
    slab->next = pool->slabs;
    pool->slabs = slab;
    for (size_t i = pool->per_slab; i-- > 0;) {
        struct pool_free *object = (struct pool_free *)(slab->objects + i * pool->object_size);
        object->next = pool->free;
        pool->free = object;
    }
    pool->capacity += pool->per_slab;
    return 0;
}

void *pool_take(struct pool *pool)
{
    if (pool->limit != 0 && pool->taken >= pool->limit)
        return NULL;
    if (!pool->free && add_slab(pool) != 0)
        return NULL;
    struct pool_free *object = pool->free;
    pool->free = object->next;
    pool->taken++;
    return object;
}

void pool_give(struct pool *pool, void *memory)
{
    if (!memory)
        return;
    struct pool_free *object = memory;
    object->next = pool->free;
    pool->free = object;
    assert(pool->taken > 0);
    pool->taken--;
}
