/* SPDX-License-Identifier: BSD-3-Clause */
#include "http/forward.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

static const char forwarded_for[] = "X-Forwarded-For";

/* RFC 9110 §7.6.1, and what is written anew. */
static const char *const of_one_hop[] = {
    "Connection",        "Keep-Alive", "Proxy-Connection", "TE",
    "Transfer-Encoding", "Upgrade",    "HTTP2-Settings",   "Content-Length",
};

/* What would tell the server who the client is, and is ours to tell. Programs behind CGI see `Proxy` as HTTP_PROXY and
 * believe it to be a setting (CVE-2016-5385). */
static const char *const of_ours[] = {"Host", "Forwarded", "X-Real-IP", "Proxy", "Proxy-Authorization"};
static const char ours_prefix[] = "X-Forwarded-";

static void write_span(struct writer *writer, struct span span)
{
    writer_bytes(writer, span.bytes, span.length);
}

static void write_text(struct writer *writer, const char *text)
{
    write_span(writer, span_of_text(text));
}

static void write_field(struct writer *writer, struct span name, struct span value)
{
    write_span(writer, name);
    write_text(writer, ": ");
    write_span(writer, value);
    write_text(writer, "\r\n");
}

static void write_named(struct writer *writer, const char *name, const char *value)
{
    write_field(writer, span_of_text(name), span_of_text(value));
}

static void write_number(struct writer *writer, const char *name, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    write_named(writer, name, text);
}

/* Whether |span| begins with |name|: without regard to case, and with `_` for `-`, which are one to CGI and its heirs
 * (RFC 3875 §4.1.18). */
static bool starts_as_cgi_sees_it(struct span span, const char *name, size_t length)
{
    const char *bytes = span.bytes;
    if (span.length < length)
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = bytes[i] == '_' ? '-' : bytes[i];
        char lower = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
        char wanted = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + ('a' - 'A') : name[i]);
        if (lower != wanted)
            return false;
    }
    return true;
}

static bool is_of_ours(struct span name)
{
    for (size_t i = 0; i < sizeof of_ours / sizeof *of_ours; i++) {
        size_t length = strlen(of_ours[i]);
        if (name.length == length && starts_as_cgi_sees_it(name, of_ours[i], length))
            return true;
    }
    return starts_as_cgi_sees_it(name, ours_prefix, sizeof ours_prefix - 1);
}

static bool is_of_one_hop(const struct http_fields *fields, struct span name)
{
    for (size_t i = 0; i < sizeof of_one_hop / sizeof *of_one_hop; i++) {
        size_t length = strlen(of_one_hop[i]);
        if (name.length == length && starts_as_cgi_sees_it(name, of_one_hop[i], length))
            return true;
    }
    return http_fields_list(fields, "Connection", name);
}

static void write_framing(struct writer *writer, const struct http_framing *framing)
{
    if (framing->chunked)
        write_named(writer, "Transfer-Encoding", "chunked");
    else if (framing->has_length)
        write_number(writer, "Content-Length", framing->content_length);
}

static void write_upgrade(struct writer *writer)
{
    write_named(writer, "Connection", "Upgrade");
    write_named(writer, "Upgrade", "websocket");
}

/* With the address last that we see ourselves: a server that believes us takes that one. */
static void write_forwarded_for(struct writer *writer, const struct http_head *head, const struct http_client *client)
{
    struct address without_port = *client->address;
    char text[ADDRESS_TEXT_MAX];
    without_port.port = 0;
    write_text(writer, forwarded_for);
    write_text(writer, ": ");
    const struct http_field *field = client->proxied ? http_head_find(head, forwarded_for) : NULL;
    for (; field; field = http_head_find_next(head, field)) {
        write_span(writer, field->value);
        write_text(writer, ", ");
    }
    write_text(writer, address_format(&without_port, text));
    write_text(writer, "\r\n");
}

/* A server is asked in origin form, or in asterisk form (RFC 9112 §3.2). It is asked in the client's version: a body
 * without length ends with the connection for a client of HTTP/1.0, which knows no chunks. */
static void write_request_line(struct writer *writer, const struct http_head *head)
{
    write_span(writer, head->method);
    write_text(writer, " ");
    bool absolute = *(const char *)head->target.bytes != '/' && head->path.length > 0;
    write_span(writer, absolute ? head->path : head->target);
    if (absolute && head->query.length > 0) {
        write_text(writer, "?");
        write_span(writer, head->query);
    }
    write_text(writer, head->minor_version > 0 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
}

int http_forward_request(const struct http_head *head, const struct http_client *client, bool upgrade, void *memory,
                         size_t size)
{
    struct writer writer = writer_over(memory, size);
    bool names_host = head->host.length > 0 || head->minor_version > 0; /* HTTP/1.0 may leave it out; empty is wrong */
    write_request_line(&writer, head);
    if (names_host)
        write_field(&writer, span_of_text("Host"), head->host);
    for (unsigned i = 0; i < head->fields.count; i++) {
        const struct http_field *field = &head->fields.items[i];
        if (!is_of_one_hop(&head->fields, field->name) && !is_of_ours(field->name))
            write_field(&writer, field->name, field->value);
    }
    struct http_framing framing = {.chunked = head->chunked,
                                   .has_length = http_head_find(head, "Content-Length") != NULL,
                                   .content_length = head->content_length};
    write_framing(&writer, &framing);
    write_forwarded_for(&writer, head, client);
    write_named(&writer, "X-Forwarded-Proto", client->secure ? "https" : "http");
    if (names_host)
        write_field(&writer, span_of_text("X-Forwarded-Host"), head->host);
    if (upgrade)
        write_upgrade(&writer);
    write_text(&writer, "\r\n");
    return writer.failed ? ERR_FULL : (int)writer_length(&writer);
}

static void write_status_line(struct writer *writer, const struct http_response_head *head)
{
    char text[sizeof "HTTP/1.1 200 "];
    snprintf(text, sizeof text, "HTTP/1.1 %03u ", head->status % 1000);
    write_text(writer, text);
    write_span(writer, head->reason);
    write_text(writer, "\r\n");
}

int http_forward_response(const struct http_response_head *head, bool keep_alive, void *memory, size_t size)
{
    struct writer writer = writer_over(memory, size);
    write_status_line(&writer, head);
    for (unsigned i = 0; i < head->fields.count; i++) {
        const struct http_field *field = &head->fields.items[i];
        if (!is_of_one_hop(&head->fields, field->name))
            write_field(&writer, field->name, field->value);
    }
    if (head->status >= 200 && head->status != 204) /* RFC 9112 §6.1, RFC 9110 §8.6 */
        write_framing(&writer, &head->framing);
    if (head->status == 101)
        write_upgrade(&writer);
    else if (!keep_alive && head->status >= 200)
        write_named(&writer, "Connection", "close");
    write_text(&writer, "\r\n");
    return writer.failed ? ERR_FULL : (int)writer_length(&writer);
}
