/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/issuing.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "daemon/password.h"
#include "net/socket.h"

#define PATH_SIZE 4200

_Static_assert(WAYS_IN_MAX <= PROVISION_URIS_MAX, "all ways in can be told");

static bool is_edge(const struct settings *settings)
{
    return settings->edge_domain[0] != '\0';
}

static int fail_directory(const struct settings *settings, struct settings_error *error)
{
    return settings_fail(settings, settings_line(settings, "state-directory"), error,
                         "state-directory: %.200s: %s; make it, owned by the user that posternd runs as, or name "
                         "another one",
                         settings->state_directory, strerror(errno));
}

int issuing_add_secret(const struct settings *settings, bool keep, struct credentials *credentials,
                       struct settings_error *error)
{
    char file[PATH_SIZE], secret[PASSWORD_SIZE];
    if (settings->shared_secrets.count > 0 || (!is_edge(settings) && settings->token_keys.count == 0))
        return 0;
    if (keep && access(settings->state_directory, W_OK | X_OK) != 0)
        return fail_directory(settings, error);
    snprintf(file, sizeof file, "%s/" ISSUING_SECRET_FILE, settings->state_directory);
    int result = 0;
    if (keep)
        result = password_keep(file, PASSWORD_FOR_PROGRAMS, secret, error);
    else
        password_make(PASSWORD_FOR_PROGRAMS, secret);
    if (result == 0 && credentials_add_secret(credentials, secret) != 0)
        result = settings_fail(settings, 0, error, "%s: cannot be used", file);
    crypto_erase(secret, sizeof secret);
    return result;
}

static int tokens_init(struct issuing *issuing, const struct settings *settings, struct settings_error *error)
{
    if (settings->token_keys.count == 0)
        return 0;
    const struct token_settings tokens = {
        .key_files = (const char *const *)settings->token_keys.items,
        .key_file_count = settings->token_keys.count,
        .issuer = settings->token_issuer,
        .audience = settings->token_audience,
        .impi_claim = settings->token_impi_claim,
        .impu_claim = settings->token_impu_claim,
    };
    struct token_error cause;
    int result = token_verifier_create(&tokens, &issuing->tokens, &cause);
    if (result != 0)
        settings_fail(settings, settings_line(settings, "edge.token-keys"), error, "edge.token-keys: %s", cause.text);
    return result;
}

static int provision_init(struct issuing *issuing, const struct issuing_parts *parts, struct settings_error *error)
{
    const struct settings *settings = parts->settings;
    if (!credentials_can_issue(parts->credentials))
        return 0;
    const char *own[WAYS_IN_MAX];
    for (size_t i = 0; i < parts->own_uri_count; i++)
        own[i] = parts->own_uris[i].text;
    bool named = settings->edge_turn_uris.count > 0;
    /* A server that the settings name may be somebody else's, for whom realm and nonce are not ours to tell; a fleet
     * of ours has a key in common. */
    bool ours = !named || settings->nonce_key[0];
    struct provision_settings provision = {
        .credentials = parts->credentials,
        .nonce_key = ours ? parts->nonce_key : NULL,
        .realm = settings->realm,
        .uris = named ? (const char *const *)settings->edge_turn_uris.items : own,
        .uri_count = named ? settings->edge_turn_uris.count : parts->own_uri_count,
        .lifetime_s = settings->credentials_lifetime_s,
    };
    /* The first secret changes when secrets are rotated, and a user's pseudonym with it. */
    if (settings->nonce_key[0])
        pseudonym_key_init(provision.pseudonym_key, settings->nonce_key);
    else
        credentials_derive_key(parts->credentials, PSEUDONYM_PURPOSE, provision.pseudonym_key);
    int result = provision_create(&provision, &issuing->provision);
    crypto_erase(&provision, sizeof provision);
    if (result == ERR_TOO_LARGE)
        return settings_fail(settings, settings_line(settings, "edge.turn-uris"), error,
                             "edge.turn-uris: together too long for an answer: leave some out");
    if (result != 0)
        settings_fail(settings, 0, error, "out of memory while starting");
    return result;
}

static int revocations_init(struct issuing *issuing, const struct issuing_parts *parts, struct settings_error *error)
{
    const struct settings *settings = parts->settings;
    char file[PATH_SIZE];
    if (!is_edge(settings))
        return 0;
    if (parts->keep && access(settings->state_directory, W_OK | X_OK) != 0)
        return fail_directory(settings, error);
    snprintf(file, sizeof file, "%s/" ISSUING_REVOCATIONS_FILE, settings->state_directory);
    int result = revocations_create(parts->keep ? file : NULL, net_now().wall_s, &issuing->revocations);
    if (result == ERR_MALFORMED)
        return settings_fail(settings, 0, error,
                             "%.400s: is no list of revocations that postern wrote: move it away, and what was revoked "
                             "counts again until it expires",
                             file);
    if (result == ERR_SYSTEM)
        settings_fail(settings, 0, error, "%.400s: %s", file, strerror(errno));
    else if (result != 0)
        settings_fail(settings, 0, error, "out of memory while starting");
    return result;
}

int issuing_init(struct issuing *issuing, const struct issuing_parts *parts, struct settings_error *error)
{
    *issuing = (struct issuing){0};
    int result = tokens_init(issuing, parts->settings, error);
    if (result == 0)
        result = provision_init(issuing, parts, error);
    if (result == 0)
        result = revocations_init(issuing, parts, error);
    return result;
}

void issuing_fini(struct issuing *issuing)
{
    revocations_destroy(&issuing->revocations);
    provision_destroy(&issuing->provision);
    token_verifier_destroy(&issuing->tokens);
}
