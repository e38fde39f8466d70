/* SPDX-License-Identifier: BSD-3-Clause */
#include "auth/revocations.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/credentials.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/siphash.h"
#include "base/timers.h"
#include "crypto/digest.h"

#define FIRST_LINE       "postern revocations 1\n"
#define JOURNAL_LINE_MAX (20 + 1 + REGISTRATION_ID_LENGTH + 1) /* the digits of a 64-bit number */
#define LINES_MAX        (4 * (size_t)REVOCATIONS_MAX)
#define LINES_SPARED     1024 /* a journal this short is not worth being written anew */
#define PATH_SIZE        4096

struct revocation {
    struct hash_entry by_id;
    struct timer until; /* in wall seconds: the heap does not ask what it counts */
    struct revocations *revocations;
    char id[REGISTRATION_ID_LENGTH];
};

struct revocations {
    pthread_rwlock_t lock;
    struct siphash_key hash_key;
    struct hash by_id;
    struct timers by_until;
    _Atomic uint64_t version;
    _Atomic uint32_t count;

    char *file, *temporary; /* NULL: in memory only */
    int fd;
    off_t length;    /* of the journal, whole lines */
    size_t lines;    /* in it */
    bool incomplete; /* it lacks an addition or has a torn line, and is to be written anew */
    bool missed;     /* an addition since the last snapshot did not get in */
    bool synced;     /* nothing in it waits for the disk */
};

static uint64_t hash_of(const struct revocations *revocations, const char *id)
{
    return siphash(&revocations->hash_key, id, REGISTRATION_ID_LENGTH);
}

static struct revocation *find(const struct revocations *revocations, const char *id)
{
    for (struct hash_entry *e = hash_first(&revocations->by_id, hash_of(revocations, id)); e; e = hash_next(e)) {
        struct revocation *one = container_of(e, struct revocation, by_id);
        if (memcmp(one->id, id, REGISTRATION_ID_LENGTH) == 0)
            return one;
    }
    return NULL;
}

static void forget(struct timer *timer, struct now now)
{
    (void)now;
    struct revocation *one = container_of(timer, struct revocation, until);
    hash_remove(&one->revocations->by_id, &one->by_id);
    atomic_fetch_sub_explicit(&one->revocations->count, 1, memory_order_relaxed);
    memory_free(one);
}

static void expire(struct revocations *revocations, uint64_t wall_s)
{
    timers_expire(&revocations->by_until, (struct now){.monotonic_ns = wall_s, .wall_s = wall_s});
}

/* Takes |id| in, or moves its end further away; the lock is held. Returns 0, ERR_FULL or ERR_MEMORY. */
static int install(struct revocations *revocations, const char *id, uint64_t until_s)
{
    struct revocation *one = find(revocations, id);
    if (one)
        return until_s > one->until.deadline_ns ? timers_set(&revocations->by_until, &one->until, until_s) : 0;
    int result = 0;
    if (revocations->by_id.count >= REVOCATIONS_MAX) {
        expire(revocations, timers_deadline(&revocations->by_until));
        result = ERR_FULL;
    }
    one = memory_zeroed(1, sizeof *one);
    if (!one)
        return ERR_MEMORY;
    one->revocations = revocations;
    one->until.callback = forget;
    memcpy(one->id, id, REGISTRATION_ID_LENGTH);
    if (timers_set(&revocations->by_until, &one->until, until_s) != 0) {
        memory_free(one);
        return ERR_MEMORY;
    }
    hash_insert(&revocations->by_id, &one->by_id, hash_of(revocations, id));
    atomic_fetch_add_explicit(&revocations->count, 1, memory_order_relaxed);
    return result;
}

static bool is_id(const char *text, size_t length)
{
    uint8_t bytes[REGISTRATION_ID_LENGTH];
    return length == REGISTRATION_ID_LENGTH && crypto_base64url_decode(text, length, bytes, sizeof bytes) > 0;
}

