/* SPDX-License-Identifier: BSD-3-Clause */
#include "sip/via.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "sip/grammar.h"
#include "sip/value.h"

osip_via_t *sip_via_top(const osip_message_t *message)
{
    return osip_list_get(&message->vias, 0);
}

const char *sip_via_branch(const osip_message_t *message)
{
    const osip_via_t *via = sip_via_top(message);
    const char *branch = via ? sip_parameter_find(&via->via_params, "branch") : NULL;
    return branch ? branch : "";
}

int sip_via_sent_by(const osip_message_t *message, char out[SIP_SENT_BY_SIZE])
{
    const osip_via_t *via = sip_via_top(message);
    out[0] = '\0';
    if (!via)
        return ERR_NOT_FOUND;
    bool ipv6 = strchr(via->host, ':') != NULL;
    int length = snprintf(out, SIP_SENT_BY_SIZE, "%s%s%s%s%s", ipv6 ? "[" : "", via->host, ipv6 ? "]" : "",
                          via->port ? ":" : "", via->port ? via->port : "");
    if (length < 0 || length >= SIP_SENT_BY_SIZE) {
        out[0] = '\0';
        return ERR_TOO_LARGE;
    }
    for (char *at = out; *at; at++)
        *at = (char)(*at >= 'A' && *at <= 'Z' ? *at | 0x20 : *at);
    return 0;
}

static void remove_parameter(osip_list_t *list, const char *name)
{
    for (int i = 0; i < osip_list_size(list); i++) {
        osip_generic_param_t *parameter = osip_list_get(list, i);
        if (strcasecmp(parameter->gname, name) != 0)
            continue;
        osip_list_remove(list, i);
        osip_generic_param_free(parameter);
        return;
    }
}

int sip_via_mark_source(osip_message_t *message, const struct address *source)
{
    osip_via_t *via = sip_via_top(message);
    char host[ADDRESS_TEXT_MAX], port[8];
    struct address without_port = *source;
    without_port.port = 0;
    address_format(&without_port, host);
    bool wants_port = sip_parameter_find(&via->via_params, "rport") != NULL;
    remove_parameter(&via->via_params, "received");
    int result = 0;
    if (wants_port) {
        snprintf(port, sizeof port, "%u", source->port);
        result = sip_parameter_set(&via->via_params, "rport", port);
    }
    /* RFC 3581 §4: with rport also where the host is the same. */
    if (result == 0 && (wants_port || strcasecmp(via->host, host) != 0))
        result = sip_parameter_set(&via->via_params, "received", host);
    return result;
}

int sip_via_push(osip_message_t *message, const char *transport, const char *sent_by, const char *branch)
{
    char text[SIP_SENT_BY_SIZE + 256];
    int length = snprintf(text, sizeof text, "SIP/2.0/%s %s;branch=%s", transport, sent_by, branch);
    if (length < 0 || length >= (int)sizeof text)
        return ERR_MALFORMED;
    return sip_field_add_first(message, "Via", text);
}

int sip_via_pop(osip_message_t *message)
{
    return sip_field_remove_first(message, "Via");
}

/* The line at |*at| without its end; false at the empty line or the end of the bytes. */
static bool peek_line(struct sip_cursor *cursor, struct span *line_out)
{
    const char *first = cursor->at;
    const char *end = memchr(first, '\n', (size_t)(cursor->end - first));
    if (!end)
        return false;
    cursor->at = end + 1;
    size_t length = (size_t)(end - first);
    if (length > 0 && first[length - 1] == '\r')
        length--;
    *line_out = (struct span){first, length};
    return length > 0;
}

/* The value of the first line |name| or |compact|, not unfolded. */
static int peek_field(const void *bytes, size_t length, const char *name, const char *compact, struct span *out)
{
    struct sip_cursor cursor = sip_cursor_over((struct span){bytes, length});
    struct span line;
    while (peek_line(&cursor, &line)) {
        struct sip_cursor in_line = sip_cursor_over(line);
        struct span found = sip_take_token(&in_line);
        if (!sip_same_name(found, name) && !sip_same_name(found, compact))
            continue;
        if (!sip_take_separator(&in_line, ':'))
            continue;
        /* A fold ends the look: what is wanted stands in front of it, or none of ours wrote it. */
        *out = (struct span){in_line.at, (size_t)(in_line.end - in_line.at)};
        return 0;
    }
    return ERR_NOT_FOUND;
}

bool sip_peek_is_response(const void *bytes, size_t length)
{
    return length >= 4 && strncasecmp(bytes, "SIP/", 4) == 0;
}

int sip_peek_top_branch(const void *bytes, size_t length, struct span *out)
{
    struct span line, value;
    if (peek_field(bytes, length, "Via", "v", &line) < 0)
        return ERR_NOT_FOUND;
    struct sip_cursor list = sip_cursor_over(line), cursor;
    sip_list_next(&list, &value);
    cursor = sip_cursor_over(value);
    while (!sip_cursor_done(&cursor)) {
        if (!sip_take_separator(&cursor, ';')) {
            if (sip_take_quoted(&cursor).length == 0)
                cursor.at++;
            continue;
        }
        if (!sip_same_name(sip_take_token(&cursor), "branch") || !sip_take_separator(&cursor, '='))
            continue;
        *out = sip_take_token(&cursor);
        return out->length > 0 ? 0 : ERR_NOT_FOUND;
    }
    return ERR_NOT_FOUND;
}

static bool is_uri_byte(char c)
{
    return c != '>' && c != ' ' && c != '\t';
}

int sip_peek_top_route_user(const void *bytes, size_t length, struct span *out)
{
    struct sip_cursor cursor = sip_cursor_over((struct span){bytes, length});
    struct span line;
    if (peek_field(bytes, length, "Route", "Route", &line) == 0) {
        const char *bracket = memchr(line.bytes, '<', line.length);
        if (!bracket)
            return ERR_NOT_FOUND;
        cursor = (struct sip_cursor){bracket + 1, (const char *)line.bytes + line.length};
    } else {
        sip_take_token(&cursor);
        sip_skip_blanks(&cursor);
    }
    struct span uri = sip_take_while(&cursor, is_uri_byte);
    const char *colon = memchr(uri.bytes, ':', uri.length), *at = memchr(uri.bytes, '@', uri.length);
    if (!colon || !at || at <= colon + 1)
        return ERR_NOT_FOUND;
    *out = (struct span){colon + 1, (size_t)(at - colon - 1)};
    return 0;
}
