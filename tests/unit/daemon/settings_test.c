/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "daemon/settings.h"
#include "daemon/settings_table.h"
#include "daemon/settings_value.h"

#define SOMEBODY "users: {carol: kT5xPq}\n"

static struct settings *parse(const char *yaml)
{
    struct settings *settings;
    struct settings_error error = {""};
    if (settings_parse("test.yaml", yaml, strlen(yaml), &settings, &error) != 0)
        fail_msg("%s", error.text);
    return settings;
}

/* The message about |yaml|, which must be one line that begins with file and |line|. */
static const char *refuse(const char *yaml, unsigned line)
{
    static struct settings_error error;
    struct settings *settings;
    char place[32];
    snprintf(place, sizeof place, line ? "test.yaml:%u: " : "test.yaml: ", line);
    int status = settings_parse("test.yaml", yaml, strlen(yaml), &settings, &error);
    if (status != ERR_MALFORMED || settings || strncmp(error.text, place, strlen(place)) != 0 ||
        strchr(error.text, '\n'))
        fail_msg("%s -> %d %s", yaml, status, error.text);
    return error.text;
}

static void assert_refused(const char *yaml, unsigned line, const char *words)
{
    const char *text = refuse(yaml, line);
    if (!strstr(text, words))
        fail_msg("%s -> %s, not: %s", yaml, text, words);
}

static void assert_address(const struct address *address, const char *text)
{
    char formatted[ADDRESS_TEXT_MAX];
    assert_string_equal(address_format(address, formatted), text);
}

static void every_key_left_out_has_its_default(void **state)
{
    (void)state;
    struct settings *settings = parse(SOMEBODY);
    assert_string_equal(settings->realm, "postern");
    assert_int_equal(settings->listen.count, 4);
    assert_address(&settings->listen.items[1].address, "[::]:3478");
    assert_int_equal(settings->listen.items[2].scheme, SETTINGS_TCP);
    assert_int_equal(settings->listen.items[2].line, 0);
    assert_int_equal(settings->tls.count, 0);
    assert_int_equal(settings->relay_addresses.count, 0);
    assert_int_equal(settings->relay_ports.first, 49152);
    assert_int_equal(settings->relay_ports.last, 65535);
    assert_true(settings->hairpin);
    assert_false(settings->tcp_relay);
    assert_int_equal(settings->credentials_lifetime_s, 3600);
    assert_string_equal(settings->nonce_key, "");
    assert_int_equal(settings->allocations_per_user, 50);
    assert_int_equal(settings->allocations_per_source, 100);
    assert_int_equal(settings->handshake_deadline_s, 10);
    assert_int_equal(settings->tcp_keepalive_s, 15);
    assert_int_equal(settings->lifetime_s, 3600);
    assert_int_equal(settings->alternate_server.family, ADDRESS_NONE);
    assert_int_equal(settings->workers, 0);
    assert_int_equal(settings_line(settings, "users"), 1);
    assert_int_equal(settings_line(settings, "realm"), 0);
    settings_destroy(&settings);
    assert_null(settings);
    settings_destroy(&settings);
}

