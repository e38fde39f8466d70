/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/load/sip_text.h"

#include <strings.h>

#define VERSION        "SIP/2.0 "
#define VERSION_LENGTH 8

static struct span part(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t' || to[-1] == '\r'))
        to--;
    return (struct span){from, (size_t)(to - from)};
}

unsigned sip_text_status(struct span message)
{
    const char *text = message.bytes;
    unsigned status = 0;
    if (message.length < VERSION_LENGTH + 3 || memcmp(text, VERSION, VERSION_LENGTH) != 0)
        return 0;
    for (size_t i = VERSION_LENGTH; i < VERSION_LENGTH + 3; i++)
        status = status * 10 + (unsigned)(text[i] - '0');
    return status >= 100 && status < 700 ? status : 0;
}

struct span sip_text_method(struct span message)
{
    const char *text = message.bytes, *space = memchr(text, ' ', message.length);
    if (!space || (message.length >= VERSION_LENGTH && memcmp(text, VERSION, VERSION_LENGTH) == 0))
        return (struct span){text, 0};
    return part(text, space);
}

struct span sip_text_field(struct span message, const char *name, unsigned index)
{
    const char *at = message.bytes, *end = at + message.length;
    size_t length = strlen(name);
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        line_end = line_end ? line_end : end;
        if (line_end - at <= 1)
            break; /* the empty line: a body follows */
        if ((size_t)(line_end - at) > length && at[length] == ':' && strncasecmp(at, name, length) == 0 && index-- == 0)
            return part(at + length + 1, line_end);
        at = line_end + 1;
    }
    return (struct span){at, 0};
}

struct span sip_text_parameter(struct span value, const char *name)
{
    const char *at = value.bytes, *end = at + value.length;
    size_t length = strlen(name);
    for (; (size_t)(end - at) > length; at++) {
        if (strncasecmp(at, name, length) != 0 || at[length] != '=')
            continue;
        if (at > (const char *)value.bytes && !memchr(" ,;\t", at[-1], 4))
            continue;
        const char *from = at + length + 1, *to;
        if (from < end && *from == '"') {
            from++;
            to = memchr(from, '"', (size_t)(end - from));
            return to ? (struct span){from, (size_t)(to - from)} : (struct span){end, 0};
        }
        for (to = from; to < end && !memchr(",; \t>", *to, 5);)
            to++;
        return (struct span){from, (size_t)(to - from)};
    }
    return (struct span){end, 0};
}

struct span sip_text_uri(struct span value)
{
    const char *text = value.bytes, *open = memchr(text, '<', value.length);
    const char *close = open ? memchr(open, '>', (size_t)(text + value.length - open)) : NULL;
    return close ? (struct span){open + 1, (size_t)(close - open - 1)} : value;
}
