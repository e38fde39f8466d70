/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/error.h"

const char *error_text(int code)
{
    switch (code) {
    case 0:
        return "success";
#define X(name, value, text) \
    case value:              \
        return text;
        ERROR_TABLE(X)
#undef X
    default:
        return "unknown error";
    }
}
