/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/introduction.h"

#include "crypto/certificate.h"
#include "daemon/shared.h"
#include "daemon/ways_in.h"
#include "turn/relay_port.h"

/* Browsers do not trust a certificate that this server made; an exception holds for page and WebSocket alike. */
static void print_certificate(FILE *out, const struct settings *settings)
{
    uint8_t hash[SHA256_SIZE];
    char text[CRYPTO_BASE64_SIZE(SHA256_SIZE)];
    struct tls_error error;
    if (settings->tls.count == 0 ||
        certificate_public_key_hash(settings->tls.items[0].certificate_file, hash, &error) != 0)
        return;
    crypto_base64(hash, sizeof hash, text);
    fprintf(out,
            "  The browser will not know the certificate, which this server made for itself: tell it\n"
            "  to go on, or start one that knows it:\n"
            "    chromium --ignore-certificate-errors-spki-list=%s\n",
            text);
}

/* The call comes last, where a terminal shows it longest. */
void introduction_print(FILE *out, const struct settings *settings,
                        const struct first_start_person people[FIRST_START_PEOPLE])
{
    struct settings_relay_address addresses[RELAY_ADDRESSES_MAX];
    const struct settings_account *account = &settings->users.items[0];
    const struct ways_in ways = {
        .settings = settings,
        .addresses = addresses,
        .address_count = shared_relay_addresses(settings, addresses),
    };
    char url[ADDRESS_TEXT_MAX + 16];
    fputs("For a web page of your own, the TURN servers:\n", out);
    ways_in_print_servers(out, &ways, account->name, account->password);
    fprintf(out, "Certificate and passwords are kept in %s\n\n", settings->state_directory);
    if (ways_in_page(&ways, url, sizeof url)) {
        fprintf(out, "To make a call, open  %s  in two tabs. Log in as\n\n", url);
        for (size_t i = 0; i < FIRST_START_PEOPLE; i++)
            fprintf(out, "    %-8s with password  %s\n", people[i].name, people[i].password);
        fputs("\n  one in each, and let one call the other.\n\n", out);
        print_certificate(out, settings);
        fputc('\n', out);
    }
    fflush(out);
}
