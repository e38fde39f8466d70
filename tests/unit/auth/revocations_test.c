/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/revocations.h"
#include "base/error.h"
#include "base/memory.h"

#define NOW   UINT64_C(1700000000)
#define ALICE "alice-0123456789"
#define BOB   "bob_-01234567890"

static char folder[] = "/tmp/revocations-test-XXXXXX";
static char file[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(file, sizeof file, "%s/revocations", folder);
    return 0;
}

static int empty_folder(void **state)
{
    (void)state;
    unlink(file);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(folder);
}

static struct revocations *opened(const char *name, uint64_t wall_s)
{
    struct revocations *revocations;
    assert_int_equal(revocations_create(name, wall_s, &revocations), 0);
    return revocations;
}

static bool has(struct revocations *revocations, const char *id, uint64_t wall_s)
{
    return revocations_has(revocations, span_of_text(id), wall_s);
}

static void write_file(const char *content)
{
    FILE *out = fopen(file, "w");
    fputs(content, out);
    fclose(out);
}

static void read_file(char *out, size_t size)
{
    FILE *in = fopen(file, "r");
    out[fread(out, 1, size - 1, in)] = '\0';
    fclose(in);
}

static void revoked_registration_is_known_until_its_credentials_expire(void **state)
{
    (void)state;
    struct revocations *revocations = opened(NULL, NOW);
    assert_false(has(revocations, ALICE, NOW));
    assert_int_equal(revocations_add(revocations, ALICE, NOW + 60, NOW), 0);
    assert_true(has(revocations, ALICE, NOW));
    assert_true(has(revocations, ALICE, NOW + 59));
    assert_false(has(revocations, ALICE, NOW + 60));
    assert_false(has(revocations, BOB, NOW));
    assert_false(has(revocations, "alice-012345678", NOW));
    assert_false(has(revocations, "", NOW));
    revocations_destroy(&revocations);
    assert_null(revocations);
}

static void version_grows_with_each_addition(void **state)
{
    (void)state;
    struct revocations *revocations = opened(NULL, NOW);
    uint64_t before = revocations_version(revocations);
    assert_int_equal(revocations_add(revocations, ALICE, NOW + 60, NOW), 0);
    assert_true(revocations_version(revocations) > before);
    before = revocations_version(revocations);
    assert_int_equal(revocations_add(revocations, BOB, NOW, NOW), 0); /* nothing left to refuse */
    assert_true(revocations_version(revocations) == before);
    assert_int_equal(revocations_count(revocations), 1);
    revocations_destroy(&revocations);
}

static void later_end_counts_where_one_is_revoked_twice(void **state)
{
    (void)state;
    struct revocations *revocations = opened(NULL, NOW);
    assert_int_equal(revocations_add(revocations, ALICE, NOW + 60, NOW), 0);
    assert_int_equal(revocations_add(revocations, ALICE, NOW + 30, NOW), 0);
    assert_true(has(revocations, ALICE, NOW + 59));
    assert_int_equal(revocations_add(revocations, ALICE, NOW + 90, NOW), 0);
    assert_true(has(revocations, ALICE, NOW + 89));
    assert_int_equal(revocations_count(revocations), 1);
    revocations_destroy(&revocations);
}

static void expired_ones_are_forgotten(void **state)
{
    (void)state;
    struct revocations *revocations = opened(NULL, NOW);
    assert_int_equal(revocations_add(revocations, ALICE, NOW + 60, NOW), 0);
    assert_int_equal(revocations_add(revocations, BOB, NOW + 120, NOW + 60), 0);
    assert_int_equal(revocations_count(revocations), 1);
    revocations_destroy(&revocations);
}

static void what_is_no_id_is_refused(void **state)
{
    (void)state;
    struct revocations *revocations = opened(NULL, NOW);
    static const char *const ids[] = {"", "short", "0123456789abcdefg", "0123456789abcde\n", "0123456789abcde "};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        assert_int_equal(revocations_add(revocations, ids[i], NOW + 60, NOW), ERR_MALFORMED);
    revocations_destroy(&revocations);
}