static size_t line_print(char out[JOURNAL_LINE_MAX + 1], const char *id, uint64_t until_s)
{
    return (size_t)snprintf(out, JOURNAL_LINE_MAX + 1, "%" PRIu64 " %.*s\n", until_s, REGISTRATION_ID_LENGTH, id);
}

/* One line without its end. Returns 0, ERR_MEMORY or ERR_MALFORMED. */
static int line_read(struct revocations *revocations, const char *line, size_t length, uint64_t wall_s)
{
    uint64_t until_s = 0;
    size_t digits = 0;
    for (; digits < length && digits < 19 && line[digits] >= '0' && line[digits] <= '9'; digits++)
        until_s = until_s * 10 + (uint64_t)(line[digits] - '0');
    if (digits == 0 || digits == length || line[digits] != ' ' || !is_id(line + digits + 1, length - digits - 1))
        return ERR_MALFORMED;
    int result = until_s > wall_s ? install(revocations, line + digits + 1, until_s) : 0;
    return result == ERR_FULL ? 0 : result;
}

static int journal_parse(struct revocations *revocations, const char *text, size_t length, uint64_t wall_s)
{
    size_t at = sizeof FIRST_LINE - 1;
    if (length == 0)
        return 0;
    if (length < at || memcmp(text, FIRST_LINE, at) != 0)
        return memcmp(text, FIRST_LINE, length < at ? length : at) == 0 ? 0 : ERR_MALFORMED;
    int result = 0;
    while (result == 0 && at < length) {
        const char *end = memchr(text + at, '\n', length - at);
        if (!end)
            break;
        size_t line = (size_t)(end - text) - at;
        result = line_read(revocations, text + at, line, wall_s);
        at += line + 1;
    }
    return result;
}

/* Reads what a former run has left. Returns 0, also where there is nothing; ERR_SYSTEM, ERR_MEMORY or ERR_MALFORMED. */
static int journal_read(struct revocations *revocations, uint64_t wall_s)
{
    int fd = open(revocations->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : ERR_SYSTEM;
    struct stat status;
    char *text = NULL;
    int result = ERR_SYSTEM;
    if (fstat(fd, &status) != 0)
        goto out;
    result = ERR_MALFORMED;
    if (!S_ISREG(status.st_mode) || status.st_size > (off_t)(LINES_MAX * JOURNAL_LINE_MAX))
        goto out;
    size_t size = (size_t)status.st_size, length = 0;
    result = ERR_MEMORY;
    text = memory_zeroed(1, size + 1);
    if (!text)
        goto out;
    ssize_t got;
    while (length < size && (got = read(fd, text + length, size - length)) > 0)
        length += (size_t)got;
    result = length == size ? journal_parse(revocations, text, length, wall_s) : ERR_SYSTEM;
out:
    memory_free(text);
    close(fd);
    return result;
}

/* Returns 0 or ERR_SYSTEM. */
static int write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0)
            return ERR_SYSTEM;
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

/* What the journal has to say, for writing it anew. */
struct snapshot {
    char *text;
    size_t length, lines;
    off_t taken_at; /* length of the old journal */
};

static void snapshot_add(struct hash_entry *entry, void *context)
{
    struct snapshot *snapshot = context;
    const struct revocation *one = container_of(entry, struct revocation, by_id);
    snapshot->length += line_print(snapshot->text + snapshot->length, one->id, one->until.deadline_ns);
    snapshot->lines++;
}

/* Returns 0 or ERR_MEMORY. */
static int snapshot_take(struct revocations *revocations, uint64_t wall_s, struct snapshot *out)
{
    pthread_rwlock_wrlock(&revocations->lock);
    expire(revocations, wall_s);
    size_t size = sizeof FIRST_LINE + (revocations->by_id.count + 1) * JOURNAL_LINE_MAX;
    *out = (struct snapshot){.text = memory_zeroed(1, size), .taken_at = revocations->length};
    if (out->text) {
        out->length = sizeof FIRST_LINE - 1;
        memcpy(out->text, FIRST_LINE, out->length);
        hash_each(&revocations->by_id, snapshot_add, out);
        revocations->missed = false;
    }
    pthread_rwlock_unlock(&revocations->lock);
    return out->text ? 0 : ERR_MEMORY;
}

