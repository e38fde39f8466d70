/* SPDX-License-Identifier: BSD-3-Clause
 * The core where the settings name none: registers the accounts of a database (Digest MD5 and SHA-256, RFC 8760) and
 * connects them with each other, as a registrar (RFC 3261 §10) and a forking proxy (§16). No sockets: it takes the
 * place of the core behind the edges of this process. One thread. */
#ifndef REGISTRAR_REGISTRAR_H
#define REGISTRAR_REGISTRAR_H

#include "base/now.h"
#include "base/span.h"
#include "base/timers.h"

struct registrar;
struct accounts; /* registrar/accounts.h */

struct registrar_host {
    void *context;
    struct timers *timers;
    /* One SIP message to the edges; copied. It must not come back through registrar_receive() before this returns. */
    void (*send)(void *context, const void *bytes, size_t length);
};
/* |domain|, |sent_by| (host:port of its Via and Record-Route) and |accounts| are borrowed. While somebody is
 * registered by one of the accounts, it looks at them every two seconds: whoever has none any more is not registered
 * any more, and edges that subscribed to reg-event (RFC 3680) are told. Returns 0 or ERR_MEMORY. */
int registrar_create(const char *domain, const char *sent_by, struct accounts *accounts,
                     const struct registrar_host *host, struct registrar **out);
void registrar_destroy(struct registrar **registrar);
/* One SIP message from an edge, over a reliable transport. */
void registrar_receive(struct registrar *registrar, const void *bytes, size_t length, struct now now);

#endif
