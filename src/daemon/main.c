/* SPDX-License-Identifier: BSD-3-Clause
 * posternd: options, signals, start and end. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/error.h"
#include "daemon/account.h"
#include "daemon/first_start.h"
#include "daemon/introduction.h"
#include "daemon/issue.h"
#include "daemon/log.h"
#include "daemon/service.h"
#include "daemon/settings.h"
#include "daemon/settings_print.h"

#define STATUS_FAILED 1
#define STATUS_USAGE  2
#define REALM_SHORT   16 /* with a longer one a challenge is more than 2.2 times the shortest Allocate, in IP bytes */

struct options {
    const char *config;
    const char *issue; /* NULL, or the user to issue credentials for */
    const char *add_account, *remove_account;
    uint16_t port; /* 0: the usual ones */
    bool check, list_accounts, password_from_input;
};

static void print_help(void)
{
    fputs("usage: posternd [--config FILE] [--check-config] [--port PORT] [--log-level LEVEL]\n"
          "       posternd --config FILE --issue USER\n"
          "       posternd [--config FILE] --add-account NAME [--password-stdin]\n"
          "       posternd [--config FILE] --remove-account NAME | --list-accounts\n"
          "       posternd --sample-settings | --help | --version\n"
          "\n"
          "A TURN server and the edge of a SIP core, all on one port.\n"
          "\n"
          "  --config FILE          serve as FILE says\n"
          "  --check-config         say what is wrong with FILE, or nothing, and end\n"
          "  --issue USER           print iceServers with time-limited credentials for USER, and end\n"
          "  --add-account NAME     make an account for calls without a core, print its password, and end\n"
          "  --password-stdin       take the password from the first line of standard input\n"
          "  --remove-account NAME  remove the account, and end\n"
          "  --list-accounts        print the accounts, and end\n"
          "  --port PORT            without a file: serve everything on this port alone, not on 3478 and 8443\n"
          "  --log-level LEVEL      error, warning, info (the default) or debug\n"
          "  --sample-settings      print a settings file to begin with\n"
          "  --version              print the version\n"
          "\n"
          "Without --config, certificate and accounts are made on the first start, kept in the state\n"
          "directory, and printed: open the page in two tabs and call.\n"
          "\n"
          "Settings (YAML) and their defaults:\n",
          stdout);
    settings_print_help(stdout);
}

static int fail_usage(const char *what, const char *value)
{
    fprintf(stderr, "posternd: %s%s: posternd --help lists the options\n", what, value);
    return STATUS_USAGE;
}

static int port_parse(const char *text, uint16_t *out)
{
    char *end;
    long port = strtol(text, &end, 10);
    if (*end || end == text || port < 1 || port > 65535)
        return ERR_MALFORMED;
    *out = (uint16_t)port;
    return 0;
}

enum option_code {
    OPTION_CONFIG = 256,
    OPTION_CHECK,
    OPTION_ISSUE,
    OPTION_ADD_ACCOUNT,
    OPTION_PASSWORD_STDIN,
    OPTION_REMOVE_ACCOUNT,
    OPTION_LIST_ACCOUNTS,
    OPTION_PORT,
    OPTION_LOG_LEVEL,
    OPTION_SAMPLE,
    OPTION_HELP,
    OPTION_VERSION,
};

