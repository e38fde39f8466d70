/* SPDX-License-Identifier: BSD-3-Clause
 * `postern load sip`: its options. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "cli/command.h"
#include "cli/load/sip_run.h"
#include "net/socket.h"

#define WICS_MAX       20000
#define CALLS_MAX      10000000
#define DURATION_MAX_S 86400
#define HOST_MAX       256

/* What a number sets, and within which bounds. */
struct number {
    size_t offset;
    unsigned lowest, highest;
};
#define NUMBER(member, lowest, highest)                    \
    {                                                      \
        offsetof(struct sip_plan, member), lowest, highest \
    }

/* One row an option. One with |text_at| keeps its text, one with |number| its number, one with neither sets a flag. */
static const struct row {
    const char *name, *argument, *help;
    size_t text_at;
    struct number number;
    size_t flag_at;
} rows[] = {
    {"domain", "NAME", "home domain (the server's name)", offsetof(struct sip_plan, domain), {0}, 0},
    {"user", "NAME", "the WICs are NAME0, NAME1, ... (load)", offsetof(struct sip_plan, user), {0}, 0},
    {"single", NULL, "all WICs are NAME itself", 0, {0}, offsetof(struct sip_plan, single)},
    {"password", "TEXT", "of all of them, for Digest", offsetof(struct sip_plan, password), {0}, 0},
    {"token", "JWT", "sent as Authorization: Bearer in place of Digest", offsetof(struct sip_plan, token), {0}, 0},
    {"wics", "N", "clients, each with a WebSocket and a registration (100)", 0, NUMBER(wics, 1, WICS_MAX), 0},
    {"at-once", "N", "REGISTERs under way at once (32)", 0, NUMBER(at_once, 1, WICS_MAX), 0},
    {"calls", "N", "calls in all (200)", 0, NUMBER(calls, 1, CALLS_MAX), 0},
    {"rate", "N", "calls that begin in a second (20)", 0, NUMBER(rate, 1, 100000), 0},
    {"hold", "MS", "milliseconds that a call lasts (3000)", 0, NUMBER(hold_ms, 1, 3600000), 0},
    {"callee",
     "URI",
     "call this; without it every second WIC calls the next one",
     offsetof(struct sip_plan, callee),
     {0},
     0},
    {"refresh", NULL, "no calls: register again and again for --duration", 0, {0}, SIZE_MAX},
    {"idle", NULL, "no calls: stay registered for --duration", 0, {0}, SIZE_MAX},
    {"duration", "S", "seconds of --refresh and --idle (10)", 0, NUMBER(duration_s, 1, DURATION_MAX_S), 0},
    {"expires", "S", "asked for in REGISTER (600)", 0, NUMBER(expires_s, 1, DURATION_MAX_S), 0},
    {"server-pid", "PID", "the server's process on this machine: report its CPU time and memory, children's included",
     0, NUMBER(server_pid, 1, INT_MAX), 0},
    {"insecure", NULL, "take any certificate", 0, {0}, offsetof(struct sip_plan, insecure)},
    {"ca", "FILE", "PEM certificates to trust in place of the system's", offsetof(struct sip_plan, ca_file), {0}, 0},
    {"json", NULL, "report as one JSON object", 0, {0}, offsetof(struct sip_plan, json)},
    {"help", NULL, "show this help", 0, {0}, SIZE_MAX},
};
#define ROW_COUNT (sizeof rows / sizeof *rows)

_Static_assert(sizeof(pid_t) == sizeof(unsigned), "a row's number is an unsigned");

static void usage_print(FILE *to)
{
    fprintf(to, "Usage: postern load sip [OPTION]... wss://HOST[:PORT][/PATH]\n\n"
                "Puts a SIP edge under load: WICs register over WebSocket and place calls.\n\n");
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char left[64];
        snprintf(left, sizeof left, "--%s %s", rows[i].name, rows[i].argument ? rows[i].argument : "");
        fprintf(to, "  %-18s %s\n", left, rows[i].help);
    }
}

static int complain(const char *about, const char *text)
{
    fprintf(stderr, "postern load sip: %s: %s\n", about, text);
    return ERR_MALFORMED;
}

static int number_parse(const char *option, const char *text, const struct number *number, unsigned *out)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value < number->lowest || value > number->highest) {
        fprintf(stderr, "postern load sip: %s %s: a number from %u to %u is wanted\n", option, text, number->lowest,
                number->highest);
        return ERR_MALFORMED;
    }
    *out = (unsigned)value;
    return 0;
}

