/* SPDX-License-Identifier: BSD-3-Clause
 * Where the users of the domain are: addresses of record and their bindings (RFC 3261 §10, with Path of RFC 3327 and
 * the flows of RFC 5626). A record lives while it has bindings. */
#ifndef REGISTRAR_BINDINGS_H
#define REGISTRAR_BINDINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/now.h"
#include "base/siphash.h"
#include "base/span.h"
#include "base/timers.h"

#define BINDINGS_PER_RECORD 10
#define BINDINGS_MAX        100000
#define RECORD_USER_MAX     127 /* bytes of a user part */

struct binding;
struct bindings;

/* One address of record: sip:|user|@domain. */
struct record {
    struct hash_entry entry;
    struct list bindings; /* of struct binding, latest last */
    unsigned count;
    uint64_t id;
    bool by_password; /* its account has to exist; false: the edge vouches for it */
    char user[RECORD_USER_MAX + 1];
};

struct binding {
    struct list link;
    struct timer expiry;
    struct bindings *table;
    struct record *record; /* NULL while not committed */
    uint64_t id;
    char *contact;   /* URI */
    char *path;      /* values of Path as they came, ", " between them; NULL: none */
    char *instance;  /* value of +sip.instance, quotes included; NULL: none */
    uint32_t reg_id; /* 0: none */
    char *call_id;
    uint32_t cseq;
    uint32_t expires_s; /* as asked for; 0: the binding is to be removed */
    uint64_t expires_ns;
};

/* Why a binding ends (RFC 3680 §5.3). */
enum binding_end {
    BINDING_UNREGISTERED, /* by the client, or replaced */
    BINDING_EXPIRED,
    BINDING_DEACTIVATED, /* its flow is gone, or newer ones took the room: the client may come again */
    BINDING_REJECTED,    /* its account is gone */
};

struct bindings {
    struct timers *timers;
    struct hash records;
    struct siphash_key key;
    size_t count;       /* of bindings */
    size_t by_password; /* of records */
    uint64_t last_id;
    /* |binding| is about to be freed; it is still in its record. */
    void (*ended)(void *context, const struct binding *binding, enum binding_end end, struct now now);
    void *context;
};

/* Returns 0 or ERR_MEMORY. */
int bindings_init(struct bindings *table, struct timers *timers);
void bindings_fini(struct bindings *table);

struct record *bindings_find(const struct bindings *table, const char *user);
/* The binding of |record| that |like| would replace: the same instance and reg-id, or where it has none of these the
 * same URI. NULL: none. */
struct binding *bindings_match(const struct record *record, const struct binding *like);

/* A binding that is in no record yet; its texts are the caller's to fill in. NULL where memory is short. */
struct binding *binding_create(struct bindings *table);
void binding_destroy(struct binding *binding);

/* Makes the changes of one REGISTER for |user|, all of them or none: each of |wanted| (links of struct binding)
 * replaces what it matches, or removes it where its expires_s is 0. Beyond BINDINGS_PER_RECORD the oldest make room: a
 * page that is loaded again and again leaves bindings behind. |wanted| is empty afterwards. Returns 0, or ERR_FULL or
 * ERR_MEMORY with nothing changed. */
int bindings_commit(struct bindings *table, const char *user, struct list *wanted, bool by_password, struct now now);
/* Ends one binding, and with the last one its record. */
void bindings_end(struct binding *binding, enum binding_end end, struct now now);
/* Ends all of |record|, which is gone then. */
void bindings_end_all(struct record *record, enum binding_end end, struct now now);

#endif
