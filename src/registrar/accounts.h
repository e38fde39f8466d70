/* SPDX-License-Identifier: BSD-3-Clause
 * The accounts that this server holds itself, in an SQLite file. These few functions are all that is asked of it, so
 * that another database can stand behind them. Passwords are not kept, only H(A1) (RFC 7616 §3.4.2). A handle belongs
 * to one thread; several processes may hold the file open. */
#ifndef REGISTRAR_ACCOUNTS_H
#define REGISTRAR_ACCOUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/credentials.h"
#include "base/span.h"

#define ACCOUNTS_FILE        "accounts.db" /* in the state directory */
#define ACCOUNT_NAME_MAX     64
#define ACCOUNT_DOMAIN_MAX   253
#define ACCOUNT_PASSWORD_MAX 512

struct account {
    char name[ACCOUNT_NAME_MAX + 1];
    struct credential_key md5, sha256; /* H(A1), the realm is the domain */
    uint64_t created_s;                /* wall time */
};

struct accounts;
struct accounts_error {
    char text[320]; /* for a person: file, cause, what to do */
};

/* Opens |file|, and makes it (mode 0600, of the directory's owner) where it is not there; NULL: in memory. All that
 * follows is about accounts of |domain|, which is copied. |patience_ms|: how long a call waits for another process that
 * is writing. Returns 0, or ERR_MEMORY, ERR_SYSTEM, ERR_FORBIDDEN (others may read or write the file) or ERR_MALFORMED
 * (no database of ours, or of a newer version), with |error| filled. */
int accounts_open(const char *file, const char *domain, unsigned patience_ms, struct accounts **out,
                  struct accounts_error *error);
void accounts_close(struct accounts **accounts);

/* Returns 0, or ERR_NOT_FOUND, or ERR_SYSTEM. |name| is whatever a stranger sent. */
int accounts_find(struct accounts *accounts, struct span name, struct account *out);
/* Returns 0, or ERR_EXISTS, ERR_MALFORMED (a name that a SIP URI would have to escape, or an empty password),
 * ERR_TOO_LARGE or ERR_SYSTEM. */
int accounts_add(struct accounts *accounts, const char *name, const char *password, uint64_t wall_s);
/* Returns 0, or ERR_NOT_FOUND or ERR_SYSTEM. */
int accounts_remove(struct accounts *accounts, const char *name);
/* Calls |visit| for each account by name; |visit| must not use |accounts|. Returns 0 or ERR_SYSTEM. */
int accounts_list(struct accounts *accounts, void (*visit)(void *context, const struct account *account),
                  void *context);
/* Whether another handle has changed something since the last call; cheap. */
bool accounts_changed(struct accounts *accounts);
/* What the database said to the last ERR_SYSTEM; until the next call. */
const char *accounts_cause(struct accounts *accounts);

#endif
