/* SPDX-License-Identifier: BSD-3-Clause */
#include "edge/authorization.h"

#include "base/error.h"

static struct span scheme_of(struct span value)
{
    const char *at = value.bytes, *end = at + value.length;
    while (at < end && *at != ' ' && *at != '\t' && *at != '\r' && *at != '\n')
        at++;
    return (struct span){value.bytes, (size_t)(at - (const char *)value.bytes)};
}

static struct span behind_scheme(struct span value)
{
    size_t length = scheme_of(value).length;
    return span_trimmed((struct span){(const char *)value.bytes + length, value.length - length});
}

static struct span parameter_name(struct span parameter)
{
    const char *equals = memchr(parameter.bytes, '=', parameter.length);
    size_t length = equals ? (size_t)(equals - (const char *)parameter.bytes) : parameter.length;
    return span_trimmed((struct span){parameter.bytes, length});
}

static struct span parameter_value(struct span parameter)
{
    const char *equals = memchr(parameter.bytes, '=', parameter.length);
    const char *end = (const char *)parameter.bytes + parameter.length;
    return equals ? span_trimmed((struct span){equals + 1, (size_t)(end - equals - 1)}) : (struct span){end, 0};
}

bool edge_parameter_find(struct span list, const char *name, struct span *out)
{
    struct span parameter;
    while (raw_list_next(&list, &parameter))
        if (span_is(parameter_name(parameter), name)) {
            *out = span_unquoted(parameter_value(parameter));
            return true;
        }
    return false;
}

bool edge_authorization_parameter(struct span value, const char *name, struct span *out)
{
    return edge_parameter_find(behind_scheme(value), name, out);
}

/* `name=token` or `name="quoted"` and nothing behind it, without a backslash: two readers must not find two different
 * sets of parameters here. */
static bool parameter_is_plain(struct span parameter)
{
    struct span name = parameter_name(parameter), value = parameter_value(parameter);
    const char *text = value.bytes;
    bool quoted = value.length >= 2 && text[0] == '"' && text[value.length - 1] == '"';
    if (name.length == 0 || value.length == 0)
        return false;
    if (quoted)
        value = span_unquoted(value);
    return !memchr(value.bytes, '"', value.length) && !memchr(value.bytes, '\\', value.length) &&
           (quoted || (!memchr(value.bytes, ' ', value.length) && !memchr(value.bytes, '\t', value.length)));
}

static bool digest_is_plain(struct span value)
{
    struct span list = behind_scheme(value), parameter;
    while (raw_list_next(&list, &parameter))
        if (!parameter_is_plain(parameter))
            return false;
    return true;
}

static bool read_digest(struct span value, struct edge_authorization *out)
{
    struct span qop;
    if (!digest_is_plain(value) || (out->digest && !edge_authorization_parameter(value, "username", &qop)))
        return false;
    out->digest = true;
    edge_authorization_parameter(value, "username", &out->username);
    if (edge_authorization_parameter(value, "qop", &qop))
        out->auth_int |= span_is(qop, "auth-int");
    return true;
}

static unsigned read_token(const struct edge *edge, struct span token, struct now now, struct edge_authorization *out)
{
    const char *reason = "";
    if (!edge->settings->tokens)
        return 0; /* it is dropped; the core asks for what it wants */
    if (out->bearer)
        return 400;
    int result = token_verify(edge->settings->tokens, token, now.wall_s, &out->identity, &reason);
    if (result != 0) {
        edge_say(edge, false, "a token was refused: %s", reason ? reason : error_text(result));
        return 401;
    }
    out->bearer = true;
    return 0;
}

unsigned edge_authorization_read(const struct edge *edge, const struct edge_message *request, struct now now,
                                 struct edge_authorization *out)
{
    *out = (struct edge_authorization){0};
    for (unsigned i = 0; i < request->field_count; i++) {
        const struct raw_field *field = &request->fields[i];
        struct span token;
        unsigned status = 0;
        if (!raw_name_is(field->name, "Authorization"))
            continue;
        int result = token_of_authorization(field->value, &token);
        if (result == 0)
            status = read_token(edge, token, now, out);
        else if (result == ERR_MALFORMED)
            status = edge->settings->tokens ? 401 : 0;
        else if (span_is(scheme_of(field->value), "Digest") && !read_digest(field->value, out))
            status = 400;
        if (status != 0)
            return status;
    }
    return 0;
}

/* The parameters of |value| but for those of |dropped|, which ends with NULL. */
static void write_without(struct span value, const char *const *dropped, struct text *text)
{
    struct span list = behind_scheme(value), parameter;
    const char *separator = " ";
    text_add_span(text, scheme_of(value));
    while (raw_list_next(&list, &parameter)) {
        bool drop = false;
        for (unsigned i = 0; dropped[i]; i++)
            drop |= span_is(parameter_name(parameter), dropped[i]);
        if (drop)
            continue;
        text_add(text, "%s", separator);
        text_add_span(text, parameter);
        separator = ", ";
    }
}

void edge_authorization_write(const struct edge_message *request, const char *name, const char *protection,
                              struct text *text)
{
    static const char *const dropped[] = {"integrity-protected", NULL};
    for (unsigned i = 0; i < request->field_count; i++) {
        const struct raw_field *field = &request->fields[i];
        if (!raw_name_is(field->name, name) || !span_is(scheme_of(field->value), "Digest") ||
            !digest_is_plain(field->value))
            continue;
        struct text value = {0};
        write_without(field->value, dropped, &value);
        if (protection)
            text_add(&value, ", integrity-protected=\"%s\"", protection);
        text->failed |= value.failed;
        text_add_field(text, name, text_span(&value));
        text_fini(&value);
    }
}

void edge_authorization_write_done(const struct edge *edge, const struct token_identity *identity, struct text *text)
{
    const char *domain = edge->settings->domain;
    text_add(text,
             "Authorization: Digest username=\"%s\", realm=\"%s\", nonce=\"\", uri=\"sip:%s\", response=\"\", "
             "integrity-protected=\"auth-done\"\r\n",
             identity->impi, domain, domain);
}

void edge_challenge_write(const struct edge *edge, const char *error, struct text *text)
{
    const struct edge_settings *settings = edge->settings;
    text_add(text, "WWW-Authenticate: Bearer realm=\"%s\"", settings->domain);
    if (settings->bearer_challenge)
        text_add(text, ", authz_server=\"%s\"", settings->bearer_challenge);
    if (error)
        text_add(text, ", error=\"%s\"", error);
    text_add(text, "\r\n");
}

void edge_challenges_pass(const struct edge_message *response, struct text *text)
{
    static const char *const keys[] = {"ck", "ik", NULL};
    for (unsigned i = 0; i < response->field_count; i++) {
        const struct raw_field *field = &response->fields[i];
        struct text value = {0};
        if (!raw_name_is(field->name, "WWW-Authenticate"))
            continue;
        if (span_is(scheme_of(field->value), "Digest"))
            write_without(field->value, keys, &value);
        else
            text_add_span(&value, field->value);
        text->failed |= value.failed;
        text_add_field(text, "WWW-Authenticate", text_span(&value));
        text_fini(&value);
    }
}
