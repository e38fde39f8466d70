/* SPDX-License-Identifier: BSD-3-Clause
 * Failures: the one table of negative codes that functions of every layer return. A refusal by the protocol
 * is no failure (see enum stun_error_code), and a bug is an assertion. */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

/* Name, code, text for a person. */
#define ERROR_TABLE(X)                                   \
    X(ERR_MEMORY, -1, "out of memory")                   \
    X(ERR_FULL, -2, "table or range full")               \
    X(ERR_SHORT, -3, "more bytes needed")                \
    X(ERR_MALFORMED, -4, "malformed input")              \
    X(ERR_TOO_LARGE, -5, "larger than allowed")          \
    X(ERR_NOT_FOUND, -6, "not found")                    \
    X(ERR_EXISTS, -7, "exists already")                  \
    X(ERR_FAMILY, -8, "wrong address family")            \
    X(ERR_FORBIDDEN, -9, "not permitted")                \
    X(ERR_EXPIRED, -10, "expired")                       \
    X(ERR_CLOSED, -11, "connection closed")              \
    X(ERR_WOULD_BLOCK, -12, "would block")               \
    X(ERR_SYSTEM, -13, "system call failed (see errno)") \
    X(ERR_IN_USE, -14, "address in use")                 \
    X(ERR_CRYPTO, -15, "cryptographic operation failed")

enum error {
#define X(name, code, text) name = code,
    ERROR_TABLE(X)
#undef X
};

/* The text of |code|, static. Any value is accepted; 0 is "success". */
const char *error_text(int code);

#endif
