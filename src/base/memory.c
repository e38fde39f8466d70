/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local unsigned long allocations_until_failure;

static bool fails_now(void)
{
    return allocations_until_failure > 0 && --allocations_until_failure == 0;
}

void *memory_zeroed(size_t count, size_t size)
{
    return fails_now() ? NULL : calloc(count, size);
}

void *memory_resize(void *memory, size_t size)
{
    return fails_now() ? NULL : realloc(memory, size);
}

char *memory_string(const char *text)
{
    return fails_now() ? NULL : strdup(text);
}

void memory_free(void *memory)
{
    free(memory);
}

void memory_fail_at(unsigned long n)
{
    allocations_until_failure = n;
}