static void every_key_is_read_into_its_place(void **state)
{
    (void)state;
    struct settings *settings = parse("realm: example.org\n"
                                      "listen:\n"
                                      "  - udp://[::1]:3478\n"
                                      "  - {plain: true, url: 'tls://0.0.0.0:443'}\n"
                                      "tls:\n"
                                      "  - {certificate: a.pem, key: a.key}\n"
                                      "  - key: b.key\n"
                                      "    certificate: b.pem\n"
                                      "relay:\n"
                                      "  addresses: ['203.0.113.5=10.0.0.5', '2001:db8::5']\n"
                                      "  ports: 50000-50009\n"
                                      "  allow-peers: [10.0.0.0/8, '::1']\n"
                                      "  deny-peers: [10.1.0.0/16]\n"
                                      "  hairpin: false\n"
                                      "  tcp: true\n"
                                      "users:\n"
                                      "  carol: 987654\n"
                                      "  '1700000000:dave': \"x y\"\n"
                                      "credentials: {shared-secrets: [kT5x, pQ9w], lifetime: 2h}\n"
                                      "nonce-key: shared by the fleet\n"
                                      "limits:\n"
                                      "  allocations: 7\n"
                                      "  bandwidth: 1G\n"
                                      "  bandwidth-per-user: 64000\n"
                                      "  idle-timeout: 2m\n"
                                      "tcp-keepalive: 0\n"
                                      "alternate-server: '[2001:db8::6]:3478'\n"
                                      "alternate-domain: turn2.example.org\n"
                                      "proxy-protocol: {from: [192.0.2.10]}\n"
                                      "workers: 3\n"
                                      "state-directory: /srv/postern\n");
    assert_string_equal(settings->realm, "example.org");
    assert_int_equal(settings->listen.count, 2);
    assert_int_equal(settings->listen.items[0].scheme, SETTINGS_UDP);
    assert_address(&settings->listen.items[0].address, "[::1]:3478");
    assert_int_equal(settings->listen.items[1].scheme, SETTINGS_TLS);
    assert_true(settings->listen.items[1].plain);
    assert_int_equal(settings->listen.items[1].line, 4);
    assert_int_equal(settings->tls.count, 2);
    assert_string_equal(settings->tls.items[1].certificate_file, "b.pem");
    assert_string_equal(settings->tls.items[1].key_file, "b.key");
    assert_int_equal(settings->tls.items[1].line, 7);
    assert_int_equal(settings->relay_addresses.count, 2);
    assert_address(&settings->relay_addresses.items[0].public_address, "203.0.113.5");
    assert_address(&settings->relay_addresses.items[0].private_address, "10.0.0.5");
    assert_true(address_equal(&settings->relay_addresses.items[1].public_address,
                              &settings->relay_addresses.items[1].private_address));
    assert_int_equal(settings->relay_ports.last, 50009);
    assert_int_equal(settings->allow_peers.count, 2);
    assert_int_equal(settings->allow_peers.items[1].bits, 128);
    assert_int_equal(settings->deny_peers.items[0].bits, 16);
    assert_false(settings->hairpin);
    assert_true(settings->tcp_relay);
    assert_int_equal(settings->users.count, 2);
    assert_string_equal(settings->users.items[0].password, "987654");
    assert_string_equal(settings->users.items[1].name, "1700000000:dave");
    assert_string_equal(settings->shared_secrets.items[1], "pQ9w");
    assert_int_equal(settings->credentials_lifetime_s, 7200);
    assert_int_equal(settings->allocations, 7);
    assert_true(settings->bandwidth_bps == 1000000000);
    assert_true(settings->bandwidth_per_user_bps == 64000);
    assert_int_equal(settings->idle_timeout_s, 120);
    assert_int_equal(settings->tcp_keepalive_s, 0);
    assert_address(&settings->alternate_server, "[2001:db8::6]:3478");
    assert_int_equal(settings->proxy_sources.items[0].bits, 32);
    assert_int_equal(settings->workers, 3);
    assert_string_equal(settings->state_directory, "/srv/postern");
    settings_destroy(&settings);
}

static void one_certificate_needs_no_list(void **state)
{
    (void)state;
    struct settings *settings = parse(SOMEBODY "tls:\n  certificate: a.pem\n  key: a.key\n");
    assert_int_equal(settings->tls.count, 1);
    assert_string_equal(settings->tls.items[0].key_file, "a.key");
    settings_destroy(&settings);
}

static void anchors_stand_for_their_values(void **state)
{
    (void)state;
    struct settings *settings = parse("relay:\n  allow-peers: &inside [10.0.0.0/8]\n"
                                      "proxy-protocol: {from: *inside}\n" SOMEBODY);
    assert_int_equal(settings->proxy_sources.count, 1);
    settings_destroy(&settings);
}

static void aliases_cannot_blow_up(void **state)
{
    (void)state;
    assert_refused("listen: &a [*a, *a]\n", 1, "write a listener");
    assert_refused("relay: &a {tcp: *a}\n", 1, "relay.tcp");
    assert_refused("tls: &a\n  key: *a\n", 1, "tls.key");
}

static void unknown_key_is_named_and_the_meant_one_offered(void **state)
{
    (void)state;
    assert_refused("realm: a\nrelm: b\n", 2, "did you mean realm?");
    assert_refused("limits:\n  allocation-per-user: 3\n", 2, "did you mean limits.allocations-per-user?");
    assert_refused("hairpin: true\n", 1, "did you mean relay.hairpin?");
    assert_refused("listen: [{url: 'udp://127.0.0.1:1', plan: true}]\n", 1, "did you mean listen.plain?");
    assert_refused("listen.url: x\n", 1, "unknown key");
    assert_refused("relay:\n  realm: x\n", 2, "did you mean realm?");
    assert_refused("completely-different-from-all: 1\n", 1, "--help lists the keys");
    assert_refused("? [a, b]\n: c\n", 1, "a key must be a word");
    /* A key's control characters do not reach a terminal. */
    assert_null(strchr(refuse("\"\\e[2J\": 1\n", 1), '\x1b'));
}

