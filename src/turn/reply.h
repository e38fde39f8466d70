/* SPDX-License-Identifier: BSD-3-Clause
 * The one place that writes and counts answers. Private to the server's core. */
#ifndef TURN_REPLY_H
#define TURN_REPLY_H

#include "turn/request.h"

#define TURN_REPLY_MAX 1400 /* a realm at its longest included */

/* Algorithms offered, best first (RFC 8489 §14.11): SHA-256, MD5, without parameters. */
#define TURN_PASSWORD_ALGORITHMS        "\0\2\0\0\0\1\0\0"
#define TURN_PASSWORD_ALGORITHMS_LENGTH 8

void turn_reply_begin(struct stun_builder *builder, uint8_t memory[TURN_REPLY_MAX], const struct turn_reply_to *to,
                      enum stun_class class);
/* Protects and sends what was built. */
void turn_reply_end(struct turn_server *server, const struct turn_flow *flow, const struct turn_reply_to *to,
                    struct stun_builder *builder);

/* Whether whoever the flow says it is may get an answer before having proved its address. Counts a refusal. */
bool turn_reply_allowed(const struct turn_request *request);

/* Answers |request| with an error and what belongs to it: the challenge with 401 and 438, the list with 420, the other
 * server with 300. */
void turn_reply_error(const struct turn_request *request, enum stun_error_code code);
/* The same for a request whose answer came later. */
void turn_reply_error_later(struct turn_server *server, const struct turn_flow *flow, const struct turn_reply_to *to,
                            struct span username, enum stun_error_code code);

#endif
