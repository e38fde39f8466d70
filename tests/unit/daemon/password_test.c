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
#include "daemon/password.h"

#define LETTERS "abcdefghijkmnpqrstuvwxyz23456789"

static void password_for_people_is_four_groups_of_32_letters(void **state)
{
    (void)state;
    bool seen[256] = {0};
    for (int i = 0; i < 1000; i++) {
        char password[PASSWORD_SIZE];
        password_make(PASSWORD_FOR_PEOPLE, password);
        assert_int_equal(strlen(password), 19);
        for (size_t at = 0; at < 19; at++) {
            assert_true(at % 5 == 4 ? password[at] == '-' : strchr(LETTERS, password[at]) != NULL);
            seen[(unsigned char)password[at]] = true;
        }
    }
    for (const char *letter = LETTERS; *letter; letter++)
        assert_true(seen[(unsigned char)*letter]);
}

static void password_is_made_once_and_kept_private(void **state)
{
    (void)state;
    char directory[] = "/tmp/postern-password-XXXXXX", file[64];
    assert_non_null(mkdtemp(directory));
    snprintf(file, sizeof file, "%s/password", directory);
    for (int use = PASSWORD_FOR_PROGRAMS; use <= PASSWORD_FOR_PEOPLE; use++) {
        char first[PASSWORD_SIZE], second[PASSWORD_SIZE], other[PASSWORD_SIZE];
        struct settings_error error;
        struct stat about;
        assert_int_equal(password_keep(file, use, first, &error), 0);
        assert_int_equal(password_keep(file, use, second, &error), 0);
        assert_string_equal(first, second);
        assert_int_equal(stat(file, &about), 0);
        assert_int_equal(about.st_mode & 0777, 0600);
        unlink(file);
        assert_int_equal(password_keep(file, use, other, &error), 0);
        assert_string_not_equal(first, other);
        int another = use == PASSWORD_FOR_PEOPLE ? PASSWORD_FOR_PROGRAMS : PASSWORD_FOR_PEOPLE;
        assert_int_equal(password_keep(file, another, other, &error), ERR_SYSTEM);
        assert_non_null(strstr(error.text, "delete it"));
        unlink(file);
    }
    assert_int_equal(rmdir(directory), 0); /* nothing else is left */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(password_for_people_is_four_groups_of_32_letters),
        cmocka_unit_test(password_is_made_once_and_kept_private),
    };
    return cmocka_run_group_tests_name("password", tests, NULL, NULL);
}
