/* SPDX-License-Identifier: BSD-3-Clause
 * `postern load`: its options. */
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
#include "cli/load/packet.h"
#include "cli/load/report.h"
#include "cli/load/run.h"
#include "net/socket.h"
#include "worker/worker.h"

#define SIZE_MAX_BYTES 65000
#define IN_FLIGHT_MAX  4096
#define CLIENTS_MAX    20000
#define DURATION_MAX_S 86400

/* One row an option: long name, argument (NULL: none), help. */
#define OPTION_TABLE(X)                                                                                            \
    X(transport, "udp|tcp|tls", "how to reach the server (udp)")                                                   \
    X(user, "NAME", "user name; with --secret the part after the expiry (load)")                                   \
    X(password, "TEXT", "password of a static account")                                                            \
    X(secret, "TEXT", "shared secret, from which time-limited credentials are made")                               \
    X(clients, "N", "clients, each with one allocation (20)")                                                      \
    X(in_flight, "N", "closed loop: packets of each client under way (8)")                                         \
    X(rate, "PPS", "open loop: packets a second of all clients; delays count from when a packet was due")          \
    X(size, "BYTES", "payload of a packet (1000)")                                                                 \
    X(bursts, NULL, "send --in-flight packets at once, segmented (UDP) or in one record (TLS)")                    \
    X(duration, "S", "seconds to measure for (10)")                                                                \
    X(peer, "ADDRESS:PORT", "an echoing UDP peer; without it there is one inside, on the address of this machine") \
    X(allocate_only, NULL, "measure how fast allocations are made and released")                                   \
    X(resume, NULL, "with --allocate-only over tls: resume TLS sessions")                                          \
    X(idle, NULL, "measure the server's memory: allocate, then do nothing for --duration")                         \
    X(server_pid, "PID", "the server's process on this machine: report its CPU time and memory")                   \
    X(threads, "N", "threads of the generator, each with its share of the clients (1)")                            \
    X(tls12, NULL, "speak TLS 1.2 at most")                                                                        \
    X(insecure, NULL, "take any certificate")                                                                      \
    X(ca, "FILE", "PEM certificates to trust in place of the system's")                                            \
    X(json, NULL, "report as one JSON object")                                                                     \
    X(help, NULL, "show this help")

enum option_number {
    OPTION_BASE = 256,
#define X(name, argument, text) OPTION_##name,
    OPTION_TABLE(X)
#undef X
};

static const struct option_row {
    const char *name, *argument, *text;
} rows[] = {
#define X(name, argument, text) {#name, argument, text},
    OPTION_TABLE(X)
#undef X
};
#define ROW_COUNT (sizeof rows / sizeof *rows)

/* A row's name as the user writes it: with dashes. */
static const char *option_name(size_t row)
{
    static char names[ROW_COUNT][24];
    if (names[row][0] == '\0') {
        snprintf(names[row], sizeof names[row], "%s", rows[row].name);
        for (char *c = names[row]; *c; c++)
            *c = *c == '_' ? '-' : *c;
    }
    return names[row];
}

static void usage_print(FILE *to)
{
    fprintf(
        to,
        "Usage: postern load [OPTION]... HOST[:PORT]\n       postern load sip [OPTION]... wss://HOST[:PORT][/PATH]\n\n"
        "Puts a TURN server under load: packets go through it to an echoing peer and back.\n\n");
    for (size_t i = 0; i < ROW_COUNT; i++) {
        char left[64];
        snprintf(left, sizeof left, "--%s %s", option_name(i), rows[i].argument ? rows[i].argument : "");
        fprintf(to, "  %-24s %s\n", left, rows[i].text);
    }
}

static int complain(const char *about, const char *text)
{
    fprintf(stderr, "postern load: %s: %s\n", about, text);
    return ERR_MALFORMED;
}

static int number_parse(const char *option, const char *text, unsigned lowest, unsigned highest, unsigned *out)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || errno != 0 || value < lowest || value > highest) {
        fprintf(stderr, "postern load: --%s %s: a number from %u to %u is wanted\n", option, text, lowest, highest);
        return ERR_MALFORMED;
    }
    *out = (unsigned)value;
    return 0;
}

static int transport_parse(const char *text, enum turn_transport *out)
{
    const enum turn_transport known[] = {TURN_UDP, TURN_TCP, TURN_TLS};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(text, turn_transport_name(known[i])) == 0) {
            *out = known[i];
            return 0;
        }
    }
    return complain(text, "udp, tcp or tls is wanted");
}