/* Puts the new journal in the old one's place, with what has been added meanwhile; the lock is held. */
static int journal_swap(struct revocations *revocations, int fd, struct snapshot *snapshot)
{
    char line[JOURNAL_LINE_MAX];
    off_t at = snapshot->taken_at;
    while (revocations->fd >= 0 && at < revocations->length) {
        ssize_t got = pread(revocations->fd, line, sizeof line, at);
        if (got <= 0 || write_all(fd, line, (size_t)got) != 0)
            return ERR_SYSTEM;
        for (ssize_t i = 0; i < got; i++)
            snapshot->lines += line[i] == '\n';
        snapshot->length += (size_t)got;
        at += got;
    }
    if (fsync(fd) != 0 || rename(revocations->temporary, revocations->file) != 0)
        return ERR_SYSTEM;
    if (revocations->fd >= 0)
        close(revocations->fd);
    revocations->fd = fd;
    revocations->length = (off_t)snapshot->length;
    revocations->lines = snapshot->lines;
    revocations->synced = true;
    revocations->incomplete = revocations->missed;
    return 0;
}

/* Without the lock while most of it is written, so that nobody who relays waits for the disk. */
static int journal_rewrite(struct revocations *revocations, uint64_t wall_s)
{
    struct snapshot snapshot;
    int result = snapshot_take(revocations, wall_s, &snapshot);
    if (result != 0)
        return result;
    result = ERR_SYSTEM;
    int fd = open(revocations->temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && write_all(fd, snapshot.text, snapshot.length) == 0 && fsync(fd) == 0) {
        pthread_rwlock_wrlock(&revocations->lock);
        result = journal_swap(revocations, fd, &snapshot);
        pthread_rwlock_unlock(&revocations->lock);
    }
    if (result != 0) {
        int cause = errno;
        if (fd >= 0)
            close(fd);
        pthread_rwlock_wrlock(&revocations->lock);
        revocations->incomplete = true;
        pthread_rwlock_unlock(&revocations->lock);
        errno = cause;
    }
    memory_free(snapshot.text);
    return result;
}

int revocations_create(const char *file, uint64_t wall_s, struct revocations **out)
{
    struct revocations *revocations = memory_zeroed(1, sizeof *revocations);
    if (!revocations)
        return ERR_MEMORY;
    revocations->fd = -1;
    revocations->synced = true;
    pthread_rwlock_init(&revocations->lock, NULL);
    crypto_random(&revocations->hash_key, sizeof revocations->hash_key);
    timers_init(&revocations->by_until);
    int result = hash_init(&revocations->by_id);
    if (result == 0 && file) {
        char temporary[PATH_SIZE];
        int length = snprintf(temporary, sizeof temporary, "%s.new", file);
        revocations->file = memory_string(file);
        revocations->temporary = length < PATH_SIZE ? memory_string(temporary) : NULL;
        result = revocations->file && revocations->temporary ? journal_read(revocations, wall_s) : ERR_MEMORY;
        if (result == 0)
            result = journal_rewrite(revocations, wall_s);
    }
    if (result != 0) {
        int cause = errno;
        revocations_destroy(&revocations);
        errno = cause;
        return result;
    }
    *out = revocations;
    return 0;
}

static void destroy_one(struct hash_entry *entry, void *context)
{
    (void)context;
    memory_free(container_of(entry, struct revocation, by_id));
}

