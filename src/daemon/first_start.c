/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/first_start.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "crypto/certificate.h"
#include "crypto/digest.h"
#include "daemon/password.h"
#include "net/host.h"
#include "net/socket.h"
#include "registrar/accounts.h"

#define PORT_STUN            3478
#define PORT_EVERYTHING      8443
#define PATH_MAX_BYTES       3072
#define CERTIFICATE_DAYS     3650
#define ACCOUNTS_PATIENCE_MS 5000

struct state {
    char directory[PATH_MAX_BYTES];
    char certificate_file[PATH_MAX_BYTES + 32];
    char key_file[PATH_MAX_BYTES + 32];
    char password_file[PATH_MAX_BYTES + 32];
    char password[PASSWORD_SIZE];
};

/* What the host has. */
struct host {
    struct address addresses[16]; /* to relay from */
    size_t count;
    bool ipv6;          /* even if only ::1 */
    bool loopback_only; /* no other address at all */
};

/* systemd names the directory itself; otherwise it is root's or the user's usual place. */
static int choose_directory(struct state *state, struct settings_error *error)
{
    const char *given = getenv("STATE_DIRECTORY");
    const char *xdg = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int length;
    if (given && given[0])
        length = snprintf(state->directory, sizeof state->directory, "%s", given);
    else if (geteuid() == 0)
        length = snprintf(state->directory, sizeof state->directory, "/var/lib/postern");
    else if (xdg && xdg[0])
        length = snprintf(state->directory, sizeof state->directory, "%s/postern", xdg);
    else if (home && home[0])
        length = snprintf(state->directory, sizeof state->directory, "%s/.local/state/postern", home);
    else
        return settings_fail_system(error, "no place to keep certificate and account in: set HOME or STATE_DIRECTORY");
    if (length < 0 || (size_t)length >= sizeof state->directory)
        return settings_fail_system(
            error, "the path of the state directory is too long: set STATE_DIRECTORY to a shorter one");
    return 0;
}

/* mkdir -p, private from the last part on. */
static int make_directory(const char *path, struct settings_error *error)
{
    char parent[PATH_MAX_BYTES];
    snprintf(parent, sizeof parent, "%s", path);
    for (char *slash = strchr(parent + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(parent, 0755) != 0 && errno != EEXIST)
            break;
        *slash = '/';
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return settings_fail_system(error, "%.400s: cannot be made: %s: name another directory in STATE_DIRECTORY",
                                    path, strerror(errno));
    return 0;
}

static int add_account(struct accounts *accounts, const struct first_start_person *person)
{
    struct account account;
    struct credential_key key;
    const char *domain = FIRST_START_DOMAIN;
    int status = accounts_find(accounts, span_of_text(person->name), &account);
    credential_key_derive(PASSWORD_SHA256, span_of_text(person->name), span_of_text(domain),
                          span_of_text(person->password), &key);
    bool there = status == 0;
    bool good = there && crypto_equal(account.sha256.bytes, key.bytes, key.length);
    if (there && !good)
        status = accounts_remove(accounts, person->name);
    if (!good && (status == 0 || status == ERR_NOT_FOUND))
        status = accounts_add(accounts, person->name, person->password, net_now().wall_s);
    crypto_erase(&account, sizeof account);
    crypto_erase(&key, sizeof key);
    return status;
}

/* The accounts that people log in with: each has the password that is kept beside the database. */
static int people_make(const struct state *state, struct first_start_person people[FIRST_START_PEOPLE],
                       struct settings_error *error)
{
    static const char *const names[FIRST_START_PEOPLE] = {"alice", "bob"};
    char file[PATH_MAX_BYTES + 32];
    struct accounts *accounts;
    struct accounts_error cause;
    snprintf(file, sizeof file, "%s/" ACCOUNTS_FILE, state->directory);
    int status = accounts_open(file, FIRST_START_DOMAIN, ACCOUNTS_PATIENCE_MS, &accounts, &cause);
    if (status != 0) {
        settings_fail_system(error, "%s", cause.text);
        return status;
    }
    for (size_t i = 0; status == 0 && i < FIRST_START_PEOPLE; i++) {
        people[i].name = names[i];
        snprintf(file, sizeof file, "%s/password-%s", state->directory, names[i]);
        status = password_keep(file, PASSWORD_FOR_PEOPLE, people[i].password, error);
        if (status == 0 && (status = add_account(accounts, &people[i])) != 0)
            settings_fail_system(error, "%.400s/" ACCOUNTS_FILE ": %s", state->directory, accounts_cause(accounts));
    }
    accounts_close(&accounts);
    return status;
}

static void add_address(void *context, const struct address *address)
{
    static const struct address_prefix local[] = {
        {.base = {.family = ADDRESS_IPV4, .ip = {127}}, .bits = 8},
        {.base = {.family = ADDRESS_IPV6, .ip = {[15] = 1}}, .bits = 128},
        {.base = {.family = ADDRESS_IPV4, .ip = {169, 254}}, .bits = 16},
        {.base = {.family = ADDRESS_IPV6, .ip = {0xFE, 0x80}}, .bits = 10},
    };
    struct host *host = context;
    host->ipv6 = host->ipv6 || address->family == ADDRESS_IPV6;
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++)
        if (address_prefix_contains(&local[i], address))
            return;
    host->loopback_only = false;
    for (size_t i = 0; i < host->count; i++)
        if (host->addresses[i].family == address->family)
            return;
    if (host->count < sizeof host->addresses / sizeof host->addresses[0])
        host->addresses[host->count++] = *address;
}

/* One relay address per family: that of the default route, else the first one that is neither loopback nor link-local,
 * else loopback. */
