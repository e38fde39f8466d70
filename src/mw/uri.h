/* SPDX-License-Identifier: BSD-3-Clause
 * What the way to the next hop needs of a SIP URI (RFC 3261 §19.1): host, port, transport, maddr. */
#ifndef MW_URI_H
#define MW_URI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MW_HOST_SIZE 254 /* a domain name of RFC 1035 and its NUL */

enum mw_uri_transport {
    MW_URI_ANY, /* none stated */
    MW_URI_UDP,
    MW_URI_TCP,
    MW_URI_TLS,
};

struct mw_uri {
    char host[MW_HOST_SIZE];   /* in lower case, IPv6 without brackets: what the certificate is for */
    char target[MW_HOST_SIZE]; /* whom to look up: maddr, or the host */
    uint16_t port;             /* 0: none stated */
    uint8_t transport;         /* enum mw_uri_transport */
    bool secure;               /* sips: */
    bool telephone;            /* tel: (RFC 3966): no host at all */
};

/* Returns 0, ERR_MALFORMED, or ERR_NOT_FOUND for schemes and transports that are not spoken here. */
int mw_uri_decode(const char *text, struct mw_uri *out);

#endif
