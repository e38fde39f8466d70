/* SPDX-License-Identifier: BSD-3-Clause
 * The header with which a balancer tells who the client is: PROXY protocol, versions 1 and 2 (HAProxy's
 * proxy-protocol.txt). Only to be asked of sources that the settings list: anybody can write one. */
#ifndef FRONT_PROXY_HEADER_H
#define FRONT_PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"

#define PROXY_HEADER_MAX (16 + 4096) /* bytes; longer ones are refused */

struct proxy_header {
    /* Family NONE, both, where the header names no IP: the balancer's own health check (LOCAL), UNKNOWN, a UNIX socket.
     * Then the connection's own addresses stand. An IPv4-mapped IPv6 address has become the IPv4 one. */
    struct address source, destination;
    bool tls; /* the client came to the balancer by TLS (PP2_TYPE_SSL); never so in version 1 */
};

/* Decodes the header that a stream starts with. Returns its length in bytes: what the client itself sent starts there.
 * Or
 *   ERR_SHORT      not complete, and right so far; always so below PROXY_HEADER_MAX bytes only
 *   ERR_MALFORMED  no such header, or a wrong one -> close */
int proxy_header_decode(const uint8_t *bytes, size_t length, struct proxy_header *out);

#endif
