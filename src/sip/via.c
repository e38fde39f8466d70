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

bool sip_peek_is_response(const void *bytes, size_t length)
{
    return length >= 4 && strncasecmp(bytes, "SIP/", 4) == 0;
}
