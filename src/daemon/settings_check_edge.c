/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/settings_check_edge.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "daemon/quote.h"

#define NAME_CHARACTERS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._"

/* What says nothing while the edge is off, or has no core to speak with. */
static int check_needed(const struct settings *settings, struct settings_error *error)
{
    const struct {
        const char *key, *needs;
        bool set, there;
    } rows[] = {
        {"edge.core", "edge.domain", settings->edge_core.count > 0, settings->edge_domain[0]},
        {"edge.address", "edge.core", settings->edge_address[0], settings->edge_core.count > 0},
        {"edge.core-ca", "edge.core", settings->edge_core_ca[0], settings->edge_core.count > 0},
        {"edge.dns", "edge.core", settings->edge_dns.count > 0, settings->edge_core.count > 0},
        {"edge.trusted", "edge.core", settings->edge_trusted.count > 0, settings->edge_core.count > 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].set && !rows[i].there)
            return settings_fail(settings, settings_line(settings, rows[i].key), error,
                                 "%s: says nothing without %s: set that, too", rows[i].key, rows[i].needs);
    return 0;
}

/* They stand in SIP messages as they are: one as a host, the others between quotation marks. */
static int check_texts(const struct settings *settings, struct settings_error *error)
{
    static const char *const keys[] = {"edge.domain", "edge.address", "edge.visited-network", "edge.token-challenge"};
    static const char *const remedies[] = {
        "a domain name: write one such as ims.example.org",
        "an address or a name: write one such as 10.0.0.5, without a port",
        "fit for a P-Visited-Network-ID: take quotation marks and backslashes out",
        "fit for a challenge: take quotation marks and backslashes out",
    };
    const char *const values[] = {settings->edge_domain, settings->edge_address, settings->edge_visited_network,
                                  settings->token_challenge};
    const char *colon = strchr(values[1], ':');
    const bool good[] = {
        !values[0][strspn(values[0], NAME_CHARACTERS)],
        !values[1][strspn(values[1], NAME_CHARACTERS ":[]")] && (!colon || strchr(colon + 1, ':')), /* none, or IPv6 */
        !strpbrk(values[2], "\"\\"),
        !strpbrk(values[3], "\"\\"),
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char quoted[120];
        if (!good[i])
            return settings_fail(settings, settings_line(settings, keys[i]), error, "%s: %s is not %s", keys[i],
                                 quote(quoted, sizeof quoted, values[i], strlen(values[i])), remedies[i]);
    }
    return 0;
}

/* SIP carries passwords, so it is taken behind TLS only, whoever ends that. */
static int check_way_in(const struct settings *settings, struct settings_error *error)
{
    bool secure = false;
    for (size_t i = 0; i < settings->listen.count; i++)
        secure |= settings->listen.items[i].scheme != SETTINGS_UDP &&
                  (settings->tls.count > 0 || settings->proxy_sources.count > 0);
    if (settings->edge_domain[0] && !secure)
        return settings_fail(settings, settings_line(settings, "edge.domain"), error,
                             "edge.domain: nobody could register, for SIP comes behind TLS only: listen on "
                             "tls://0.0.0.0:443, with tls.certificate and tls.key");
    return 0;
}

/* Where the core comes in. */
static int check_core_listeners(const struct settings *settings, struct settings_error *error)
{
    for (size_t i = 0; i < settings->edge_listen.count && settings->edge_core.count > 0; i++) {
        const struct settings_listener *one = &settings->edge_listen.items[i];
        const char *scheme = settings_scheme_name(one->scheme);
        char text[ADDRESS_TEXT_MAX];
        address_format(&one->address, text);
        if (one->scheme == SETTINGS_TLS && settings->tls.count == 0)
            return settings_fail(settings, one->line, error,
                                 "edge.listen: tls://%s needs a certificate: set tls.certificate and tls.key", text);
        for (size_t j = 0; j < settings->listen.count + i; j++) {
            bool of_clients = j < settings->listen.count;
            const struct settings_listener *other =
                of_clients ? &settings->listen.items[j] : &settings->edge_listen.items[j - settings->listen.count];
            if ((one->scheme == SETTINGS_UDP) == (other->scheme == SETTINGS_UDP) &&
                address_equal(&one->address, &other->address))
                return settings_fail(settings, one->line, error,
                                     "edge.listen: %s://%s is in %s, too: give the core a port of its own", scheme,
                                     text, of_clients ? "listen" : "edge.listen");
        }
    }
    return 0;
}