static int row_apply(const struct row *row, const char *value, struct sip_plan *plan)
{
    char *base = (char *)plan;
    if (row->number.highest > 0)
        return number_parse(row->name, value, &row->number, (unsigned *)(base + row->number.offset));
    if (row->argument)
        *(const char **)(base + row->text_at) = value;
    else if (strcmp(row->name, "refresh") == 0)
        plan->kind = SIP_LOAD_REFRESH;
    else if (strcmp(row->name, "idle") == 0)
        plan->kind = SIP_LOAD_IDLE;
    else
        *(bool *)(base + row->flag_at) = true;
    return 0;
}

static int resolve(const char *host, unsigned port, struct sip_plan *plan)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    int error = getaddrinfo(host, NULL, &hints, &found);
    if (error != 0)
        return complain(host, gai_strerror(error));
    struct sockaddr_storage name = {0};
    memcpy(&name, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    plan->server = net_address(&name);
    plan->server.port = (uint16_t)port;
    return 0;
}

/* Takes the URL apart; |host| keeps the name. */
static int url_read(const char *url, char host[HOST_MAX], struct sip_plan *plan)
{
    static const struct number ports = {0, 1, 65535};
    plan->tls = strncmp(url, "wss://", 6) == 0;
    if (!plan->tls && strncmp(url, "ws://", 5) != 0)
        return complain(url, "a URL is wanted, such as wss://turn.example.org/");
    const char *from = url + (plan->tls ? 6 : 5), *path = strchr(from, '/');
    size_t length = path ? (size_t)(path - from) : strlen(from);
    if (length == 0 || length >= HOST_MAX)
        return complain(url, "it names no host");
    memcpy(host, from, length);
    host[length] = '\0';
    plan->path = path ? path : "/";
    unsigned port = plan->tls ? 443 : 80;
    char *bare = host, *colon = strrchr(host, ':');
    if (host[0] == '[') {
        char *end = strchr(host, ']');
        if (!end)
            return complain(url, "the bracket is not closed");
        bare = host + 1;
        *end = '\0';
        colon = end[1] == ':' ? end + 1 : NULL;
    }
    if (colon) {
        *colon = '\0';
        if (number_parse("port", colon + 1, &ports, &port) != 0)
            return ERR_MALFORMED;
    }
    plan->host = bare;
    if (!plan->domain)
        plan->domain = bare;
    return resolve(bare, port, plan);
}

/* Returns 0, 1 after showing help, or ERR_MALFORMED after one line on stderr. */
static int plan_parse(int argc, char **argv, char host[HOST_MAX], struct sip_plan *plan)
{
    struct option options[ROW_COUNT + 1] = {0};
    for (size_t i = 0; i < ROW_COUNT; i++)
        options[i] = (struct option){
            .name = rows[i].name, .has_arg = rows[i].argument ? required_argument : no_argument, .val = 256 + (int)i};
    opterr = 0;
    int number;
    while ((number = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (number == ':')
            return complain(argv[optind - 1], "it wants an argument");
        if (number == '?')
            return complain(argv[optind - 1], "no such option; see `postern load sip --help`");
        const struct row *row = &rows[number - 256];
        if (strcmp(row->name, "help") == 0) {
            usage_print(stdout);
            return 1;
        }
        if (row_apply(row, optarg, plan) != 0)
            return ERR_MALFORMED;
    }
    if (optind + 1 != argc)
        return complain("wss://HOST", "exactly one server is wanted");
    if (plan->kind == SIP_LOAD_CALLS && !plan->callee && (plan->wics < 2 || plan->single))
        return complain("--callee", "it is wanted where there are not two WICs of their own names");
    return url_read(argv[optind], host, plan);
}

int load_sip_command(int argc, char **argv)
{
    char host[HOST_MAX];
    struct sip_plan plan = {.user = "load",
                            .wics = 100,
                            .at_once = 32,
                            .calls = 200,
                            .rate = 20,
                            .hold_ms = 3000,
                            .duration_s = 10,
                            .expires_s = 600};
    int parsed = plan_parse(argc, argv, host, &plan);
    if (parsed != 0)
        return parsed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    struct sip_result *result = memory_zeroed(1, sizeof *result);
    if (!result) {
        complain("memory", error_text(ERR_MEMORY));
        return EXIT_FAILURE;
    }
    bool good = sip_run(&plan, result);
    if (good && plan.json)
        sip_report_json(stdout, &plan, result);
    else if (good)
        sip_report_text(stdout, &plan, result);
    good = good && result->failures == 0;
    memory_free(result);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
