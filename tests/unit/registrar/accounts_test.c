/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "registrar/accounts.h"

#define DOMAIN "example.org"

struct place {
    char directory[64], file[96];
};

static int setup(void **state)
{
    static struct place place;
    snprintf(place.directory, sizeof place.directory, "/tmp/postern-accounts-XXXXXX");
    assert_non_null(mkdtemp(place.directory));
    snprintf(place.file, sizeof place.file, "%s/accounts.db", place.directory);
    *state = &place;
    return 0;
}

static int teardown(void **state)
{
    const struct place *place = *state;
    unlink(place->file);
    assert_int_equal(rmdir(place->directory), 0); /* and no journal is left beside it */
    return 0;
}

static struct accounts *open_of(const char *file, const char *domain)
{
    struct accounts *accounts;
    struct accounts_error error;
    if (accounts_open(file, domain, 0, &accounts, &error) != 0)
        fail_msg("%s", error.text);
    return accounts;
}

static int find(struct accounts *accounts, const char *name, struct account *out)
{
    return accounts_find(accounts, span_of_text(name), out);
}

static void assert_error(const char *file, int code, const char *word)
{
    struct accounts *accounts;
    struct accounts_error error = {0};
    assert_int_equal(accounts_open(file, DOMAIN, 0, &accounts, &error), code);
    assert_null(accounts);
    if (!strstr(error.text, word))
        fail_msg("%s", error.text);
}

static void account_is_found_again_with_the_hashes_of_its_password(void **state)
{
    const struct place *place = *state;
    struct accounts *accounts = open_of(place->file, DOMAIN);
    assert_int_equal(accounts_add(accounts, "alice", "wonderland", 1700000000), 0);
    assert_int_equal(accounts_add(accounts, "alice", "other", 1700000000), ERR_EXISTS);
    accounts_close(&accounts);
    assert_null(accounts);

    accounts = open_of(place->file, DOMAIN);
    struct account account;
    struct credential_key key;
    assert_int_equal(find(accounts, "alice", &account), 0);
    assert_string_equal(account.name, "alice");
    assert_int_equal(account.created_s, 1700000000);
    credential_key_derive(PASSWORD_MD5, span_of_text("alice"), span_of_text(DOMAIN), span_of_text("wonderland"), &key);
    assert_memory_equal(&account.md5, &key, sizeof key);
    credential_key_derive(PASSWORD_SHA256, span_of_text("alice"), span_of_text(DOMAIN), span_of_text("wonderland"),
                          &key);
    assert_memory_equal(&account.sha256, &key, sizeof key);
    assert_int_equal(find(accounts, "Alice", &account), ERR_NOT_FOUND);
    assert_int_equal(find(accounts, "bob", &account), ERR_NOT_FOUND);

    assert_int_equal(accounts_remove(accounts, "alice"), 0);
    assert_int_equal(accounts_remove(accounts, "alice"), ERR_NOT_FOUND);
    assert_int_equal(find(accounts, "alice", &account), ERR_NOT_FOUND);
    accounts_close(&accounts);
}

static void count(void *context, const struct account *account)
{
    struct account *last = context;
    assert_true(strcmp(last->name, account->name) < 0);
    *last = *account;
    last->created_s++;
}

static void domains_do_not_see_each_others_accounts(void **state)
{
    const struct place *place = *state;
    struct accounts *one = open_of(place->file, DOMAIN), *other = open_of(place->file, "example.net");
    struct account account, last = {0};
    assert_int_equal(accounts_add(one, "bob", "builder", 1), 0);
    assert_int_equal(accounts_add(one, "alice", "wonderland", 1), 0);
    assert_int_equal(accounts_add(other, "alice", "wonderland", 1), 0);
    assert_int_equal(accounts_list(one, count, &last), 0);
    assert_string_equal(last.name, "bob");
    assert_int_equal(accounts_remove(other, "bob"), ERR_NOT_FOUND);
    assert_int_equal(accounts_remove(other, "alice"), 0);
    assert_int_equal(find(one, "alice", &account), 0);
    accounts_close(&one);
    accounts_close(&other);
}

