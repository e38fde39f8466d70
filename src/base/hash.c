/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/hash.h"

#include <assert.h>

#include "base/error.h"
#include "base/memory.h"

#define BUCKETS_AT_FIRST 64

int hash_init(struct hash *table)
{
    *table = (struct hash){.buckets = memory_zeroed(BUCKETS_AT_FIRST, sizeof *table->buckets),
                           .bucket_count = BUCKETS_AT_FIRST};
    return table->buckets ? 0 : ERR_MEMORY;
}

void hash_fini(struct hash *table)
{
    memory_free(table->buckets);
    *table = (struct hash){0};
}

static struct hash_entry **bucket_of(const struct hash *table, uint64_t hash)
{
    return &table->buckets[hash & (table->bucket_count - 1)];
}

static struct hash_entry *chain_find(struct hash_entry *entry, uint64_t hash)
{
    while (entry && entry->hash != hash)
        entry = entry->next;
    return entry;
}

struct hash_entry *hash_first(const struct hash *table, uint64_t hash)
{
    return chain_find(*bucket_of(table, hash), hash);
}

struct hash_entry *hash_next(const struct hash_entry *entry)
{
    return chain_find(entry->next, entry->hash);
}

static void chain_insert(struct hash *table, struct hash_entry *entry)
{
    struct hash_entry **bucket = bucket_of(table, entry->hash);
    entry->next = *bucket;
    *bucket = entry;
}

static void grow(struct hash *table)
{
    struct hash larger = {.bucket_count = table->bucket_count * 2, .count = table->count};
    larger.buckets = memory_zeroed(larger.bucket_count, sizeof *larger.buckets);
    if (!larger.buckets)
        return;
    for (size_t i = 0; i < table->bucket_count; i++) {
        struct hash_entry *entry = table->buckets[i];
        while (entry) {
            struct hash_entry *next = entry->next;
            chain_insert(&larger, entry);
            entry = next;
        }
    }
    memory_free(table->buckets);
    *table = larger;
}

void hash_insert(struct hash *table, struct hash_entry *entry, uint64_t hash)
{
    if (table->count >= table->bucket_count)
        grow(table);
    entry->hash = hash;
    chain_insert(table, entry);
    table->count++;
}

void hash_remove(struct hash *table, struct hash_entry *entry)
{
    struct hash_entry **link = bucket_of(table, entry->hash);
    while (*link != entry) {
        assert(*link);
        link = &(*link)->next;
    }
    *link = entry->next;
    table->count--;
}

void hash_each(struct hash *table, void (*visit)(struct hash_entry *entry, void *context), void *context)
{
    for (size_t i = 0; i < table->bucket_count; i++) {
        struct hash_entry *entry = table->buckets[i];
        while (entry) {
            struct hash_entry *next = entry->next;
            visit(entry, context);
            entry = next;
        }
    }
}
