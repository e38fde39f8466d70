/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/settings_table.h"

#include <string.h>

#define AT(member) .offset = offsetof(struct settings, member)
#define MINUTE     60u
#define HOUR       3600u
#define DAY        86400u
#define COUNT_MAX  10000000u
#define KEY_MAX    64

/* Ordered as the sample file and the manual show them: a section's rows stand together, a record's fields follow it. */
const struct settings_row settings_rows[] = {
    {.key = "realm",
     .type = SETTING_TEXT,
     AT(realm),
     .least = 1,
     .most = 127,
     .fallback = "postern",
     .example = "example.org",
     .help =
         "Domain of the accounts. Clients hash it into their keys, so a change makes stored keys worthless. "
         "It goes to strangers with every challenge: up to 16 bytes the challenge is at most 2.2 times as long as what "
         "asked for it"},

    {.key = "listen",
     .type = SETTING_RECORD,
     .list = true,
     AT(listen),
     .most = 64,
     .record_size = sizeof(struct settings_listener),
     .record_line_offset = offsetof(struct settings_listener, line),
     .short_form = "listen.url",
     .fallback = "['udp://0.0.0.0:3478', 'udp://[::]:3478', 'tcp://0.0.0.0:3478', 'tcp://[::]:3478']",
     .example = "['udp://0.0.0.0:3478', 'udp://[::]:3478', 'tls://0.0.0.0:443', 'tls://[::]:443']",
     .help = "Where clients come in: udp://ADDRESS:PORT, tcp://ADDRESS:PORT or tls://ADDRESS:PORT, IPv6 in brackets. "
             "Every listener tells STUN, ChannelData, TLS or DTLS, and HTTP apart by itself"},
    {.key = "listen.url",
     .type = SETTING_LISTENER,
     .field = true,
     .required = true,
     .help = "The long form {url: tls://ADDRESS:PORT, plain: true} says more about one listener"},
    {.key = "listen.plain",
     .type = SETTING_FLAG,
     .field = true,
     .offset = offsetof(struct settings_listener, plain),
     .fallback = "false",
     .help = "A tls:// listener takes TLS only; with plain: true it takes unencrypted TURN as well"},

    {.key = "tls",
     .type = SETTING_RECORD,
     .list = true,
     AT(tls),
     .most = 64,
     .record_size = sizeof(struct settings_certificate),
     .record_line_offset = offsetof(struct settings_certificate, line),
     .fallback = "[]",
     .example = "{certificate: /etc/postern/fullchain.pem, key: /etc/postern/privkey.pem}",
     .help =
         "Certificate and key for TLS and DTLS: one pair, or a list of pairs of which SNI chooses one and the first "
         "serves everyone else"},
    {.key = "tls.certificate",
     .type = SETTING_TEXT,
     .field = true,
     .required = true,
     .offset = offsetof(struct settings_certificate, certificate_file),
     .least = 1,
     .most = 4095,
     .help = "PEM file: the certificate, then the chain up to the root"},
    {.key = "tls.key",
     .type = SETTING_TEXT,
     .field = true,
     .required = true,
     .offset = offsetof(struct settings_certificate, key_file),
     .least = 1,
     .most = 4095,
     .help = "PEM file: its private key, not encrypted"},

    {.key = "relay.addresses",
     .type = SETTING_RELAY_ADDRESS,
     .list = true,
     AT(relay_addresses),
     .most = 16,
     .fallback = "[]",
     .example = "[203.0.113.5, '2001:db8::5']",
     .help = "Addresses to relay from. PUBLIC=PRIVATE behind a 1:1 NAT: clients are told the public one, the private "
             "one is bound. Empty: found from the host's default routes"},
    {.key = "relay.ports",
     .type = SETTING_PORTS,
     AT(relay_ports),
     .fallback = "49152-65535",
     .help = "Ports of each relay address that allocations may get"},
    {.key = "relay.allow-peers",
     .type = SETTING_PREFIX,
     .list = true,
     AT(allow_peers),
     .most = 4096,
     .fallback = "[]",
     .example = "[10.20.0.0/16]",
     .help =
         "Exceptions to the built-in refusal of loopback, private, link-local and other special-purpose peers, and of "
         "this host's own addresses, each of which has to be named in full: a range around it does not open it"},
    {.key = "relay.deny-peers",
     .type = SETTING_PREFIX,
     .list = true,
     AT(deny_peers),
     .most = 4096,
     .fallback = "[]",
     .example = "[198.18.0.0/15]",
     .help = "Peers that nobody may reach; wins over relay.allow-peers"},
    {.key = "relay.hairpin",
     .type = SETTING_FLAG,
     AT(hairpin),
     .fallback = "true",
     .help = "Let two clients of this server reach each other through their relay addresses"},
    {.key = "relay.tcp",
     .type = SETTING_FLAG,
     AT(tcp_relay),
     .fallback = "false",
     .help = "Allow TCP connections to and from peers (RFC 6062)"},

    {.key = "users",
     .type = SETTING_ACCOUNTS,
     AT(users),
     .least = 1,
     .most = 10000,
     .fallback = "{}",
     .example = "{alice: put-a-random-password-here}",
     .help = "Static accounts, NAME: PASSWORD, for tests and small set-ups"},
    {.key = "credentials.shared-secrets",
     .type = SETTING_SECRET,
     .list = true,
     AT(shared_secrets),
     .least = 1,
     .most = 16,
     .fallback = "[]",
     .example = "[put-a-random-secret-here]",
     .help = "Secrets behind time-limited credentials: the first issues, all are accepted. Empty where credentials are "
             "handed out (edge.domain, edge.token-keys): one is made and kept in the state directory"},
    {.key = "credentials.lifetime",
     .type = SETTING_DURATION,
     AT(credentials_lifetime_s),
     .least = MINUTE,
     .most = 30 * DAY,
     .fallback = "1h",
     .help =
         "How long credentials that are handed out are good for new allocations; those of a registration end with it"},
    {.key = "nonce-key",
     .type = SETTING_SECRET,
     AT(nonce_key),
     .most = 1024,
     .fallback = "''",
     .help = "Key of the nonces. Servers that share it accept each other's; empty: made at random at each start"},

    {.key = "limits.allocations",
     .type = SETTING_COUNT,
     AT(allocations),
     .most = COUNT_MAX,
     .fallback = "0",
     .help = "Allocations in all; 0: as many as there are relay ports"},
    {.key = "limits.allocations-per-user",
     .type = SETTING_COUNT,
     AT(allocations_per_user),
     .most = COUNT_MAX,
     .fallback = "50",
     .help = "Allocations of one user, which for time-limited credentials is the part behind `expiry:`; 0: no limit. "
             "A browser with three URLs on a network of both families opens up to eight at the start of a call"},
    {.key = "limits.allocations-per-source",
     .type = SETTING_COUNT,
     AT(allocations_per_source),
     .most = COUNT_MAX,
     .fallback = "100",
     .help = "Allocations from one client address (IPv6: from one /64); 0: no limit"},
    {.key = "limits.permissions",
     .type = SETTING_COUNT,
     AT(permissions),
     .least = 1,
     .most = 65535,
     .fallback = "256",
     .help = "Permissions of one allocation"},
    {.key = "limits.channels",
     .type = SETTING_COUNT,
     AT(channels),
     .least = 1,
     .most = 4096,
     .fallback = "256",
     .help = "Channels of one allocation"},
    {.key = "limits.bandwidth",
     .type = SETTING_RATE,
     AT(bandwidth_bps),
     .most = 1000000000000000,
     .fallback = "0",
     .help = "Relayed payload of all, both ways, in bits per second. What is beyond is dropped; 0: no limit"},
    {.key = "limits.bandwidth-per-user",
     .type = SETTING_RATE,
     AT(bandwidth_per_user_bps),
     .most = 1000000000000000,
     .fallback = "0",
     .example = "4M",
     .help = "The same for one user"},
    {.key = "limits.half-open",
     .type = SETTING_COUNT,
     AT(half_open),
     .most = COUNT_MAX,
     .fallback = "4096",
     .help = "Connections that have not yet proved anything; 0: no limit"},
    {.key = "limits.half-open-per-source",
     .type = SETTING_COUNT,
     AT(half_open_per_source),
     .most = COUNT_MAX,
     .fallback = "128",
     .help = "The same from one client address (IPv6: from one /64)"},
    {.key = "limits.answers-per-network",
     .type = SETTING_COUNT,
     AT(answers_per_network),
     .most = COUNT_MAX,
     .fallback = "200",
     .help = "Answers per second to strangers on UDP, by network (/24 or /56), so that nobody is flooded through this "
             "server; 0: no limit"},
    {.key = "limits.websockets-per-source",
     .type = SETTING_COUNT,
     AT(websockets_per_source),
     .most = COUNT_MAX,
     .fallback = "1000",
     .help = "WebSockets from one client address (IPv6: from one /64); 0: no limit"},
    {.key = "limits.requests-per-source",
     .type = SETTING_COUNT,
     AT(requests_per_source),
     .most = COUNT_MAX,
     .fallback = "60",
     .help = "Requests for credentials to /v1 per minute from one client address (IPv6: from one /64); 0: no limit"},
    {.key = "limits.handshake-deadline",
     .type = SETTING_DURATION,
     AT(handshake_deadline_s),
     .least = 1,
     .most = 5 * MINUTE,
     .fallback = "10s",
     .help = "Time for PROXY header, TLS hand-shake and the first good message together"},
    {.key = "limits.idle-timeout",
     .type = SETTING_DURATION,
     AT(idle_timeout_s),
     .least = 1,
     .most = HOUR,
     .fallback = "60s",
     .help = "A connection without an allocation is closed after this time without a message. So long "
             "http.backend may take to begin or to go on with an answer"},
    {.key = "limits.lifetime",
     .type = SETTING_DURATION,
     AT(lifetime_s),
     .least = 10 * MINUTE,
     .most = DAY,
     .fallback = "1h",
     .help = "Lifetime that a client can get for its allocation before it has to refresh"},

    {.key = "tcp-keepalive",
     .type = SETTING_DURATION,
     AT(tcp_keepalive_s),
     .most = 2 * HOUR,
     .fallback = "15s",
     .help = "Idle time after which TCP keep-alive probes hold a connection open through firewalls that forget; 0: "
             "off"},
    {.key = "alternate-server",
     .type = SETTING_ADDRESS,
     AT(alternate_server),
     .fallback = "''",
     .example = "203.0.113.6:3478",
     .help = "Where to send new clients when limits.allocations is reached or no relay port is free"},
    {.key = "alternate-domain",
     .type = SETTING_TEXT,
     AT(alternate_domain),
     .most = 255,
     .fallback = "''",
     .example = "turn2.example.org",
     .help = "Name in the alternate server's certificate"},
    {.key = "proxy-protocol.from",
     .type = SETTING_PREFIX,
     .list = true,
     AT(proxy_sources),
     .most = 256,
     .fallback = "[]",
     .example = "[192.0.2.10]",
     .help = "Balancers that must send a PROXY protocol header (version 1 or 2) on TCP; nobody else may"},

    {.key = "http.backend",
     .type = SETTING_ADDRESS,
     AT(http_backend),
     .fallback = "''",
     .example = "127.0.0.1:8080",
     .help =
         "HTTP server, ADDRESS:PORT, that gets every request which is not postern's own, by HTTP/1.1 without TLS, so "
         "that the port stays yours; empty: 404"},
    {.key = "http.acme-directory",
     .type = SETTING_TEXT,
     AT(acme_directory),
     .most = 4095,
     .fallback = "''",
     .example = "/var/lib/postern/acme",
     .help = "Directory from which /.well-known/acme-challenge/ is served, for the renewal of certificates"},
    {.key = "http.pages",
     .type = SETTING_FLAG,
     AT(pages),
     .fallback = "true",
     .help = "Serve the pages for people at / and /check; false: the backend's / is served"},

    {.key = "edge.domain",
     .type = SETTING_TEXT,
     AT(edge_domain),
     .most = 253,
     .fallback = "''",
     .example = "ims.example.org",
     .help = "Home domain of the registrations. Turns the edge on: SIP over WebSocket at / and /sip; empty: off"},
    {.key = "edge.core",
     .type = SETTING_TEXT,
     .list = true,
     AT(edge_core),
     .least = 1,
     .most = 16,
     .fallback = "[]",
     .example = "['sip:icscf.example.org;transport=tcp']",
     .help =
         "SIP URIs of the core's entry, looked up as RFC 3263 says, the next one where one is dead. Empty: posternd "
         "registers and connects the accounts of its own database itself"},
    {.key = "edge.listen",
     .type = SETTING_LISTENER,
     .list = true,
     AT(edge_listen),
     .most = 16,
     .fallback = "['udp://0.0.0.0:5060', 'tcp://0.0.0.0:5060']",
     .help = "Where the core reaches the edge by SIP, used only with edge.core: udp://ADDRESS:PORT, tcp:// or tls://"},
    {.key = "edge.address",
     .type = SETTING_TEXT,
     AT(edge_address),
     .most = 253,
     .fallback = "''",
     .example = "10.0.0.5",
     .help = "Address or name of this host in the Via, Path and Record-Route that the core sees; empty: that of the "
             "listener, or of the default route"},
    {.key = "edge.core-ca",
     .type = SETTING_TEXT,
     AT(edge_core_ca),
     .most = 4095,
     .fallback = "''",
     .example = "/etc/postern/core-ca.pem",
     .help = "PEM file of the authorities that sign the core's certificates; empty: the system's"},
    {.key = "edge.dns",
     .type = SETTING_ADDRESS,
     .list = true,
     AT(edge_dns),
     .most = 8,
     .fallback = "[]",
     .example = "['10.0.0.53:53']",
     .help = "DNS servers that are asked for edge.core and the next hops that it names; empty: the system's"},
    {.key = "edge.trusted",
     .type = SETTING_PREFIX,
     .list = true,
     AT(edge_trusted),
     .most = 256,
     .fallback = "[]",
     .example = "[10.0.0.0/24]",
     .help = "Sources of SIP besides edge.core that belong to the core; what comes from others is dropped"},
    {.key = "edge.origins",
     .type = SETTING_TEXT,
     .list = true,
     AT(edge_origins),
     .least = 1,
     .most = 256,
     .fallback = "[]",
     .example = "['https://app.example.org']",
     .help = "Web origins whose pages may connect and ask for credentials, besides this server's own; '*': all"},
    {.key = "edge.visited-network",
     .type = SETTING_TEXT,
     AT(edge_visited_network),
     .most = 253,
     .fallback = "''",
     .example = "visited.example.org",
     .help = "P-Visited-Network-ID of REGISTER requests; empty: edge.domain"},
    {.key = "edge.keepalive",
     .type = SETTING_DURATION,
     AT(edge_keepalive_s),
     .least = 5,
     .most = 10 * MINUTE,
     .fallback = "25s",
     .help = "A WebSocket that is quiet for so long is pinged, and closed where the answer fails to come as long"},
    {.key = "edge.turn-uris",
     .type = SETTING_TEXT,
     .list = true,
     AT(edge_turn_uris),
     .least = 1,
     .most = 32,
     .fallback = "[]",
     .example = "['turns:turn.example.org:443?transport=tcp']",
     .help = "TURN URIs that clients are given beside their credentials; empty: this server's own. A server that these "
             "name knows the first of credentials.shared-secrets; realm and nonce are told only where nonce-key is "
             "set, as servers of ours have it in common"},
    {.key = "edge.end-revoked",
     .type = SETTING_FLAG,
     AT(edge_end_revoked),
     .fallback = "true",
     .help =
         "End running allocations when the registration behind their credentials ends; false: they go on until they "
         "are to be refreshed"},
    {.key = "edge.token-keys",
     .type = SETTING_TEXT,
     .list = true,
     AT(token_keys),
     .least = 1,
     .most = 16,
     .fallback = "[]",
     .example = "[/etc/postern/jwks.json]",
     .help = "Files with the public keys (JWKS or PEM) of those who sign access tokens; empty: no tokens"},
    {.key = "edge.token-issuer",
     .type = SETTING_TEXT,
     AT(token_issuer),
     .most = 1023,
     .fallback = "''",
     .example = "https://login.example.org",
     .help = "What a token's iss has to be; required with edge.token-keys"},
    {.key = "edge.token-audience",
     .type = SETTING_TEXT,
     AT(token_audience),
     .most = 1023,
     .fallback = "''",
     .example = "postern",
     .help = "What a token's aud has to contain; required with edge.token-keys"},
    {.key = "edge.token-impi-claim",
     .type = SETTING_TEXT,
     AT(token_impi_claim),
     .least = 1,
     .most = 127,
     .fallback = "sub",
     .help = "Claim that holds the private identity (IMPI)"},
    {.key = "edge.token-impu-claim",
     .type = SETTING_TEXT,
     AT(token_impu_claim),
     .least = 1,
     .most = 127,
     .fallback = "impu",
     .help = "Claim that holds the public identity or the list of them (IMPU); without it: sip:IMPI"},
    {.key = "edge.token-challenge",
     .type = SETTING_TEXT,
     AT(token_challenge),
     .most = 1023,
     .fallback = "''",
     .example = "https://login.example.org",
     .help = "Authorization server named in a Bearer challenge that is added to the core's 401; empty: none is added"},

    {.key = "workers",
     .type = SETTING_WORKERS,
     AT(workers),
     .least = 1,
     .most = 64,
     .fallback = "auto",
     .help = "Threads, each with its own sockets and clients; auto: one per processor"},
    {.key = "state-directory",
     .type = SETTING_TEXT,
     AT(state_directory),
     .least = 1,
     .most = 4095,
     .fallback = "/var/lib/postern",
     .help = "Where the server keeps what it makes itself: with a settings file, accounts, the secret behind "
             "credentials and revocations, where edge.domain or edge.token-keys is set"},
};