static void wrong_values_are_named_with_line_and_remedy(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        unsigned line;
        const char *words;
    } cases[] = {
        {"workers: many\n", 1, "auto or a whole number"},
        {"workers: 65\n", 1, "from 1 to 64"},
        {"workers: -1\n", 1, "auto or a whole number"},
        {"workers: 99999999999999999999\n", 1, "a whole number"},
        {"\nrelay:\n  ports: 1-2-3\n", 3, "range of ports"},
        {"relay: {ports: 80-90}\n", 1, "from 1024"},
        {"relay: {ports: 2000-1999}\n", 1, "the lower port comes first"},
        {"relay: {hairpin: perhaps}\n", 1, "true or false"},
        {"relay: {addresses: [0.0.0.0]}\n", 1, "cannot be relayed from"},
        {"relay: {addresses: ['224.0.0.1']}\n", 1, "cannot be relayed from"},
        {"relay: {addresses: ['192.0.2.1=::1']}\n", 1, "one family"},
        {"relay: {addresses: [192.0.2.1, 192.0.2.1]}\n" SOMEBODY, 1, "there twice"},
        {"relay: {addresses: 192.0.2.1}\n", 1, "a list in [brackets]"},
        {"relay: {allow-peers: [10.1.0.0/8]}\n", 1, "must be zero"},
        {"relay: 7\n", 1, "one `key: value` a line"},
        {"limits: {handshake-deadline: 5}\n", 1, "a duration such as"},
        {"limits: {handshake-deadline: 6m}\n", 1, "from 1s to 5m"},
        {"limits: {bandwidth: 2Mbit}\n", 1, "bits per second such as"},
        {"limits: {bandwidth: 999999999999999999G}\n", 1, "bits per second such as"},
        {"limits: {channels: 0}\n", 1, "from 1 to 4096"},
        {"listen: ['dtls://0.0.0.0:5349']\n", 1, "a udp:// listener serves it"},
        {"listen: ['udp://0.0.0.0']\n", 1, "has no port"},
        {"listen: ['udp://example.org:3478']\n", 1, "a listener such as"},
        {"listen: ['ud://0.0.0.0:3478']\n", 1, "a listener such as"},
        {"listen: [{plain: true}]\n", 1, "listen.url is missing"},
        {"tls: {certificate: x}\n", 1, "tls.key is missing"},
        {"tls: {certificate: x, key: y, key: z}\n", 1, "there twice"},
        {"realm: [a]\n", 1, "this is a list"},
        {"realm: \"\"\n", 1, "must not be empty"},
        {"realm: \"a\\0b\"\n", 1, "zero byte"},
        {"realm: \"a\\nb\"\n", 1, "control character"},
        {"realm: 'a\"b'\n", 1, "quote or a backslash"},
        {"users: [alice]\n", 1, "mapping of names to passwords"},
        {"users: {'': kT5xPq}\n", 1, "must not be empty"},
        {"users: {carol: kT5xPq, carol: pQ9wkT}\n", 1, "there twice"},
        {"realm: a\nrealm: b\n", 2, "realm is there twice"},
        {"limits: {}\nlimits: {}\n", 2, "limits is there twice"},
        {"alternate-server: 203.0.113.6\n", 1, "an address with port"},
        {"http: {backend: localhost:8080}\n", 1, "an address with port"},
        {"http: {backend: 'http://127.0.0.1:8080/'}\n", 1, "an address with port"},
        {"realm: a\n---\nrealm: b\n", 3, "second document"},
        {"realm: {\n", 2, "not YAML"},
        {"just words\n", 1, "one `key: value` a line"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(cases[i].yaml, cases[i].line, cases[i].words);
}

static void example_and_empty_secrets_are_refused_without_being_repeated(void **state)
{
    (void)state;
    static const char *const known[] = {"north", "south", "secret", "Secret", "changeme", "password", "12345", "logen"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        char yaml[128];
        snprintf(yaml, sizeof yaml, "\nusers:\n  carol: %s\n", known[i]);
        assert_refused(yaml, 3, "openssl rand");
        snprintf(yaml, sizeof yaml, "credentials:\n  shared-secrets:\n    - kT5xPq\n    - '%s'\n", known[i]);
        assert_refused(yaml, 4, "openssl rand");
        snprintf(yaml, sizeof yaml, "nonce-key: %s\n", known[i]);
        assert_refused(yaml, 1, "openssl rand");
    }
    assert_refused("users: {carol: }\n", 1, "is empty");
    assert_refused("credentials: {shared-secrets: ['']}\n", 1, "is empty");
    assert_refused("users: {carol: carol}\n", 1, "the name itself");
    assert_null(strstr(refuse("users: {carol: [kT5xPq]}\n", 1), "kT5xPq"));
}

#define TOKENS "edge: {token-keys: [k], token-issuer: i, token-audience: a"

static void keys_of_tokens_and_credentials_make_sense_together(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *words;
    } rows[] = {
        {"edge: {token-keys: [k], token-audience: a}\n", "set edge.token-issuer, too"},
        {"edge: {token-keys: [k], token-issuer: i}\n", "set edge.token-audience, too"},
        {SOMEBODY "edge: {token-issuer: i}\n", "says nothing without edge.token-keys"},
        {SOMEBODY "edge: {token-challenge: i}\n", "says nothing without edge.token-keys"},
        {TOKENS ", turn-uris: ['turn:a.example:3478']}\n", "set credentials.shared-secrets"},
        {TOKENS ", turn-uris: ['http://a.example']}\n", "is none: write turn:HOST"},
        {TOKENS ", turn-uris: ['turn://a.example']}\n", "is none"},
        {TOKENS ", turn-uris: ['turn:a.example:0']}\n", "is none"},
        {TOKENS ", turn-uris: ['turn:a.example:70000']}\n", "is none"},
        {TOKENS ", turn-uris: ['turn:a.example?transport=sctp']}\n", "is none"},
        {TOKENS ", turn-uris: ['stun:a.example?transport=udp']}\n", "is none"},
        {TOKENS ", turn-uris: ['turn:[2001:db8::1']}\n", "is none"},
        {TOKENS ", turn-uris: ['turn:user@a.example']}\n", "is none"},
        {TOKENS ", origins: ['https://a.example/']}\n", "without a path"},
        {TOKENS ", origins: ['a.example']}\n", "write https://HOST"},
        {TOKENS ", origins: ['ftp://a.example']}\n", "write https://HOST"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!strstr(refuse(rows[i].yaml, strncmp(rows[i].yaml, SOMEBODY, 5) == 0 ? 2 : 1), rows[i].words))
            fail_msg("%s -> %s", rows[i].yaml, refuse(rows[i].yaml, 1));
    struct settings *settings =
        parse(TOKENS ", origins: ['*', 'https://a.example:8443', 'http://localhost:3000', 'https://[::1]'],\n"
                     " turn-uris: ['turn:a.example', 'turns:[2001:db8::1]:443?transport=tcp',\n"
                     " 'turn:192.0.2.1:3478?transport=udp', 'stun:a.example:3478']}\n"
                     "credentials: {shared-secrets: [kT5xPqWm3zRv8sLd]}\n");
    assert_int_equal(settings->edge_turn_uris.count, 4);
    settings_destroy(&settings);
}

#define TLS       "listen: ['tls://0.0.0.0:443']\ntls: {certificate: c, key: k}\n"
#define WITH_CORE TLS "edge: {domain: a.example, core: ['sip:10.0.0.1']"

static void keys_of_the_edge_make_sense_together(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        unsigned line;
        const char *words;
    } rows[] = {
        {"edge: {domain: a.example}\n", 1, "SIP comes behind TLS only"},
        {"listen: ['udp://0.0.0.0:443']\ntls: {certificate: c, key: k}\nedge: {domain: a.example}\n", 3, "TLS only"},
        {SOMEBODY "edge: {core: ['sip:10.0.0.1']}\n", 2, "says nothing without edge.domain"},
        {TLS "edge: {domain: a.example, address: 10.0.0.5}\n", 3, "says nothing without edge.core"},
        {TLS "edge: {domain: a.example, core-ca: a.pem}\n", 3, "says nothing without edge.core"},
        {TLS "edge: {domain: a.example, dns: ['10.0.0.53:53']}\n", 3, "says nothing without edge.core"},
        {TLS "edge: {domain: a.example, trusted: [10.0.0.0/24]}\n", 3, "says nothing without edge.core"},
        {TLS "edge: {domain: 'sip:a.example'}\n", 3, "is not a domain name"},
        {TLS "edge: {domain: a b}\n", 3, "is not a domain name"},
        {WITH_CORE ", address: '10.0.0.5:5060'}\n", 3, "without a port"},
        {WITH_CORE ", address: a b}\n", 3, "is not an address or a name"},
        {WITH_CORE ", visited-network: 'a\"b'}\n", 3, "take quotation marks"},
        {TLS TOKENS ", token-challenge: 'a\"b'}\n", 3, "take quotation marks"},
        {"listen: ['tcp://0.0.0.0:80']\nproxy-protocol: {from: [10.0.0.1]}\n"
         "edge: {domain: a.example, core: ['sip:10.0.0.1'], listen: ['tls://0.0.0.0:5061']}\n",
         3, "edge.listen: tls://0.0.0.0:5061 needs a certificate"},
        {WITH_CORE ", listen: ['tcp://0.0.0.0:443']}\n", 3, "is in listen, too"},
        {WITH_CORE ", listen: ['tcp://0.0.0.0:5060', 'tls://0.0.0.0:5060']}\n", 3, "is in edge.listen, too"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_refused(rows[i].yaml, rows[i].line, rows[i].words);
    static const char *const good[] = {
        TLS "edge: {domain: a.example}\n",
        "listen: ['tcp://0.0.0.0:443']\ntls: {certificate: c, key: k}\nedge: {domain: a.example}\n",
        "listen: ['tcp://0.0.0.0:80']\nproxy-protocol: {from: [10.0.0.1]}\nedge: {domain: a.example}\n",
        WITH_CORE ", address: '2001:db8::5'}\n",
        WITH_CORE ", address: edge.a.example, listen: ['udp://0.0.0.0:443', 'tcp://0.0.0.0:5060']}\n",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct settings *settings = parse(good[i]);
        settings_destroy(&settings);
    }
}

static void keys_that_contradict_each_other_are_refused(void **state)
{
    (void)state;
    assert_refused("realm: a\n", 0, "nobody could get a relay");
    assert_refused("", 0, "nobody could get a relay");
    assert_refused(SOMEBODY "listen: []\n", 2, "nobody could come in");
    assert_refused(SOMEBODY "listen: ['tls://0.0.0.0:443']\n", 2, "needs a certificate");
    assert_refused(SOMEBODY "listen: [{url: 'udp://0.0.0.0:3478', plain: true}]\n", 2, "plain anyway");
    assert_refused(SOMEBODY "listen:\n  - udp://0.0.0.0:80\n  - tcp://0.0.0.0:80\n  - tcp://0.0.0.0:80\n", 5,
                   "want the same port");
    assert_refused(SOMEBODY "relay: {allow-peers: [10.0.0.0/8],\n  deny-peers: [10.0.0.0/8]}\n", 3,
                   "is in relay.allow-peers, too");
    assert_refused("credentials: {shared-secrets: [kT5xPq, kT5xPq]}\n", 1, "there twice");
    assert_refused(SOMEBODY "alternate-domain: turn2.example.org\n", 2, "without alternate-server");
    assert_refused(SOMEBODY "listen: ['tcp://127.0.0.1:80']\nhttp: {backend: '127.0.0.1:80'}\n", 3, "itself listens");
    assert_refused(SOMEBODY "listen: ['tcp://[::]:80']\nhttp: {backend: '[::1]:80'}\n", 3, "itself listens");
    assert_refused(SOMEBODY "http: {backend: '0.0.0.0:80'}\n", 2, "no server's address");
}

static void lists_are_bounded(void **state)
{
    (void)state;
    char yaml[4096] = "listen:\n";
    for (unsigned i = 0; i < 65; i++)
        snprintf(yaml + strlen(yaml), sizeof yaml - strlen(yaml), "  - udp://127.0.0.1:%u\n", 1000 + i);
    assert_refused(yaml, 2, "at most 64");
}

static void table_is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < settings_row_count; i++) {
        const struct settings_row *row = &settings_rows[i];
        assert_ptr_equal(settings_row_find(row->key), row); /* no key twice */
        assert_true(row->fallback || row->field);
        assert_true(strlen(row->help) > 20);
        assert_int_not_equal(row->help[strlen(row->help) - 1], '.');
        assert_true(settings_row_size(row) > 0);
        if (row->short_form)
            assert_non_null(settings_row_find(row->short_form));
    }
}

