/* SPDX-License-Identifier: BSD-3-Clause */
#include "stun/attributes.h"

const char *stun_attribute_name(uint16_t type)
{
    switch (type) {
#define X(constant, number, name, shortest, longest) \
    case number:                                     \
        return name;
        STUN_ATTRIBUTE_TABLE(X)
#undef X
    default:
        return "unknown";
    }
}

bool stun_attribute_bounds(uint16_t type, struct stun_attribute_bounds *out)
{
    switch (type) {
#define X(constant, number, name, shortest, longest)                  \
    case number:                                                      \
        *out = (struct stun_attribute_bounds){(shortest), (longest)}; \
        return true;
        STUN_ATTRIBUTE_TABLE(X)
#undef X
    default:
        return false;
    }
}

const char *stun_method_name(uint16_t method)
{
    switch (method) {
#define X(constant, number, name) \
    case number:                  \
        return name;
        STUN_METHOD_TABLE(X)
#undef X
    default:
        return "unknown";
    }
}

const char *stun_error_reason(int code)
{
    switch (code) {
#define X(constant, number, reason) \
    case number:                    \
        return reason;
        STUN_ERROR_TABLE(X)
#undef X
    default:
        return "unknown";
    }
}
