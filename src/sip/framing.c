/* SPDX-License-Identifier: BSD-3-Clause */
#include "sip/framing.h"

#include <string.h>

#include "base/error.h"
#include "sip/field.h"
#include "sip/grammar.h"
#include "sip/message.h"

#define LINE_END "\r\n"
#define PING     "\r\n\r\n"

size_t sip_keep_alive_length(const void *bytes, size_t length, unsigned *pings_out)
{
    const char *first = bytes;
    size_t at = 0;
    *pings_out = 0;
    for (;;) {
        if (length - at >= 4 && memcmp(first + at, PING, 4) == 0) {
            ++*pings_out;
            at += 4;
        } else if (length - at >= 3 && memcmp(first + at, LINE_END, 2) == 0 && first[at + 2] != '\r') {
            at += 2;
        } else {
            return at;
        }
    }
}

/* Takes a line and its end. Returns 0, ERR_SHORT, or ERR_MALFORMED at a bare CR or LF or a NUL, so that nobody waits
 * for the rest of what is none. */
static int take_line(struct sip_cursor *cursor, struct span *line_out)
{
    for (const char *at = cursor->at; at < cursor->end; at++) {
        if (*at == '\0' || *at == '\n')
            return ERR_MALFORMED;
        if (*at != '\r')
            continue;
        if (at + 1 == cursor->end)
            return ERR_SHORT;
        if (at[1] != '\n')
            return ERR_MALFORMED;
        *line_out = (struct span){cursor->at, (size_t)(at - cursor->at)};
        cursor->at = at + 2;
        return 0;
    }
    return ERR_SHORT;
}

/* The number of a Content-Length line, ERR_NOT_FOUND for another line, or ERR_MALFORMED. */
static int content_length(struct span line)
{
    struct sip_cursor cursor = sip_cursor_over(line);
    struct span name = sip_take_token(&cursor);
    if (!sip_same_name(name, "Content-Length") && !sip_same_name(name, "l"))
        return ERR_NOT_FOUND;
    uint32_t number;
    if (!sip_take_separator(&cursor, ':') ||
        !sip_read_number(sip_trimmed((struct span){cursor.at, (size_t)(cursor.end - cursor.at)}), SIP_MESSAGE_MAX + 1,
                         &number))
        return ERR_MALFORMED;
    return (int)number;
}

/* The length of the head, and of the body as Content-Length says, -1 where nothing does. */
static int scan(const char *bytes, size_t length, int *body_out)
{
    struct sip_cursor cursor = sip_cursor_over((struct span){bytes, length});
    struct span line;
    bool is_length = false;
    *body_out = -1;
    for (;;) {
        int result = take_line(&cursor, &line);
        if (result < 0)
            return result;
        if (line.length == 0)
            return (int)(cursor.at - bytes);
        const char *first = line.bytes;
        if (*first == ' ' || *first == '\t') {
            /* A folded length is legal, unheard of, and a way to be understood in two ways. */
            if (is_length)
                return ERR_MALFORMED;
            continue;
        }
        int number = content_length(line);
        is_length = number != ERR_NOT_FOUND;
        if (!is_length)
            continue;
        if (number < 0 || *body_out >= 0)
            return ERR_MALFORMED;
        *body_out = number;
    }
}

int sip_frame_length(const void *bytes, size_t length)
{
    int body;
    int head = scan(bytes, length < SIP_HEAD_MAX ? length : SIP_HEAD_MAX, &body);
    if (head == ERR_SHORT && length >= SIP_HEAD_MAX)
        return ERR_TOO_LARGE;
    if (head < 0)
        return head;
    if (body < 0)
        return ERR_MALFORMED;
    return head + body <= SIP_MESSAGE_MAX ? head + body : ERR_TOO_LARGE;
}
