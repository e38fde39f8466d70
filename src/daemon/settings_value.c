/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/settings_value.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/memory.h"
#include "daemon/quote.h"

/* What manuals, tutorials and other people's sample files put where a secret belongs, and what is tried first by
 * whoever guesses. In lower case. */
/* clang-format off */
static const char *const example_secrets[] = {
    "...", "1", "123", "1234", "12345", "123456", "1234567", "12345678", "123456789", "1234567890", "abc", "abc123",
    "admin", "alice", "asdf", "bar", "bob", "change-me", "change_me", "changeit", "changeme", "coturn", "default",
    "demo", "dragon", "example", "foo", "foobar", "guest", "hero", "homeo", "hunter2", "key1", "key2", "letmein",
    "logen", "monkey", "my-secret", "my_secret", "mysecret", "none", "nopassword", "north", "openrelay",
    "openrelayproject", "opensesame", "pass", "passw0rd", "password", "password1", "postern",
    "put-a-random-password-here", "put-a-random-secret-here", "qwerty", "root", "secret", "shared-secret", "south",
    "static-auth-secret", "test", "test1234", "testing", "topsecret", "turn", "turnpassword", "turnserver", "user",
    "webrtc", "wertyu", "xxx", "xxxx", "xxxxxxxx", "youhavetoberealistic", "youhavetochoose", "your-password",
    "your-secret", "your_secret", "yourpassword", "yoursecret",
};
/* clang-format on */

#define RANDOM_HINT "put a random one, for example from: openssl rand -hex 24"

const char *settings_secret_problem(const char *secret)
{
    if (secret[0] == '\0')
        return "is empty: " RANDOM_HINT;
    for (size_t i = 0; i < sizeof example_secrets / sizeof example_secrets[0]; i++)
        if (strcasecmp(secret, example_secrets[i]) == 0)
            return "is an example that everybody knows: " RANDOM_HINT;
    return NULL;
}

static int fail(struct settings_problem *problem, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct settings_problem *problem, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem->text, sizeof problem->text, format, arguments);
    va_end(arguments);
    return ERR_MALFORMED;
}

static int fail_wanted(const struct settings_row *row, const char *text, struct settings_problem *problem)
{
    char quoted[80];
    return fail(problem, "%s is not %s", quote(quoted, sizeof quoted, text, strlen(text)), settings_row_wanted(row));
}

/* Digits and then a suffix of |units|, pairs of name and factor that end with a NULL name. |unitless| numbers may stand
 * without a suffix; 0 always may. Returns ERR_MALFORMED for anything else and for what passes 64 bits. */
struct unit {
    const char *name;
    uint64_t factor;
};
static const struct unit durations[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {NULL, 0}};
static const struct unit rates[] = {{"k", 1000}, {"M", 1000000}, {"G", 1000000000}, {NULL, 0}};
static const struct unit no_units[] = {{NULL, 0}};

static int number_parse(const char *text, const struct unit *units, bool unitless, uint64_t *out)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 18)
        return ERR_MALFORMED;
    uint64_t number = 0;
    for (size_t i = 0; i < digits; i++)
        number = number * 10 + (uint64_t)(text[i] - '0');
    if (text[digits] == '\0') {
        *out = number;
        return unitless || number == 0 ? 0 : ERR_MALFORMED;
    }
    for (const struct unit *unit = units; unit->name; unit++)
        if (strcmp(text + digits, unit->name) == 0)
            return __builtin_mul_overflow(number, unit->factor, out) ? ERR_MALFORMED : 0;
    return ERR_MALFORMED;
}

static const struct unit *units_of(enum settings_type type)
{
    return type == SETTING_DURATION ? durations : type == SETTING_RATE ? rates : no_units;
}

const char *settings_number_format(enum settings_type type, uint64_t value, char *out, size_t size)
{
    const struct unit *best = NULL;
    for (const struct unit *unit = units_of(type); unit->name; unit++)
        if (value > 0 && value % unit->factor == 0)
            best = unit;
    if (best)
        snprintf(out, size, "%llu%s", (unsigned long long)(value / best->factor), best->name);
    else
        snprintf(out, size, "%llu", (unsigned long long)value);
    return out;
}

