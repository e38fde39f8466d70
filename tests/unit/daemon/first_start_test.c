/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "crypto/certificate.h"
#include "daemon/first_start.h"
#include "registrar/accounts.h"

struct place {
    char directory[64], state[128];
};

static const char *const files[] = {"accounts.db",    "certificate.pem", "key.pem",
                                    "password-alice", "password-bob",    "password"};
static struct first_start_person people[FIRST_START_PEOPLE];

static const char *path_of(const struct place *place, const char *file)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", place->state, file);
    return path;
}

static int setup(void **state)
{
    static struct place place;
    snprintf(place.directory, sizeof place.directory, "/tmp/postern-first-XXXXXX");
    assert_non_null(mkdtemp(place.directory));
    /* Quotes in the path must not leave the YAML that the settings are built from. */
    snprintf(place.state, sizeof place.state, "%s/it's 'here'", place.directory);
    setenv("STATE_DIRECTORY", place.state, 1);
    *state = &place;
    return 0;
}

static int teardown(void **state)
{
    const struct place *place = *state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        unlink(path_of(place, files[i]));
    rmdir(place->state);
    rmdir(place->directory);
    return 0;
}

static struct settings *start(uint16_t port)
{
    struct settings *settings;
    struct settings_error error;
    if (first_start_settings(port, people, &settings, &error) != 0)
        fail_msg("%s", error.text);
    return settings;
}

static void assert_private(const char *path)
{
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 077, 0);
}

static void certificate_and_account_are_made_once_and_kept_private(void **state)
{
    const struct place *place = *state;
    struct settings *first = start(0), *second = start(0);
    assert_int_equal(first->users.count, 1);
    assert_string_equal(first->users.items[0].name, FIRST_START_USER);
    assert_int_equal(strlen(first->users.items[0].password), 24);
    assert_string_equal(first->users.items[0].password, second->users.items[0].password);
    assert_string_equal(first->state_directory, place->state);
    assert_private(place->state);
    assert_private(path_of(place, "key.pem"));
    assert_private(path_of(place, "password"));

    struct tls_certificate pair = {first->tls.items[0].certificate_file, first->tls.items[0].key_file};
    struct tls_context *context;
    struct tls_error error;
    assert_int_equal(tls_context_create_server(&pair, 1, &context, &error), 0);
    tls_context_destroy(&context);
    char name[256];
    assert_int_equal(certificate_host_name(pair.certificate_file, name, sizeof name, &error), 0);
    settings_destroy(&first);
    settings_destroy(&second);
}

static bool knows(const struct place *place, const struct first_start_person *person)
{
    struct accounts *accounts;
    struct accounts_error error;
    struct account account;
    struct credential_key key;
    assert_int_equal(accounts_open(path_of(place, "accounts.db"), FIRST_START_DOMAIN, 0, &accounts, &error), 0);
    int status = accounts_find(accounts, span_of_text(person->name), &account);
    accounts_close(&accounts);
    credential_key_derive(PASSWORD_MD5, span_of_text(person->name), span_of_text(FIRST_START_DOMAIN),
                          span_of_text(person->password), &key);
    return status == 0 && memcmp(account.md5.bytes, key.bytes, key.length) == 0;
}

static void two_people_can_log_in_with_passwords_that_last(void **state)
{
    const struct place *place = *state;
    struct settings *settings = start(0);
    assert_string_equal(settings->edge_domain, FIRST_START_DOMAIN);
    assert_int_equal(settings->edge_core.count, 0);
    settings_destroy(&settings);
    const struct first_start_person alice = people[0], bob = people[1];
    assert_string_equal(alice.name, "alice");
    assert_string_equal(bob.name, "bob");
    assert_string_not_equal(alice.password, bob.password);
    assert_true(knows(place, &alice) && knows(place, &bob));
    assert_private(path_of(place, "password-alice"));
    assert_private(path_of(place, "accounts.db"));

    unlink(path_of(place, "password-bob"));
    settings = start(0);
    settings_destroy(&settings);
    assert_string_equal(people[0].password, alice.password);
    assert_string_not_equal(people[1].password, bob.password);
    assert_true(knows(place, &alice) && knows(place, &people[1]) && !knows(place, &bob));
}

static void everything_is_served_on_8443_or_on_the_one_port_asked_for(void **state)
{
    (void)state;
    struct settings *settings = start(0);
    bool udp = false, tls = false, stun = false;
    for (size_t i = 0; i < settings->listen.count; i++) {
        const struct settings_listener *listener = &settings->listen.items[i];
        udp = udp || (listener->scheme == SETTINGS_UDP && listener->address.port == 8443);
        tls = tls || (listener->scheme == SETTINGS_TLS && listener->address.port == 8443 && listener->plain);
        stun = stun || (listener->scheme == SETTINGS_TCP && listener->address.port == 3478);
    }
    assert_true(udp && tls && stun);
    settings_destroy(&settings);

    settings = start(9443);
    for (size_t i = 0; i < settings->listen.count; i++)
        assert_int_equal(settings->listen.items[i].address.port, 9443);
    settings_destroy(&settings);
}

/* A first try must not open the machine: whatever this host has, loopback peers and others are not mixed. */
static void loopback_peers_are_allowed_only_where_loopback_alone_listens(void **state)
{
    (void)state;
    struct settings *settings = start(0);
    assert_true(settings->relay_addresses.count > 0);
    bool loopback = settings->allow_peers.count > 0;
    for (size_t i = 0; i < settings->allow_peers.count; i++) {
        const struct address_prefix *prefix = &settings->allow_peers.items[i];
        assert_true(prefix->base.ip[0] == 127 ? prefix->bits == 32 : prefix->bits == 128);
    }
    for (size_t i = 0; i < settings->listen.count; i++) {
        const uint8_t *ip = settings->listen.items[i].address.ip;
        bool on_loopback = ip[0] == 127 || ip[15] == 1;
        assert_int_equal(on_loopback, loopback);
    }
    for (size_t i = 0; i < settings->relay_addresses.count; i++) {
        const uint8_t *ip = settings->relay_addresses.items[i].public_address.ip;
        assert_int_equal(ip[0] == 127 || (ip[0] == 0 && ip[15] == 1), loopback);
    }
    settings_destroy(&settings);
}

static void spoilt_password_is_named_and_not_replaced(void **state)
{
    const struct place *place = *state;
    struct settings *settings = start(0);
    settings_destroy(&settings);
    FILE *file = fopen(path_of(place, "password"), "w");
    fputs("password\n", file);
    fclose(file);
    struct settings_error error;
    assert_int_not_equal(first_start_settings(0, people, &settings, &error), 0);
    assert_null(settings);
    assert_non_null(strstr(error.text, "delete it"));

    unlink(path_of(place, "password"));
    assert_int_equal(symlink("/dev/zero", path_of(place, "password")), 0);
    assert_int_not_equal(first_start_settings(0, people, &settings, &error), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(certificate_and_account_are_made_once_and_kept_private, setup, teardown),
        cmocka_unit_test_setup_teardown(two_people_can_log_in_with_passwords_that_last, setup, teardown),
        cmocka_unit_test_setup_teardown(everything_is_served_on_8443_or_on_the_one_port_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(loopback_peers_are_allowed_only_where_loopback_alone_listens, setup, teardown),
        cmocka_unit_test_setup_teardown(spoilt_password_is_named_and_not_replaced, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