static int option_apply(int number, const char *value, struct load_plan *plan)
{
    const char *name = option_name((size_t)(number - OPTION_BASE - 1));
    unsigned pid;
    switch (number) {
    case OPTION_transport:
        return transport_parse(value, &plan->transport);
    case OPTION_user:
        plan->user = value;
        return 0;
    case OPTION_password:
        plan->password = value;
        return 0;
    case OPTION_secret:
        plan->secret = value;
        return 0;
    case OPTION_clients:
        return number_parse(name, value, 1, CLIENTS_MAX, &plan->clients);
    case OPTION_in_flight:
        return number_parse(name, value, 1, IN_FLIGHT_MAX, &plan->in_flight);
    case OPTION_rate:
        return number_parse(name, value, 1, 100000000, &plan->rate);
    case OPTION_size:
        return number_parse(name, value, LOAD_PACKET_MIN, SIZE_MAX_BYTES, &plan->size);
    case OPTION_bursts:
        plan->bursts = true;
        return 0;
    case OPTION_duration:
        return number_parse(name, value, 1, DURATION_MAX_S, &plan->duration_s);
    case OPTION_peer:
        if (address_parse(value, &plan->peer) != 0 || plan->peer.port == 0)
            return complain(value, "an address with a port is wanted, such as 192.0.2.1:7");
        return 0;
    case OPTION_allocate_only:
        plan->kind = LOAD_ALLOCATE;
        return 0;
    case OPTION_resume:
        plan->resume = true;
        return 0;
    case OPTION_idle:
        plan->kind = LOAD_IDLE;
        return 0;
    case OPTION_server_pid:
        if (number_parse(name, value, 1, INT_MAX, &pid) != 0)
            return ERR_MALFORMED;
        plan->server_pid = (pid_t)pid;
        return 0;
    case OPTION_threads:
        return number_parse(name, value, 1, WORKERS_MAX, &plan->threads);
    case OPTION_insecure:
        plan->insecure = true;
        return 0;
    case OPTION_tls12:
        plan->tls12 = true;
        return 0;
    case OPTION_ca:
        plan->ca_file = value;
        return 0;
    case OPTION_json:
        plan->json = true;
        return 0;
    default:
        return ERR_MALFORMED;
    }
}

/* HOST, HOST:PORT, or an address in any of its spellings. */
static int server_resolve(char *text, struct load_plan *plan)
{
    uint16_t port = plan->transport == TURN_TLS ? 5349 : 3478;
    plan->host = text;
    if (address_parse(text, &plan->server) == 0) {
        if (plan->server.port == 0)
            plan->server.port = port;
        char *bare = text;
        if (*bare == '[') {
            plan->host = bare + 1;
            *strchr(bare, ']') = '\0';
        } else if (plan->server.family == ADDRESS_IPV4 && strchr(bare, ':')) {
            *strchr(bare, ':') = '\0';
        }
        return 0;
    }
    char *colon = strchr(text, ':');
    unsigned given = port;
    if (colon) {
        *colon = '\0';
        if (number_parse("port", colon + 1, 1, 65535, &given) != 0)
            return ERR_MALFORMED;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *found;
    int error = getaddrinfo(text, NULL, &hints, &found);
    if (error != 0)
        return complain(text, gai_strerror(error));
    struct sockaddr_storage name = {0};
    memcpy(&name, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    plan->server = net_address(&name);
    plan->server.port = (uint16_t)given;
    return 0;
}

static int plan_check(const struct load_plan *plan)
{
    if (!plan->secret && !(plan->user && plan->password))
        return complain("credentials", "--user and --password, or --secret, are wanted");
    if (plan->threads > plan->clients)
        return complain("--threads", "more than there are clients");
    if (plan->bursts && plan->in_flight > 64 && plan->transport == TURN_UDP)
        return complain("--in-flight", "a burst over UDP is at most 64 packets");
    if (plan->peer.family != ADDRESS_NONE && plan->peer.family != plan->server.family)
        return complain("--peer", "its address family is not the server's");
    return 0;
}

/* Returns 0, 1 after showing help, or ERR_MALFORMED after one line on stderr. */
static int plan_parse(int argc, char **argv, struct load_plan *plan)
{
    struct option options[ROW_COUNT + 1] = {0};
    for (size_t i = 0; i < ROW_COUNT; i++)
        options[i] = (struct option){.name = option_name(i),
                                     .has_arg = rows[i].argument ? required_argument : no_argument,
                                     .val = OPTION_BASE + 1 + (int)i};
    opterr = 0;
    int number;
    while ((number = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (number == OPTION_help) {
            usage_print(stdout);
            return 1;
        }
        if (number == ':')
            return complain(argv[optind - 1], "it wants an argument");
        if (number == '?')
            return complain(argv[optind - 1], "no such option; see `postern load --help`");
        if (option_apply(number, optarg, plan) != 0)
            return ERR_MALFORMED;
    }
    if (optind + 1 != argc)
        return complain("HOST:PORT", "exactly one server is wanted");
    if (server_resolve(argv[optind], plan) != 0)
        return ERR_MALFORMED;
    return plan_check(plan);
}

int load_command(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "sip") == 0)
        return load_sip_command(argc - 1, argv + 1);
    struct load_plan plan = {
        .transport = TURN_UDP, .clients = 20, .threads = 1, .in_flight = 8, .size = 1000, .duration_s = 10};
    int parsed = plan_parse(argc, argv, &plan);
    if (parsed != 0)
        return parsed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    struct load_result *result = memory_zeroed(1, sizeof *result);
    if (!result) {
        complain("memory", error_text(ERR_MEMORY));
        return EXIT_FAILURE;
    }
    int status = load_run(&plan, result) ? EXIT_SUCCESS : EXIT_FAILURE;
    if (status == EXIT_SUCCESS && plan.json)
        load_report_json(stdout, &plan, result);
    else if (status == EXIT_SUCCESS)
        load_report_text(stdout, &plan, result);
    memory_free(result);
    return status;
}