static int number_read(const struct settings_row *row, const char *text, uint64_t *out,
                       struct settings_problem *problem)
{
    if (number_parse(text, units_of(row->type), row->type != SETTING_DURATION, out) != 0)
        return fail_wanted(row, text, problem);
    if (*out >= row->least && *out <= row->most)
        return 0;
    char quoted[32], least[32], most[32];
    return fail(problem, "%s is out of range: from %s to %s will do", quote(quoted, sizeof quoted, text, strlen(text)),
                settings_number_format(row->type, row->least, least, sizeof least),
                settings_number_format(row->type, row->most, most, sizeof most));
}

static int text_read(const struct settings_row *row, const char *text, char **out, struct settings_problem *problem)
{
    size_t length = strlen(text);
    if (row->type == SETTING_SECRET && (length > 0 || row->least > 0)) {
        const char *wrong = settings_secret_problem(text);
        if (wrong)
            return fail(problem, "the secret %s", wrong);
    } else if (length < row->least) {
        return fail(problem, "must not be empty");
    }
    /* In a list |most| counts items; a secret that long serves nobody. */
    size_t longest = row->list ? 1024 : row->most;
    if (length > longest)
        return fail(problem, "is %zu bytes long: at most %zu will do", length, longest);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            return fail(problem, "contains a control character: take it out");
    /* REALM is the content of a quoted-string without escapes (RFC 8489 §14.9). */
    if (strcmp(row->key, "realm") == 0 && strpbrk(text, "\"\\"))
        return fail(problem, "contains a quote or a backslash: a realm cannot");
    *out = memory_string(text);
    return *out ? 0 : ERR_MEMORY;
}

static int prefix_read(const struct settings_row *row, const char *text, struct address_prefix *out,
                       struct settings_problem *problem)
{
    if (address_prefix_parse(text, out) == 0)
        return 0;
    if (!strchr(text, '/'))
        return fail_wanted(row, text, problem);
    char quoted[80];
    return fail(problem, "%s is not a prefix such as 10.20.0.0/16: all bits behind the prefix length must be zero",
                quote(quoted, sizeof quoted, text, strlen(text)));
}

static int flag_read(const struct settings_row *row, const char *text, bool *out, struct settings_problem *problem)
{
    *out = strcmp(text, "true") == 0;
    return *out || strcmp(text, "false") == 0 ? 0 : fail_wanted(row, text, problem);
}

static int ports_read(const struct settings_row *row, const char *text, struct settings_ports *out,
                      struct settings_problem *problem)
{
    char copy[32];
    uint64_t first, last;
    char *dash;
    if (strlen(text) >= sizeof copy)
        return fail_wanted(row, text, problem);
    strcpy(copy, text);
    dash = strchr(copy, '-');
    if (!dash)
        return fail_wanted(row, text, problem);
    *dash = '\0';
    if (number_parse(copy, no_units, true, &first) != 0 || number_parse(dash + 1, no_units, true, &last) != 0)
        return fail_wanted(row, text, problem);
    if (first < 1024 || last > 65535)
        return fail(problem, "%s is out of range: ports from 1024 to 65535 will do", text);
    if (first > last)
        return fail(problem, "%s ends before it begins: the lower port comes first", text);
    *out = (struct settings_ports){.first = (uint16_t)first, .last = (uint16_t)last};
    return 0;
}

static bool relayable(const struct address *address)
{
    bool multicast = address->family == ADDRESS_IPV4 ? address->ip[0] >= 224 : address->ip[0] == 0xFF;
    return address->port == 0 && !multicast && !address_is_unspecified(address);
}

static int relay_address_read(const struct settings_row *row, const char *text, unsigned line,
                              struct settings_relay_address *out, struct settings_problem *problem)
{
    char copy[2 * ADDRESS_TEXT_MAX];
    if (strlen(text) >= sizeof copy)
        return fail_wanted(row, text, problem);
    strcpy(copy, text);
    char *equals = strchr(copy, '=');
    if (equals)
        *equals = '\0';
    struct settings_relay_address address = {.line = line};
    if (address_parse(copy, &address.public_address) != 0 ||
        address_parse(equals ? equals + 1 : copy, &address.private_address) != 0)
        return fail_wanted(row, text, problem);
    if (address.public_address.family != address.private_address.family)
        return fail(problem, "%s joins IPv4 and IPv6: both sides must be of one family", text);
    if (!relayable(&address.public_address) || !relayable(&address.private_address))
        return fail(problem, "%s cannot be relayed from: write an address of this host, without port", text);
    *out = address;
    return 0;
}