static void file_is_private_whatever_the_umask(void **state)
{
    const struct place *place = *state;
    mode_t before = umask(0);
    struct accounts *accounts = open_of(place->file, DOMAIN);
    umask(before);
    accounts_close(&accounts);
    struct stat about;
    assert_int_equal(stat(place->file, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);

    assert_int_equal(chmod(place->file, 0640), 0);
    assert_error(place->file, ERR_FORBIDDEN, "chmod 600");
}

static void passwords_are_not_in_the_file(void **state)
{
    const struct place *place = *state;
    static char bytes[1 << 16];
    struct accounts *accounts = open_of(place->file, DOMAIN);
    assert_int_equal(accounts_add(accounts, "alice", "a-password-to-look-for", 1), 0);
    accounts_close(&accounts);
    FILE *file = fopen(place->file, "r");
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_non_null(memmem(bytes, length, "alice", 5));
    assert_null(memmem(bytes, length, "a-password-to-look-for", 22));
}

static void names_from_the_network_are_data_and_no_sql(void **state)
{
    (void)state;
    static const char *const names[] = {
        "' OR '1'='1",
        "alice'--",
        "alice'; DROP TABLE account;--",
        "\" OR \"\"=\"",
        "%",
        "_",
        "alic_",
        "*",
        "alice' UNION SELECT name, ha1_md5, ha1_sha256, created FROM account--",
        "?1",
        ":domain",
        "\xff\xfe",
        "\n",
    };
    struct accounts *accounts = open_of(NULL, DOMAIN);
    struct account account;
    assert_int_equal(accounts_add(accounts, "alice", "wonderland", 1), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(find(accounts, names[i], &account), ERR_NOT_FOUND);
        assert_int_equal(accounts_add(accounts, names[i], "password", 1),
                         strlen(names[i]) > ACCOUNT_NAME_MAX                            ? ERR_TOO_LARGE
                         : strcmp(names[i], "_") == 0 || strcmp(names[i], "alic_") == 0 ? 0
                                                                                        : ERR_MALFORMED);
        if (strcmp(names[i], "_") != 0 && strcmp(names[i], "alic_") != 0)
            assert_int_equal(accounts_remove(accounts, names[i]), ERR_NOT_FOUND);
    }
    assert_int_equal(accounts_find(accounts, (struct span){"alice\0", 6}, &account), ERR_NOT_FOUND);
    assert_int_equal(accounts_find(accounts, (struct span){"alice", 0}, &account), ERR_NOT_FOUND);
    assert_int_equal(find(accounts, "alice", &account), 0);
    accounts_close(&accounts);

    accounts = open_of(NULL, "x'; DROP TABLE account;--");
    assert_int_equal(accounts_add(accounts, "alice", "wonderland", 1), 0);
    assert_int_equal(find(accounts, "alice", &account), 0);
    accounts_close(&accounts);
}

static void lengths_have_an_end(void **state)
{
    (void)state;
    struct accounts *accounts = open_of(NULL, DOMAIN);
    struct account account;
    char name[ACCOUNT_NAME_MAX + 2], password[ACCOUNT_PASSWORD_MAX + 2];
    memset(name, 'a', sizeof name);
    memset(password, 'p', sizeof password);
    name[sizeof name - 1] = password[sizeof password - 1] = '\0';
    assert_int_equal(accounts_add(accounts, name, "p", 1), ERR_TOO_LARGE);
    assert_int_equal(accounts_add(accounts, "alice", password, 1), ERR_TOO_LARGE);
    assert_int_equal(accounts_add(accounts, "alice", "", 1), ERR_MALFORMED);
    assert_int_equal(accounts_add(accounts, "", "p", 1), ERR_MALFORMED);
    assert_int_equal(accounts_add(accounts, name + 1, password + 1, 1), 0);
    assert_int_equal(find(accounts, name + 1, &account), 0);
    assert_int_equal(find(accounts, name, &account), ERR_NOT_FOUND);
    accounts_close(&accounts);
}

static void file_of_something_else_is_named_and_left_alone(void **state)
{
    const struct place *place = *state;
    FILE *file = fopen(place->file, "w");
    for (int i = 0; i < 100; i++)
        fputs("something else altogether\n", file);
    fclose(file);
    assert_int_equal(chmod(place->file, 0600), 0);
    assert_error(place->file, ERR_MALFORMED, place->file);
    struct stat about;
    assert_int_equal(stat(place->file, &about), 0);
    assert_int_equal(about.st_size, 2600);
    unlink(place->file);

    assert_int_equal(symlink("/etc/passwd", place->file), 0);
    assert_error(place->file, ERR_SYSTEM, place->file);
    assert_error("/nowhere/accounts.db", ERR_SYSTEM, "/nowhere/accounts.db");
}

static void file_of_a_newer_version_is_left_alone(void **state)
{
    const struct place *place = *state;
    struct accounts *accounts = open_of(place->file, DOMAIN);
    accounts_close(&accounts);
    sqlite3 *database;
    assert_int_equal(sqlite3_open(place->file, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, "PRAGMA user_version = 2", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
    assert_error(place->file, ERR_MALFORMED, "newer");
}

static void file_held_by_another_writer_is_an_error_and_not_a_wait(void **state)
{
    const struct place *place = *state;
    struct accounts *accounts = open_of(place->file, DOMAIN);
    struct account account;
    sqlite3 *database;
    assert_int_equal(sqlite3_open(place->file, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(find(accounts, "alice", &account), ERR_SYSTEM);
    assert_non_null(strstr(accounts_cause(accounts), "locked"));
    assert_int_equal(accounts_add(accounts, "alice", "wonderland", 1), ERR_SYSTEM);
    assert_int_equal(sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(accounts_add(accounts, "alice", "wonderland", 1), 0);
    sqlite3_close(database);
    accounts_close(&accounts);
}

static void want_of_memory_is_an_error(void **state)
{
    (void)state;
    struct accounts *accounts;
    struct accounts_error error;
    memory_fail_at(1);
    assert_int_equal(accounts_open(NULL, DOMAIN, 0, &accounts, &error), ERR_MEMORY);
    assert_null(accounts);
    memory_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(account_is_found_again_with_the_hashes_of_its_password, setup, teardown),
        cmocka_unit_test_setup_teardown(domains_do_not_see_each_others_accounts, setup, teardown),
        cmocka_unit_test_setup_teardown(file_is_private_whatever_the_umask, setup, teardown),
        cmocka_unit_test_setup_teardown(passwords_are_not_in_the_file, setup, teardown),
        cmocka_unit_test(names_from_the_network_are_data_and_no_sql),
        cmocka_unit_test(lengths_have_an_end),
        cmocka_unit_test_setup_teardown(file_of_something_else_is_named_and_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(file_of_a_newer_version_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(file_held_by_another_writer_is_an_error_and_not_a_wait, setup, teardown),
        cmocka_unit_test(want_of_memory_is_an_error),
    };
    return cmocka_run_group_tests_name("accounts", tests, NULL, NULL);
}
