/* SPDX-License-Identifier: BSD-3-Clause
 * The answer to a Digest challenge (RFC 7616, RFC 8760). */
#ifndef CLI_LOAD_SIP_DIGEST_H
#define CLI_LOAD_SIP_DIGEST_H

#include <stddef.h>

#include "base/span.h"

/* Writes an Authorization value that answers |challenge|, a WWW-Authenticate value. Returns 0, ERR_MALFORMED (another
 * scheme, algorithm or quality of protection) or ERR_FULL. */
int sip_digest_answer(struct span challenge, const char *user, const char *password, const char *method,
                      const char *uri, char *out, size_t size);

#endif
