/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/settings_check.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "daemon/quote.h"
#include "daemon/settings_check_edge.h"

static int check_listeners(const struct settings *settings, struct settings_error *error)
{
    if (settings->listen.count == 0)
        return settings_fail(settings, settings_line(settings, "listen"), error,
                             "listen: nobody could come in: add a listener such as udp://0.0.0.0:3478");
    for (size_t i = 0; i < settings->listen.count; i++) {
        const struct settings_listener *one = &settings->listen.items[i];
        char text[ADDRESS_TEXT_MAX];
        address_format(&one->address, text);
        if (one->scheme == SETTINGS_TLS && settings->tls.count == 0)
            return settings_fail(settings, one->line, error,
                                 "listen: tls://%s needs a certificate: set tls.certificate and tls.key", text);
        if (one->scheme != SETTINGS_TLS && one->plain)
            return settings_fail(settings, one->line, error,
                                 "listen: %s://%s is plain anyway: take `plain` out, or make it tls://%s",
                                 settings_scheme_name(one->scheme), text, text);
        for (size_t j = 0; j < i; j++) {
            const struct settings_listener *other = &settings->listen.items[j];
            bool same_protocol = (one->scheme == SETTINGS_UDP) == (other->scheme == SETTINGS_UDP);
            if (same_protocol && address_equal(&one->address, &other->address))
                return settings_fail(
                    settings, one->line, error, "listen: %s://%s and %s://%s want the same port: keep one of them",
                    settings_scheme_name(one->scheme), text, settings_scheme_name(other->scheme), text);
        }
    }
    return 0;
}

static int check_relay_addresses(const struct settings *settings, struct settings_error *error)
{
    for (size_t i = 0; i < settings->relay_addresses.count; i++) {
        const struct settings_relay_address *one = &settings->relay_addresses.items[i];
        for (size_t j = 0; j < i; j++) {
            const struct settings_relay_address *other = &settings->relay_addresses.items[j];
            char text[ADDRESS_TEXT_MAX];
            if (address_equal(&one->public_address, &other->public_address) ||
                address_equal(&one->private_address, &other->private_address))
                return settings_fail(settings, one->line, error, "relay.addresses: %s is there twice: keep one",
                                     address_format(&one->public_address, text));
        }
    }
    return 0;
}

static int check_peers(const struct settings *settings, struct settings_error *error)
{
    for (size_t i = 0; i < settings->allow_peers.count; i++) {
        const struct address_prefix *allowed = &settings->allow_peers.items[i];
        for (size_t j = 0; j < settings->deny_peers.count; j++) {
            const struct address_prefix *denied = &settings->deny_peers.items[j];
            char text[ADDRESS_TEXT_MAX];
            if (allowed->bits == denied->bits && address_equal(&allowed->base, &denied->base))
                return settings_fail(settings, settings_line(settings, "relay.deny-peers"), error,
                                     "relay.deny-peers: %s/%u is in relay.allow-peers, too: take it out of one",
                                     address_format(&denied->base, text), denied->bits);
        }
    }
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    const struct settings_account *const *one = a, *const *other = b;
    return strcmp((*one)->name, (*other)->name);
}

static int check_users(const struct settings *settings, struct settings_error *error)
{
    size_t count = settings->users.count;
    bool issuing = settings->edge_domain[0] || settings->token_keys.count > 0;
    if (count == 0 && settings->shared_secrets.count == 0 && !issuing)
        return settings_fail(settings, 0, error, "nobody could get a relay: set users or credentials.shared-secrets");
    if (count < 2)
        return 0;
    const struct settings_account **sorted = memory_zeroed(count, sizeof *sorted);
    if (!sorted) {
        settings_fail(settings, 0, error, "out of memory");
        return ERR_MEMORY;
    }
    for (size_t i = 0; i < count; i++)
        sorted[i] = &settings->users.items[i];
    qsort(sorted, count, sizeof *sorted, compare_names);
    int status = 0;
    for (size_t i = 1; i < count && status == 0; i++) {
        char quoted[80];
        const struct settings_account *one = sorted[i - 1], *other = sorted[i];
        unsigned line = one->line > other->line ? one->line : other->line;
        if (strcmp(one->name, other->name) == 0)
            status = settings_fail(settings, line, error, "users: %s is there twice: keep one",
                                   quote(quoted, sizeof quoted, one->name, strlen(one->name)));
    }
    memory_free(sorted);
    return status;
}

static int check_secrets(const struct settings *settings, struct settings_error *error)
{
    for (size_t i = 0; i < settings->shared_secrets.count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(settings->shared_secrets.items[i], settings->shared_secrets.items[j]) == 0)
                return settings_fail(settings, settings_line(settings, "credentials.shared-secrets"), error,
                                     "credentials.shared-secrets: one secret is there twice: keep one");
    return 0;
}

static int check_alternate(const struct settings *settings, struct settings_error *error)
{
    if (settings->alternate_domain[0] && settings->alternate_server.family == ADDRESS_NONE)
        return settings_fail(settings, settings_line(settings, "alternate-domain"), error,
                             "alternate-domain: says nothing without alternate-server: set that, too");
    return 0;
}

/* Requests that come back to where they came in would go round for ever. */
static int check_backend(const struct settings *settings, struct settings_error *error)
{
    const struct address *backend = &settings->http_backend;
    char text[ADDRESS_TEXT_MAX];
    if (backend->family != ADDRESS_NONE && address_is_unspecified(backend))
        return settings_fail(settings, settings_line(settings, "http.backend"), error,
                             "http.backend: %s is no server's address: write the one it listens on, such as 127.0.0.1",
                             address_format(backend, text));
    for (size_t i = 0; i < settings->listen.count; i++) {
        const struct settings_listener *one = &settings->listen.items[i];
        bool meets = address_same_ip(&one->address, backend) ||
                     (address_is_unspecified(&one->address) && one->address.family == backend->family);
        if (one->scheme != SETTINGS_UDP && meets && one->address.port == backend->port)
            return settings_fail(settings, settings_line(settings, "http.backend"), error,
                                 "http.backend: %s is where this server itself listens: let yours listen on another "
                                 "port",
                                 address_format(backend, text));
    }
    return 0;
}

int settings_check(const struct settings *settings, struct settings_error *error)
{
    static int (*const checks[])(const struct settings *, struct settings_error *) = {
        check_listeners, check_relay_addresses, check_peers,   check_users,
        check_secrets,   check_alternate,       check_backend, settings_check_edge,
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        int status = checks[i](settings, error);
        if (status != 0)
            return status;
    }
    return 0;
}
