/* SPDX-License-Identifier: BSD-3-Clause
 * The opening hand-shake as a server sees it (RFC 6455 §4.2): what a request asks for, and the key's answer. */
#ifndef WS_UPGRADE_H
#define WS_UPGRADE_H

#include <stdbool.h>

#include "base/span.h"
#include "http/head.h"

#define WS_VERSION     "13"
#define WS_ACCEPT_SIZE 29 /* with its NUL */
#define WS_KEY_LENGTH  24
#define WS_KEY_FIELD   "Sec-WebSocket-Key"
#define WS_PROTOCOLS   "Sec-WebSocket-Protocol"

enum ws_upgrade {
    WS_UPGRADE_GOOD,
    WS_UPGRADE_NOT_ASKED, /* an ordinary request -> 426, where nothing else is served */
    WS_UPGRADE_VERSION,   /* another version -> 426 that names ours */
    WS_UPGRADE_BAD,       /* -> 400 */
};

/* Whether the request wants to become a WebSocket, rightly or wrongly. */
bool ws_upgrade_asked(const struct http_head *head);
/* Looks at all that RFC 6455 §4.2.1 demands but Origin and subprotocol, which are for the caller to judge. */
enum ws_upgrade ws_upgrade_check(const struct http_head *head);
/* Sec-WebSocket-Accept for the key of a request that was found good. */
void ws_accept(struct span key, char out[WS_ACCEPT_SIZE]);

#endif
