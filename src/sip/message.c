/* SPDX-License-Identifier: BSD-3-Clause */
#include "sip/message.h"

#include <osipparser2/osip_port.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/memory.h"
#include "sip/field.h"
#include "sip/grammar.h"
#include "sip/head.h"
#include "sip/value.h"

#define MAX_FORWARDS_MAX 255       /* RFC 3261 §20.22 */
#define MAGIC_COOKIE     "z9hG4bK" /* RFC 3261 §8.1.1.7 */

enum {
    BAD_REQUEST = 400,
    VERSION_NOT_SUPPORTED = 505,
};

static void *allocate(size_t size)
{
    return memory_resize(NULL, size);
}

void sip_init(void)
{
    osip_set_allocators(allocate, memory_resize, memory_free);
}

void sip_message_destroy(osip_message_t **message)
{
    osip_message_free(*message);
    *message = NULL;
}

osip_message_t *sip_message_clone(const osip_message_t *message)
{
    osip_message_t *copy = NULL;
    return osip_message_clone(message, &copy) == OSIP_SUCCESS ? copy : NULL;
}

struct span sip_message_body(const osip_message_t *message)
{
    const osip_body_t *body = osip_list_get(&message->bodies, 0);
    return body ? (struct span){body->body, body->length} : (struct span){NULL, 0};
}

static void remove_body(osip_message_t *message)
{
    osip_body_t *body = osip_list_get(&message->bodies, 0);
    if (!body)
        return;
    osip_list_remove(&message->bodies, 0);
    osip_body_free(body);
}

static int put_body(osip_message_t *message, struct span bytes)
{
    if (bytes.length == 0)
        return 0;
    osip_body_t *body;
    if (osip_body_init(&body) != OSIP_SUCCESS)
        return ERR_MEMORY;
    body->body = sip_text_of(bytes);
    body->length = bytes.length;
    if (body->body && osip_list_add(&message->bodies, body, 0) >= 0)
        return 0;
    osip_body_free(body);
    return ERR_MEMORY;
}

int sip_message_set_body(osip_message_t *message, const char *content_type, const void *bytes, size_t length)
{
    if (length == 0) {
        sip_field_remove(message, "Content-Type");
    } else if (content_type) {
        int result = sip_field_add(message, "Content-Type", content_type);
        if (result < 0)
            return result;
    }
    remove_body(message);
    return put_body(message, (struct span){bytes, length});
}

static struct span take_word(struct sip_cursor *cursor)
{
    const char *first = cursor->at;
    while (cursor->at < cursor->end && *cursor->at != ' ' && *cursor->at != '\t')
        cursor->at++;
    return (struct span){first, (size_t)(cursor->at - first)};
}

static bool take_space(struct sip_cursor *cursor)
{
    return !sip_cursor_done(cursor) && *cursor->at++ == ' ';
}

static bool begins_with_version(struct span line)
{
    return line.length >= 4 && strncasecmp(line.bytes, "SIP/", 4) == 0;
}

/* "SIP/2.0 200 OK"; the reason may be empty, its space not (RFC 3261 §7.2). */
static int read_status_line(struct span line, osip_message_t *message)
{
    struct sip_cursor cursor = sip_cursor_over(line);
    struct span version = take_word(&cursor);
    if (!sip_same_name(version, "SIP/2.0") || !take_space(&cursor))
        return ERR_MALFORMED;
    struct span status = take_word(&cursor);
    uint32_t number;
    if (status.length != 3 || !sip_read_number(status, 999, &number) || number < 100 || number > 699 ||
        !take_space(&cursor))
        return ERR_MALFORMED;
    message->status_code = (int)number;
    message->sip_version = sip_text_of((struct span){"SIP/2.0", 7});
    message->reason_phrase = sip_text_of((struct span){cursor.at, (size_t)(cursor.end - cursor.at)});
    return message->sip_version && message->reason_phrase ? 0 : ERR_MEMORY;
}

/* Single spaces and nothing else (§7.1). A Request-URI has no headers (§19.1.1, table 1). */
static int read_request_line(struct span line, osip_message_t *message, unsigned *status_out)
{
    struct sip_cursor cursor = sip_cursor_over(line);
    struct span method = sip_take_token(&cursor);
    if (method.length == 0 || !take_space(&cursor))
        return ERR_MALFORMED;
    struct span uri = take_word(&cursor);
    if (!take_space(&cursor))
        return ERR_MALFORMED;
    struct span version = take_word(&cursor);
    if (!sip_cursor_done(&cursor) || !begins_with_version(version))
        return ERR_MALFORMED;
    if (!sip_same_name(version, "SIP/2.0")) {
        *status_out = VERSION_NOT_SUPPORTED;
        return ERR_MALFORMED;
    }
    message->sip_method = sip_text_of(method);
    message->sip_version = sip_text_of((struct span){"SIP/2.0", 7});
    if (!message->sip_method || !message->sip_version)
        return ERR_MEMORY;
    int result = sip_value_read_uri(uri, &message->req_uri);
    if (result < 0)
        return result;
    return osip_list_size(&message->req_uri->url_headers) == 0 ? 0 : ERR_MALFORMED;
}

