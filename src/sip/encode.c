/* SPDX-License-Identifier: BSD-3-Clause */
#include <osipparser2/osip_port.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "sip/field.h"
#include "sip/message.h"

#define TEXT_FIRST_SIZE 2048

/* Text that grows; a failure sticks. */
struct text {
    char *bytes;
    size_t length, size;
    int error;
};

static void add_bytes(struct text *text, const void *bytes, size_t length)
{
    if (text->error)
        return;
    if (length > SIP_MESSAGE_MAX - text->length) {
        text->error = ERR_TOO_LARGE;
        return;
    }
    size_t size = text->size ? text->size : TEXT_FIRST_SIZE;
    while (size < text->length + length + 1) /* with a NUL */
        size *= 2;
    if (size != text->size) {
        char *larger = memory_resize(text->bytes, size);
        if (!larger) {
            text->error = ERR_MEMORY;
            return;
        }
        text->bytes = larger;
        text->size = size;
    }
    if (length > 0)
        memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static void add_text(struct text *text, const char *string)
{
    add_bytes(text, string, strlen(string));
}

static void add_line(struct text *text, const char *name, const char *value)
{
    add_text(text, name);
    add_text(text, ": ");
    add_text(text, value);
    add_text(text, "\r\n");
}

static void add_start_line(struct text *text, const osip_message_t *message)
{
    if (message->sip_method) {
        char *uri = NULL;
        if (osip_uri_to_str(message->req_uri, &uri) != OSIP_SUCCESS)
            text->error = ERR_MEMORY;
        else
            add_text(text, message->sip_method);
        add_text(text, " ");
        add_text(text, uri ? uri : "");
        add_text(text, " SIP/2.0\r\n");
        memory_free(uri);
        return;
    }
    char line[16];
    snprintf(line, sizeof line, "SIP/2.0 %03d ", message->status_code);
    add_text(text, line);
    add_text(text, message->reason_phrase ? message->reason_phrase : "");
    add_text(text, "\r\n");
}

/* All values of |name|, a line each. */
static void add_field(struct text *text, const osip_message_t *message, const char *name)
{
    char *value;
    int result = 0;
    for (unsigned i = 0; (result = sip_field_text(message, sip_field_kind(name), i, &value)) == 0; i++) {
        add_line(text, name, value);
        memory_free(value);
    }
    if (result == ERR_MEMORY && !text->error)
        text->error = ERR_MEMORY;
}

int sip_message_encode(osip_message_t *message, char **text_out)
{
    static const char *const first[] = {"Via", "Record-Route", "Route", "From", "To", "Call-ID", "CSeq", "Contact"};
    struct text text = {0};
    *text_out = NULL;
    add_start_line(&text, message);
    for (unsigned i = 0; i < sizeof first / sizeof first[0]; i++)
        add_field(&text, message, first[i]);
    for (int i = 0; i < osip_list_size(&message->headers); i++) {
        const osip_header_t *header = osip_list_get(&message->headers, i);
        add_line(&text, header->hname, header->hvalue ? header->hvalue : "");
    }
    add_field(&text, message, "Content-Type");
    struct span body = sip_message_body(message);
    char length[16];
    snprintf(length, sizeof length, "%zu", body.length);
    add_line(&text, "Content-Length", length);
    add_text(&text, "\r\n");
    add_bytes(&text, body.bytes, body.length);
    if (text.error) {
        memory_free(text.bytes);
        return text.error;
    }
    text.bytes[text.length] = '\0';
    *text_out = text.bytes;
    return (int)text.length;
}

void sip_text_free(char *text)
{
    memory_free(text);
}
