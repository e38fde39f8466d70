/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/issue.h"

#include "auth/credentials.h"
#include "base/error.h"
#include "daemon/shared.h"
#include "net/socket.h"

static int credentials_make(const struct settings *settings, const char *user, char *username_out, char *password_out)
{
    struct credentials *credentials;
    int status = credentials_create(settings->realm, &credentials);
    if (status == 0 && settings->shared_secrets.count > 0)
        status = credentials_add_secret(credentials, settings->shared_secrets.items[0]);
    if (status == 0)
        status = credentials_issue(credentials, user, net_now().wall_s + settings->credentials_lifetime_s, username_out,
                                   password_out);
    credentials_destroy(&credentials);
    return status;
}

int issue_print(const struct settings *settings, const char *user, struct settings_error *error)
{
    char username[USERNAME_MAX + 1], password[CRYPTO_BASE64_SIZE(SHA1_SIZE)];
    int status = credentials_make(settings, user, username, password);
    if (status == ERR_NOT_FOUND)
        return settings_fail(settings, 0, error, "credentials.shared-secrets: there is none to issue with: add one");
    if (status == ERR_TOO_LARGE)
        return settings_fail(settings, 0, error, "--issue: the name is too long: shorten it");

    struct shared_ways_in ways;
    shared_ways_in(settings, &ways);
    if (status == 0)
        status = ways_in_print_servers(stdout, &ways.ways, username, password);
    if (status != 0)
        settings_fail(settings, 0, error, "--issue: %s", error_text(status));
    return status;
}
