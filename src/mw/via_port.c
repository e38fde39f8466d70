/* SPDX-License-Identifier: BSD-3-Clause */
#include "mw/via_port.h"

#include <string.h>

#include "base/error.h"
#include "sip/head.h"

static struct span after(struct span text, size_t length)
{
    return (struct span){(const char *)text.bytes + length, text.length - length};
}

/* |text| behind the next |c|; empty where there is none. */
static struct span behind(struct span text, char c)
{
    const char *found = text.length > 0 ? memchr(text.bytes, c, text.length) : NULL;
    return found ? after(text, (size_t)(found - (const char *)text.bytes) + 1) : (struct span){text.bytes, 0};
}

static struct span without_space(struct span text)
{
    while (text.length > 0 && strchr(" \t\r\n", *(const char *)text.bytes))
        text = after(text, 1);
    return text;
}

/* The bytes before the first of |stops|. */
static struct span before(struct span text, const char *stops)
{
    size_t length = 0;
    while (length < text.length && !strchr(stops, ((const char *)text.bytes)[length]))
        length++;
    return (struct span){text.bytes, length};
}

/* sent-protocol LWS sent-by, RFC 3261 §25.1; either may have white space inside. */
static int sent_by_port(struct span via, uint16_t *out)
{
    struct span rest = without_space(behind(behind(via, '/'), '/'));
    rest = without_space(after(rest, before(rest, " \t\r\n").length));
    struct span host =
        rest.length > 0 && *(const char *)rest.bytes == '[' ? before(rest, "]") : before(rest, " \t\r\n:;,");
    if (host.length == 0)
        return ERR_NOT_FOUND;
    rest = without_space(after(rest, host.length));
    if (rest.length > 0 && *(const char *)rest.bytes == ']')
        rest = without_space(after(rest, 1));
    unsigned port = 0;
    if (rest.length > 0 && *(const char *)rest.bytes == ':' &&
        (!sip_head_number(before(without_space(after(rest, 1)), " \t\r\n;,"), UINT16_MAX + 1, &port) || port == 0 ||
         port > UINT16_MAX))
        return ERR_NOT_FOUND;
    *out = (uint16_t)port;
    return 0;
}

int mw_via_port(const void *bytes, size_t length, uint16_t *out)
{
    const char *end = memmem(bytes, length, "\r\n\r\n", 4);
    if (!end || length < 4 || memcmp(bytes, "SIP/", 4) != 0)
        return ERR_NOT_FOUND;
    struct sip_head_reader reader = sip_head_read(bytes, (size_t)(end - (const char *)bytes) + 4);
    struct sip_head_field field;
    while (sip_head_next(&reader, &field))
        if (sip_head_name_is(field.name, "Via"))
            return sent_by_port(field.value, out);
    return ERR_NOT_FOUND;
}
