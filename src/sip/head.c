/* SPDX-License-Identifier: BSD-3-Clause */
#include "sip/head.h"

#include <string.h>
#include <strings.h>

static struct span between(const char *start, const char *end)
{
    return (struct span){start, (size_t)(end - start)};
}

/* The next line without its CRLF; a CR or LF by itself, or a control character, makes the reader fail. */
static struct span line_next(struct sip_head_reader *reader)
{
    const char *start = reader->at, *at = start;
    for (; at < reader->end && *at != '\r' && *at != '\n'; at++) {
        if (((unsigned char)*at < 0x20 && *at != '\t') || *at == 0x7F)
            reader->failed = true;
    }
    if (reader->end - at < 2 || at[0] != '\r' || at[1] != '\n') {
        reader->failed = true;
        reader->at = reader->end;
        return between(start, start);
    }
    reader->at = at + 2;
    return between(start, at);
}

struct sip_head_reader sip_head_read(const void *bytes, size_t length)
{
    struct sip_head_reader reader = {.at = bytes, .end = (const char *)bytes + length};
    reader.start_line = line_next(&reader);
    return reader;
}

bool sip_head_is_token(struct span text)
{
    const char *bytes = text.bytes;
    for (size_t i = 0; i < text.length; i++) {
        char c = bytes[i];
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && (c == '\0' || !strchr("-.!%*_+`'~", c)))
            return false;
    }
    return text.length > 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span trimmed(const char *start, const char *end)
{
    while (start < end && is_blank(*start))
        start++;
    while (start < end && is_blank(end[-1]))
        end--;
    return between(start, end);
}

bool sip_head_next(struct sip_head_reader *reader, struct sip_head_field *out)
{
    if (reader->failed)
        return false;
    struct span line = line_next(reader);
    if (reader->failed || line.length == 0)
        return false;
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t')) {
        struct span more = line_next(reader);
        line = between(line.bytes, (const char *)more.bytes + more.length);
    }
    const char *start = line.bytes, *end = start + line.length, *colon = memchr(start, ':', line.length);
    if (!colon) {
        reader->failed = true;
        return false;
    }
    const char *name_end = colon;
    while (name_end > start && (name_end[-1] == ' ' || name_end[-1] == '\t'))
        name_end--;
    *out = (struct sip_head_field){between(start, name_end), trimmed(colon + 1, end)};
    reader->failed = reader->failed || !sip_head_is_token(out->name);
    return !reader->failed;
}

bool sip_head_name_is(struct span name, const char *full)
{
    static const struct {
        char compact;
        const char *full;
    } forms[] = {{'v', "Via"},          {'f', "From"},           {'t', "To"},           {'i', "Call-ID"},
                 {'m', "Contact"},      {'l', "Content-Length"}, {'c', "Content-Type"}, {'e', "Content-Encoding"},
                 {'k', "Supported"},    {'s', "Subject"},        {'o', "Event"},        {'r', "Refer-To"},
                 {'u', "Allow-Events"}, {'b', "Referred-By"},    {'x', "Session-Expires"}};
    if (name.length == strlen(full) && strncasecmp(name.bytes, full, name.length) == 0)
        return true;
    if (name.length != 1)
        return false;
    char letter = *(const char *)name.bytes;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if ((letter | 0x20) == forms[i].compact && strcasecmp(full, forms[i].full) == 0)
            return true;
    return false;
}

bool sip_head_number(struct span value, unsigned most, unsigned *out)
{
    const char *digits = value.bytes;
    unsigned long number = 0;
    for (size_t i = 0; i < value.length; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        number = number * 10 + (unsigned long)(digits[i] - '0');
        number = number < most ? number : most;
    }
    *out = (unsigned)number;
    return value.length > 0;
}
