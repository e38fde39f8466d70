/* SPDX-License-Identifier: BSD-3-Clause */
#include "auth/ledger.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/siphash.h"
#include "crypto/digest.h"

#define SHARDS             16
#define ANSWER_BUCKETS     16384 /* 128 KiB; networks that share one share its limit */
#define REQUEST_BUCKETS    4096
#define SOURCE_PREFIX_IPV6 64 /* what one site has at its disposal */
#define ANSWER_PREFIX_IPV4 24
#define ANSWER_PREFIX_IPV6 56
/* A bucket holds a quarter of a second, yet always some datagrams, so that a low limit lets whole ones pass. */
#define BUCKET_DEPTH_NS (NS_PER_S / 4)
#define BUCKET_MIN      (16 * 1024)

/* A token bucket as the time at which it will be full again: no timer refills it. */
struct bucket {
    uint64_t full_ns;
};

/* What is counted by source. */
enum source_use {
    SOURCE_ALLOCATION,
    SOURCE_HALF_OPEN,
    SOURCE_WEBSOCKET,
    SOURCE_USES,
};

struct ledger_user {
    struct hash_entry entry;
    struct list resting; /* in the shard, while without allocations */
    struct bucket bucket;
    uint32_t allocations;
    uint16_t shard;
    uint16_t name_length;
    uint8_t name[];
};

struct ledger_source {
    struct hash_entry entry;
    struct address address; /* masked */
    uint32_t uses[SOURCE_USES];
    uint16_t shard;
};

struct shard {
    pthread_mutex_t lock;
    struct hash users, sources;
    struct list resting; /* users without allocations whose buckets are not full again */
    uint64_t latest_ns;  /* of the leases */
};

struct ledger {
    struct ledger_limits limits;
    struct siphash_key hash_key;
    struct shard shards[SHARDS];
    _Atomic uint32_t allocations, half_open;
    pthread_mutex_t everybody_lock; /* taken inside a shard's, never the other way round */
    struct bucket everybody;
    _Atomic uint64_t answers[ANSWER_BUCKETS];
    _Atomic uint64_t requests[REQUEST_BUCKETS];
};

int ledger_create(const struct ledger_limits *limits, struct ledger **out)
{
    struct ledger *ledger = memory_zeroed(1, sizeof *ledger);
    if (!ledger)
        return ERR_MEMORY;
    ledger->limits = *limits;
    crypto_random(&ledger->hash_key, sizeof ledger->hash_key);
    pthread_mutex_init(&ledger->everybody_lock, NULL);
    bool failed = false;
    for (unsigned i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&ledger->shards[i].lock, NULL);
        list_init(&ledger->shards[i].resting);
        failed |= hash_init(&ledger->shards[i].users) != 0;
        failed |= hash_init(&ledger->shards[i].sources) != 0;
    }
    if (failed) {
        ledger_destroy(&ledger);
        return ERR_MEMORY;
    }
    *out = ledger;
    return 0;
}

static void user_drop(struct shard *shard, struct ledger_user *user)
{
    list_remove(&user->resting);
    hash_remove(&shard->users, &user->entry);
    memory_free(user);
}

void ledger_destroy(struct ledger **ledger)
{
    struct ledger *gone = *ledger;
    if (!gone)
        return;
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *shard = &gone->shards[i];
        while (!list_empty(&shard->resting))
            user_drop(shard, container_of(shard->resting.next, struct ledger_user, resting));
        assert(shard->users.count == 0 && shard->sources.count == 0);
        hash_fini(&shard->users);
        hash_fini(&shard->sources);
        pthread_mutex_destroy(&shard->lock);
    }
    assert(gone->allocations == 0 && gone->half_open == 0);
    pthread_mutex_destroy(&gone->everybody_lock);
    memory_free(gone);
    *ledger = NULL;
}

/* The high bits choose the shard, the low ones the bucket within its table. */
static uint16_t shard_of(uint64_t hash)
{
    return (uint16_t)(hash >> 60) % SHARDS;
}

/* One more, unless that were more than |limit|. */
static bool count_up(_Atomic uint32_t *count, uint32_t limit)
{
    uint32_t old = atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
    if (limit == 0 || old < limit)
        return true;
    atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
    return false;
}

static void count_down(_Atomic uint32_t *count)
{
    uint32_t old = atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
    assert(old > 0);
}

