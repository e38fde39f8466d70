/* SPDX-License-Identifier: BSD-3-Clause
 * The operator's settings: a YAML file turned into one plain struct. The table in settings_table.c says which keys
 * there are; parser, defaults, --help, sample file and manual page all come from it. */
#ifndef DAEMON_SETTINGS_H
#define DAEMON_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

#define SETTINGS_LIST(type) \
    struct {                \
        type *items;        \
        size_t count;       \
    }

enum settings_scheme {
    SETTINGS_UDP, /* TURN, and DTLS where there is a certificate */
    SETTINGS_TCP, /* TURN and HTTP, and TLS where there is a certificate */
    SETTINGS_TLS, /* TLS only, unless |plain| */
};
/* "udp", "tcp", "tls"; static. */
const char *settings_scheme_name(enum settings_scheme scheme);

/* |line| of an item: where in the file it stands, 0 for a default. */
struct settings_listener {
    struct address address; /* with port */
    enum settings_scheme scheme;
    bool plain; /* a tls:// listener takes unencrypted clients as well */
    unsigned line;
};

struct settings_certificate {
    char *certificate_file, *key_file;
    unsigned line;
};

struct settings_relay_address {
    struct address public_address, private_address; /* equal without NAT; port 0 */
    unsigned line;
};

struct settings_account {
    char *name, *password;
    unsigned line;
};

struct settings_ports {
    uint16_t first, last;
};

/* As many rows as the table can have. */
#define SETTINGS_ROWS_MAX 96

/* Counts and rates: 0 means no limit. */
struct settings {
    char *file;                        /* as given, for messages */
    unsigned lines[SETTINGS_ROWS_MAX]; /* by row of the table: where it was set, 0 for a default */

    char *realm;
    SETTINGS_LIST(struct settings_listener) listen;
    SETTINGS_LIST(struct settings_certificate) tls;

    SETTINGS_LIST(struct settings_relay_address) relay_addresses; /* empty: to be found from the host */
    struct settings_ports relay_ports;
    SETTINGS_LIST(struct address_prefix) allow_peers;
    SETTINGS_LIST(struct address_prefix) deny_peers;
    bool hairpin;
    bool tcp_relay;

    SETTINGS_LIST(struct settings_account) users;
    SETTINGS_LIST(char *) shared_secrets;
    uint32_t credentials_lifetime_s;
    char *nonce_key; /* "": random */

    uint32_t allocations;
    uint32_t allocations_per_user;
    uint32_t allocations_per_source;
    uint32_t permissions; /* per allocation, at least 1; the same for channels */
    uint32_t channels;
    uint64_t bandwidth_bps;
    uint64_t bandwidth_per_user_bps;
    uint32_t half_open;
    uint32_t half_open_per_source;
    uint32_t answers_per_network;
    uint32_t websockets_per_source;
    uint32_t requests_per_source; /* per minute */
    uint32_t handshake_deadline_s;
    uint32_t idle_timeout_s;
    uint32_t lifetime_s; /* of an allocation, at most */

    uint32_t tcp_keepalive_s;        /* 0: off */
    struct address alternate_server; /* family ADDRESS_NONE: none */
    char *alternate_domain;          /* "": none */
    SETTINGS_LIST(struct address_prefix) proxy_sources;

    struct address http_backend; /* family ADDRESS_NONE: none */
    char *acme_directory;        /* "": none */
    bool pages;

    char *edge_domain;               /* "": the edge is off */
    SETTINGS_LIST(char *) edge_core; /* SIP URIs; empty: the own registrar */
    SETTINGS_LIST(struct settings_listener) edge_listen;
    char *edge_address;                     /* "": to be found */
    char *edge_core_ca;                     /* "": the system's */
    SETTINGS_LIST(struct address) edge_dns; /* empty: the system's */
    SETTINGS_LIST(struct address_prefix) edge_trusted;
    SETTINGS_LIST(char *) edge_origins;
    char *edge_visited_network; /* "": the domain */
    uint32_t edge_keepalive_s;
    SETTINGS_LIST(char *) edge_turn_uris; /* empty: this server's */
    bool edge_end_revoked;
    SETTINGS_LIST(char *) token_keys; /* files */
    char *token_issuer, *token_audience;
    char *token_impi_claim, *token_impu_claim;
    char *token_challenge; /* authorization server; "": no challenge */

    uint32_t workers; /* 0: one per processor */
    char *state_directory;
};

/* One line for a person: "file:line: key: what is wrong and what to do". */
struct settings_error {
    char text[640];
};

/* Reads |file|. Returns 0 with |*out| the caller's, or ERR_SYSTEM, ERR_MEMORY or ERR_MALFORMED with |error| filled. */
int settings_load(const char *file, struct settings **out, struct settings_error *error);
/* The same for |length| bytes of YAML; |name| stands for the file in messages, which do without where it is "". */
int settings_parse(const char *name, const void *yaml, size_t length, struct settings **out,
                   struct settings_error *error);
/* Erases secrets before it frees. Accepts NULL. */
void settings_destroy(struct settings **settings);

/* Fills |error| with "file:line: text", or "file: text" for line 0. Returns ERR_MALFORMED. */
int settings_fail(const struct settings *settings, unsigned line, struct settings_error *error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same for what no settings are to blame for: fills |error| with the text alone. Returns ERR_SYSTEM. */
int settings_fail_system(struct settings_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The line where |key|, a key of the table, was set; 0 if it was not. */
unsigned settings_line(const struct settings *settings, const char *key);

#endif
