/* SPDX-License-Identifier: BSD-3-Clause */
#include "sip/head.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "sip/grammar.h"

const char *sip_full_name(const char *name)
{
    static const char *const full[26] = {
        ['a' - 'a'] = "Accept-Contact",
        ['b' - 'a'] = "Referred-By",
        ['c' - 'a'] = "Content-Type",
        ['d' - 'a'] = "Request-Disposition",
        ['e' - 'a'] = "Content-Encoding",
        ['f' - 'a'] = "From",
        ['i' - 'a'] = "Call-ID",
        ['j' - 'a'] = "Reject-Contact",
        ['k' - 'a'] = "Supported",
        ['l' - 'a'] = "Content-Length",
        ['m' - 'a'] = "Contact",
        ['n' - 'a'] = "Identity-Info",
        ['o' - 'a'] = "Event",
        ['r' - 'a'] = "Refer-To",
        ['s' - 'a'] = "Subject",
        ['t' - 'a'] = "To",
        ['u' - 'a'] = "Allow-Events",
        ['v' - 'a'] = "Via",
        ['x' - 'a'] = "Session-Expires",
        ['y' - 'a'] = "Identity",
    };
    char letter = (char)(name[0] | 0x20);
    if (letter < 'a' || letter > 'z' || name[1] != '\0')
        return name;
    return full[letter - 'a'] ? full[letter - 'a'] : name;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The length of the line at |text| without its CR LF, or ERR_MALFORMED at the first control byte that is no tab: a CR
 * or LF alone, NUL and DEL among them. */
static int line_length(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        uint8_t c = (uint8_t)text[i];
        if (c == '\r')
            return i + 1 < length && text[i + 1] == '\n' ? (int)i : ERR_MALFORMED;
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return ERR_MALFORMED;
    }
    return ERR_MALFORMED;
}

/* Whether the line is nothing but white space: some readers take it for the end of the head, some for a fold. */
static bool is_hollow(const char *line, size_t length)
{
    return length > 0 && sip_trimmed((struct span){line, length}).length == 0;
}

static int read_line(struct sip_head *head, char *line, size_t length)
{
    if (head->count == SIP_FIELDS_MAX || length > SIP_FIELD_MAX)
        return ERR_TOO_LARGE;
    struct sip_cursor cursor = sip_cursor_over((struct span){line, length});
    struct span name = sip_take_token(&cursor);
    char *name_end = line + name.length;
    if (name.length == 0 || !sip_take_separator(&cursor, ':'))
        return ERR_MALFORMED;
    struct span value = sip_trimmed((struct span){cursor.at, (size_t)(cursor.end - cursor.at)});
    *name_end = '\0';
    ((char *)value.bytes)[value.length] = '\0';
    head->lines[head->count++] = (struct sip_line){sip_full_name(line), value};
    return 0;
}

/* Where the line at |line| ends with all of its folds, which become blanks; the CR of that end. */
static int unfold(char *line, size_t left)
{
    int end = line_length(line, left);
    while (end >= 0 && (size_t)end + 2 < left && is_blank(line[end + 2])) {
        size_t next = (size_t)end + 2;
        int more = line_length(line + next, left - next);
        if (more < 0 || is_hollow(line + next, (size_t)more))
            return ERR_MALFORMED;
        line[end] = line[end + 1] = ' ';
        end = (int)next + more;
    }
    return end;
}

int sip_head_init(struct sip_head *head, const void *bytes, size_t length)
{
    head->text = NULL;
    head->count = 0;
    const char *empty_line = memmem(bytes, length, "\r\n\r\n", 4);
    if (!empty_line)
        return length > SIP_HEAD_MAX ? ERR_TOO_LARGE : ERR_MALFORMED;
    head->length = (size_t)(empty_line - (const char *)bytes) + 4;
    if (head->length > SIP_HEAD_MAX)
        return ERR_TOO_LARGE;
    head->text = memory_resize(NULL, head->length);
    if (!head->text)
        return ERR_MEMORY;
    memcpy(head->text, bytes, head->length);

    int end = line_length(head->text, head->length);
    if (end <= 0 || is_blank(head->text[0]) || is_blank(head->text[end + 2]))
        return ERR_MALFORMED;
    head->start_line = (struct span){head->text, (size_t)end};
    size_t at = (size_t)end + 2;
    while (at + 2 < head->length) {
        end = unfold(head->text + at, head->length - at);
        if (end < 0)
            return end;
        int result = read_line(head, head->text + at, (size_t)end);
        if (result < 0)
            return result;
        at += (size_t)end + 2;
    }
    return 0;
}

void sip_head_fini(struct sip_head *head)
{
    memory_free(head->text);
    head->text = NULL;
}
