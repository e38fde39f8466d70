/* SPDX-License-Identifier: BSD-3-Clause */
#include "ws/upgrade.h"

#include <string.h>

#include "crypto/digest.h"

/* 16 bytes in base64: 22 digits and two signs of padding. */
static bool is_key(struct span key)
{
    const char *text = key.bytes;
    if (key.length != WS_KEY_LENGTH || memcmp(text + 22, "==", 2) != 0)
        return false;
    for (size_t i = 0; i < 22; i++) {
        char c = text[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/'))
            return false;
    }
    return true;
}

/* The field of that name where there is exactly one. */
static const struct http_field *only_field(const struct http_head *head, const char *name)
{
    const struct http_field *field = http_head_find(head, name);
    return field && !http_head_find_next(head, field) ? field : NULL;
}

bool ws_upgrade_asked(const struct http_head *head)
{
    return http_head_lists(head, "Upgrade", "websocket");
}

enum ws_upgrade ws_upgrade_check(const struct http_head *head)
{
    if (!ws_upgrade_asked(head))
        return WS_UPGRADE_NOT_ASKED;
    if (!http_span_equals(head->method, "GET") || head->minor_version < 1 ||
        !http_head_lists(head, "Connection", "upgrade") || head->chunked || head->content_length > 0)
        return WS_UPGRADE_BAD;
    const struct http_field *version = only_field(head, "Sec-WebSocket-Version");
    const struct http_field *key = only_field(head, WS_KEY_FIELD);
    if (!version || !http_span_equals(version->value, WS_VERSION))
        return WS_UPGRADE_VERSION;
    return key && is_key(key->value) ? WS_UPGRADE_GOOD : WS_UPGRADE_BAD;
}

void ws_accept(struct span key, char out[WS_ACCEPT_SIZE])
{
    /* RFC 6455 §1.3 */
    const struct span spans[] = {key, span_of_text("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")};
    uint8_t hash[SHA1_SIZE];
    crypto_sha1(spans, 2, hash);
    crypto_base64(hash, sizeof hash, out);
}
