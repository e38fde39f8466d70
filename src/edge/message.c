/* SPDX-License-Identifier: BSD-3-Clause */
#include "edge/message.h"

#include <stdint.h>

#include "base/error.h"

/* Fields of which a second one would leave open which of them counts. */
static bool is_single(struct span name)
{
    static const char *const names[] = {"From",           "To",           "Call-ID", "CSeq", "Max-Forwards",
                                        "Content-Length", "Content-Type", "Expires", "Event"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (raw_name_is(name, names[i]))
            return true;
    return false;
}

static bool has_control_bytes(struct span span)
{
    const unsigned char *bytes = span.bytes;
    for (size_t i = 0; i < span.length; i++)
        if ((bytes[i] < ' ' && !strchr("\t\r\n", bytes[i])) || bytes[i] == 0x7F || bytes[i] == 0)
            return true;
    return false;
}

static bool read_start_line(struct edge_message *message)
{
    struct span line = raw_start_line(message->text), first = raw_word(line, 0);
    if (has_control_bytes(line))
        return false;
    if (span_is(first, "SIP/2.0"))
        return span_number(raw_word(line, 1), &message->status) && message->status >= 100 && message->status < 700;
    message->method = first;
    message->uri = raw_word(line, 1);
    return message->uri.length > 0 && span_is(raw_word(line, 2), "SIP/2.0") && raw_word(line, 3).length == 0;
}

static bool read_fields(struct edge_message *message)
{
    struct raw_reader reader = raw_fields(message->text);
    struct raw_field field;
    while (raw_field_next(&reader, &field)) {
        if (message->field_count == EDGE_FIELDS_MAX || has_control_bytes(field.name) || has_control_bytes(field.value))
            return false;
        for (unsigned i = 0; i < message->field_count && is_single(field.name); i++)
            if (span_same(message->fields[i].name, field.name))
                return false;
        message->fields[message->field_count++] = field;
    }
    message->body = (struct span){reader.at, (size_t)(reader.end - reader.at)};
    return true;
}

int edge_message_index(struct span text, struct edge_message *out)
{
    *out = (struct edge_message){.text = text};
    bool read = read_start_line(out) && read_fields(out);
    struct edge_walk walk = {0};
    struct span cseq = edge_message_find(out, "CSeq");
    out->from = edge_message_find(out, "From");
    out->to = edge_message_find(out, "To");
    out->call_id = edge_message_find(out, "Call-ID");
    out->cseq_method = raw_word(cseq, 1);
    read = read && span_number(raw_word(cseq, 0), &out->cseq) && out->cseq <= INT32_MAX;
    if (edge_message_next(out, "Via", &walk, &out->via))
        value_parameter(out->via, "branch", &out->branch);
    unsigned length;
    struct span stated = edge_message_find(out, "Content-Length");
    if (stated.length > 0) {
        if (!span_number(stated, &length) || length > out->body.length)
            return ERR_MALFORMED;
        out->body.length = length;
    }
    return read && out->from.length > 0 && out->to.length > 0 && out->call_id.length > 0 ? 0 : ERR_MALFORMED;
}

int edge_message_decode(const void *bytes, size_t length, struct edge_message *out, unsigned *status_out)
{
    osip_message_t *decoded = NULL;
    *status_out = 0;
    bool readable = edge_message_index((struct span){bytes, length}, out) == 0 && out->branch.length > 0;
    int result = sip_message_decode(bytes, length, &decoded, status_out);
    sip_message_destroy(&decoded);
    if (result == 0 && !readable)
        result = ERR_MALFORMED;
    if (!readable)
        *status_out = 0; /* an answer would repeat what cannot be understood */
    return result;
}

bool edge_message_is(const struct edge_message *message, const char *method)
{
    return span_equal(message->method, span_of_text(method));
}

struct span edge_message_find(const struct edge_message *message, const char *name)
{
    for (unsigned i = 0; i < message->field_count; i++)
        if (raw_name_is(message->fields[i].name, name))
            return message->fields[i].value;
    return (struct span){message->text.bytes, 0};
}

unsigned edge_message_count(const struct edge_message *message, const char *name)
{
    unsigned count = 0;
    struct edge_walk walk = {0};
    struct span value;
    while (edge_message_next(message, name, &walk, &value))
        count++;
    return count;
}

bool edge_message_next(const struct edge_message *message, const char *name, struct edge_walk *walk,
                       struct span *value_out)
{
    while (!raw_list_next(&walk->list, value_out)) {
        while (walk->field < message->field_count && !raw_name_is(message->fields[walk->field].name, name))
            walk->field++;
        if (walk->field == message->field_count)
            return false;
        walk->list = message->fields[walk->field++].value;
    }
    return true;
}

bool edge_message_lists(const struct edge_message *message, const char *name, const char *token)
{
    struct edge_walk walk = {0};
    struct span value;
    while (edge_message_next(message, name, &walk, &value)) {
        const char *semicolon = memchr(value.bytes, ';', value.length);
        if (semicolon)
            value.length = (size_t)(semicolon - (const char *)value.bytes);
        if (span_is(span_trimmed(value), token))
            return true;
    }
    return false;
}

struct span value_tag(struct span value)
{
    struct span tag = {value.bytes, 0};
    value_parameter(value, "tag", &tag);
    return tag;
}

static bool names_have(const char *const *names, struct span name)
{
    for (; names && *names; names++)
        if (raw_name_is(name, *names))
            return true;
    return false;
}

void edge_message_write_fields(struct text *text, const struct edge_message *message, const char *const *dropped,
                               const char *const *also_dropped)
{
    for (unsigned i = 0; i < message->field_count; i++) {
        const struct raw_field *field = &message->fields[i];
        if (raw_name_is(field->name, "Content-Length") || names_have(dropped, field->name) ||
            names_have(also_dropped, field->name))
            continue;
        text_add_span(text, field->name);
        text_add_span(text, span_of_text(": "));
        text_add_value(text, field->value);
    }
}

void text_add_body(struct text *text, struct span body)
{
    text_add(text, "Content-Length: %zu\r\n\r\n", body.length);
    text_add_span(text, body);
}
