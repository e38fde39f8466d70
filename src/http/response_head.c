/* SPDX-License-Identifier: BSD-3-Clause */
#include "http/response_head.h"

#include <string.h>

#include "base/error.h"

#define VERSION_AND_STATUS "HTTP/1.1 200" /* all that a line must have; by RFC 9112 a space as well */

/* "HTTP/1.1 200 OK". Servers that leave the space before an empty reason out are common and understood by everyone. */
static int read_status_line(struct http_response_head *head, struct span line)
{
    const uint8_t *text = line.bytes;
    size_t least = sizeof VERSION_AND_STATUS - 1;
    if (line.length < least || memcmp(text, "HTTP/1.", 7) != 0 || !http_is_digit(text[7]) || text[8] != ' ')
        return ERR_MALFORMED;
    if (line.length > least && text[least] != ' ')
        return ERR_MALFORMED;
    head->minor_version = text[7] - '0';
    head->status = 0;
    for (size_t i = 9; i < least; i++) {
        if (!http_is_digit(text[i]))
            return ERR_MALFORMED;
        head->status = 10 * head->status + text[i] - '0';
    }
    size_t reason = line.length > least ? least + 1 : least;
    head->reason = (struct span){text + reason, line.length - reason};
    return head->status >= 100 && head->status <= 599 ? 0 : ERR_MALFORMED;
}

static int check_fields(struct http_response_head *head)
{
    head->keep_alive = head->minor_version > 0 && !http_fields_list(&head->fields, "Connection", span_of_text("close"));
    return http_fields_framing(&head->fields, head->minor_version, &head->framing) == 0 ? 0 : ERR_MALFORMED;
}

static int read_lines(struct reader *reader, struct http_response_head *head)
{
    struct span line;
    int failure = http_line_take(reader, &line);
    if (!failure)
        failure = read_status_line(head, line);
    while (!failure) {
        failure = http_line_take(reader, &line);
        if (!failure && line.length == 0)
            return check_fields(head);
        if (!failure && http_fields_add(&head->fields, line) != 0)
            failure = ERR_MALFORMED;
    }
    return failure;
}

int http_response_head_decode(const void *bytes, size_t length, struct http_response_head *out)
{
    const uint8_t *start = bytes;
    struct reader reader = reader_over(start, length < HTTP_HEAD_MAX ? length : HTTP_HEAD_MAX);
    out->fields.count = 0;
    int failure = read_lines(&reader, out);
    if (failure == ERR_SHORT && length >= HTTP_HEAD_MAX)
        return ERR_MALFORMED;
    return failure ? failure : (int)(reader.at - start);
}
