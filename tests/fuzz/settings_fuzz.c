/* SPDX-License-Identifier: BSD-3-Clause
 * Settings that are taken keep what the table promises; those that are refused are so with one printable line that
 * names the file, also where memory runs out on the way. */
#include "harness.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "daemon/settings.h"
#include "daemon/settings_value.h"

static void check_message(const struct settings_error *error)
{
    size_t length = strlen(error->text);
    assert(length > 0 && length < sizeof error->text);
    assert(strncmp(error->text, "fuzz.yaml:", 10) == 0 || strcmp(error->text, "out of memory") == 0);
    for (size_t i = 0; i < length; i++)
        assert((unsigned char)error->text[i] >= ' ' && (unsigned char)error->text[i] < 0x7F);
}

static void check_settings(const struct settings *settings)
{
    assert(settings->realm[0] && strlen(settings->realm) <= 127);
    assert(settings->relay_ports.first >= 1024 && settings->relay_ports.first <= settings->relay_ports.last);
    assert(settings->workers <= 64 && settings->handshake_deadline_s >= 1 && settings->lifetime_s >= 600);
    assert(settings->users.count + settings->shared_secrets.count > 0);
    assert(settings->listen.count > 0 && settings->listen.count <= 64);
    for (size_t i = 0; i < settings->listen.count; i++) {
        const struct settings_listener *listener = &settings->listen.items[i];
        assert(listener->address.port > 0 && listener->address.family != ADDRESS_NONE);
        assert(listener->scheme != SETTINGS_TLS || settings->tls.count > 0);
    }
    for (size_t i = 0; i < settings->tls.count; i++)
        assert(settings->tls.items[i].certificate_file[0] && settings->tls.items[i].key_file[0]);
    for (size_t i = 0; i < settings->users.count; i++)
        assert(settings->users.items[i].name[0] && !settings_secret_problem(settings->users.items[i].password));
    for (size_t i = 0; i < settings->shared_secrets.count; i++)
        assert(!settings_secret_problem(settings->shared_secrets.items[i]));
    for (size_t i = 0; i < settings->relay_addresses.count; i++)
        assert(settings->relay_addresses.items[i].public_address.port == 0);
}

static int parse(const uint8_t *bytes, size_t length)
{
    struct settings *settings;
    struct settings_error error = {""};
    int status = settings_parse("fuzz.yaml", bytes, length, &settings, &error);
    assert((status == 0) == (settings != NULL));
    if (status != 0)
        check_message(&error);
    else
        check_settings(settings);
    settings_destroy(&settings);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    int status = parse(bytes, length);
    assert(status == 0 || status == ERR_MALFORMED);
    if (length > 0) {
        memory_fail_at(1 + bytes[length - 1] % 64u);
        parse(bytes, length);
        memory_fail_at(0);
    }
    return 0;
}
