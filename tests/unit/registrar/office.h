/* SPDX-License-Identifier: BSD-3-Clause
 * A registrar's world without sockets or a clock: an edge that records what comes to it, and clients behind it. Bugs of
 * the tests themselves are assertions, so that the fuzzer can use it as well. */
#ifndef TESTS_REGISTRAR_OFFICE_H
#define TESTS_REGISTRAR_OFFICE_H

#include "registrar/accounts.h"
#include "registrar/registrar.h"

#define DOMAIN         "example.org"
#define OFFICE         "registrar.invalid:5060" /* its sent-by */
#define EDGE           "edge.invalid:5060"
#define OFFICE_START_S 1700000000ull
#define OFFICE_SENT    256

struct office {
    struct now now;
    struct timers timers;
    struct accounts *accounts;
    struct registrar *registrar;
    char *sent[OFFICE_SENT];
    unsigned sent_count, taken;
};

/* With accounts alice, bob and carol, whose passwords are "NAME's". */
void office_open(struct office *office);
/* Starts again with the accounts of |file|. */
void office_reopen(struct office *office, const char *file);
void office_close(struct office *office);
/* Time goes by. */
void office_wait(struct office *office, uint64_t ms);

/* A message from the edge: \n stands for the end of a line. */
void office_receive(struct office *office, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The next message to the edge, or NULL; valid until office_close(). */
const char *office_next(struct office *office);

/* The answer |status| of whoever got |message|. */
void office_answer(struct office *office, const char *message, unsigned status);

/* The value of the |index|-th line of that name, "" behind the last. A few calls may be alive at once. */
const char *line_of(const char *message, const char *name, unsigned index);
/* The text from |start| up to one of |ends|, found in |text|; "" where it is not there. */
const char *between(const char *text, const char *start, const char *ends);
unsigned status_of(const char *message);

/* An Authorization value that answers |challenge| (a WWW-Authenticate value). */
const char *digest_answer(const char *challenge, const char *user, const char *password, const char *method,
                          unsigned count);

/* What a client registers with; the rest of the struct may be empty. */
struct device {
    const char *user, *flow; /* |flow|: names it in Contact, Call-ID and Path */
    const char *instance;    /* uuid; NULL: none */
    unsigned reg_id;
    unsigned expires;          /* 0: 600 */
    const char *authorization; /* NULL: vouched for by the edge */
    const char *contact;       /* whole Contact line in place of all that; "" for none */
};
/* Sends the REGISTER and returns the answer. */
const char *office_register(struct office *office, const struct device *device);
/* Registers |user| at |flow| by the word of the edge; must succeed. */
void office_let_in(struct office *office, const char *user, const char *flow);

#endif