static int look_at_host(struct host *host, struct settings_error *error)
{
    static const uint8_t families[] = {ADDRESS_IPV4, ADDRESS_IPV6};
    *host = (struct host){.loopback_only = true};
    for (size_t i = 0; i < sizeof families; i++)
        if (net_host_default_address(families[i], &host->addresses[host->count]))
            host->count++;
    if (net_host_addresses(add_address, host) != 0)
        return settings_fail_system(error, "the addresses of this host cannot be listed: %s", strerror(errno));
    if (host->count == 0) {
        host->addresses[host->count++] = address_ipv4((const uint8_t[]){127, 0, 0, 1}, 0);
        if (host->ipv6)
            host->addresses[host->count++] = address_ipv6((const uint8_t[16]){[15] = 1}, 0);
        host->loopback_only = true;
    }
    return 0;
}

/* The names by which clients may call this server: its relay addresses, its host name, and localhost. */
static int certificate_make(const struct state *state, const struct host *host, struct settings_error *error)
{
    if (access(state->certificate_file, F_OK) == 0 && access(state->key_file, F_OK) == 0)
        return 0;
    char texts[sizeof host->addresses / sizeof host->addresses[0]][ADDRESS_TEXT_MAX];
    char name[256] = "";
    const char *names[sizeof texts / sizeof texts[0] + 4];
    size_t count = 0;
    if (gethostname(name, sizeof name - 1) == 0 && name[0])
        names[count++] = name;
    names[count++] = "localhost";
    for (size_t i = 0; i < host->count; i++)
        names[count++] = address_format(&host->addresses[i], texts[i]);
    if (!host->loopback_only) {
        names[count++] = "127.0.0.1";
        names[count++] = "::1";
    }
    struct tls_error cause;
    int status = certificate_create_self_signed(state->certificate_file, state->key_file, names, count,
                                                CERTIFICATE_DAYS, &cause);
    if (status != 0)
        settings_fail_system(error, "%s", cause.text);
    return status;
}

/* A YAML scalar in single quotes. */
static void print_quoted(FILE *out, const char *text)
{
    fputc('\'', out);
    for (; *text; text++)
        fputs(*text == '\'' ? "''" : (const char[]){*text, '\0'}, out);
    fputc('\'', out);
}

static void print_listener(FILE *out, const char *scheme, const char *ip, unsigned port, bool plain)
{
    fprintf(out, "  - {url: '%s://%s:%u'%s}\n", scheme, ip, port, plain ? ", plain: true" : "");
}

static void print_listeners(FILE *out, const struct host *host, unsigned port)
{
    const char *ips[] = {host->loopback_only ? "127.0.0.1" : "0.0.0.0", host->loopback_only ? "[::1]" : "[::]"};
    fputs("listen:\n", out);
    for (size_t i = 0; i < (host->ipv6 ? 2 : 1); i++) {
        if (port == 0) {
            print_listener(out, "udp", ips[i], PORT_STUN, false);
            print_listener(out, "tcp", ips[i], PORT_STUN, false);
        }
        print_listener(out, "udp", ips[i], port ? port : PORT_EVERYTHING, false);
        print_listener(out, "tls", ips[i], port ? port : PORT_EVERYTHING, true);
    }
}

static void print_settings(FILE *out, const struct state *state, const struct host *host, unsigned port)
{
    char text[ADDRESS_TEXT_MAX];
    print_listeners(out, host, port);
    fputs("tls: {certificate: ", out);
    print_quoted(out, state->certificate_file);
    fputs(", key: ", out);
    print_quoted(out, state->key_file);
    fputs("}\nrelay:\n  addresses:\n", out);
    for (size_t i = 0; i < host->count; i++)
        fprintf(out, "    - '%s'\n", address_format(&host->addresses[i], text));
    if (host->loopback_only)
        fputs("  allow-peers: [127.0.0.1, '::1']\n", out);
    fprintf(out, "users: {%s: '%s'}\nedge: {domain: " FIRST_START_DOMAIN "}\nstate-directory: ", FIRST_START_USER,
            state->password);
    print_quoted(out, state->directory);
    fputc('\n', out);
}

int first_start_settings(uint16_t port, struct first_start_person people[FIRST_START_PEOPLE], struct settings **out,
                         struct settings_error *error)
{
    struct state state = {0};
    struct host host;
    *out = NULL;
    int status = choose_directory(&state, error);
    if (status == 0)
        status = make_directory(state.directory, error);
    if (status == 0)
        status = look_at_host(&host, error);
    if (status != 0)
        return status;
    snprintf(state.certificate_file, sizeof state.certificate_file, "%s/certificate.pem", state.directory);
    snprintf(state.key_file, sizeof state.key_file, "%s/key.pem", state.directory);
    snprintf(state.password_file, sizeof state.password_file, "%s/password", state.directory);
    status = certificate_make(&state, &host, error);
    if (status == 0)
        status = password_keep(state.password_file, PASSWORD_FOR_PROGRAMS, state.password, error);
    if (status == 0)
        status = people_make(&state, people, error);
    if (status != 0)
        return status;

    char *yaml = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&yaml, &length);
    if (memory) {
        print_settings(memory, &state, &host, port);
        fclose(memory);
    }
    if (!yaml) {
        settings_fail_system(error, "out of memory");
        return ERR_MEMORY;
    }
    status = settings_parse("", yaml, length, out, error);
    crypto_erase(yaml, length);
    free(yaml); /* open_memstream() allocated it, not base/memory.h */
    crypto_erase(&state, sizeof state);
    return status;
}