void revocations_destroy(struct revocations **revocations)
{
    struct revocations *gone = *revocations;
    if (!gone)
        return;
    if (gone->fd >= 0) {
        fdatasync(gone->fd);
        close(gone->fd);
    }
    if (gone->by_id.buckets)
        hash_each(&gone->by_id, destroy_one, NULL);
    hash_fini(&gone->by_id);
    timers_fini(&gone->by_until);
    pthread_rwlock_destroy(&gone->lock);
    memory_free(gone->file);
    memory_free(gone->temporary);
    memory_free(gone);
    *revocations = NULL;
}

/* Behind a line that did not get in whole nothing is appended: the next one would not begin where it should. The lock
 * is held. */
static int journal_append(struct revocations *revocations, const char *id, uint64_t until_s)
{
    char line[JOURNAL_LINE_MAX + 1];
    size_t length = line_print(line, id, until_s);
    if (!revocations->incomplete && write_all(revocations->fd, line, length) == 0) {
        revocations->length += (off_t)length;
        revocations->lines++;
        revocations->synced = false;
        return 0;
    }
    revocations->incomplete = revocations->missed = true;
    return ERR_SYSTEM;
}

int revocations_add(struct revocations *revocations, const char *id, uint64_t until_s, uint64_t wall_s)
{
    if (!is_id(id, strlen(id)))
        return ERR_MALFORMED;
    if (until_s <= wall_s)
        return 0;
    /* So that it fits into the journal's digits; no credentials live that long. */
    if (until_s > wall_s + UINT32_MAX)
        until_s = wall_s + UINT32_MAX;
    pthread_rwlock_wrlock(&revocations->lock);
    expire(revocations, wall_s);
    int result = install(revocations, id, until_s);
    if (result == 0 || result == ERR_FULL) {
        atomic_fetch_add_explicit(&revocations->version, 1, memory_order_release);
        if (revocations->fd >= 0 && journal_append(revocations, id, until_s) != 0)
            result = ERR_SYSTEM;
    }
    pthread_rwlock_unlock(&revocations->lock);
    return result;
}

bool revocations_has(struct revocations *revocations, struct span registration, uint64_t wall_s)
{
    if (registration.length != REGISTRATION_ID_LENGTH || revocations_count(revocations) == 0)
        return false;
    pthread_rwlock_rdlock(&revocations->lock);
    const struct revocation *one = find(revocations, registration.bytes);
    bool revoked = one && one->until.deadline_ns > wall_s;
    pthread_rwlock_unlock(&revocations->lock);
    return revoked;
}

uint64_t revocations_version(const struct revocations *revocations)
{
    return atomic_load_explicit(&revocations->version, memory_order_acquire);
}

uint32_t revocations_count(const struct revocations *revocations)
{
    return atomic_load_explicit(&revocations->count, memory_order_acquire);
}

/* Whether the name still leads to the journal that is written to. It does not where somebody has deleted it, or has
 * started a second server, which writes it anew before it finds its ports taken. */
static bool journal_is_in_place(const struct revocations *revocations)
{
    struct stat named, open;
    return stat(revocations->file, &named) == 0 && fstat(revocations->fd, &open) == 0 && named.st_ino == open.st_ino &&
           named.st_dev == open.st_dev;
}

int revocations_maintain(struct revocations *revocations, uint64_t wall_s)
{
    if (!revocations->file)
        return 0;
    /* Only this thread changes the descriptor, so it may be used without the lock. */
    bool in_place = journal_is_in_place(revocations);
    pthread_rwlock_wrlock(&revocations->lock);
    bool grown = revocations->lines > 2 * revocations->by_id.count + LINES_SPARED;
    bool rewrite = !in_place || revocations->incomplete || grown, sync = !revocations->synced;
    revocations->synced = true;
    pthread_rwlock_unlock(&revocations->lock);
    if (rewrite)
        return journal_rewrite(revocations, wall_s);
    if (sync && fdatasync(revocations->fd) != 0) {
        pthread_rwlock_wrlock(&revocations->lock);
        revocations->incomplete = true;
        pthread_rwlock_unlock(&revocations->lock);
        return ERR_SYSTEM;
    }
    return 0;
}
