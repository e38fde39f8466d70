/* SPDX-License-Identifier: BSD-3-Clause
 * A registrar with two people in it, and an edge that sends whatever it likes. The input is a list of steps, each with
 * a NUL behind it: "@N" lets N seconds go by, "!STATUS N" answers the N-th last message, anything else is a message
 * with \n for the ends of its lines. What the registrar sends can be decoded again, and in the end nothing of it is
 * left. */
#include "harness.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "office.h"
#include "sip/message.h"

#define STEPS_MAX 64

static void check_sent(struct office *office)
{
    const char *text;
    while ((text = office_next(office))) {
        osip_message_t *message = NULL;
        unsigned status;
        int result = sip_message_decode(text, strlen(text), &message, &status);
        assert(result == 0);
        (void)result;
        sip_message_destroy(&message);
    }
}

static void answer_earlier(struct office *office, const char *step)
{
    unsigned status = 200, back = 0;
    sscanf(step, "%3u %3u", &status, &back);
    if (back >= office->sent_count || status < 100 || status > 699)
        return;
    const char *message = office->sent[office->sent_count - 1 - back];
    if (strlen(message) < 2048 && strncmp(message, "SIP/", 4) != 0)
        office_answer(office, message, status);
}

static void deliver(struct office *office, const char *step)
{
    size_t length = strlen(step), used = 0;
    char *message = malloc(2 * length + 1);
    for (size_t i = 0; i < length; i++) {
        if (step[i] == '\n')
            message[used++] = '\r';
        message[used++] = step[i];
    }
    registrar_receive(office->registrar, message, used, office->now);
    free(message);
    office_wait(office, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static struct office office;
    char *steps = malloc(length + 1);
    memcpy(steps, bytes, length);
    steps[length] = '\0';
    office_open(&office);
    office_let_in(&office, "alice", "a1");
    office_let_in(&office, "bob", "b1");
    unsigned count = 0;
    for (size_t at = 0; at < length && count < STEPS_MAX; at += strlen(steps + at) + 1, count++) {
        const char *step = steps + at;
        if (step[0] == '@')
            office_wait(&office, 1000 * (uint64_t)(atoi(step + 1) & 0x3ff));
        else if (step[0] == '!')
            answer_earlier(&office, step + 1);
        else
            deliver(&office, step);
        check_sent(&office);
    }
    /* Calls, bindings and subscriptions end by themselves. */
    office_wait(&office, 90000 * UINT64_C(1000));
    check_sent(&office);
    assert(office.timers.count == 0);
    office_close(&office);
    free(steps);
    return 0;
}