/* Returns -1 to go on, or the status to end with. */
static int options_read(int count, char **arguments, struct options *options)
{
    static const struct option table[] = {
        {"config", required_argument, NULL, OPTION_CONFIG},
        {"check-config", no_argument, NULL, OPTION_CHECK},
        {"issue", required_argument, NULL, OPTION_ISSUE},
        {"add-account", required_argument, NULL, OPTION_ADD_ACCOUNT},
        {"password-stdin", no_argument, NULL, OPTION_PASSWORD_STDIN},
        {"remove-account", required_argument, NULL, OPTION_REMOVE_ACCOUNT},
        {"list-accounts", no_argument, NULL, OPTION_LIST_ACCOUNTS},
        {"port", required_argument, NULL, OPTION_PORT},
        {"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
        {"sample-settings", no_argument, NULL, OPTION_SAMPLE},
        {"help", no_argument, NULL, OPTION_HELP},
        {"version", no_argument, NULL, OPTION_VERSION},
        {NULL, 0, NULL, 0},
    };
    enum log_level level;
    int code;
    opterr = 0;
    while ((code = getopt_long(count, arguments, ":", table, NULL)) != -1) {
        switch (code) {
        case OPTION_CONFIG:
            options->config = optarg;
            break;
        case OPTION_CHECK:
            options->check = true;
            break;
        case OPTION_ISSUE:
            options->issue = optarg;
            break;
        case OPTION_ADD_ACCOUNT:
            options->add_account = optarg;
            break;
        case OPTION_PASSWORD_STDIN:
            options->password_from_input = true;
            break;
        case OPTION_REMOVE_ACCOUNT:
            options->remove_account = optarg;
            break;
        case OPTION_LIST_ACCOUNTS:
            options->list_accounts = true;
            break;
        case OPTION_PORT:
            if (port_parse(optarg, &options->port) != 0)
                return fail_usage("--port wants a number from 1 to 65535, not ", optarg);
            break;
        case OPTION_LOG_LEVEL:
            if (log_level_parse(optarg, &level) != 0)
                return fail_usage("--log-level wants error, warning, info or debug, not ", optarg);
            log_level_set(level);
            break;
        case OPTION_SAMPLE:
            settings_print_sample(stdout);
            return EXIT_SUCCESS;
        case OPTION_HELP:
            print_help();
            return EXIT_SUCCESS;
        case OPTION_VERSION:
            puts("posternd " POSTERN_VERSION);
            return EXIT_SUCCESS;
        case ':':
            return fail_usage("a value is missing behind ", arguments[optind - 1]);
        default:
            return fail_usage("unknown option ", arguments[optind - 1]);
        }
    }
    if (optind < count)
        return fail_usage("unexpected ", arguments[optind]);
    if ((options->check || options->issue) && !options->config)
        return fail_usage("--config FILE is missing", "");
    if (options->password_from_input && !options->add_account)
        return fail_usage("--password-stdin belongs to --add-account NAME", "");
    if (options->check + !!options->issue + !!options->add_account + !!options->remove_account +
            options->list_accounts >
        1)
        return fail_usage("more than one thing to do: name one at a time", "");
    if (options->port && options->config)
        return fail_usage("--port and --config exclude each other: the file says where to listen", "");
    return -1;
}

/* Each client on a stream and each allocation takes a descriptor. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static sigset_t ending_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return set;
}

static int fail(const struct settings_error *error)
{
    fprintf(stderr, "%s\n", error->text);
    return STATUS_FAILED;
}

/* |people| NULL: whoever has a settings file knows them. */
static int serve(const struct settings *settings, const struct first_start_person *people)
{
    struct service *service;
    struct settings_error error;
    sigset_t signals = ending_signals();
    /* Before the workers' threads begin, so that they inherit both: only this thread hears the end. */
    signal(SIGPIPE, SIG_IGN);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    raise_descriptor_limit();
    if (service_create(settings, &service, &error) != 0)
        return fail(&error);
    if (service_start(service) != 0) {
        service_destroy(&service);
        fputs("posternd: the workers' threads cannot be started: allow more processes, or set workers lower\n", stderr);
        return STATUS_FAILED;
    }
    if (people)
        introduction_print(stdout, settings, people);
    if (strlen(settings->realm) > REALM_SHORT)
        log_event(LOG_NOTICE,
                  "realm-length=%zu text=\"strangers can make this server send more than 2.2 times what they send; a "
                  "realm of "
                  "%d bytes at most prevents it\"",
                  strlen(settings->realm), REALM_SHORT);
    log_event(LOG_STARTED, "version=%s listeners=%zu", POSTERN_VERSION, settings->listen.count);
    static const struct timespec period = {.tv_sec = 1};
    int signal_number;
    while ((signal_number = sigtimedwait(&signals, NULL, &period)) < 0)
        service_tend(service);
    log_event(LOG_STOPPED, "signal=%s", sigabbrev_np(signal_number));
    service_stop(service);
    service_destroy(&service);
    return EXIT_SUCCESS;
}

int main(int count, char **arguments)
{
    struct options options = {0};
    int status = options_read(count, arguments, &options);
    if (status >= 0)
        return fflush(stdout) == 0 ? status : STATUS_FAILED;

    struct settings *settings;
    struct settings_error error;
    struct first_start_person people[FIRST_START_PEOPLE];
    int result = options.config ? settings_load(options.config, &settings, &error)
                                : first_start_settings(options.port, people, &settings, &error);
    if (result != 0)
        return fail(&error);
    status = EXIT_SUCCESS;
    if (options.check)
        result = service_check(settings, &error);
    else if (options.issue)
        result = issue_print(settings, options.issue, &error);
    else if (options.add_account)
        result = account_add(settings, options.add_account, options.password_from_input, &error);
    else if (options.remove_account)
        result = account_remove(settings, options.remove_account, &error);
    else if (options.list_accounts)
        result = account_list(settings, &error);
    else
        status = serve(settings, options.config ? NULL : people);
    if (result != 0)
        status = fail(&error);
    settings_destroy(&settings);
    return status;
}
