/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/ways_in.h"

#include <jansson.h>
#include <string.h>

#include "base/error.h"

/* In the order in which a client had better try them. */
static const struct way {
    const char *scheme, *transport;
    enum settings_scheme listener;
    bool plain; /* needs a tls:// listener that takes unencrypted clients, too */
} kinds[] = {
    {"turn", "udp", SETTINGS_UDP, false},
    {"turn", "tcp", SETTINGS_TCP, false},
    {"turn", "tcp", SETTINGS_TLS, true},
    {"turns", "tcp", SETTINGS_TLS, false},
};

/* "IP:PORT" of |listener| as a client of |by|'s family writes it. False where the two do not go together. */
static bool format_address(const struct settings_listener *listener, const struct settings_relay_address *by,
                           char text[ADDRESS_TEXT_MAX])
{
    struct address address = by->public_address;
    if (address.family != listener->address.family ||
        (!address_is_unspecified(&listener->address) && !address_same_ip(&listener->address, &by->private_address)))
        return false;
    address.port = listener->address.port;
    address_format(&address, text);
    return true;
}

/* Adds each way of the kind |way| to |urls|, once. Returns how many there are now. */
static size_t add_urls(const struct ways_in *ways, const struct way *way, struct ways_in_url urls[WAYS_IN_MAX],
                       size_t count)
{
    const struct settings *settings = ways->settings;
    for (size_t a = 0; a < ways->address_count; a++) {
        for (size_t i = 0; i < settings->listen.count && count < WAYS_IN_MAX; i++) {
            const struct settings_listener *listener = &settings->listen.items[i];
            char address[ADDRESS_TEXT_MAX], host[300];
            if (listener->scheme != way->listener || (way->plain && !listener->plain) ||
                !format_address(listener, &ways->addresses[a], address))
                continue;
            if (ways->tls_name && strcmp(way->scheme, "turns") == 0)
                snprintf(host, sizeof host, "%s:%u", ways->tls_name, listener->address.port);
            else
                snprintf(host, sizeof host, "%s", address);
            char *url = urls[count].text;
            snprintf(url, sizeof urls[count].text, "%s:%s?transport=%s", way->scheme, host, way->transport);
            bool known = false;
            for (size_t u = 0; u < count && !known; u++)
                known = strcmp(urls[u].text, url) == 0;
            count += !known;
        }
    }
    return count;
}

size_t ways_in_urls(const struct ways_in *ways, struct ways_in_url out[WAYS_IN_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        count = add_urls(ways, &kinds[i], out, count);
    return count;
}

int ways_in_print_servers(FILE *out, const struct ways_in *ways, const char *username, const char *password)
{
    struct ways_in_url urls[WAYS_IN_MAX];
    size_t count = ways_in_urls(ways, urls);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(urls[i].text));
    json_t *page =
        json_pack("{s:[{s:o, s:s, s:s}]}", "iceServers", "urls", list, "username", username, "credential", password);
    if (!page)
        return ERR_MEMORY;
    json_dumpf(page, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(page);
    fputc('\n', out);
    return fflush(out) == 0 ? 0 : ERR_SYSTEM;
}

bool ways_in_page(const struct ways_in *ways, char *url, size_t size)
{
    const struct settings *settings = ways->settings;
    for (size_t a = 0; a < ways->address_count; a++) {
        for (size_t i = 0; i < settings->listen.count; i++) {
            const struct settings_listener *listener = &settings->listen.items[i];
            char text[ADDRESS_TEXT_MAX];
            if (listener->scheme != SETTINGS_TLS || !format_address(listener, &ways->addresses[a], text))
                continue;
            snprintf(url, size, "https://%s/", text);
            return true;
        }
    }
    return false;
}
