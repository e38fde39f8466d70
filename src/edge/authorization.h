/* SPDX-License-Identifier: BSD-3-Clause
 * What stands in Authorization (RFC 3261 §22, RFC 8898): a Digest for the core, which passes as it is but for what only
 * the edge may say in it, or a token for the edge, which passes never. */
#ifndef EDGE_AUTHORIZATION_H
#define EDGE_AUTHORIZATION_H

#include "edge/state.h"

/* What a request brings. */
struct edge_authorization {
    unsigned digests;
    bool auth_int; /* of a Digest */
    bool bearer;
    struct token_identity identity; /* where |bearer| is true */
};
/* Reads the Authorization fields. Returns 0, or the status to refuse with: 400, or 401 for a token that is not good
 * (edge_challenge_write() for its answer). */
unsigned edge_authorization_read(const struct edge *edge, const struct edge_message *request, struct now now,
                                 struct edge_authorization *out);
/* Writes the Digests of the fields |name| (Authorization, Proxy-Authorization) and nothing else of them. |flow|, where
 * it is not NULL, is that of a REGISTER: integrity-protected says whether it has a registration of that private
 * identity (TS 24.229 §5.2.2.6). */
void edge_authorization_write(const struct edge_message *request, const char *name, const struct edge_flow *flow,
                              struct text *text);
/* The trusted node's authorization in place of a token (TS 33.203 X.3). */
void edge_authorization_write_done(const struct edge *edge, const struct token_identity *identity, struct text *text);
/* `WWW-Authenticate: Bearer`; |error|: why, or NULL. */
void edge_challenge_write(const struct edge *edge, const char *error, struct text *text);
/* The core's challenges without the keys that are for the edge alone (TS 24.229 §5.2.2). */
void edge_challenges_pass(const struct edge_message *response, struct text *text);
/* A parameter of one set of credentials; quoted ones with their escapes. */
bool edge_authorization_parameter(struct span value, const char *name, struct span *out);

#endif
