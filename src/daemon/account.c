/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/account.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "daemon/password.h"
#include "net/socket.h"
#include "registrar/accounts.h"

#define PATIENCE_MS 5000 /* a person waits so long for another command */
#define PATH_SIZE   4224

int account_open(const struct settings *settings, unsigned patience_ms, struct accounts **out,
                 struct settings_error *error)
{
    char file[PATH_SIZE];
    struct accounts_error cause;
    *out = NULL;
    if (!settings->edge_domain[0])
        return settings_fail(settings, 0, error, "edge.domain: accounts belong to a domain: set it");
    snprintf(file, sizeof file, "%s/" ACCOUNTS_FILE, settings->state_directory);
    int status = accounts_open(file, settings->edge_domain, patience_ms, out, &cause);
    if (status != 0)
        snprintf(error->text, sizeof error->text, "%s", cause.text);
    return status;
}

/* What accounts_add() and accounts_remove() refuse, in words. */
static int tell(const struct settings *settings, struct accounts *accounts, const char *name, int status,
                struct settings_error *error)
{
    switch (status) {
    case 0:
        break;
    case ERR_EXISTS:
        settings_fail(settings, 0, error, "there is an account %s already: remove it first", name);
        break;
    case ERR_NOT_FOUND:
        settings_fail(settings, 0, error, "there is no account %.64s: --list-accounts shows them", name);
        break;
    case ERR_MALFORMED:
        settings_fail(
            settings, 0, error,
            "a name consists of letters, digits, dots, hyphens, underscores and plus signs, and a password of "
            "at least one character");
        break;
    case ERR_TOO_LARGE:
        settings_fail(settings, 0, error, "a name has %d characters at most, a password %d", ACCOUNT_NAME_MAX,
                      ACCOUNT_PASSWORD_MAX);
        break;
    default:
        settings_fail(settings, 0, error, ACCOUNTS_FILE ": %s", accounts_cause(accounts));
        break;
    }
    return status;
}

/* The first line of standard input, without its end. */
static int read_password(const struct settings *settings, char *out, size_t size, struct settings_error *error)
{
    if (!fgets(out, (int)size, stdin))
        return settings_fail(settings, 0, error, "--password-stdin: standard input is empty");
    size_t length = strcspn(out, "\r\n");
    if (out[length] == '\0' && length + 1 == size)
        return settings_fail(settings, 0, error, "a password has %d characters at most", ACCOUNT_PASSWORD_MAX);
    out[length] = '\0';
    return 0;
}

int account_add(const struct settings *settings, const char *name, bool password_from_input,
                struct settings_error *error)
{
    char password[ACCOUNT_PASSWORD_MAX + 3];
    struct accounts *accounts;
    int status = account_open(settings, PATIENCE_MS, &accounts, error);
    if (status != 0)
        return status;
    if (password_from_input)
        status = read_password(settings, password, sizeof password, error);
    else
        password_make(PASSWORD_FOR_PEOPLE, password);
    if (status == 0)
        status = tell(settings, accounts, name, accounts_add(accounts, name, password, net_now().wall_s), error);
    if (status == 0 && !password_from_input)
        printf("account:   sip:%s@%s\npassword:  %s   (it is not kept and cannot be shown again)\n", name,
               settings->edge_domain, password);
    crypto_erase(password, sizeof password);
    accounts_close(&accounts);
    return status;
}

int account_remove(const struct settings *settings, const char *name, struct settings_error *error)
{
    struct accounts *accounts;
    int status = account_open(settings, PATIENCE_MS, &accounts, error);
    if (status == 0)
        status = tell(settings, accounts, name, accounts_remove(accounts, name), error);
    accounts_close(&accounts);
    return status;
}

static void print_row(void *context, const struct account *account)
{
    const struct settings *settings = context;
    char date[32];
    struct tm when;
    time_t created = (time_t)account->created_s;
    strftime(date, sizeof date, "%Y-%m-%d", gmtime_r(&created, &when));
    printf("%s  sip:%s@%s\n", date, account->name, settings->edge_domain);
}

int account_list(const struct settings *settings, struct settings_error *error)
{
    struct accounts *accounts;
    int status = account_open(settings, PATIENCE_MS, &accounts, error);
    if (status == 0)
        status = tell(settings, accounts, "", accounts_list(accounts, print_row, (void *)settings), error);
    accounts_close(&accounts);
    return status;
}
