/* SPDX-License-Identifier: BSD-3-Clause
 * The loop's promises to its owners, and mail between threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/worker.h"

static struct loop *loop;

struct bell {
    struct loop_source source;
    int rung;
    struct bell *silences; /* removed as soon as this one rings */
};

static void bell_ready(struct loop_source *source, uint32_t events, struct now now)
{
    (void)events, (void)now;
    struct bell *bell = container_of(source, struct bell, source);
    bell->rung++;
    if (bell->silences)
        loop_remove(loop, &bell->silences->source);
    loop_stop(loop);
}

static void bell_hang(struct bell *bell)
{
    bell->source.ready = bell_ready;
    assert_int_equal(loop_add(loop, &bell->source, eventfd(1, EFD_NONBLOCK), EPOLLIN), 0);
}

static void a_removed_source_hears_nothing_more_in_the_same_turn(void **state)
{
    (void)state;
    assert_int_equal(loop_create(&loop), 0);
    struct bell first = {0}, second = {0};
    bell_hang(&first);
    bell_hang(&second);
    first.silences = &second;
    second.silences = &first;
    int fds[] = {first.source.fd, second.source.fd};
    loop_run(loop);
    assert_int_equal(first.rung + second.rung, 1);
    close(fds[0]);
    close(fds[1]);
    loop_destroy(&loop);
    assert_null(loop);
}

struct counting_task {
    struct loop_task task;
    int runs;
};

static void count_run(struct loop_task *task, struct now now)
{
    (void)now;
    container_of(task, struct counting_task, task)->runs++;
}

static void stop_when_due(struct timer *timer, struct now now)
{
    assert_true(timer->deadline_ns <= now.monotonic_ns);
    loop_stop(loop);
}

static void a_task_runs_once_however_often_it_is_deferred(void **state)
{
    (void)state;
    assert_int_equal(loop_create(&loop), 0);
    struct counting_task once = {0}, always = {0};
    loop_task_init(&once.task, count_run);
    loop_task_init(&always.task, count_run);
    loop_defer(loop, &once.task);
    loop_defer(loop, &once.task);
    loop_each_turn(loop, &always.task);
    struct timer timer = {.callback = stop_when_due};
    assert_int_equal(timers_set(loop_timers(loop), &timer, loop_now(loop).monotonic_ns + 2 * NS_PER_MS), 0);
    loop_run(loop);
    assert_int_equal(once.runs, 1);
    assert_true(always.runs >= 1);
    loop_task_cancel(&always.task);
    loop_destroy(&loop);
}

#define SENDERS 3
#define LETTERS 2000

struct letter {
    struct mail mail;
    int sender, number;
};

static struct letter letters[SENDERS][LETTERS];
static int last_number[SENDERS];
static int opened;
static struct worker *reader;

static void letter_open(struct mail *mail, struct now now)
{
    (void)now;
    struct letter *letter = container_of(mail, struct letter, mail);
    assert_int_equal(letter->number, last_number[letter->sender] + 1);
    last_number[letter->sender] = letter->number;
    if (++opened == SENDERS * LETTERS)
        loop_stop(reader->loop);
}

static void *send_letters(void *argument)
{
    struct letter *mine = argument;
    for (int i = 0; i < LETTERS; i++)
        mailbox_send(&reader->mailbox, &mine[i].mail);
    return NULL;
}

static void mail_of_many_senders_is_all_opened_in_order(void **state)
{
    (void)state;
    assert_int_equal(worker_create(0, &reader), 0);
    pthread_t threads[SENDERS];
    for (int s = 0; s < SENDERS; s++) {
        for (int i = 0; i < LETTERS; i++)
            letters[s][i] = (struct letter){.mail.open = letter_open, .sender = s, .number = i + 1};
        assert_int_equal(pthread_create(&threads[s], NULL, send_letters, letters[s]), 0);
    }
    loop_run(reader->loop);
    for (int s = 0; s < SENDERS; s++)
        pthread_join(threads[s], NULL);
    assert_int_equal(opened, SENDERS * LETTERS);
    worker_destroy(&reader);
}

static bool was_open;

static void open_and_look(struct mail *mail, struct now now)
{
    (void)mail;
    (void)now;
    was_open = mailbox_is_open(&reader->mailbox);
}

/* An answer to the last mail would never be opened, and its memory was lost. */
static void a_mailbox_takes_nothing_while_it_is_emptied_for_good(void **state)
{
    (void)state;
    struct mail last = {.open = open_and_look};
    was_open = true;
    assert_int_equal(worker_create(0, &reader), 0);
    mailbox_send(&reader->mailbox, &last);
    mailbox_fini(&reader->mailbox);
    assert_false(was_open);
    worker_destroy(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_removed_source_hears_nothing_more_in_the_same_turn),
        cmocka_unit_test(a_task_runs_once_however_often_it_is_deferred),
        cmocka_unit_test(mail_of_many_senders_is_all_opened_in_order),
        cmocka_unit_test(a_mailbox_takes_nothing_while_it_is_emptied_for_good),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
