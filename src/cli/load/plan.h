/* SPDX-License-Identifier: BSD-3-Clause
 * What a run of `postern load` is to do, and what it found. */
#ifndef CLI_LOAD_PLAN_H
#define CLI_LOAD_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/address.h"
#include "cli/load/histogram.h"
#include "turn/server.h"

enum load_kind {
    LOAD_RELAY,    /* packets through channels to an echoing peer and back */
    LOAD_ALLOCATE, /* allocations made and released, one after the other */
    LOAD_IDLE,     /* allocations that are made and then left alone */
};

struct load_plan {
    enum load_kind kind;
    enum turn_transport transport;
    const char *host; /* as asked for: the name that a certificate is checked against */
    struct address server;
    struct address peer; /* ADDRESS_NONE: a peer of our own */
    const char *user, *password, *secret, *ca_file;
    bool insecure, tls12, resume, bursts, json;
    unsigned clients, threads;
    unsigned in_flight; /* packets of a client under way; with |rate|, packets of a burst */
    unsigned rate;      /* packets per second of all clients together; 0: closed loop */
    unsigned size;      /* bytes of payload */
    unsigned duration_s;
    pid_t server_pid; /* 0: not told */
};

/* Counts of one thread or of all. */
struct load_result {
    struct histogram latency;    /* round trip, or time that an allocation took */
    uint64_t sent, answered;     /* packets of the measured time, and how many of them came back, however late */
    uint64_t to_peer, to_client; /* packets that arrived there within the measured time */
    uint64_t unsent;             /* due, but the stream towards the server was full */
    uint64_t allocations;
    uint64_t resumed; /* of them, those whose TLS session was resumed */
    uint64_t elapsed_ns;
    double server_cpu_s;  /* used in the measured time; 0: not told */
    int64_t server_bytes; /* growth of resident memory */
};

#endif
