/* SPDX-License-Identifier: BSD-3-Clause */
#include "sip/field.h"

#include <osipparser2/osip_port.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/memory.h"
#include "sip/grammar.h"
#include "sip/head.h"
#include "sip/value.h"

#define HOPS_AT_FIRST 70 /* RFC 3261 §8.1.1.6 */

static bool same(const char *a, const char *b)
{
    return strcasecmp(a, b) == 0;
}

enum sip_field_kind sip_field_kind(const char *name)
{
    static const char *const names[] = {
        [FIELD_VIA] = "Via",
        [FIELD_RECORD_ROUTE] = "Record-Route",
        [FIELD_ROUTE] = "Route",
        [FIELD_CONTACT] = "Contact",
        [FIELD_FROM] = "From",
        [FIELD_TO] = "To",
        [FIELD_CALL_ID] = "Call-ID",
        [FIELD_CSEQ] = "CSeq",
        [FIELD_CONTENT_TYPE] = "Content-Type",
        [FIELD_CONTENT_LENGTH] = "Content-Length",
    };
    const char *full = sip_full_name(name);
    for (unsigned kind = FIELD_VIA; kind <= FIELD_CONTENT_LENGTH; kind++) {
        if (same(full, names[kind]))
            return kind;
    }
    return FIELD_OTHER;
}

bool sip_field_is_single(const char *name)
{
    static const char *const names[] = {
        "Content-Disposition",
        "Date",
        "Event",
        "Expires",
        "Max-Forwards",
        "MIME-Version",
        "Min-Expires",
        "RAck",
        "Refer-To",
        "Referred-By",
        "Replaces",
        "Retry-After",
        "RSeq",
        "SIP-ETag",
        "SIP-If-Match",
        "Session-Expires",
        "Subscription-State",
        "Timestamp",
    };
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (same(name, names[i]))
            return true;
    }
    return false;
}

/* Challenges and credentials hold commas of their own (RFC 3261 §20.44), and Date and free text too. */
static bool holds_commas(const char *name)
{
    static const char *const names[] = {
        "Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate", "Authentication-Info", "Date",
        "Subject",       "User-Agent",          "Server",           "Organization"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (same(name, names[i]))
            return true;
    }
    return false;
}

osip_list_t *sip_field_list(osip_message_t *message, enum sip_field_kind kind)
{
    switch (kind) {
    case FIELD_VIA:
        return &message->vias;
    case FIELD_RECORD_ROUTE:
        return &message->record_routes;
    case FIELD_ROUTE:
        return &message->routes;
    case FIELD_CONTACT:
        return &message->contacts;
    default:
        return NULL;
    }
}

static int put_header(osip_message_t *message, const char *name, struct span value, int position)
{
    osip_header_t *header;
    if (osip_header_init(&header) != OSIP_SUCCESS)
        return ERR_MEMORY;
    header->hname = sip_text_of(span_of_text(name));
    header->hvalue = sip_text_of(value);
    if (header->hname && header->hvalue && osip_list_add(&message->headers, header, position) >= 0)
        return 0;
    osip_header_free(header);
    return ERR_MEMORY;
}

static int put_via(osip_list_t *list, struct span value, int position)
{
    osip_via_t *via;
    int result = sip_value_read_via(value, &via);
    if (result == 0 && osip_list_add(list, via, position) < 0) {
        osip_via_free(via);
        result = ERR_MEMORY;
    }
    return result;
}

static int put_address(osip_list_t *list, struct span value, bool star, int position)
{
    osip_from_t *address;
    int result = sip_value_read_address(value, star, &address);
    if (result == 0 && osip_list_add(list, address, position) < 0) {
        osip_from_free(address);
        result = ERR_MEMORY;
    }
    return result;
}

int sip_field_put(osip_message_t *message, const char *name, struct span value, int position)
{
    enum sip_field_kind kind = sip_field_kind(name);
    osip_list_t *list = sip_field_list(message, kind);
    /* libosip2's lists are walked for each addition: thousands of values would cost a core its time. */
    if (list && osip_list_size(list) >= SIP_VALUES_MAX)
        return ERR_TOO_LARGE;
    switch (kind) {
    case FIELD_VIA:
        return put_via(list, value, position);
    case FIELD_CONTACT:
    case FIELD_ROUTE:
    case FIELD_RECORD_ROUTE:
        return put_address(list, value, kind == FIELD_CONTACT, position);
    case FIELD_FROM:
        return message->from ? ERR_EXISTS : sip_value_read_address(value, false, &message->from);
    case FIELD_TO:
        return message->to ? ERR_EXISTS : sip_value_read_address(value, false, &message->to);
    case FIELD_CALL_ID:
        return message->call_id ? ERR_EXISTS : sip_value_read_call_id(value, &message->call_id);
    case FIELD_CSEQ:
        return message->cseq ? ERR_EXISTS : sip_value_read_cseq(value, &message->cseq);
    case FIELD_CONTENT_TYPE:
        return message->content_type ? ERR_EXISTS : sip_value_read_content_type(value, &message->content_type);
    case FIELD_CONTENT_LENGTH:
        return 0; /* the body says it */
    case FIELD_OTHER:
        break;
    }
    return put_header(message, name, value, position);
}