/* The user's account, made where there is none; the shard is locked. */
static struct ledger_user *user_find(struct ledger *ledger, struct span name, uint64_t hash)
{
    struct shard *shard = &ledger->shards[shard_of(hash)];
    for (struct hash_entry *e = hash_first(&shard->users, hash); e; e = hash_next(e)) {
        struct ledger_user *user = container_of(e, struct ledger_user, entry);
        if (span_equal((struct span){user->name, user->name_length}, name))
            return user;
    }
    struct ledger_user *user = memory_zeroed(1, sizeof *user + name.length);
    if (!user)
        return NULL;
    user->shard = shard_of(hash);
    user->name_length = (uint16_t)name.length;
    memcpy(user->name, name.bytes, name.length);
    list_init(&user->resting);
    hash_insert(&shard->users, &user->entry, hash);
    return user;
}

static struct ledger_source *source_find(struct ledger *ledger, const struct address *address, uint64_t hash)
{
    struct shard *shard = &ledger->shards[shard_of(hash)];
    for (struct hash_entry *e = hash_first(&shard->sources, hash); e; e = hash_next(e)) {
        struct ledger_source *source = container_of(e, struct ledger_source, entry);
        if (address_equal(&source->address, address))
            return source;
    }
    struct ledger_source *source = memory_zeroed(1, sizeof *source);
    if (!source)
        return NULL;
    source->shard = shard_of(hash);
    source->address = *address;
    hash_insert(&shard->sources, &source->entry, hash);
    return source;
}

/* An account that nobody uses any more goes, but not before its bucket is full: or a new allocation would be new
 * bandwidth. The shard is locked. */
static void user_drop_unused(struct shard *shard, struct ledger_user *user)
{
    if (user->allocations > 0)
        return;
    if (user->bucket.full_ns > shard->latest_ns)
        list_append(&shard->resting, &user->resting);
    else
        user_drop(shard, user);
}

/* Looks at two for each lease: no account rests without having leased, so they do not pile up. The shard is locked. */
static void users_sweep(struct shard *shard, struct now now)
{
    if (shard->latest_ns < now.monotonic_ns)
        shard->latest_ns = now.monotonic_ns;
    for (int i = 0; i < 2 && !list_empty(&shard->resting); i++) {
        struct ledger_user *user = container_of(shard->resting.next, struct ledger_user, resting);
        list_remove(&user->resting);
        user_drop_unused(shard, user);
    }
}

static void source_drop_unused(struct shard *shard, struct ledger_source *source)
{
    for (unsigned i = 0; i < SOURCE_USES; i++)
        if (source->uses[i] > 0)
            return;
    hash_remove(&shard->sources, &source->entry);
    memory_free(source);
}

static int user_begin(struct ledger *ledger, struct span name, struct ledger_user **out)
{
    assert(name.length > 0 && name.length <= UINT16_MAX);
    uint64_t hash = siphash(&ledger->hash_key, name.bytes, name.length);
    struct shard *shard = &ledger->shards[shard_of(hash)];
    int result = ERR_MEMORY;
    pthread_mutex_lock(&shard->lock);
    struct ledger_user *user = user_find(ledger, name, hash);
    if (user) {
        uint32_t limit = ledger->limits.allocations_per_user;
        result = limit > 0 && user->allocations >= limit ? ERR_FULL : 0;
        if (result == 0) {
            user->allocations++;
            list_remove(&user->resting);
            *out = user;
        } else {
            user_drop_unused(shard, user);
        }
    }
    pthread_mutex_unlock(&shard->lock);
    return result;
}

static void user_end(struct ledger *ledger, struct ledger_user **user)
{
    struct shard *shard = &ledger->shards[(*user)->shard];
    pthread_mutex_lock(&shard->lock);
    assert((*user)->allocations > 0);
    (*user)->allocations--;
    user_drop_unused(shard, *user);
    pthread_mutex_unlock(&shard->lock);
    *user = NULL;
}

static uint32_t source_limit(const struct ledger_limits *limits, enum source_use use)
{
    switch (use) {
    case SOURCE_ALLOCATION:
        return limits->allocations_per_source;
    case SOURCE_HALF_OPEN:
        return limits->half_open_per_source;
    default:
        return limits->websockets_per_source;
    }
}