static int check_tokens(const struct settings *settings, struct settings_error *error)
{
    static const char *const keys[] = {"edge.token-issuer", "edge.token-audience", "edge.token-challenge"};
    const char *const values[] = {settings->token_issuer, settings->token_audience, settings->token_challenge};
    bool taken = settings->token_keys.count > 0;
    for (size_t i = 0; i < 2 && taken; i++)
        if (!values[i][0])
            return settings_fail(settings, settings_line(settings, "edge.token-keys"), error,
                                 "edge.token-keys: a good signature alone says too little: set %s, too", keys[i]);
    for (size_t i = 0; i < 3 && !taken; i++)
        if (values[i][0])
            return settings_fail(settings, settings_line(settings, keys[i]), error,
                                 "%s: says nothing without edge.token-keys: set that, too", keys[i]);
    return 0;
}

/* host[:port] as a URI has it. Returns the first byte behind it, or NULL where there is no host. */
static const char *skip_host(const char *at)
{
    const char *host = at;
    if (*at == '[') {
        at += 1 + strspn(at + 1, "0123456789abcdefABCDEF:.");
        if (*at != ']' || at == host + 1)
            return NULL;
        at++;
    } else {
        at += strspn(at, NAME_CHARACTERS);
        if (at == host)
            return NULL;
    }
    if (*at != ':')
        return at;
    char *end;
    long port = at[1] >= '0' && at[1] <= '9' ? strtol(at + 1, &end, 10) : 0;
    return port >= 1 && port <= 65535 ? end : NULL;
}

/* RFC 7065 §3.1; RFC 7064 for STUN. */
static bool is_turn_uri(const char *uri)
{
    static const char *const schemes[] = {"turn:", "turns:", "stun:", "stuns:"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t length = strlen(schemes[i]);
        if (strncmp(uri, schemes[i], length) != 0)
            continue;
        const char *rest = skip_host(uri + length);
        return rest && (*rest == '\0' ||
                        (i < 2 && (strcmp(rest, "?transport=udp") == 0 || strcmp(rest, "?transport=tcp") == 0)));
    }
    return false;
}

static int check_turn_uris(const struct settings *settings, struct settings_error *error)
{
    unsigned line = settings_line(settings, "edge.turn-uris");
    char quoted[120];
    for (size_t i = 0; i < settings->edge_turn_uris.count; i++) {
        const char *uri = settings->edge_turn_uris.items[i];
        if (!is_turn_uri(uri))
            return settings_fail(settings, line, error,
                                 "edge.turn-uris: %s is none: write turn:HOST:PORT?transport=udp, or "
                                 "turns:HOST:PORT?transport=tcp",
                                 quote(quoted, sizeof quoted, uri, strlen(uri)));
    }
    if (settings->edge_turn_uris.count > 0 && settings->shared_secrets.count == 0)
        return settings_fail(settings, line, error,
                             "edge.turn-uris: the server there has to know by which secret credentials are made: set "
                             "credentials.shared-secrets, and the first of them there");
    return 0;
}

/* RFC 6454 §6.2, as browsers send it. */
static int check_origins(const struct settings *settings, struct settings_error *error)
{
    for (size_t i = 0; i < settings->edge_origins.count; i++) {
        const char *origin = settings->edge_origins.items[i];
        const char *host = strstr(origin, "://");
        bool scheme = strncmp(origin, "https://", 8) == 0 || strncmp(origin, "http://", 7) == 0;
        const char *rest = scheme ? skip_host(host + 3) : NULL;
        char quoted[120];
        if (strcmp(origin, "*") != 0 && (!rest || *rest))
            return settings_fail(settings, settings_line(settings, "edge.origins"), error,
                                 "edge.origins: %s is none: write https://HOST or https://HOST:PORT, without a path, "
                                 "or '*'",
                                 quote(quoted, sizeof quoted, origin, strlen(origin)));
    }
    return 0;
}

int settings_check_edge(const struct settings *settings, struct settings_error *error)
{
    static int (*const checks[])(const struct settings *, struct settings_error *) = {
        check_needed, check_texts, check_way_in, check_core_listeners, check_tokens, check_turn_uris, check_origins,
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        int status = checks[i](settings, error);
        if (status != 0)
            return status;
    }
    return 0;
}