static void revocations_outlive_the_process(void **state)
{
    (void)state;
    struct revocations *revocations = opened(file, NOW);
    assert_int_equal(revocations_add(revocations, ALICE, NOW + 60, NOW), 0);
    assert_int_equal(revocations_add(revocations, BOB, NOW + 600, NOW), 0);
    assert_int_equal(revocations_maintain(revocations, NOW), 0);
    /* As after SIGKILL: the first is not closed before the second looks. */
    struct revocations *after = opened(file, NOW + 1);
    assert_true(has(after, ALICE, NOW + 1));
    assert_true(has(after, BOB, NOW + 1));
    revocations_destroy(&after);
    after = opened(file, NOW + 60);
    assert_int_equal(revocations_count(after), 1);
    assert_true(has(after, BOB, NOW + 60));
    revocations_destroy(&after);
    revocations_destroy(&revocations);
    struct stat status;
    assert_int_equal(stat(file, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

#define FIRST "postern revocations 1\n"
#define LINE  "1700000060 " ALICE "\n"

/* Every length that a write could have stopped at. */
static void journal_cut_anywhere_is_read_as_far_as_it_goes(void **state)
{
    (void)state;
    static const char whole[] = FIRST LINE "1700000600 " BOB "\n";
    for (size_t length = 0; length < sizeof whole; length++) {
        char cut[sizeof whole];
        memcpy(cut, whole, length);
        cut[length] = '\0';
        write_file(cut);
        struct revocations *revocations = opened(file, NOW);
        assert_int_equal(has(revocations, ALICE, NOW), length >= sizeof FIRST LINE - 1);
        assert_int_equal(has(revocations, BOB, NOW), length == sizeof whole - 1);
        /* And it goes on behind what is whole. */
        assert_int_equal(revocations_add(revocations, BOB, NOW + 600, NOW), 0);
        revocations_destroy(&revocations);
        revocations = opened(file, NOW);
        assert_true(has(revocations, BOB, NOW));
        revocations_destroy(&revocations);
    }
}

static void file_that_is_no_journal_is_left_alone(void **state)
{
    (void)state;
    static const char *const contents[] = {
        "something else\n",
        FIRST "x\n" LINE,
        FIRST "\n" LINE,
        FIRST "1700000060 short\n" LINE,
        FIRST "-1 " ALICE "\n" LINE,
        FIRST "99999999999999999999 " ALICE "\n" LINE,
        FIRST "1700000060  " ALICE "\n" LINE,
    };
    for (size_t i = 0; i < sizeof contents / sizeof contents[0]; i++) {
        char kept[256];
        struct revocations *revocations = NULL;
        write_file(contents[i]);
        assert_int_equal(revocations_create(file, NOW, &revocations), ERR_MALFORMED);
        assert_null(revocations);
        read_file(kept, sizeof kept);
        assert_string_equal(kept, contents[i]);
    }
}

static void folder_that_is_not_there_is_told(void **state)
{
    (void)state;
    struct revocations *revocations = NULL;
    assert_int_equal(revocations_create("/nonexistent/revocations", NOW, &revocations), ERR_SYSTEM);
    assert_int_equal(errno, ENOENT);
}

static void id_make(char out[17], unsigned number)
{
    snprintf(out, 17, "%016u", number);
}

static void journal_is_written_anew_when_most_of_it_has_expired(void **state)
{
    (void)state;
    struct revocations *revocations = opened(file, NOW);
    char id[17];
    for (unsigned i = 0; i < 2000; i++) {
        id_make(id, i);
        assert_int_equal(revocations_add(revocations, id, NOW + 10, NOW), 0);
    }
    assert_int_equal(revocations_add(revocations, ALICE, NOW + 600, NOW), 0);
    struct stat before, after;
    assert_int_equal(revocations_maintain(revocations, NOW), 0);
    assert_int_equal(stat(file, &before), 0);
    assert_int_equal(revocations_add(revocations, BOB, NOW + 600, NOW + 10), 0);
    assert_int_equal(revocations_maintain(revocations, NOW + 10), 0);
    assert_int_equal(stat(file, &after), 0);
    assert_true(before.st_size > 50000 && after.st_size < 200);
    /* What is added now goes into the new one. */
    assert_int_equal(revocations_add(revocations, "0000000000000000", NOW + 600, NOW + 10), 0);
    revocations_destroy(&revocations);
    revocations = opened(file, NOW + 10);
    assert_int_equal(revocations_count(revocations), 3);
    revocations_destroy(&revocations);
}

static void disk_that_was_full_is_tried_again(void **state)
{
    (void)state;
    struct rlimit old, full = {0};
    struct revocations *revocations = opened(file, NOW);
    assert_int_equal(revocations_add(revocations, ALICE, NOW + 60, NOW), 0);
    getrlimit(RLIMIT_FSIZE, &old);
    full = (struct rlimit){.rlim_cur = sizeof FIRST LINE - 1 + 7, .rlim_max = old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &full);
    int added = revocations_add(revocations, BOB, NOW + 60, NOW), tried = revocations_maintain(revocations, NOW);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(added, ERR_SYSTEM);
    assert_int_equal(tried, ERR_SYSTEM);
    assert_true(has(revocations, BOB, NOW));
    /* Half a line stands at the end. What a crash leaves now is read; then it is mended. */
    struct revocations *crashed = opened(file, NOW);
    assert_true(has(crashed, ALICE, NOW));
    revocations_destroy(&crashed);
    assert_int_equal(revocations_maintain(revocations, NOW), 0);
    assert_int_equal(revocations_add(revocations, "0000000000000000", NOW + 60, NOW), 0);
    revocations_destroy(&revocations);
    revocations = opened(file, NOW);
    assert_int_equal(revocations_count(revocations), 3);
    revocations_destroy(&revocations);
}

static void journal_that_was_replaced_or_deleted_is_written_anew(void **state)
{
    (void)state;
    struct revocations *revocations = opened(file, NOW), *second;
    assert_int_equal(revocations_add(revocations, ALICE, NOW + 60, NOW), 0);
    second = opened(file, NOW); /* by a server that then found its ports taken */
    revocations_destroy(&second);
    assert_int_equal(revocations_add(revocations, BOB, NOW + 60, NOW), 0);
    assert_int_equal(revocations_maintain(revocations, NOW), 0);
    second = opened(file, NOW);
    assert_true(has(second, ALICE, NOW));
    assert_true(has(second, BOB, NOW));
    revocations_destroy(&second);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(revocations_maintain(revocations, NOW), 0);
    revocations_destroy(&revocations);
    revocations = opened(file, NOW);
    assert_int_equal(revocations_count(revocations), 2);
    revocations_destroy(&revocations);
}

static void where_it_is_full_the_next_to_expire_is_forgotten(void **state)
{
    (void)state;
    struct revocations *revocations = opened(NULL, NOW);
    char id[17];
    assert_int_equal(revocations_add(revocations, ALICE, NOW + 5, NOW), 0);
    for (unsigned i = 1; i < REVOCATIONS_MAX; i++) {
        id_make(id, i);
        assert_int_equal(revocations_add(revocations, id, NOW + 600, NOW), 0);
    }
    assert_true(has(revocations, ALICE, NOW));
    assert_int_equal(revocations_add(revocations, BOB, NOW + 600, NOW), ERR_FULL);
    assert_false(has(revocations, ALICE, NOW));
    assert_true(has(revocations, BOB, NOW));
    assert_int_equal(revocations_count(revocations), REVOCATIONS_MAX);
    revocations_destroy(&revocations);
}

static void want_of_memory_is_told_and_leaks_nothing(void **state)
{
    (void)state;
    struct revocations *revocations = NULL;
    for (unsigned long n = 1; n <= 5; n++) {
        memory_fail_at(n);
        assert_int_equal(revocations_create(file, NOW, &revocations), ERR_MEMORY);
        memory_fail_at(0);
    }
    revocations = opened(NULL, NOW);
    for (unsigned long n = 1; n <= 2; n++) {
        memory_fail_at(n);
        assert_int_equal(revocations_add(revocations, ALICE, NOW + 60, NOW), ERR_MEMORY);
        memory_fail_at(0);
        assert_int_equal(revocations_count(revocations), 0);
    }
    revocations_destroy(&revocations);
}

static void *hammer(void *context)
{
    struct revocations *revocations = context;
    for (unsigned i = 0; i < 3000; i++) {
        char id[17];
        id_make(id, i);
        revocations_add(revocations, id, NOW + 60 + i, NOW);
        if (!has(revocations, id, NOW))
            return context;
    }
    return NULL;
}

static void workers_share_them_while_the_journal_is_written_anew(void **state)
{
    (void)state;
    struct revocations *revocations = opened(file, NOW);
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, revocations), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(revocations_maintain(revocations, NOW), 0);
    for (int i = 0; i < 3; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    revocations_destroy(&revocations);
    revocations = opened(file, NOW);
    assert_int_equal(revocations_count(revocations), 3000);
    revocations_destroy(&revocations);
}

#define with_empty_folder(test) cmocka_unit_test_setup_teardown(test, empty_folder, empty_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(revoked_registration_is_known_until_its_credentials_expire),
        cmocka_unit_test(version_grows_with_each_addition),
        cmocka_unit_test(later_end_counts_where_one_is_revoked_twice),
        cmocka_unit_test(expired_ones_are_forgotten),
        cmocka_unit_test(what_is_no_id_is_refused),
        with_empty_folder(revocations_outlive_the_process),
        with_empty_folder(journal_cut_anywhere_is_read_as_far_as_it_goes),
        with_empty_folder(file_that_is_no_journal_is_left_alone),
        cmocka_unit_test(folder_that_is_not_there_is_told),
        with_empty_folder(journal_is_written_anew_when_most_of_it_has_expired),
        with_empty_folder(disk_that_was_full_is_tried_again),
        with_empty_folder(journal_that_was_replaced_or_deleted_is_written_anew),
        cmocka_unit_test(where_it_is_full_the_next_to_expire_is_forgotten),
        with_empty_folder(want_of_memory_is_told_and_leaks_nothing),
        with_empty_folder(workers_share_them_while_the_journal_is_written_anew),
    };
    return cmocka_run_group_tests_name("revocations", tests, set_up, tear_down);
}
