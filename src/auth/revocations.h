/* SPDX-License-Identifier: BSD-3-Clause
 * Registrations whose TURN credentials are worth nothing any more. Shared by all workers, with a lock; kept until the
 * last of those credentials would have expired, over a restart, in a journal.
 *
 * The journal has a line for each addition, `until id`, behind a first line that names it. It is appended to by whoever
 * adds, put onto the disk and rewritten without what has expired by revocations_maintain(). A last line that is not
 * whole is what a crash left of it, and is no error. */
#ifndef AUTH_REVOCATIONS_H
#define AUTH_REVOCATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

/* Of which there is room at most. Beyond, the one that would have expired next is forgotten. */
#define REVOCATIONS_MAX 262144

struct revocations;
/* |file| NULL: in memory only. Returns 0, ERR_MEMORY, ERR_SYSTEM (with errno) or ERR_MALFORMED (of the file). */
int revocations_create(const char *file, uint64_t wall_s, struct revocations **out);
/* Puts the journal onto the disk. */
void revocations_destroy(struct revocations **revocations);

/* The registration |id| is refused from now on until |until_s|, the expiry of the last credentials that it got; where
 * that has passed there is nothing to remember. Returns 0, or, for the log:
 *   ERR_FULL       taken, but another one was forgotten for it
 *   ERR_SYSTEM     taken, but not in the journal yet: revocations_maintain() tries again
 *   ERR_MALFORMED  |id| is no registration id
 *   ERR_MEMORY     not taken */
int revocations_add(struct revocations *revocations, const char *id, uint64_t until_s, uint64_t wall_s);
/* Whether |registration| (struct credential_name) has been revoked; an empty one never is. Takes no lock while there is
 * none at all. */
bool revocations_has(struct revocations *revocations, struct span registration, uint64_t wall_s);
/* Grows with each addition: whoever holds allocations looks again when it has changed. Lock-free. */
uint64_t revocations_version(const struct revocations *revocations);
/* How many there are. Lock-free. */
uint32_t revocations_count(const struct revocations *revocations);

/* Writes to the disk what has been added, and the journal anew where most of it has expired or its file is no longer
 * there. To be called every now and then, by one thread that may wait for a disk. Returns 0, ERR_SYSTEM (with errno) or
 * ERR_MEMORY. */
int revocations_maintain(struct revocations *revocations, uint64_t wall_s);

#endif