static int source_begin(struct ledger *ledger, const struct address *client, enum source_use use,
                        struct ledger_source **out)
{
    uint32_t limit = source_limit(&ledger->limits, use);
    struct address masked = address_masked(client, client->family == ADDRESS_IPV6 ? SOURCE_PREFIX_IPV6 : 32);
    uint64_t hash = siphash(&ledger->hash_key, &masked, sizeof masked);
    struct shard *shard = &ledger->shards[shard_of(hash)];
    int result = ERR_MEMORY;
    pthread_mutex_lock(&shard->lock);
    struct ledger_source *source = source_find(ledger, &masked, hash);
    if (source) {
        uint32_t *count = &source->uses[use];
        result = limit > 0 && *count >= limit ? ERR_FULL : 0;
        if (result == 0) {
            ++*count;
            *out = source;
        } else {
            source_drop_unused(shard, source);
        }
    }
    pthread_mutex_unlock(&shard->lock);
    return result;
}

static void source_end(struct ledger *ledger, enum source_use use, struct ledger_source **source)
{
    struct shard *shard = &ledger->shards[(*source)->shard];
    pthread_mutex_lock(&shard->lock);
    uint32_t *count = &(*source)->uses[use];
    assert(*count > 0);
    --*count;
    source_drop_unused(shard, *source);
    pthread_mutex_unlock(&shard->lock);
    *source = NULL;
}

int ledger_allocation_begin(struct ledger *ledger, struct span user_part, const struct address *client,
                            struct ledger_user **user_out, struct ledger_source **source_out, bool *everybody_out)
{
    *everybody_out = false;
    int result = user_begin(ledger, user_part, user_out);
    if (result != 0)
        return result;
    result = source_begin(ledger, client, SOURCE_ALLOCATION, source_out);
    if (result != 0)
        goto no_source;
    if (count_up(&ledger->allocations, ledger->limits.allocations))
        return 0;
    *everybody_out = true;
    result = ERR_FULL;
    source_end(ledger, SOURCE_ALLOCATION, source_out);
no_source:
    user_end(ledger, user_out);
    return result;
}

void ledger_allocation_end(struct ledger *ledger, struct ledger_user **user, struct ledger_source **source)
{
    count_down(&ledger->allocations);
    source_end(ledger, SOURCE_ALLOCATION, source);
    user_end(ledger, user);
}

int ledger_half_open_begin(struct ledger *ledger, const struct address *client, struct ledger_source **source_out)
{
    if (!count_up(&ledger->half_open, ledger->limits.half_open))
        return ERR_FULL;
    int result = source_begin(ledger, client, SOURCE_HALF_OPEN, source_out);
    if (result != 0)
        count_down(&ledger->half_open);
    return result;
}

void ledger_half_open_end(struct ledger *ledger, struct ledger_source **source)
{
    if (!*source)
        return;
    count_down(&ledger->half_open);
    source_end(ledger, SOURCE_HALF_OPEN, source);
}

int ledger_websocket_begin(struct ledger *ledger, const struct address *client, struct ledger_source **source_out)
{
    return source_begin(ledger, client, SOURCE_WEBSOCKET, source_out);
}

void ledger_websocket_end(struct ledger *ledger, struct ledger_source **source)
{
    if (*source)
        source_end(ledger, SOURCE_WEBSOCKET, source);
}

/* How long |bytes| take at |bps| bits per second. */
static uint64_t transfer_ns(uint64_t bytes, uint64_t bps)
{
    return (uint64_t)((double)bytes * 8 * NS_PER_S / (double)bps);
}

static uint64_t bucket_depth_ns(uint64_t bps)
{
    uint64_t least_ns = transfer_ns(BUCKET_MIN, bps);
    return least_ns > BUCKET_DEPTH_NS ? least_ns : BUCKET_DEPTH_NS;
}

/* A fresh bucket holds the least amount only: who ends an allocation and makes another gains no burst by it. */
static void bucket_begin(struct bucket *bucket, uint64_t bps, struct now now)
{
    if (bps > 0 && bucket->full_ns == 0)
        bucket->full_ns = now.monotonic_ns + bucket_depth_ns(bps) - transfer_ns(BUCKET_MIN, bps);
}

/* Bytes in |bucket| at |now| when |bps| bits per second flow in; any amount for no limit. */
static uint64_t bucket_level(const struct bucket *bucket, uint64_t bps, struct now now)
{
    if (bps == 0)
        return UINT64_MAX;
    uint64_t depth_ns = bucket_depth_ns(bps);
    uint64_t missing_ns = bucket->full_ns > now.monotonic_ns ? bucket->full_ns - now.monotonic_ns : 0;
    return missing_ns >= depth_ns ? 0 : (uint64_t)((double)(depth_ns - missing_ns) * (double)bps / 8 / NS_PER_S);
}

