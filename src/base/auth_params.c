/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/auth_params.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"

struct text {
    const char *at, *end;
};

static bool is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 9110 §5.6.2 */
static bool is_token_byte(char c)
{
    return is_alphanumeric(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

/* RFC 9110 §11.2, but for the padding at its end */
static bool is_token68_byte(char c)
{
    return is_alphanumeric(c) || (c != '\0' && strchr("-._~+/", c));
}

static bool is_equal_sign(char c)
{
    return c == '=';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_control(char c)
{
    return ((uint8_t)c < ' ' && c != '\t') || c == 0x7f;
}

static struct span take_while(struct text *text, bool (*is)(char c))
{
    const char *first = text->at;
    while (text->at < text->end && is(*text->at))
        text->at++;
    return (struct span){first, (size_t)(text->at - first)};
}

/* Takes |c| with the white space around it. */
static bool take_separator(struct text *text, char c)
{
    struct text ahead = *text;
    take_while(&ahead, is_blank);
    if (ahead.at == ahead.end || *ahead.at != c)
        return false;
    ahead.at++;
    take_while(&ahead, is_blank);
    *text = ahead;
    return true;
}

static bool same_name(struct span a, struct span b)
{
    return a.length == b.length && strncasecmp(a.bytes, b.bytes, a.length) == 0;
}

/* What stands between the quotes. False where no quoted string begins here or it does not end. */
static bool take_quoted(struct text *text, struct span *out)
{
    if (text->at == text->end || *text->at != '"')
        return false;
    const char *first = text->at + 1;
    for (const char *at = first; at < text->end; at++) {
        if (is_control(*at))
            return false;
        if (*at == '"') {
            *out = (struct span){first, (size_t)(at - first)};
            text->at = at + 1;
            return true;
        }
        if (*at == '\\' && (++at == text->end || is_control(*at)))
            return false;
    }
    return false;
}

static int take_param(struct text *text, struct auth_params *out)
{
    struct auth_param param = {.name = take_while(text, is_token_byte)};
    if (param.name.length == 0 || !take_separator(text, '='))
        return ERR_MALFORMED;
    param.quoted = take_quoted(text, &param.value);
    if (!param.quoted) {
        param.value = take_while(text, is_token_byte);
        if (param.value.length == 0)
            return ERR_MALFORMED;
    }
    /* Which of two nonces counts, two readers may see differently. */
    for (unsigned i = 0; i < out->count; i++) {
        if (same_name(out->params[i].name, param.name))
            return ERR_MALFORMED;
    }
    if (out->count == AUTH_PARAMS_MAX)
        return ERR_TOO_LARGE;
    out->params[out->count++] = param;
    return 0;
}

/* A token68 is all of the rest; a parameter that looks like one goes on behind its equal sign. */
static bool take_token68(struct text text, struct span *out)
{
    const char *first = text.at;
    if (take_while(&text, is_token68_byte).length == 0)
        return false;
    take_while(&text, is_equal_sign);
    struct span token = {first, (size_t)(text.at - first)};
    take_while(&text, is_blank);
    if (text.at != text.end)
        return false;
    *out = token;
    return true;
}

int auth_params_read(struct span text, struct auth_params *out)
{
    const char *bytes = text.bytes;
    struct text rest = {bytes, bytes + text.length};
    if (text.length > AUTH_PARAMS_VALUE_MAX)
        return ERR_TOO_LARGE;
    *out = (struct auth_params){0};
    take_while(&rest, is_blank);
    out->scheme = take_while(&rest, is_token_byte);
    if (out->scheme.length == 0)
        return ERR_MALFORMED;
    size_t blanks = take_while(&rest, is_blank).length;
    if (rest.at == rest.end)
        return 0;
    if (blanks == 0)
        return ERR_MALFORMED;
    if (take_token68(rest, &out->token))
        return 0;
    do {
        int result = take_param(&rest, out);
        if (result < 0)
            return result;
    } while (take_separator(&rest, ','));
    take_while(&rest, is_blank);
    return rest.at == rest.end ? 0 : ERR_MALFORMED;
}

bool auth_params_is(const struct auth_params *params, const char *scheme)
{
    return same_name(params->scheme, span_of_text(scheme));
}

const struct auth_param *auth_params_find(const struct auth_params *params, const char *name)
{
    for (unsigned i = 0; i < params->count; i++) {
        if (same_name(params->params[i].name, span_of_text(name)))
            return &params->params[i];
    }
    return NULL;
}

int auth_params_copy(const struct auth_params *params, const char *name, char *out, size_t size)
{
    const struct auth_param *param = auth_params_find(params, name);
    if (!param)
        return ERR_NOT_FOUND;
    const char *value = param->value.bytes;
    size_t written = 0;
    for (size_t i = 0; i < param->value.length; i++) {
        if (param->quoted && value[i] == '\\')
            i++; /* something follows: the reader saw to it */
        if (written + 1 >= size)
            return ERR_TOO_LARGE;
        out[written++] = value[i];
    }
    if (size == 0)
        return ERR_TOO_LARGE;
    out[written] = '\0';
    return (int)written;
}

bool auth_params_equal(const struct auth_params *params, const char *name, const char *text, bool any_case)
{
    const struct auth_param *param = auth_params_find(params, name);
    if (!param)
        return false;
    const char *value = param->value.bytes;
    size_t at = 0, length = strlen(text);
    for (size_t i = 0; i < param->value.length; i++, at++) {
        if (param->quoted && value[i] == '\\')
            i++;
        if (at == length || (any_case ? strncasecmp(value + i, text + at, 1) != 0 : value[i] != text[at]))
            return false;
    }
    return at == length;
}

bool auth_params_list(const struct auth_params *params, const char *name, const char *token)
{
    const struct auth_param *param = auth_params_find(params, name);
    if (!param)
        return false;
    const char *first = param->value.bytes;
    struct text list = {first, first + param->value.length};
    do {
        take_while(&list, is_blank);
        if (same_name(take_while(&list, is_token_byte), span_of_text(token)))
            return true;
    } while (take_separator(&list, ','));
    return false;
}

static void write_bytes(struct auth_writer *writer, const char *bytes, size_t length)
{
    /* One is kept for the NUL. */
    if (writer->failed || length >= writer->size - writer->length) {
        writer->failed = true;
        return;
    }
    memcpy(writer->text + writer->length, bytes, length);
    writer->length += length;
}

struct auth_writer auth_writer_begin(char *text, size_t size, const char *scheme)
{
    struct auth_writer writer = {.text = text, .size = size, .failed = size == 0, .first = true};
    write_bytes(&writer, scheme, strlen(scheme));
    return writer;
}

static void write_name(struct auth_writer *writer, const char *name)
{
    write_bytes(writer, writer->first ? " " : ", ", writer->first ? 1 : 2);
    writer->first = false;
    write_bytes(writer, name, strlen(name));
    write_bytes(writer, "=", 1);
}

void auth_writer_add(struct auth_writer *writer, const char *name, const char *value)
{
    write_name(writer, name);
    write_bytes(writer, value, strlen(value));
}

void auth_writer_add_quoted(struct auth_writer *writer, const char *name, struct span value)
{
    const char *bytes = value.bytes;
    write_name(writer, name);
    write_bytes(writer, "\"", 1);
    for (size_t i = 0; i < value.length; i++) {
        if (is_control(bytes[i]))
            writer->failed = true;
        if (bytes[i] == '"' || bytes[i] == '\\')
            write_bytes(writer, "\\", 1);
        write_bytes(writer, bytes + i, 1);
    }
    write_bytes(writer, "\"", 1);
}

int auth_writer_end(struct auth_writer *writer)
{
    if (writer->failed)
        return ERR_TOO_LARGE;
    writer->text[writer->length] = '\0';
    return (int)writer->length;
}
