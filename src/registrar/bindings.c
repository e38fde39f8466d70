/* SPDX-License-Identifier: BSD-3-Clause */
#include "registrar/bindings.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "crypto/digest.h"

int bindings_init(struct bindings *table, struct timers *timers)
{
    *table = (struct bindings){.timers = timers};
    crypto_random(&table->key, sizeof table->key);
    return hash_init(&table->records);
}

static struct binding *first_of(const struct record *record)
{
    return container_of(record->bindings.next, struct binding, link);
}

static void destroy_record(struct hash_entry *entry, void *context)
{
    (void)context;
    struct record *record = container_of(entry, struct record, entry);
    while (!list_empty(&record->bindings))
        binding_destroy(first_of(record));
    memory_free(record);
}

void bindings_fini(struct bindings *table)
{
    if (!table->records.buckets)
        return;
    hash_each(&table->records, destroy_record, NULL);
    hash_fini(&table->records);
}

static uint64_t hash_of(const struct bindings *table, const char *user)
{
    return siphash(&table->key, user, strlen(user));
}

struct record *bindings_find(const struct bindings *table, const char *user)
{
    struct hash_entry *entry;
    for (entry = hash_first(&table->records, hash_of(table, user)); entry; entry = hash_next(entry)) {
        struct record *record = container_of(entry, struct record, entry);
        if (strcmp(record->user, user) == 0)
            return record;
    }
    return NULL;
}

struct binding *bindings_match(const struct record *record, const struct binding *like)
{
    struct list *link;
    list_each (link, &record->bindings) {
        struct binding *binding = container_of(link, struct binding, link);
        bool same = like->reg_id ? binding->reg_id == like->reg_id && strcmp(binding->instance, like->instance) == 0
                                 : !binding->reg_id && strcmp(binding->contact, like->contact) == 0;
        if (same)
            return binding;
    }
    return NULL;
}

static void expire(struct timer *timer, struct now now)
{
    bindings_end(container_of(timer, struct binding, expiry), BINDING_EXPIRED, now);
}

struct binding *binding_create(struct bindings *table)
{
    struct binding *binding = memory_zeroed(1, sizeof *binding);
    if (!binding)
        return NULL;
    list_init(&binding->link);
    binding->table = table;
    binding->expiry.callback = expire;
    return binding;
}

void binding_destroy(struct binding *binding)
{
    if (!binding)
        return;
    timers_cancel(binding->table->timers, &binding->expiry);
    list_remove(&binding->link);
    if (binding->record) {
        binding->record->count--;
        binding->table->count--;
    }
    memory_free(binding->contact);
    memory_free(binding->path);
    memory_free(binding->instance);
    memory_free(binding->call_id);
    memory_free(binding);
}

/* Leaves an empty record behind. */
static void take_away(struct binding *binding, enum binding_end end, struct now now)
{
    struct bindings *table = binding->table;
    if (table->ended)
        table->ended(table->context, binding, end, now);
    binding_destroy(binding);
}

static void drop_if_empty(struct bindings *table, struct record *record)
{
    if (record->count > 0)
        return;
    table->by_password -= record->by_password;
    hash_remove(&table->records, &record->entry);
    memory_free(record);
}

void bindings_end(struct binding *binding, enum binding_end end, struct now now)
{
    struct bindings *table = binding->table;
    struct record *record = binding->record;
    take_away(binding, end, now);
    drop_if_empty(table, record);
}

void bindings_end_all(struct record *record, enum binding_end end, struct now now)
{
    struct bindings *table = first_of(record)->table;
    while (!list_empty(&record->bindings))
        take_away(first_of(record), end, now);
    drop_if_empty(table, record);
}

static struct record *create_record(struct bindings *table, const char *user)
{
    struct record *record = memory_zeroed(1, sizeof *record);
    if (!record)
        return NULL;
    list_init(&record->bindings);
    strncpy(record->user, user, RECORD_USER_MAX);
    record->id = ++table->last_id;
    hash_insert(&table->records, &record->entry, hash_of(table, user));
    return record;
}

/* A binding keeps its id as long as it is refreshed. */
static void put(struct record *record, struct binding *binding, struct now now)
{
    struct bindings *table = binding->table;
    struct binding *old = bindings_match(record, binding);
    list_remove(&binding->link);
    binding->id = old ? old->id : ++table->last_id;
    binding_destroy(old);
    while (record->count >= BINDINGS_PER_RECORD)
        take_away(first_of(record), BINDING_DEACTIVATED, now);
    binding->record = record;
    record->count++;
    table->count++;
    list_append(&record->bindings, &binding->link);
    binding->expires_ns = now.monotonic_ns + binding->expires_s * NS_PER_S;
    timers_set(table->timers, &binding->expiry, binding->expires_ns); /* there is room */
}

/* The one that |like| asks to remove. */
static void take_matching(struct record *record, const struct binding *like, struct now now)
{
    struct binding *old = bindings_match(record, like);
    if (old)
        take_away(old, BINDING_UNREGISTERED, now);
}

int bindings_commit(struct bindings *table, const char *user, struct list *wanted, bool by_password, struct now now)
{
    size_t added = 0;
    struct list *link;
    list_each (link, wanted)
        added++;
    struct record *record = bindings_find(table, user);
    int status = table->count + added > BINDINGS_MAX ? ERR_FULL : 0;
    if (status == 0)
        status = timers_reserve(table->timers, table->timers->count + added);
    if (status == 0 && !record && !(record = create_record(table, user)))
        status = ERR_MEMORY;
    if (status == 0) {
        table->by_password = table->by_password + by_password - record->by_password;
        record->by_password = by_password;
    }
    /* Removals come last, so that a move to another contact is no end of the registration. */
    struct list *following;
    list_each_safe (link, following, wanted) {
        struct binding *binding = container_of(link, struct binding, link);
        if (status == 0 && binding->expires_s > 0)
            put(record, binding, now);
    }
    while (!list_empty(wanted)) {
        struct binding *binding = container_of(wanted->next, struct binding, link);
        if (status == 0)
            take_matching(record, binding, now);
        binding_destroy(binding);
    }
    if (status == 0)
        drop_if_empty(table, record);
    return status;
}