static void bucket_take(struct bucket *bucket, uint64_t bps, uint64_t bytes, struct now now)
{
    if (bps == 0)
        return;
    if (bucket->full_ns < now.monotonic_ns)
        bucket->full_ns = now.monotonic_ns;
    bucket->full_ns += transfer_ns(bytes, bps);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t ledger_bandwidth_lease(struct ledger *ledger, struct ledger_user *user, uint64_t bytes, struct now now)
{
    const struct ledger_limits *limits = &ledger->limits;
    struct shard *shard = &ledger->shards[user->shard];
    pthread_mutex_lock(&shard->lock);
    pthread_mutex_lock(&ledger->everybody_lock);
    users_sweep(shard, now);
    bucket_begin(&user->bucket, limits->bandwidth_per_user_bps, now);
    uint64_t granted = smaller(bytes, bucket_level(&user->bucket, limits->bandwidth_per_user_bps, now));
    granted = smaller(granted, bucket_level(&ledger->everybody, limits->bandwidth_bps, now));
    bucket_take(&user->bucket, limits->bandwidth_per_user_bps, granted, now);
    bucket_take(&ledger->everybody, limits->bandwidth_bps, granted, now);
    pthread_mutex_unlock(&ledger->everybody_lock);
    pthread_mutex_unlock(&shard->lock);
    return granted;
}

bool ledger_bandwidth_limited(const struct ledger *ledger)
{
    return ledger->limits.bandwidth_bps > 0 || ledger->limits.bandwidth_per_user_bps > 0;
}

/* Takes one of |per_period| from |bucket|: a period's worth at once, then evenly. Returns 0, or the nanoseconds after
 * which there is one. */
static uint64_t rate_take(_Atomic uint64_t *bucket, uint64_t per_period, uint64_t period_ns, struct now now)
{
    uint64_t interval_ns = period_ns / per_period, latest_ns = now.monotonic_ns + period_ns;
    uint64_t full_ns = atomic_load_explicit(bucket, memory_order_relaxed);
    for (;;) {
        uint64_t next_ns = (full_ns > now.monotonic_ns ? full_ns : now.monotonic_ns) + interval_ns;
        if (next_ns > latest_ns)
            return next_ns - latest_ns;
        if (atomic_compare_exchange_weak_explicit(bucket, &full_ns, next_ns, memory_order_relaxed,
                                                  memory_order_relaxed))
            return 0;
    }
}

bool ledger_answer_allowed(struct ledger *ledger, const struct address *client, struct now now)
{
    uint64_t rate = ledger->limits.answers_per_network;
    if (rate == 0)
        return true;
    struct address network =
        address_masked(client, client->family == ADDRESS_IPV6 ? ANSWER_PREFIX_IPV6 : ANSWER_PREFIX_IPV4);
    uint64_t hash = siphash(&ledger->hash_key, &network, sizeof network);
    return rate_take(&ledger->answers[hash % ANSWER_BUCKETS], rate, NS_PER_S, now) == 0;
}

unsigned ledger_request_wait(struct ledger *ledger, const struct address *client, struct now now)
{
    uint64_t rate = ledger->limits.requests_per_source;
    if (rate == 0)
        return 0;
    struct address source = address_masked(client, client->family == ADDRESS_IPV6 ? SOURCE_PREFIX_IPV6 : 32);
    uint64_t hash = siphash(&ledger->hash_key, &source, sizeof source);
    uint64_t wait_ns = rate_take(&ledger->requests[hash % REQUEST_BUCKETS], rate, 60 * NS_PER_S, now);
    return (unsigned)((wait_ns + NS_PER_S - 1) / NS_PER_S);
}

struct ledger_totals ledger_totals(struct ledger *ledger)
{
    struct ledger_totals totals = {.allocations = ledger->allocations, .half_open = ledger->half_open};
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *shard = &ledger->shards[i];
        pthread_mutex_lock(&shard->lock);
        totals.users += (uint32_t)shard->users.count;
        totals.sources += (uint32_t)shard->sources.count;
        pthread_mutex_unlock(&shard->lock);
    }
    return totals;
}
