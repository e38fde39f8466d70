/* SPDX-License-Identifier: BSD-3-Clause
 * Files that answer an ACME server's challenges (RFC 8555 §8.3). */
#ifndef FRONT_CHALLENGE_H
#define FRONT_CHALLENGE_H

#include "base/span.h"

#define CHALLENGE_MAX 1024 /* bytes of an answer: a token and a thumbprint */

/* Reads the file |token| of |directory|: a regular file there and nowhere else. Returns its length, or ERR_NOT_FOUND
 * whatever the reason. */
int challenge_read(const char *directory, struct span token, void *out, size_t size);

#endif