static bool stands_before(const struct sip_head *head, unsigned index)
{
    for (unsigned i = 0; i < index; i++) {
        if (strcasecmp(head->lines[i].name, head->lines[index].name) == 0)
            return true;
    }
    return false;
}

/* One line into the message. What is split into values: the lists that have a place of their own. */
static int read_line(osip_message_t *message, const struct sip_head *head, unsigned index)
{
    const struct sip_line *line = &head->lines[index];
    if (!sip_field_list(message, sip_field_kind(line->name))) {
        if (sip_field_is_single(line->name) && stands_before(head, index))
            return ERR_MALFORMED;
        return sip_field_put(message, line->name, line->value, -1);
    }
    struct sip_cursor list = sip_cursor_over(line->value);
    struct span value;
    int result = 0;
    while (result == 0 && sip_list_next(&list, &value))
        result = sip_field_put(message, line->name, value, -1);
    return result;
}

/* Copies as many bytes as Content-Length says; all there are where it says nothing. */
static int read_body(osip_message_t *message, const struct sip_head *head, struct span rest)
{
    for (unsigned i = 0; i < head->count; i++) {
        uint32_t length;
        if (sip_field_kind(head->lines[i].name) != FIELD_CONTENT_LENGTH)
            continue;
        if (stands_before(head, i) || !sip_read_number(head->lines[i].value, UINT32_MAX, &length) ||
            length > rest.length)
            return ERR_MALFORMED;
        rest.length = length;
    }
    return put_body(message, rest);
}

static bool is_token(const char *text)
{
    struct sip_cursor cursor = sip_cursor_over(span_of_text(text));
    return sip_take_token(&cursor).length > 0 && sip_cursor_done(&cursor);
}

/* An empty tag is one to some readers and none to others: the request would be within a dialog and not. */
static bool has_sound_tag(const osip_from_t *address)
{
    const char *tag = sip_parameter_find(&address->gen_params, "tag");
    return !tag || is_token(tag);
}

/* What every message has (§8.1.1), and what its values have to be to each other. */
static int check_whole(const osip_message_t *message)
{
    if (!message->from || !message->to || !message->call_id || !message->cseq || osip_list_size(&message->vias) == 0)
        return ERR_MALFORMED;
    if (!has_sound_tag(message->from) || !has_sound_tag(message->to))
        return ERR_MALFORMED;
    if (message->sip_method && strcmp(message->sip_method, message->cseq->method) != 0)
        return ERR_MALFORMED;
    const osip_via_t *via = osip_list_get(&message->vias, 0);
    const char *branch = sip_parameter_find(&via->via_params, "branch");
    if (!branch || !is_token(branch) || strcmp(branch, MAGIC_COOKIE) == 0)
        return ERR_MALFORMED;
    uint32_t hops = 0;
    int result = sip_field_number(message, "Max-Forwards", &hops);
    return result == ERR_MALFORMED || hops > MAX_FORWARDS_MAX ? ERR_MALFORMED : 0;
}

static int decode(const struct sip_head *head, struct span rest, osip_message_t *message, unsigned *status_out)
{
    bool response = begins_with_version(head->start_line);
    *status_out = response ? 0 : BAD_REQUEST;
    int result = response ? read_status_line(head->start_line, message)
                          : read_request_line(head->start_line, message, status_out);
    if (message->sip_method && strcmp(message->sip_method, "ACK") == 0)
        *status_out = 0;
    for (unsigned i = 0; result == 0 && i < head->count; i++)
        result = read_line(message, head, i);
    if (result == 0)
        result = read_body(message, head, rest);
    if (result == 0)
        result = check_whole(message);
    return result == ERR_EXISTS ? ERR_MALFORMED : result;
}

int sip_message_decode(const void *bytes, size_t length, osip_message_t **out, unsigned *status_out)
{
    struct sip_head head;
    osip_message_t *message = NULL;
    *out = NULL;
    *status_out = 0;
    if (length > SIP_MESSAGE_MAX)
        return ERR_TOO_LARGE;
    int result = sip_head_init(&head, bytes, length);
    if (result < 0)
        goto out;
    if (osip_message_init(&message) != OSIP_SUCCESS) {
        result = ERR_MEMORY;
        goto out;
    }
    struct span rest = {(const char *)bytes + head.length, length - head.length};
    result = decode(&head, rest, message, status_out);
    if (result < 0)
        goto out;
    *out = message;
    message = NULL;
out:
    osip_message_free(message);
    sip_head_fini(&head);
    return result;
}
