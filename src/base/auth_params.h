/* SPDX-License-Identifier: BSD-3-Clause
 * Challenges and credentials (RFC 9110 §11): a scheme and what follows, `Digest name=value, name="value"` or
 * `Bearer TOKEN`. SIP and HTTP write them alike. */
#ifndef BASE_AUTH_PARAMS_H
#define BASE_AUTH_PARAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

#define AUTH_PARAMS_MAX       24
#define AUTH_PARAMS_VALUE_MAX 12288 /* bytes of all of it: an access token fits */

struct auth_param {
    struct span name;
    struct span value; /* of a quoted string what stands in it, escapes and all: see auth_param_copy() */
    bool quoted;
};
/* Everything borrows from the text that was read. */
struct auth_params {
    struct span scheme;
    struct span token; /* token68, where that follows instead of parameters */
    struct auth_param params[AUTH_PARAMS_MAX];
    unsigned count;
};

/* Reads one challenge or one set of credentials: all of |text|. Returns 0, ERR_MALFORMED (grammar, a control byte, a
 * name that stands twice) or ERR_TOO_LARGE. */
int auth_params_read(struct span text, struct auth_params *out);
bool auth_params_is(const struct auth_params *params, const char *scheme);
/* NULL where there is none of that name. Names are compared without regard to case. */
const struct auth_param *auth_params_find(const struct auth_params *params, const char *name);
/* The value with its escapes undone. Returns its length, ERR_NOT_FOUND, or ERR_TOO_LARGE where |size| bytes do not hold
 * it and its NUL. */
int auth_params_copy(const struct auth_params *params, const char *name, char *out, size_t size);
/* Whether the value, escapes undone, is |text|; case counts unless |any_case|. False where there is none. */
bool auth_params_equal(const struct auth_params *params, const char *name, const char *text, bool any_case);
/* Whether the value is a comma list with |token|, as qop of a challenge is. */
bool auth_params_list(const struct auth_params *params, const char *name, const char *token);

/* Writes one: begins with the scheme, then each parameter. What does not fit fails, and stays so. */
struct auth_writer {
    char *text;
    size_t length, size;
    bool failed, first;
};
struct auth_writer auth_writer_begin(char *text, size_t size, const char *scheme);
/* As it is, for tokens (algorithm, qop of credentials, nc, stale). */
void auth_writer_add(struct auth_writer *writer, const char *name, const char *value);
/* Quoted and escaped. A control byte fails it. */
void auth_writer_add_quoted(struct auth_writer *writer, const char *name, struct span value);
/* Returns the length of the text, which has a NUL, or ERR_TOO_LARGE. */
int auth_writer_end(struct auth_writer *writer);

#endif
