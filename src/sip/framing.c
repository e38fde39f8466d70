/* SPDX-License-Identifier: BSD-3-Clause */
#include "sip/framing.h"

#include <string.h>

#include "base/error.h"
#include "sip/head.h"
#include "sip/message.h"

int sip_frame_keepalive(const void *bytes, size_t length)
{
    static const char ping[] = "\r\n\r\n";
    size_t at = 0;
    const char *text = bytes;
    while (at < length && at < 4 && text[at] == ping[at])
        at++;
    if (at == 0)
        return 0;
    if (at == 4)
        return 4;
    if (at == length)
        return ERR_SHORT;
    return at >= 2 ? 2 : 0;
}

/* A lone CR or LF is no line end, so the head ends at the first CRLFCRLF and nowhere else. */
int sip_frame_length(const void *bytes, size_t length)
{
    size_t searched = length < SIP_HEAD_MAX ? length : SIP_HEAD_MAX;
    const char *end = memmem(bytes, searched, "\r\n\r\n", 4);
    if (!end)
        return length < SIP_HEAD_MAX ? ERR_SHORT : ERR_TOO_LARGE;
    size_t head_length = (size_t)(end + 4 - (const char *)bytes);
    struct sip_head_reader reader = sip_head_read(bytes, head_length);
    struct sip_head_field field;
    unsigned content_length = 0, seen = 0;
    while (sip_head_next(&reader, &field)) {
        if (!sip_head_name_is(field.name, "Content-Length"))
            continue;
        seen++;
        if (!sip_head_number(field.value, SIP_MESSAGE_MAX + 1, &content_length))
            return ERR_MALFORMED;
    }
    if (seen != 1 || reader.failed)
        return ERR_MALFORMED;
    return head_length + content_length <= SIP_MESSAGE_MAX ? (int)(head_length + content_length) : ERR_TOO_LARGE;
}
