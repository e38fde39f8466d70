/* SPDX-License-Identifier: BSD-3-Clause */
#include "front/buffers.h"

#include <string.h>

#include "base/error.h"

static void init_pool(struct pool *pool, size_t size, size_t per_slab, size_t limit)
{
    size_t object = sizeof(struct buffer) + size;
    pool_init(pool, object, per_slab, limit / object);
}

void buffers_init(struct buffers *buffers, size_t limit)
{
    init_pool(&buffers->small, BUFFER_SMALL, 32, limit);
    init_pool(&buffers->record, BUFFER_RECORD, 8, limit);
    init_pool(&buffers->large, BUFFER_LARGE, 2, limit);
}

void buffers_fini(struct buffers *buffers)
{
    pool_fini(&buffers->small);
    pool_fini(&buffers->record);
    pool_fini(&buffers->large);
}

static struct pool *pool_for(struct buffers *buffers, size_t size)
{
    return size <= BUFFER_SMALL ? &buffers->small : size <= BUFFER_RECORD ? &buffers->record : &buffers->large;
}

/* An empty buffer for at least |size| bytes (at most BUFFER_LARGE), or NULL. */
static struct buffer *take(struct buffers *buffers, size_t size)
{
    struct buffer *buffer = pool_take(pool_for(buffers, size));
    if (!buffer)
        return NULL;
    buffer->size = size <= BUFFER_SMALL ? BUFFER_SMALL : size <= BUFFER_RECORD ? BUFFER_RECORD : BUFFER_LARGE;
    buffer->start = buffer->end = 0;
    return buffer;
}

void buffers_give(struct buffers *buffers, struct buffer **slot)
{
    if (*slot)
        pool_give(pool_for(buffers, (*slot)->size), *slot);
    *slot = NULL;
}

int buffers_keep(struct buffers *buffers, struct buffer **slot, const uint8_t *bytes, size_t length, size_t expected)
{
    if (length == 0) {
        buffers_give(buffers, slot);
        return 0;
    }
    size_t size = expected > length ? expected : length;
    if (size > BUFFER_LARGE)
        return ERR_TOO_LARGE;
    if (!*slot || (*slot)->size < size) {
        buffers_give(buffers, slot);
        *slot = take(buffers, size);
        if (!*slot)
            return ERR_MEMORY;
    }
    memcpy((*slot)->bytes, bytes, length);
    (*slot)->start = 0;
    (*slot)->end = (uint32_t)length;
    return 0;
}

int buffers_append(struct buffers *buffers, struct buffer **slot, const uint8_t *bytes, size_t length)
{
    struct buffer *old = *slot;
    size_t kept = buffer_length(old);
    if (kept + length > BUFFER_LARGE)
        return ERR_TOO_LARGE;
    if (!old || old->size < kept + length) {
        struct buffer *larger = take(buffers, kept + length);
        if (!larger)
            return ERR_MEMORY;
        if (old)
            memcpy(larger->bytes, old->bytes + old->start, kept);
        buffers_give(buffers, slot);
        *slot = larger;
    } else if (old->size - old->end < length) {
        memmove(old->bytes, old->bytes + old->start, kept);
    } else {
        memcpy(old->bytes + old->end, bytes, length);
        old->end += (uint32_t)length;
        return 0;
    }
    memcpy((*slot)->bytes + kept, bytes, length);
    (*slot)->start = 0;
    (*slot)->end = (uint32_t)(kept + length);
    return 0;
}