static const osip_header_t *header_at(const osip_message_t *message, int index)
{
    return osip_list_get(&message->headers, index);
}

/* The first header of that name from |index| on, or -1. */
static int find_header(const osip_message_t *message, const char *name, int index)
{
    for (const char *full = sip_full_name(name); index < osip_list_size(&message->headers); index++) {
        if (same(header_at(message, index)->hname, full))
            return index;
    }
    return -1;
}

const char *sip_field_find(const osip_message_t *message, const char *name)
{
    int index = find_header(message, name, 0);
    return index < 0 ? NULL : header_at(message, index)->hvalue;
}

int sip_field_text(const osip_message_t *message, enum sip_field_kind kind, unsigned index, char **text_out)
{
    int result = OSIP_SUCCESS;
    *text_out = NULL;
    const osip_list_t *list = sip_field_list((osip_message_t *)message, kind);
    if (list) {
        const void *value = osip_list_get(list, (int)index);
        if (!value)
            return ERR_NOT_FOUND;
        if (kind == FIELD_CONTACT && sip_contact_is_star(value))
            *text_out = sip_text_of((struct span){"*", 1});
        else
            result = kind == FIELD_VIA ? osip_via_to_str(value, text_out) : osip_from_to_str(value, text_out);
    } else if (index > 0) {
        return ERR_NOT_FOUND;
    } else if (kind == FIELD_FROM && message->from) {
        result = osip_from_to_str(message->from, text_out);
    } else if (kind == FIELD_TO && message->to) {
        result = osip_from_to_str(message->to, text_out);
    } else if (kind == FIELD_CALL_ID && message->call_id) {
        result = osip_call_id_to_str(message->call_id, text_out);
    } else if (kind == FIELD_CSEQ && message->cseq) {
        result = osip_cseq_to_str(message->cseq, text_out);
    } else if (kind == FIELD_CONTENT_TYPE && message->content_type) {
        result = osip_content_type_to_str(message->content_type, text_out);
    } else {
        return ERR_NOT_FOUND;
    }
    return result == OSIP_SUCCESS && *text_out ? 0 : ERR_MEMORY;
}

static const char *copy_value(struct span value, char *buffer, size_t size)
{
    if (value.length >= size)
        return NULL;
    if (value.length > 0)
        memcpy(buffer, value.bytes, value.length);
    buffer[value.length] = '\0';
    return buffer;
}

static const char *header_value(const osip_message_t *message, const char *name, unsigned index, char *buffer,
                                size_t size)
{
    bool whole = holds_commas(sip_full_name(name));
    for (int at = find_header(message, name, 0); at >= 0; at = find_header(message, name, at + 1)) {
        struct span value = span_of_text(header_at(message, at)->hvalue);
        struct sip_cursor list = sip_cursor_over(value);
        while (whole || sip_list_next(&list, &value)) {
            if (index-- == 0)
                return copy_value(value, buffer, size);
            if (whole)
                break;
        }
    }
    return NULL;
}

const char *sip_field_value(const osip_message_t *message, const char *name, unsigned index, char *buffer, size_t size)
{
    enum sip_field_kind kind = sip_field_kind(name);
    if (kind == FIELD_OTHER)
        return header_value(message, name, index, buffer, size);
    char *text;
    if (sip_field_text(message, kind, index, &text) < 0)
        return NULL;
    const char *value = copy_value(span_of_text(text), buffer, size);
    sip_text_free(text);
    return value;
}

static void remove_header(osip_message_t *message, int index)
{
    osip_header_t *header = osip_list_get(&message->headers, index);
    osip_list_remove(&message->headers, index);
    osip_header_free(header);
}

static bool remove_value(osip_message_t *message, enum sip_field_kind kind)
{
    osip_list_t *list = sip_field_list(message, kind);
    void *value = osip_list_get(list, 0);
    if (!value)
        return false;
    osip_list_remove(list, 0);
    if (kind == FIELD_VIA)
        osip_via_free(value);
    else
        osip_from_free(value);
    return true;
}

/* Puts |other|'s value, or none, in the place of |message|'s, for what there is one of at most. Returns whether there
 * was one. */