static void files_that_are_none_are_refused(void **state)
{
    (void)state;
    struct settings *settings;
    struct settings_error error;
    assert_int_equal(settings_load("/nowhere/postern.yaml", &settings, &error), ERR_SYSTEM);
    assert_string_equal(error.text, "/nowhere/postern.yaml: cannot be read: No such file or directory");
    assert_int_equal(settings_load("/", &settings, &error), ERR_MALFORMED);
    assert_non_null(strstr(error.text, "not a file"));

    char name[] = "/tmp/postern-settings-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (1 << 20) + 1), 0);
    assert_int_equal(settings_load(name, &settings, &error), ERR_MALFORMED);
    assert_non_null(strstr(error.text, "larger than 1 MiB"));
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_true(write(fd, SOMEBODY, strlen(SOMEBODY)) > 0);
    close(fd);
    assert_int_equal(settings_load(name, &settings, &error), 0);
    assert_string_equal(settings->file, name);
    settings_destroy(&settings);
    unlink(name);
}

static void settings_without_a_file_speak_of_none(void **state)
{
    (void)state;
    struct settings *settings;
    struct settings_error error;
    assert_int_equal(settings_parse("", "realm: []", 9, &settings, &error), ERR_MALFORMED);
    assert_int_equal(strncmp(error.text, "realm: ", 7), 0);
}

