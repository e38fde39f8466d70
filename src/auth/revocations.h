/* SPDX-License-Identifier: BSD-3-Clause
 * Registrations whose TURN credentials are worth nothing any more. Shared by all workers, with a lock; kept until the
 * last of those credentials would have expired, over a restart, in a file. */
#ifndef AUTH_REVOCATIONS_H
#define AUTH_REVOCATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/provision.h"
#include "base/span.h"

struct revocations;
/* |file| NULL: in memory only. Returns 0, ERR_MEMORY, ERR_SYSTEM or ERR_MALFORMED (of the file). */
int revocations_create(const char *file, uint64_t wall_s, struct revocations **out);
void revocations_destroy(struct revocations **revocations);
/* Refused from now on until |until_s|. Never fails silently: ERR_MEMORY or ERR_SYSTEM are for the log. */
int revocations_add(struct revocations *revocations, const char *registration_id, uint64_t until_s, uint64_t wall_s);
/* Whether |user_part| (of a username) belongs to a revoked registration. */
bool revocations_has(struct revocations *revocations, struct span user_part, uint64_t wall_s);
/* Grows with each addition: whoever holds allocations looks again when it has changed. Lock-free. */
uint64_t revocations_version(const struct revocations *revocations);

#endif