static bool replace_single(osip_message_t *message, enum sip_field_kind kind, const osip_message_t *other)
{
    switch (kind) {
#define REPLACE(field, member)                 \
    case field: {                              \
        bool was = message->member != NULL;    \
        osip_##member##_free(message->member); \
        message->member = other->member;       \
        return was;                            \
    }
        REPLACE(FIELD_FROM, from)
        REPLACE(FIELD_TO, to)
        REPLACE(FIELD_CALL_ID, call_id)
        REPLACE(FIELD_CSEQ, cseq)
        REPLACE(FIELD_CONTENT_TYPE, content_type)
#undef REPLACE
    default:
        return false;
    }
}

static bool remove_single(osip_message_t *message, enum sip_field_kind kind)
{
    static const osip_message_t none;
    return replace_single(message, kind, &none);
}

unsigned sip_field_remove(osip_message_t *message, const char *name)
{
    enum sip_field_kind kind = sip_field_kind(name);
    unsigned count = 0;
    if (kind == FIELD_OTHER) {
        for (int at = find_header(message, name, 0); at >= 0; at = find_header(message, name, at)) {
            remove_header(message, at);
            count++;
        }
    } else if (sip_field_list(message, kind)) {
        while (remove_value(message, kind))
            count++;
    } else {
        count = remove_single(message, kind);
    }
    return count;
}

int sip_field_remove_first(osip_message_t *message, const char *name)
{
    enum sip_field_kind kind = sip_field_kind(name);
    if (kind != FIELD_OTHER) {
        bool removed = sip_field_list(message, kind) ? remove_value(message, kind) : remove_single(message, kind);
        return removed ? 0 : ERR_NOT_FOUND;
    }
    int at = find_header(message, name, 0);
    if (at < 0)
        return ERR_NOT_FOUND;
    osip_header_t *header = osip_list_get(&message->headers, at);
    struct sip_cursor list = sip_cursor_over(span_of_text(header->hvalue));
    struct span first;
    sip_list_next(&list, &first);
    if (!list.at) {
        remove_header(message, at);
        return 0;
    }
    char *rest = sip_text_of(sip_trimmed((struct span){list.at, (size_t)(list.end - list.at)}));
    if (!rest)
        return ERR_MEMORY;
    memory_free(header->hvalue);
    header->hvalue = rest;
    return 0;
}

/* Nothing that came with a name, a URI or a token may begin a line of its own. */
static bool fits_a_line(const char *text)
{
    for (const char *at = text; *at; at++) {
        if (((uint8_t)*at < ' ' && *at != '\t') || *at == 0x7f)
            return false;
    }
    return true;
}

static int add(osip_message_t *message, const char *name, const char *value, bool first)
{
    if (!fits_a_line(value) || !fits_a_line(name))
        return ERR_MALFORMED;
    enum sip_field_kind kind = sip_field_kind(name);
    if (kind != FIELD_OTHER) {
        struct span text = sip_trimmed(span_of_text(value));
        int result = sip_field_put(message, name, text, first ? 0 : -1);
        if (result != ERR_EXISTS)
            return result;
        osip_message_t other = {0};
        result = sip_field_put(&other, name, text, 0);
        if (result == 0)
            replace_single(message, kind, &other);
        return result;
    }
    int position = -1;
    if (first)
        position = find_header(message, name, 0);
    else
        for (int at = find_header(message, name, 0); at >= 0; at = find_header(message, name, at + 1))
            position = at + 1;
    return put_header(message, sip_full_name(name), span_of_text(value), position);
}

int sip_field_add(osip_message_t *message, const char *name, const char *value)
{
    return add(message, name, value, false);
}

int sip_field_add_first(osip_message_t *message, const char *name, const char *value)
{
    return add(message, name, value, true);
}

bool sip_field_lists(const osip_message_t *message, const char *name, const char *token)
{
    for (int at = find_header(message, name, 0); at >= 0; at = find_header(message, name, at + 1)) {
        struct sip_cursor list = sip_cursor_over(span_of_text(header_at(message, at)->hvalue));
        struct span value;
        while (sip_list_next(&list, &value)) {
            if (sip_same_name(value, token))
                return true;
        }
    }
    return false;
}

int sip_field_number(const osip_message_t *message, const char *name, uint32_t *out)
{
    const char *value = sip_field_find(message, name);
    if (!value)
        return ERR_NOT_FOUND;
    return sip_read_number(span_of_text(value), UINT32_MAX, out) ? 0 : ERR_MALFORMED;
}

int sip_max_forwards_decrement(osip_message_t *message)
{
    uint32_t hops;
    int result = sip_field_number(message, "Max-Forwards", &hops);
    if (result < 0)
        hops = HOPS_AT_FIRST;
    else if (hops == 0)
        return ERR_EXPIRED;
    else
        hops--;
    char text[12];
    snprintf(text, sizeof text, "%u", hops);
    sip_field_remove(message, "Max-Forwards");
    return sip_field_add(message, "Max-Forwards", text);
}