static int listener_read(const struct settings_row *row, const char *text, unsigned line, struct settings_listener *out,
                         struct settings_problem *problem)
{
    char quoted[80];
    quote(quoted, sizeof quoted, text, strlen(text));
    if (strncmp(text, "dtls://", 7) == 0)
        return fail(problem, "%s: DTLS needs no listener of its own: a udp:// listener serves it", quoted);
    const char *where = strstr(text, "://");
    if (!where)
        return fail_wanted(row, text, problem);
    enum settings_scheme scheme;
    for (scheme = SETTINGS_UDP; scheme <= SETTINGS_TLS; scheme++) {
        const char *name = settings_scheme_name(scheme);
        if (strlen(name) == (size_t)(where - text) && strncmp(text, name, strlen(name)) == 0)
            break;
    }
    struct address address;
    if (scheme > SETTINGS_TLS || address_parse(where + 3, &address) != 0)
        return fail_wanted(row, text, problem);
    if (address.port == 0)
        return fail(problem, "%s has no port: write one behind the address, as in %s", quoted,
                    address.family == ADDRESS_IPV6 ? "udp://[::]:3478" : "udp://0.0.0.0:3478");
    bool plain = out->plain; /* of the same record, perhaps read before */
    *out = (struct settings_listener){.scheme = scheme, .address = address, .plain = plain, .line = line};
    return 0;
}

static int address_read(const struct settings_row *row, const char *text, struct address *out,
                        struct settings_problem *problem)
{
    *out = (struct address){0};
    if (text[0] == '\0')
        return 0;
    struct address address;
    if (address_parse(text, &address) != 0 || address.port == 0)
        return fail_wanted(row, text, problem);
    *out = address;
    return 0;
}

int settings_value_read(const struct settings_row *row, const char *text, unsigned line, void *value,
                        struct settings_problem *problem)
{
    uint64_t number = 0;
    int status = 0;
    switch (row->type) {
    case SETTING_TEXT:
    case SETTING_SECRET:
        return text_read(row, text, value, problem);
    case SETTING_FLAG:
        return flag_read(row, text, value, problem);
    case SETTING_WORKERS:
        if (strcmp(text, "auto") == 0) {
            *(uint32_t *)value = 0;
            return 0;
        }
        /* fall through */
    case SETTING_COUNT:
    case SETTING_DURATION:
        status = number_read(row, text, &number, problem);
        *(uint32_t *)value = (uint32_t)number;
        return status;
    case SETTING_RATE:
        status = number_read(row, text, &number, problem);
        *(uint64_t *)value = number;
        return status;
    case SETTING_ADDRESS:
        return address_read(row, text, value, problem);
    case SETTING_PREFIX:
        return prefix_read(row, text, value, problem);
    case SETTING_PORTS:
        return ports_read(row, text, value, problem);
    case SETTING_RELAY_ADDRESS:
        return relay_address_read(row, text, line, value, problem);
    case SETTING_LISTENER:
        return listener_read(row, text, line, value, problem);
    case SETTING_ACCOUNTS:
    case SETTING_RECORD:
        return fail_wanted(row, text, problem);
    }
    abort(); /* no such type: a bug in the table */
}

static void text_fini(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    memory_free(text);
}

void settings_value_fini(const struct settings_row *row, void *value)
{
    struct settings_account *account = value;
    switch (row->type) {
    case SETTING_TEXT:
    case SETTING_SECRET:
        text_fini(*(char **)value);
        break;
    case SETTING_ACCOUNTS:
        text_fini(account->name);
        text_fini(account->password);
        break;
    case SETTING_RECORD:
        for (size_t i = 0; i < settings_row_count; i++) {
            const struct settings_row *field = &settings_rows[i];
            if (field->field && settings_key_is_in(field->key, row->key))
                settings_value_fini(field, (char *)value + field->offset);
        }
        break;
    default:
        break;
    }
}