static void want_of_memory_is_an_error_and_no_leak(void **state)
{
    (void)state;
    static const char yaml[] = "listen: ['udp://127.0.0.1:1', {url: 'tls://127.0.0.1:2', plain: true}]\n"
                               "tls: [{certificate: a, key: b}]\nrelay: {allow-peers: [10.0.0.0/8]}\n"
                               "credentials: {shared-secrets: [kT5xPq]}\nusers: {carol: pQ9wkT, dave: wkT5xP}\n";
    struct settings *settings;
    struct settings_error error;
    unsigned long n = 0;
    int status;
    do {
        memory_fail_at(++n);
        status = settings_parse("test.yaml", yaml, strlen(yaml), &settings, &error);
        memory_fail_at(0);
        assert_true(status == 0 || (status == ERR_MEMORY && !settings && strstr(error.text, "out of memory")));
    } while (status != 0);
    assert_true(n > 15);
    settings_destroy(&settings);
}

static void numbers_are_written_as_they_are_read(void **state)
{
    (void)state;
    static const struct {
        enum settings_type type;
        uint64_t value;
        const char *text;
    } cases[] = {
        {SETTING_DURATION, 90, "90s"}, {SETTING_DURATION, 3600, "1h"}, {SETTING_DURATION, 0, "0"},
        {SETTING_RATE, 2000000, "2M"}, {SETTING_RATE, 64001, "64001"}, {SETTING_COUNT, 3600, "3600"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[32];
        assert_string_equal(settings_number_format(cases[i].type, cases[i].value, text, sizeof text), cases[i].text);
        const struct settings_row row = {.key = "x", .type = cases[i].type, .most = UINT32_MAX};
        union {
            uint32_t narrow;
            uint64_t wide;
        } value = {0};
        struct settings_problem problem;
        assert_int_equal(settings_value_read(&row, text, 1, &value, &problem), 0);
        assert_true((row.type == SETTING_RATE ? value.wide : value.narrow) == cases[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_left_out_has_its_default),
        cmocka_unit_test(every_key_is_read_into_its_place),
        cmocka_unit_test(one_certificate_needs_no_list),
        cmocka_unit_test(anchors_stand_for_their_values),
        cmocka_unit_test(aliases_cannot_blow_up),
        cmocka_unit_test(unknown_key_is_named_and_the_meant_one_offered),
        cmocka_unit_test(wrong_values_are_named_with_line_and_remedy),
        cmocka_unit_test(example_and_empty_secrets_are_refused_without_being_repeated),
        cmocka_unit_test(keys_of_tokens_and_credentials_make_sense_together),
        cmocka_unit_test(keys_of_the_edge_make_sense_together),
        cmocka_unit_test(keys_that_contradict_each_other_are_refused),
        cmocka_unit_test(lists_are_bounded),
        cmocka_unit_test(table_is_sound),
        cmocka_unit_test(files_that_are_none_are_refused),
        cmocka_unit_test(settings_without_a_file_speak_of_none),
        cmocka_unit_test(want_of_memory_is_an_error_and_no_leak),
        cmocka_unit_test(numbers_are_written_as_they_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
