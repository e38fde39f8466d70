/* SPDX-License-Identifier: BSD-3-Clause
 * Flow tokens (RFC 5626 §5.2): the user part of our URIs in Path and Record-Route. They name worker and flow and carry
 * a keyed hash, so nobody can make one or turn one into another. The same seal marks the branches of our Via fields,
 * which name the worker that waits for the response. */
#ifndef SIP_FLOW_TOKEN_H
#define SIP_FLOW_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

#define SIP_FLOW_KEY_SIZE   32
#define SIP_FLOW_TOKEN_SIZE 32 /* with its NUL */
#define SIP_BRANCH_SIZE     48 /* with its NUL: "z9hG4bK" and what follows */

struct sip_flow_key {
    uint8_t bytes[SIP_FLOW_KEY_SIZE];
};
void sip_flow_key_init(struct sip_flow_key *key); /* random: tokens die with the process, as the flows do */

struct sip_flow_name {
    uint8_t worker;
    uint64_t flow; /* never given twice in the life of the process */
};
void sip_flow_token_make(const struct sip_flow_key *key, struct sip_flow_name name, char out[SIP_FLOW_TOKEN_SIZE]);
/* Returns 0, or ERR_FORBIDDEN where it is none of ours -> 430. */
int sip_flow_token_read(const struct sip_flow_key *key, struct span token, struct sip_flow_name *out);

/* A new unique branch that names |worker|. */
void sip_branch_make(const struct sip_flow_key *key, uint8_t worker, char out[SIP_BRANCH_SIZE]);
/* Returns the worker, or ERR_FORBIDDEN where it is none of ours. */
int sip_branch_worker(const struct sip_flow_key *key, struct span branch);

#endif