const size_t settings_row_count = sizeof settings_rows / sizeof settings_rows[0];
_Static_assert(sizeof settings_rows / sizeof settings_rows[0] <= SETTINGS_ROWS_MAX, "settings.lines is too small");

const struct settings_row *settings_row_find(const char *key)
{
    for (size_t i = 0; i < settings_row_count; i++)
        if (strcmp(settings_rows[i].key, key) == 0)
            return &settings_rows[i];
    return NULL;
}

bool settings_key_is_in(const char *key, const char *section)
{
    size_t length = strlen(section);
    return strncmp(key, section, length) == 0 && key[length] == '.';
}

bool settings_is_section(const char *prefix)
{
    for (size_t i = 0; i < settings_row_count; i++)
        if (!settings_rows[i].field && settings_key_is_in(settings_rows[i].key, prefix))
            return true;
    return false;
}

/* By enum settings_type. */
static const struct {
    size_t size;
    const char *wanted;
} types[] = {
    [SETTING_TEXT] = {sizeof(char *), "text"},
    [SETTING_SECRET] = {sizeof(char *), "a secret text"},
    [SETTING_FLAG] = {sizeof(bool), "true or false"},
    [SETTING_COUNT] = {sizeof(uint32_t), "a whole number"},
    [SETTING_WORKERS] = {sizeof(uint32_t), "auto or a whole number"},
    [SETTING_DURATION] = {sizeof(uint32_t), "a duration such as 15s, 10m or 1h"},
    [SETTING_RATE] = {sizeof(uint64_t), "bits per second such as 64k, 2M or 1G"},
    [SETTING_ADDRESS] = {sizeof(struct address), "an address with port such as 203.0.113.6:3478 or [2001:db8::6]:3478"},
    [SETTING_PREFIX] = {sizeof(struct address_prefix), "an address or a prefix such as 10.20.0.0/16 or 2001:db8::/32"},
    [SETTING_PORTS] = {sizeof(struct settings_ports), "a range of ports such as 49152-65535"},
    [SETTING_RELAY_ADDRESS] = {sizeof(struct settings_relay_address), "an address, or PUBLIC=PRIVATE"},
    [SETTING_LISTENER] = {sizeof(struct settings_listener),
                          "a listener such as udp://0.0.0.0:3478, tcp://[::]:3478 or tls://0.0.0.0:443"},
    [SETTING_ACCOUNTS] = {sizeof(struct settings_account), "a mapping of names to passwords"},
    [SETTING_RECORD] = {0, "a mapping"},
};

