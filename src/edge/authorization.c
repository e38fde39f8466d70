/* SPDX-License-Identifier: BSD-3-Clause */
#include "edge/authorization.h"

#include "base/auth_params.h"
#include "base/error.h"
#include "edge/registration.h"

/* The value of the next field |name| from |*index| on, in one line. False at the end. |line| is taken anew each time;
 * it is to be freed at the end. */
static bool next_value(const struct edge_message *message, const char *name, unsigned *index, struct text *line)
{
    text_fini(line);
    for (; *index < message->field_count; (*index)++)
        if (raw_name_is(message->fields[*index].name, name)) {
            text_add_unfolded(line, message->fields[(*index)++].value);
            return true;
        }
    return false;
}

bool edge_authorization_parameter(struct span value, const char *name, struct span *out)
{
    struct auth_params params;
    const struct auth_param *param = auth_params_read(value, &params) == 0 ? auth_params_find(&params, name) : NULL;
    if (param)
        *out = param->value;
    return param;
}

/* A Digest without a backslash: of who does not know escapes, it would hide the end of a value, and a parameter behind
 * it, that another reader does not see. */
static bool read_plain_digest(struct span value, struct auth_params *out)
{
    return !memchr(value.bytes, '\\', value.length) && auth_params_read(value, out) == 0 &&
           auth_params_is(out, "Digest") && out->count > 0;
}

static bool is_digest(struct span value)
{
    return value.length > 6 && span_is((struct span){value.bytes, 6}, "Digest");
}

static bool read_digest(struct span value, struct edge_authorization *out)
{
    struct auth_params params;
    if (!read_plain_digest(value, &params))
        return false;
    out->digests++;
    out->auth_int |= auth_params_equal(&params, "qop", "auth-int", true);
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

static unsigned read_one(const struct edge *edge, struct span value, struct now now, struct edge_authorization *out)
{
    struct span token;
    int result = token_of_authorization(value, &token);
    if (result == 0)
        return read_token(edge, token, now, out);
    if (result == ERR_MALFORMED)
        return edge->settings->tokens ? 401 : 0;
    return is_digest(value) && !read_digest(value, out) ? 400 : 0;
}

unsigned edge_authorization_read(const struct edge *edge, const struct edge_message *request, struct now now,
                                 struct edge_authorization *out)
{
    struct text line = {0};
    unsigned index = 0, status = 0;
    *out = (struct edge_authorization){0};
    while (status == 0 && next_value(request, "Authorization", &index, &line))
        status = line.failed ? 500 : read_one(edge, text_span(&line), now, out);
    text_fini(&line);
    return status;
}

/* |params| as they came, but for those of |dropped|, which ends with NULL. */
static void write_without(const struct auth_params *params, const char *const *dropped, struct text *text)
{
    const char *separator = " ";
    text_add_span(text, params->scheme);
    for (unsigned i = 0; i < params->count; i++) {
        const struct auth_param *param = &params->params[i];
        const char *quote = param->quoted ? "\"" : "";
        bool drop = false;
        for (unsigned j = 0; dropped[j]; j++)
            drop |= span_is(param->name, dropped[j]);
        if (drop)
            continue;
        text_add(text, "%s", separator);
        text_add_span(text, param->name);
        text_add(text, "=%s", quote);
        text_add_span(text, param->value);
        text_add(text, "%s", quote);
        separator = ", ";
    }
}

/* Whether the core has authenticated on this flow who |params| name. Somebody else's registration says nothing. */
static bool is_authenticated(const struct edge_flow *flow, const struct auth_params *params)
{
    const struct auth_param *username = auth_params_find(params, "username");
    struct list *link;
    list_each (link, &flow->registrations) {
        const struct edge_registration *registration = container_of(link, struct edge_registration, link);
        if (username && span_equal(registration->impi, username->value))
            return true;
    }
    return false;
}

void edge_authorization_write(const struct edge_message *request, const char *name, const struct edge_flow *flow,
                              struct text *text)
{
    static const char *const dropped[] = {"integrity-protected", NULL};
    struct text line = {0};
    struct auth_params params;
    unsigned index = 0;
    while (next_value(request, name, &index, &line)) {
        text->failed |= line.failed;
        if (!read_plain_digest(text_span(&line), &params))
            continue;
        text_add(text, "%s: ", name);
        write_without(&params, dropped, text);
        if (flow)
            text_add(text, ", integrity-protected=\"%s\"", is_authenticated(flow, &params) ? "tls-yes" : "tls-pending");
        text_add(text, "\r\n");
    }
    text_fini(&line);
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
    struct text line = {0};
    struct auth_params params;
    unsigned index = 0;
    while (next_value(response, "WWW-Authenticate", &index, &line)) {
        bool digest = is_digest(text_span(&line));
        text->failed |= line.failed;
        if (digest && auth_params_read(text_span(&line), &params) != 0)
            continue; /* what cannot be read might carry a key */
        text_add(text, "WWW-Authenticate: ");
        if (digest)
            write_without(&params, keys, text);
        else
            text_add_span(text, text_span(&line));
        text_add(text, "\r\n");
    }
    text_fini(&line);
}
