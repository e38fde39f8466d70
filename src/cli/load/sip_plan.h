/* SPDX-License-Identifier: BSD-3-Clause
 * What a run of `postern load sip` is to do, and what it found. */
#ifndef CLI_LOAD_SIP_PLAN_H
#define CLI_LOAD_SIP_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/address.h"
#include "cli/load/histogram.h"

enum sip_load_kind {
    SIP_LOAD_CALLS,   /* register, then place calls at a steady rate */
    SIP_LOAD_REFRESH, /* register, then register again and again */
    SIP_LOAD_IDLE,    /* register, then do nothing */
};

struct sip_plan {
    enum sip_load_kind kind;
    bool tls;
    const char *host, *path; /* as asked for; |path| is where the WebSocket is */
    struct address server;
    const char *domain; /* home domain */
    const char *user;   /* the WICs are called USER0, USER1, ...; with |single| all are USER */
    bool single;
    const char *password; /* NULL: a challenge is a failure */
    const char *token;    /* or NULL: sent as Authorization: Bearer */
    const char *callee;   /* URI; NULL: every second WIC calls the next one */
    const char *ca_file;
    bool insecure, json;
    unsigned wics, at_once; /* |at_once|: REGISTERs under way */
    unsigned calls, rate;   /* calls in all, and how many begin in a second */
    unsigned hold_ms;       /* a call lasts */
    unsigned duration_s;    /* of refreshing and of idleness */
    unsigned expires_s;
    pid_t server_pid; /* 0: not told; its children count, too */
};

struct sip_result {
    struct histogram registering, setup; /* REGISTER to 200, challenge and all; INVITE to 200 */
    uint64_t registered, provisioned;    /* WICs; those of them whose 200 carried TURN credentials */
    uint64_t refreshed;                  /* registered again, in the measured time */
    uint64_t calls_begun, calls_answered, calls_ended, failures;
    char failure[200]; /* the first one */
    uint64_t elapsed_ns;
    double server_cpu_s;
    int64_t server_bytes; /* resident memory: growth by the registrations */
};

#endif
