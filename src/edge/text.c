/* SPDX-License-Identifier: BSD-3-Clause */
#include "edge/text.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/memory.h"
#include "edge/raw.h"

/* Room for |more| bytes and a NUL. */
static bool reserve(struct text *text, size_t more)
{
    size_t needed = text->length + more + 1;
    if (text->failed || needed <= text->capacity)
        return !text->failed;
    size_t capacity = text->capacity ? text->capacity : 512;
    while (capacity < needed)
        capacity *= 2;
    char *bytes = memory_resize(text->bytes, capacity);
    if (!bytes) {
        text->failed = true;
        return false;
    }
    text->bytes = bytes;
    text->capacity = capacity;
    return true;
}

void text_add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0 || !reserve(text, (size_t)length))
        return;
    va_start(arguments, format);
    vsnprintf(text->bytes + text->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
}

void text_add_span(struct text *text, struct span span)
{
    if (span.length == 0 || !reserve(text, span.length))
        return;
    memcpy(text->bytes + text->length, span.bytes, span.length);
    text->length += span.length;
}

void text_add_unfolded(struct text *text, struct span value)
{
    size_t start = text->length;
    text_add_span(text, value);
    for (size_t i = start; i < text->length && !text->failed; i++)
        if (text->bytes[i] == '\r' || text->bytes[i] == '\n')
            text->bytes[i] = ' ';
}

void text_add_value(struct text *text, struct span value)
{
    text_add_unfolded(text, value);
    text_add_span(text, span_of_text("\r\n"));
}

void text_add_field(struct text *text, const char *name, struct span value)
{
    text_add(text, "%s: ", name);
    text_add_value(text, value);
}

void text_add_fields_of(struct text *text, struct span message, const char *name)
{
    struct raw_reader reader = raw_fields(message);
    struct raw_field field;
    while (raw_field_next(&reader, &field))
        if (raw_name_is(field.name, name))
            text_add_field(text, name, field.value);
}

void text_add_with_parameter(struct text *text, struct span value, const char *name, const char *setting)
{
    struct span old;
    size_t before = value.length, after = value.length;
    bool known = value_parameter_whole(value, name, &old);
    if (known) {
        before = (size_t)((const char *)old.bytes - (const char *)value.bytes);
        after = before + old.length;
    }
    text_add_span(text, (struct span){value.bytes, before});
    text_add(text, "%s%s=%s", known ? "" : ";", name, setting);
    text_add_span(text, (struct span){(const char *)value.bytes + after, value.length - after});
}

void text_fini(struct text *text)
{
    memory_free(text->bytes);
    *text = (struct text){0};
}
