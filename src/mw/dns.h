/* SPDX-License-Identifier: BSD-3-Clause
 * DNS for the way to the core: c-ares on a worker's loop behind a cache by name and type. Nothing blocks, one thread.
 * Addresses come from the hosts file as well, services (RFC 2782) and pointers (RFC 3403) from DNS only. */
#ifndef MW_DNS_H
#define MW_DNS_H

#include "base/address.h"
#include "base/now.h"
#include "mw/uri.h"
#include "worker/loop.h"

struct dns;

enum dns_type {
    DNS_ADDRESSES, /* A and AAAA */
    DNS_SERVICES,  /* SRV */
    DNS_POINTERS,  /* NAPTR */
};

#define DNS_RECORDS_MAX 16 /* of an answer; the rest is not looked at */
#define DNS_NAMES_MAX   1024

/* How long an answer is kept, whatever its TTL says, and how long it is kept that there is none: a minute without the
 * answer of a server that was down would be long. */
#define DNS_TTL_MIN_S      10
#define DNS_TTL_MAX_S      3600
#define DNS_TTL_NEGATIVE_S 30
#define DNS_TTL_FAILED_S   10

struct dns_service {
    uint16_t priority, weight, port;
    char target[MW_HOST_SIZE]; /* "": the service is decidedly not available */
};

struct dns_pointer {
    uint16_t order, preference;
    char service[32];
    char replacement[MW_HOST_SIZE];
};

/* |count| of the array that the question was for; 0: there are none, or no server answered. */
struct dns_answer {
    uint64_t answered_ns, expires_ns;
    unsigned count;
    struct address *addresses;
    struct dns_service *services;
    struct dns_pointer *pointers;
};

/* |servers|: whom to ask, port 0 for 53; none: those of the system. |answered| is called, at the end of a turn, when
 * there are new answers. Returns 0, ERR_MEMORY or ERR_SYSTEM. */
int dns_create(struct loop *loop, const struct address *servers, size_t server_count,
               void (*answered)(void *context, struct now now), void *context, struct dns **out);
/* |answered| is not called from here. */
void dns_destroy(struct dns **dns);

/* What is known about |name|, in lower case: an answer that has not expired, or that came after |since_ns|, so that who
 * needs several of them in a row gets to an end however short their lives are. Returns 0 with |*out| valid until the
 * next call, ERR_WOULD_BLOCK where the question is under way now, or ERR_FULL or ERR_MEMORY. */
int dns_find(struct dns *dns, const char *name, enum dns_type type, uint64_t since_ns, struct now now,
             const struct dns_answer **out);

#endif
