/* SPDX-License-Identifier: BSD-3-Clause
 * One worker's clients: listeners for streams, the streams themselves, DTLS sessions. From a socket to whatever the
 * first (decrypted) bytes say it is: STUN and ChannelData go to the core, HTTP by its path to a page, a service, the
 * backend, or it becomes a WebSocket. */
#ifndef FRONT_FRONT_H
#define FRONT_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/ledger.h"
#include "base/address.h"
#include "crypto/tls.h"
#include "front/http_service.h"
#include "front/link.h"
#include "front/websocket.h"
#include "worker/worker.h"

struct front;

enum front_log_level {
    FRONT_LOG_ERROR, /* the operator has to do something */
    FRONT_LOG_INFO,  /* one client's connection failed, and why */
    FRONT_LOG_DEBUG, /* came and went */
};

/* Borrowed; immutable while a front uses them. Shared by all workers. */
struct front_settings {
    struct tls_context *tls; /* NULL: TLS and DTLS are not served */
    struct ledger *ledger;
    const struct address_prefix *proxies; /* these sources must send a PROXY header; nobody else may */
    size_t proxy_count;
    unsigned keepalive_s;          /* TCP keep-alive towards clients; 0: off */
    unsigned handshake_deadline_s; /* from accept to the first message: PROXY header, TLS and all */
    unsigned idle_timeout_s;       /* without an allocation; and of a client that takes no bytes */

    bool pages;                 /* serve those of web/ */
    uint16_t https_port;        /* of the first listener for TLS only: where pages asked for without TLS are; 0: none */
    const char *acme_directory; /* of the files behind /.well-known/acme-challenge/; NULL: none */
    const struct front_http_service *services; /* by path */
    size_t service_count;
    struct address backend; /* gets the requests that are nobody else's; family NONE: none */
    char *const *origins;   /* of pages that may open WebSockets for SIP, besides our own; "*": all */
    size_t origin_count;
    unsigned websocket_keepalive_s; /* a WebSocket for SIP that is quiet for so long is pinged */

    /* NULL: silent. Called from the workers' threads. |text| is one line without its end, for one cause. */
    void (*log)(void *context, enum front_log_level level, const char *text);
    void *log_context;
};

/* |server| is the worker's core. Returns 0 or ERR_MEMORY. */
int front_create(const struct front_settings *settings, struct worker *worker, struct turn_server *server,
                 struct front **out);
/* Closes everything; their allocations end. All workers' threads must have stopped. Accepts NULL inside. */
void front_destroy(struct front **front);

/* |fronts|[i] is worker i's: where an RFC 6062 data connection is moved to. Borrowed; set before the threads start. */
void front_set_workers(struct front *front, struct front *const *fronts, unsigned count);

/* Whose the WebSockets for SIP are that this worker serves; borrowed. NULL, as at first: none are served. */
void front_set_websocket_user(struct front *front, const struct front_websocket_user *user);

/* What a listener takes besides a PROXY header from listed sources. */
enum front_listen {
    FRONT_LISTEN_ANY, /* tcp://, or tls:// with `plain`: TLS or not, as the first byte says */
    FRONT_LISTEN_TLS, /* tls:// */
};

/* Serves the listening TCP socket |fd|, which stays the caller's to close after front_destroy(). Returns 0, ERR_MEMORY
 * or ERR_SYSTEM. */
int front_listen(struct front *front, int fd, enum front_listen kind);

/* Clients of this worker now, for the status and the tests. */
struct front_totals {
    unsigned streams, dtls_sessions;
};
struct front_totals front_totals(const struct front *front);

#endif
