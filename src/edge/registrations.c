/* SPDX-License-Identifier: BSD-3-Clause */
#include "edge/registrations.h"

#include <assert.h>
#include <pthread.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/memory.h"

struct entry {
    struct hash_entry hash;
    struct list lost; /* in the table's, while without a flow */
    struct edge_registration_key key;
    struct sip_flow_name flow;
    bool is_lost;
    uint64_t expires_s, credentials_until_s;
    char id[REGISTRATION_ID_SIZE];
};

struct edge_registrations {
    pthread_mutex_t lock;
    struct hash entries;
    struct list lost;
};

int edge_registrations_create(struct edge_registrations **out)
{
    struct edge_registrations *table = memory_zeroed(1, sizeof *table);
    if (!table || hash_init(&table->entries) != 0) {
        memory_free(table);
        return ERR_MEMORY;
    }
    pthread_mutex_init(&table->lock, NULL);
    list_init(&table->lost);
    *out = table;
    return 0;
}

static void drop(struct edge_registrations *table, struct entry *entry)
{
    list_remove(&entry->lost);
    hash_remove(&table->entries, &entry->hash);
    memory_free(entry);
}

void edge_registrations_destroy(struct edge_registrations **table)
{
    struct edge_registrations *gone = *table;
    if (!gone)
        return;
    while (!list_empty(&gone->lost))
        drop(gone, container_of(gone->lost.next, struct entry, lost));
    assert(gone->entries.count == 0);
    hash_fini(&gone->entries);
    pthread_mutex_destroy(&gone->lock);
    memory_free(gone);
    *table = NULL;
}

void edge_registration_key_make(struct span impi, struct span aor, struct span binding,
                                struct edge_registration_key *out)
{
    /* A line feed is in none of them. */
    struct span parts[] = {impi, {"\n", 1}, aor, {"\n", 1}, binding};
    crypto_sha256(parts, sizeof parts / sizeof *parts, out->bytes);
}

static uint64_t hash_of(const struct edge_registration_key *key)
{
    uint64_t hash;
    memcpy(&hash, key->bytes, sizeof hash);
    return hash;
}

static struct entry *find(const struct edge_registrations *table, const struct edge_registration_key *key)
{
    struct hash_entry *link;
    for (link = hash_first(&table->entries, hash_of(key)); link; link = hash_next(link)) {
        struct entry *entry = container_of(link, struct entry, hash);
        if (memcmp(&entry->key, key, sizeof *key) == 0)
            return entry;
    }
    return NULL;
}

static struct entry *find_on(const struct edge_registrations *table, const struct edge_registration_key *key,
                             struct sip_flow_name flow)
{
    struct entry *entry = find(table, key);
    bool there = entry && !entry->is_lost && entry->flow.worker == flow.worker && entry->flow.flow == flow.flow;
    return there ? entry : NULL;
}

static struct entry *add(struct edge_registrations *table, const struct edge_registration_key *key)
{
    struct entry *entry = memory_zeroed(1, sizeof *entry);
    if (!entry)
        return NULL;
    entry->key = *key;
    entry->is_lost = true;
    list_init(&entry->lost);
    registration_id_make(entry->id);
    hash_insert(&table->entries, &entry->hash, hash_of(key));
    return entry;
}

int edge_registrations_claim(struct edge_registrations *table, const struct edge_registration_key *key,
                             struct sip_flow_name flow, uint64_t expires_s, char id_out[REGISTRATION_ID_SIZE],
                             struct sip_flow_name *previous_out)
{
    int result = ERR_MEMORY;
    pthread_mutex_lock(&table->lock);
    struct entry *entry = find(table, key);
    if (!entry)
        entry = add(table, key);
    if (entry) {
        result = !entry->is_lost && (entry->flow.worker != flow.worker || entry->flow.flow != flow.flow);
        *previous_out = entry->flow;
        entry->flow = flow;
        entry->is_lost = false;
        entry->expires_s = expires_s;
        list_remove(&entry->lost);
        memcpy(id_out, entry->id, REGISTRATION_ID_SIZE);
    }
    pthread_mutex_unlock(&table->lock);
    return result;
}

bool edge_registrations_has(struct edge_registrations *table, const struct edge_registration_key *key,
                            struct sip_flow_name flow)
{
    pthread_mutex_lock(&table->lock);
    bool has = find_on(table, key, flow);
    pthread_mutex_unlock(&table->lock);
    return has;
}

void edge_registrations_issued(struct edge_registrations *table, const struct edge_registration_key *key,
                               uint64_t until_s)
{
    pthread_mutex_lock(&table->lock);
    struct entry *entry = find(table, key);
    if (entry && entry->credentials_until_s < until_s)
        entry->credentials_until_s = until_s;
    pthread_mutex_unlock(&table->lock);
}

void edge_registrations_leave(struct edge_registrations *table, const struct edge_registration_key *key,
                              struct sip_flow_name flow)
{
    pthread_mutex_lock(&table->lock);
    struct entry *entry = find_on(table, key, flow);
    if (entry) {
        entry->is_lost = true;
        list_append(&table->lost, &entry->lost);
    }
    pthread_mutex_unlock(&table->lock);
}

static struct edge_registration_rest rest_of(const struct entry *entry)
{
    struct edge_registration_rest rest = {
        .credentials_until_s = entry->credentials_until_s, .flow = entry->flow, .lost = entry->is_lost};
    memcpy(rest.id, entry->id, sizeof rest.id);
    return rest;
}

bool edge_registrations_end(struct edge_registrations *table, const struct edge_registration_key *key,
                            const struct sip_flow_name *flow, struct edge_registration_rest *rest_out)
{
    pthread_mutex_lock(&table->lock);
    struct entry *entry = flow ? find_on(table, key, *flow) : find(table, key);
    if (entry) {
        *rest_out = rest_of(entry);
        drop(table, entry);
    }
    pthread_mutex_unlock(&table->lock);
    return entry;
}

uint64_t edge_registrations_expire(struct edge_registrations *table, uint64_t wall_s,
                                   void (*over)(void *context, const struct edge_registration_rest *rest),
                                   void *context)
{
    struct list expired, *link, *following;
    uint64_t next_s = UINT64_MAX;
    list_init(&expired);
    pthread_mutex_lock(&table->lock);
    list_each_safe (link, following, &table->lost) {
        struct entry *entry = container_of(link, struct entry, lost);
        if (entry->expires_s <= wall_s) {
            list_remove(link);
            list_append(&expired, link);
            hash_remove(&table->entries, &entry->hash);
        } else if (entry->expires_s < next_s) {
            next_s = entry->expires_s;
        }
    }
    pthread_mutex_unlock(&table->lock);
    /* Without the lock: revocations are written to a file. */
    list_each_safe (link, following, &expired) {
        struct entry *entry = container_of(link, struct entry, lost);
        const struct edge_registration_rest rest = rest_of(entry);
        over(context, &rest);
        memory_free(entry);
    }
    return next_s;
}
