/* SPDX-License-Identifier: BSD-3-Clause
 * A hash table of chained entries that live inside the objects. It grows by doubling; the caller computes the
 * hash (siphash() for keys from the network) and compares keys. */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_entry {
    struct hash_entry *next;
    uint64_t hash;
};

struct hash {
    struct hash_entry **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
};

/* Returns 0 or ERR_MEMORY. */
int hash_init(struct hash *table);
/* Frees the buckets; the entries belong to the caller. */
void hash_fini(struct hash *table);

/* First entry in |hash|'s chain with that hash, then the next one: the caller compares keys.
 *     for (e = hash_first(t, h); e; e = hash_next(e)) ... */
struct hash_entry *hash_first(const struct hash *table, uint64_t hash);
struct hash_entry *hash_next(const struct hash_entry *entry);

/* Inserts |entry| under |hash|. Never fails: where growing fails for want of memory the chains become
 * longer. */
void hash_insert(struct hash *table, struct hash_entry *entry, uint64_t hash);
/* |entry| must be in |table|. */
void hash_remove(struct hash *table, struct hash_entry *entry);

/* Calls |visit| for each entry; |visit| may remove and free the entry it is given. */
void hash_each(struct hash *table, void (*visit)(struct hash_entry *entry, void *context), void *context);

#endif
