/* SPDX-License-Identifier: BSD-3-Clause
 * Text from strangers, made harmless for one line of a log or a message. */
#ifndef DAEMON_QUOTE_H
#define DAEMON_QUOTE_H

#include <stddef.h>

/* Writes |length| bytes in double quotes: quotes and backslashes escaped, everything but printable ASCII as \xNN. What
 * does not fit in |size| (at least 8) ends in `..."`. Returns |out|. */
const char *quote(char *out, size_t size, const void *bytes, size_t length);
/* The same for a logfmt value: without quotes where the bytes need none. */
const char *quote_value(char *out, size_t size, const void *bytes, size_t length);

#endif
