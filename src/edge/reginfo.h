/* SPDX-License-Identifier: BSD-3-Clause
 * application/reginfo+xml (RFC 3680 §5): what the core says of registrations. Read by libexpat, without document types
 * and entities. */
#ifndef EDGE_REGINFO_H
#define EDGE_REGINFO_H

#include <stdbool.h>

#include "base/span.h"

#define REGINFO_URI_MAX 255

struct reginfo_contact {
    char aor[REGINFO_URI_MAX + 1];
    char uri[REGINFO_URI_MAX + 1]; /* empty: of the registration as a whole */
    bool terminated;
};

struct reginfo {
    unsigned version;
    bool full; /* all there is, not only what changed */
    /* Called for each contact, and for each registration that is terminated. */
    void (*contact)(void *context, const struct reginfo_contact *contact);
    void *context;
};
/* Reads |body|; |reginfo|'s contact and context are the caller's, the rest is filled before the first call. Returns 0,
 * or ERR_MALFORMED or ERR_MEMORY, maybe after some calls. */
int reginfo_read(struct span body, struct reginfo *reginfo);

#endif
