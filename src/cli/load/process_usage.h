/* SPDX-License-Identifier: BSD-3-Clause
 * What a process has used so far, from /proc. */
#ifndef CLI_LOAD_PROCESS_USAGE_H
#define CLI_LOAD_PROCESS_USAGE_H

#include <stdint.h>
#include <sys/types.h>

struct process_usage {
    uint64_t cpu_ns;         /* of all its threads, in user and kernel mode */
    uint64_t resident_bytes; /* VmRSS */
};

/* Returns 0, ERR_NOT_FOUND (no such process) or ERR_SYSTEM. */
int process_usage_read(pid_t pid, struct process_usage *out);
/* The same for |pid| and all that descend from it, of whose memory each shared page counts once in all (PSS). */
int process_tree_usage_read(pid_t pid, struct process_usage *out);

#endif
