/* SPDX-License-Identifier: BSD-3-Clause */
#include "sip/value.h"

#include <osipparser2/osip_port.h>

#include "base/error.h"
#include "base/memory.h"
#include "sip/message.h"

#define CSEQ_MAX 0x7fffffffu /* RFC 3261 §8.1.1.5 */

char *sip_text_of(struct span text)
{
    char *copy = memory_resize(NULL, text.length + 1);
    if (!copy)
        return NULL;
    if (text.length > 0)
        memcpy(copy, text.bytes, text.length);
    copy[text.length] = '\0';
    return copy;
}

/* gen-value: a token or a host, which may be IPv6 with or without brackets (RFC 3261 §25.1). */
static bool is_parameter_byte(char c)
{
    return sip_is_token_byte(c) || c == '[' || c == ']' || c == ':';
}

/* libosip2's own function would trim what stands in the texts, and so change what was escaped. */
int sip_parameter_add(osip_list_t *list, char *name, char *value)
{
    if (osip_list_size(list) >= SIP_PARAMETERS_MAX)
        return ERR_TOO_LARGE;
    if (sip_parameter_find(list, name))
        return ERR_MALFORMED;
    osip_generic_param_t *parameter;
    if (osip_generic_param_init(&parameter) != OSIP_SUCCESS)
        return ERR_MEMORY;
    parameter->gname = name;
    parameter->gvalue = value;
    if (osip_list_add(list, parameter, -1) >= 0)
        return 0;
    parameter->gname = parameter->gvalue = NULL;
    osip_generic_param_free(parameter);
    return ERR_MEMORY;
}

static int add_parameter(osip_list_t *list, struct span name, struct span value)
{
    char *name_text = sip_text_of(name), *value_text = value.bytes ? sip_text_of(value) : NULL;
    int result = name_text && (value_text || !value.bytes) ? 0 : ERR_MEMORY;
    if (result == 0)
        result = sip_parameter_add(list, name_text, value_text);
    if (result < 0) {
        memory_free(name_text);
        memory_free(value_text);
    }
    return result;
}

/* *( SEMI generic-param ) up to the end of the value. */
static int read_parameters(struct sip_cursor *cursor, osip_list_t *list)
{
    while (sip_take_separator(cursor, ';')) {
        struct span name = sip_take_token(cursor), value = {NULL, 0};
        if (name.length == 0)
            return ERR_MALFORMED;
        if (sip_take_separator(cursor, '=')) {
            value = sip_take_quoted(cursor);
            if (value.length == 0)
                value = sip_take_while(cursor, is_parameter_byte);
            if (value.length == 0)
                return ERR_MALFORMED;
        }
        int result = add_parameter(list, name, value);
        if (result < 0)
            return result;
    }
    sip_skip_blanks(cursor);
    return sip_cursor_done(cursor) ? 0 : ERR_MALFORMED;
}

/* The display name before '<': a quoted string, or tokens and the white space between them. Empty where there is none.
 */
static struct span take_display_name(struct sip_cursor *cursor)
{
    struct span quoted = sip_take_quoted(cursor);
    if (quoted.length > 0)
        return quoted;
    const char *first = cursor->at;
    while (sip_take_token(cursor).length > 0)
        sip_skip_blanks(cursor);
    return sip_trimmed((struct span){first, (size_t)(cursor->at - first)});
}

static bool is_bracketed_byte(char c)
{
    return c != '>';
}

/* addr-spec without brackets ends where its parameters would begin: they are the field's (RFC 3261 §20.10). */
static bool is_bare_byte(char c)
{
    return c != ';' && c != ' ' && c != '\t' && c != ',' && c != '?';
}

static int read_address(struct sip_cursor *cursor, osip_from_t *address)
{
    struct sip_cursor ahead = *cursor;
    struct span name = take_display_name(&ahead), uri;
    sip_skip_blanks(&ahead);
    if (!sip_cursor_done(&ahead) && *ahead.at == '<') {
        ahead.at++;
        *cursor = ahead;
        uri = sip_take_while(cursor, is_bracketed_byte);
        if (sip_cursor_done(cursor))
            return ERR_MALFORMED;
        cursor->at++;
        if (name.length > 0 && !(address->displayname = sip_text_of(name)))
            return ERR_MEMORY;
    } else {
        uri = sip_take_while(cursor, is_bare_byte);
    }
    int result = sip_value_read_uri(uri, &address->url);
    return result < 0 ? result : read_parameters(cursor, &address->gen_params);
}

int sip_value_read_address(struct span text, bool star, osip_from_t **out)
{
    *out = NULL;
    osip_from_t *address;
    if (osip_from_init(&address) != OSIP_SUCCESS)
        return ERR_MEMORY;
    int result;
    if (star && span_equal(text, (struct span){"*", 1})) {
        address->displayname = sip_text_of(text);
        result = address->displayname ? 0 : ERR_MEMORY;
    } else {
        struct sip_cursor cursor = sip_cursor_over(text);
        result = read_address(&cursor, address);
    }
    if (result < 0) {
        osip_from_free(address);
        return result;
    }
    *out = address;
    return 0;
}

