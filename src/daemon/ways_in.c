/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/ways_in.h"

#include <jansson.h>
#include <string.h>

#include "base/error.h"
#include "crypto/certificate.h"
#include "crypto/digest.h"

/* In the order in which a client had better try them. */
static const struct way {
    const char *scheme, *transport;
    enum settings_scheme listener;
    bool plain; /* needs a tls:// listener that takes unencrypted clients, too */
} ways[] = {
    {"turn", "udp", SETTINGS_UDP, false},
    {"turn", "tcp", SETTINGS_TCP, false},
    {"turn", "tcp", SETTINGS_TLS, true},
    {"turns", "tcp", SETTINGS_TLS, false},
};

static bool is_wildcard(const struct address *address)
{
    static const uint8_t zeros[16];
    return memcmp(address->ip, zeros, sizeof zeros) == 0;
}

/* "IP:PORT" of |listener| as a client of |by|'s family writes it. False where the two do not go together. */
static bool format_address(const struct settings_listener *listener, const struct settings_relay_address *by,
                           char text[ADDRESS_TEXT_MAX])
{
    struct address address = by->public_address;
    if (address.family != listener->address.family ||
        (!is_wildcard(&listener->address) && !address_same_ip(&listener->address, &by->private_address)))
        return false;
    address.port = listener->address.port;
    address_format(&address, text);
    return true;
}

static json_t *list_urls(const struct settings *settings, const struct settings_relay_address *addresses, size_t count)
{
    json_t *urls = json_array();
    for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++)
        for (size_t a = 0; a < count; a++)
            for (size_t i = 0; i < settings->listen.count; i++) {
                const struct settings_listener *listener = &settings->listen.items[i];
                char text[ADDRESS_TEXT_MAX];
                if (listener->scheme == ways[w].listener && (listener->plain || !ways[w].plain) &&
                    format_address(listener, &addresses[a], text))
                    json_array_append_new(urls,
                                          json_sprintf("%s:%s?transport=%s", ways[w].scheme, text, ways[w].transport));
            }
    return urls;
}

static void print_status_page(FILE *out, const struct settings *settings,
                              const struct settings_relay_address *addresses, size_t count)
{
    for (size_t a = 0; a < count; a++)
        for (size_t i = 0; i < settings->listen.count; i++) {
            const struct settings_listener *listener = &settings->listen.items[i];
            char text[ADDRESS_TEXT_MAX];
            if (listener->scheme != SETTINGS_TLS || !format_address(listener, &addresses[a], text))
                continue;
            fprintf(out, "Status page:  https://%s/\n", text);
            return;
        }
}

static void print_fingerprint(FILE *out, const struct settings *settings)
{
    uint8_t hash[SHA256_SIZE];
    char text[CRYPTO_BASE64_SIZE(SHA256_SIZE)];
    struct tls_error error;
    if (settings->tls.count == 0 ||
        certificate_public_key_hash(settings->tls.items[0].certificate_file, hash, &error) != 0)
        return;
    crypto_base64(hash, sizeof hash, text);
    fprintf(out,
            "Certificate:  made by this server, so browsers do not trust it by themselves. For a try:\n"
            "              chromium --ignore-certificate-errors-spki-list=%s\n",
            text);
}

int ways_in_print(FILE *out, const struct settings *settings, const struct settings_account *account,
                  const struct settings_relay_address *addresses, size_t count)
{
    json_t *urls = list_urls(settings, addresses, count);
    json_t *page = json_pack("{s:[{s:o, s:s, s:s}]}", "iceServers", "urls", urls, "username", account->name,
                             "credential", account->password);
    if (!page)
        return ERR_MEMORY;
    json_dumpf(page, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(page);
    fputs("\n\n", out);
    print_status_page(out, settings, addresses, count);
    print_fingerprint(out, settings);
    fprintf(out, "Kept in:      %s\n", settings->state_directory);
    return fflush(out) == 0 ? 0 : ERR_SYSTEM;
}