const char *settings_row_wanted(const struct settings_row *row)
{
    return types[row->type].wanted;
}

size_t settings_row_size(const struct settings_row *row)
{
    return row->type == SETTING_RECORD ? row->record_size : types[row->type].size;
}

const char *settings_scheme_name(enum settings_scheme scheme)
{
    static const char *const names[] = {[SETTINGS_UDP] = "udp", [SETTINGS_TCP] = "tcp", [SETTINGS_TLS] = "tls"};
    return names[scheme];
}

/* Letters to change to make |b| of |a| (Levenshtein), for texts of at most KEY_MAX bytes. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[KEY_MAX + 1];
    size_t b_length = strlen(b);
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b_length; j++) {
            size_t substitute = diagonal + (a[i] != b[j]);
            size_t shorter = row[j] < row[j + 1] ? row[j] : row[j + 1];
            diagonal = row[j + 1];
            row[j + 1] = substitute < shorter + 1 ? substitute : shorter + 1;
        }
    }
    return row[b_length];
}

static const char *last_part(const char *key)
{
    const char *dot = strrchr(key, '.');
    return dot ? dot + 1 : key;
}

const char *settings_key_nearest(const char *path)
{
    if (strlen(path) >= KEY_MAX)
        return NULL;
    const char *best = NULL;
    size_t best_distance = strlen(path) / 3 + 1;
    for (size_t i = 0; i < settings_row_count; i++) {
        const char *key = settings_rows[i].key;
        if (strcmp(last_part(key), last_part(path)) == 0)
            return key;
        size_t distance = edit_distance(path, key);
        if (distance < best_distance) {
            best_distance = distance;
            best = key;
        }
    }
    return best;
}