/* "SIP / 2.0 / WSS host : port ;parameters" */
static int read_via(struct sip_cursor *cursor, osip_via_t *via)
{
    struct span name = sip_take_token(cursor), version, transport;
    if (!sip_same_name(name, "SIP") || !sip_take_separator(cursor, '/'))
        return ERR_MALFORMED;
    version = sip_take_token(cursor);
    if (!sip_same_name(version, "2.0") || !sip_take_separator(cursor, '/'))
        return ERR_MALFORMED;
    transport = sip_take_token(cursor);
    const char *before = cursor->at;
    sip_skip_blanks(cursor);
    if (transport.length == 0 || cursor->at == before)
        return ERR_MALFORMED;
    via->version = sip_text_of(version);
    via->protocol = sip_text_of(transport);
    if (!via->version || !via->protocol)
        return ERR_MEMORY;
    int result = sip_value_read_host(cursor, true, &via->host, &via->port);
    return result < 0 ? result : read_parameters(cursor, &via->via_params);
}

int sip_value_read_via(struct span text, osip_via_t **out)
{
    *out = NULL;
    osip_via_t *via;
    if (osip_via_init(&via) != OSIP_SUCCESS)
        return ERR_MEMORY;
    struct sip_cursor cursor = sip_cursor_over(text);
    int result = read_via(&cursor, via);
    if (result < 0) {
        osip_via_free(via);
        return result;
    }
    *out = via;
    return 0;
}

int sip_value_read_cseq(struct span text, osip_cseq_t **out)
{
    *out = NULL;
    struct sip_cursor cursor = sip_cursor_over(text);
    struct span number = sip_take_while(&cursor, sip_is_digit);
    sip_skip_blanks(&cursor);
    struct span method = sip_take_token(&cursor);
    uint32_t value;
    if (!sip_read_number(number, UINT32_MAX, &value) || value > CSEQ_MAX || method.length == 0 ||
        !sip_cursor_done(&cursor) || (const char *)number.bytes + number.length == (const char *)method.bytes)
        return ERR_MALFORMED;
    osip_cseq_t *cseq;
    if (osip_cseq_init(&cseq) != OSIP_SUCCESS)
        return ERR_MEMORY;
    cseq->number = sip_text_of(number);
    cseq->method = sip_text_of(method);
    if (!cseq->number || !cseq->method) {
        osip_cseq_free(cseq);
        return ERR_MEMORY;
    }
    *out = cseq;
    return 0;
}

/* word [ "@" word ] (RFC 3261 §25.1) */
static bool is_word_byte(char c)
{
    return sip_is_token_byte(c) || (c != '\0' && strchr("()<>:\\\"/[]?{}", c));
}

int sip_value_read_call_id(struct span text, osip_call_id_t **out)
{
    *out = NULL;
    struct sip_cursor cursor = sip_cursor_over(text);
    struct span number = sip_take_while(&cursor, is_word_byte), host = {NULL, 0};
    if (!sip_cursor_done(&cursor) && *cursor.at == '@') {
        cursor.at++;
        host = sip_take_while(&cursor, is_word_byte);
        if (host.length == 0)
            return ERR_MALFORMED;
    }
    if (number.length == 0 || !sip_cursor_done(&cursor))
        return ERR_MALFORMED;
    osip_call_id_t *call_id;
    if (osip_call_id_init(&call_id) != OSIP_SUCCESS)
        return ERR_MEMORY;
    call_id->number = sip_text_of(number);
    call_id->host = host.bytes ? sip_text_of(host) : NULL;
    if (!call_id->number || (host.bytes && !call_id->host)) {
        osip_call_id_free(call_id);
        return ERR_MEMORY;
    }
    *out = call_id;
    return 0;
}

static int read_content_type(struct sip_cursor *cursor, osip_content_type_t *type)
{
    struct span main = sip_take_token(cursor);
    if (main.length == 0 || !sip_take_separator(cursor, '/'))
        return ERR_MALFORMED;
    struct span sub = sip_take_token(cursor);
    if (sub.length == 0)
        return ERR_MALFORMED;
    type->type = sip_text_of(main);
    type->subtype = sip_text_of(sub);
    if (!type->type || !type->subtype)
        return ERR_MEMORY;
    return read_parameters(cursor, &type->gen_params);
}

int sip_value_read_content_type(struct span text, osip_content_type_t **out)
{
    *out = NULL;
    osip_content_type_t *type;
    if (osip_content_type_init(&type) != OSIP_SUCCESS)
        return ERR_MEMORY;
    struct sip_cursor cursor = sip_cursor_over(text);
    int result = read_content_type(&cursor, type);
    if (result < 0) {
        osip_content_type_free(type);
        return result;
    }
    *out = type;
    return 0;
}
