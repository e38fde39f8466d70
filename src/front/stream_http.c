/* SPDX-License-Identifier: BSD-3-Clause
 * HTTP/1.1 on a port that serves TURN: requests one after the other, each for whom its path says. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "front/backend.h"
#include "front/challenge.h"
#include "front/routes.h"
#include "front/stream.h"
#include "http/response.h"
#include "ws/upgrade.h"

#define REQUESTS_MAX 100 /* of a connection; it counts as half open all the while */
#define LOCATION_MAX (HTTP_TARGET_MAX + 512)

#define POLICY_NONE "default-src 'none'"
/* What the pages need: scripts, styles and a picture of their own, and requests and WebSockets to this server.
 * Safari's 'self' does not cover WebSockets. */
#define POLICY_PAGES                                                                                                \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src blob:; connect-src 'self' " \
    "wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

struct answer {
    unsigned status;
    const char *type, *policy;
    struct span body;
    bool is_static; /* |body| outlives the answer, and may be long */
    struct {
        const char *name, *value;
    } fields[4]; /* further ones; NULL: none */
};

static struct answer text_answer(unsigned status, const char *text)
{
    return (struct answer){
        .status = status, .type = "text/plain; charset=utf-8", .policy = POLICY_NONE, .body = span_of_text(text)};
}

/* What is asked, and where the answer goes. */
struct exchange {
    struct stream *stream;
    const struct http_head *head; /* NULL where it could not be read */
    bool head_only, keep_alive;
    struct now now;
};

/* A body is not read: what follows it would be taken for a request. */
static struct exchange exchange_begin(struct stream *stream, const struct http_head *head, struct now now)
{
    struct exchange exchange = {.stream = stream, .head = head, .now = now};
    stream->requests++;
    if (!head)
        return exchange;
    exchange.head_only = http_span_equals(head->method, "HEAD");
    exchange.keep_alive = head->keep_alive && !head->chunked && head->content_length == 0 &&
                          stream->requests < REQUESTS_MAX && !stream->input_ended;
    return exchange;
}

/* Writes what is left of a static body until the socket is full. Once the last byte has left comes the next request, or
 * the end. */
static void go_on(struct stream *stream, struct now now)
{
    while (stream->http_body.length > 0 && !stream->doomed && !stream_congested(stream)) {
        const uint8_t *bytes = stream->http_body.bytes;
        size_t part = stream->http_body.length < TLS_RECORD_MAX ? stream->http_body.length : TLS_RECORD_MAX;
        stream->http_body = (struct span){bytes + part, stream->http_body.length - part};
        stream_write(stream, bytes, part, now);
    }
    if (stream->doomed || stream_congested(stream))
        return;
    if (stream->http_ends) {
        stream_leave(stream, now);
        return;
    }
    stream->quiet_deadline_ns = now.monotonic_ns + stream->front->settings->idle_timeout_s * NS_PER_S;
    stream_rearm(stream);
}

/* The answer, |length| bytes of staging memory, is complete but for |rest|. */
static void send_answer(const struct exchange *exchange, size_t length, struct span rest)
{
    struct stream *stream = exchange->stream;
    stream->http_ends = !exchange->keep_alive;
    stream->http_body = rest;
    stream->quiet_deadline_ns = TIME_NEVER; /* while it takes bytes it may take its time */
    stream_rearm(stream);
    stream_write(stream, stream->front->staging.bytes, length, exchange->now);
    go_on(stream, exchange->now);
}

/* Writes the head of |answer|, and a body that is not static. Returns the length, or ERR_FULL. */
static int write_answer(const struct exchange *exchange, const struct answer *answer)
{
    struct staging *staging = &exchange->stream->front->staging;
    struct http_response response;
    http_response_init(&response, staging->bytes, sizeof staging->bytes, answer->status, exchange->now.wall_s,
                       exchange->keep_alive);
    if (answer->type)
        http_response_add(&response, "Content-Type", answer->type);
    http_response_add(&response, "X-Content-Type-Options", "nosniff");
    http_response_add(&response, "Referrer-Policy", "no-referrer");
    http_response_add(&response, "Content-Security-Policy", answer->policy);
    for (size_t i = 0; i < sizeof answer->fields / sizeof *answer->fields && answer->fields[i].name; i++)
        http_response_add(&response, answer->fields[i].name, answer->fields[i].value);
    return http_response_finish(&response, answer->body.bytes, answer->body.length,
                                !answer->is_static && !exchange->head_only);
}

static void respond(const struct exchange *exchange, const struct answer *answer)
{
    struct stream *stream = exchange->stream;
    staging_flush(stream->front, exchange->now); /* its memory takes the answer */
    int length = write_answer(exchange, answer);
    if (length < 0) {
        stream_doom(stream, FRONT_LOG_ERROR, "closed: its answer could not be written");
        return;
    }
    bool more = answer->is_static && !exchange->head_only;
    send_answer(exchange, (size_t)length, more ? answer->body : (struct span){"", 0});
}

static void respond_text(const struct exchange *exchange, unsigned status, const char *text)
{
    struct answer answer = text_answer(status, text);
    respond(exchange, &answer);
}

static void respond_method_not_allowed(const struct exchange *exchange, const char *allowed)
{
    struct answer answer = text_answer(405, "This method is not served here.\n");
    answer.fields[0].name = "Allow";
    answer.fields[0].value = allowed;
    respond(exchange, &answer);
}

/* Whether |method| is one of |methods|, such as "GET, OPTIONS". */
static bool method_is_among(struct span method, const char *methods)
{
    for (const char *at = methods; *at; at += strspn(at, ", ")) {
        size_t length = strcspn(at, ", ");
        if (span_equal(method, (struct span){at, length}))
            return true;
        at += length;
    }
    return false;
}

static bool only_reads(const struct exchange *exchange)
{
    if (method_is_among(exchange->head->method, "GET, HEAD"))
        return true;
    respond_method_not_allowed(exchange, "GET, HEAD");
    return false;
}

/* The host that was asked, without its port. An IPv6 address has colons of its own. */
static size_t host_length(struct span host)
{
    const char *text = host.bytes;
    size_t length = host.length;
    while (length > 0 && text[length - 1] >= '0' && text[length - 1] <= '9')
        length--;
    return length > 0 && text[length - 1] == ':' ? length - 1 : host.length;
}

/* The same page by TLS. Behind a balancer it is the balancer that has the port that people use. */
static bool redirect(const struct exchange *exchange)
{
    const struct stream *stream = exchange->stream;
    const struct http_head *head = exchange->head;
    unsigned port = stream->front->settings->https_port;
    if (stream->secure || port == 0 || head->host.length == 0)
        return false;
    char location[LOCATION_MAX], port_text[8] = "";
    if (port != 443 && !stream->proxied)
        snprintf(port_text, sizeof port_text, ":%u", port);
    int length =
        snprintf(location, sizeof location, "https://%.*s%s%.*s%s%.*s", (int)host_length(head->host),
                 (const char *)head->host.bytes, port_text, (int)head->path.length, (const char *)head->path.bytes,
                 head->query.length > 0 ? "?" : "", (int)head->query.length, (const char *)head->query.bytes);
    if (length < 0 || (size_t)length >= sizeof location)
        return false;
    struct answer answer = text_answer(308, "This page is served by https:// only.\n");
    answer.fields[0].name = "Location";
    answer.fields[0].value = location;
    respond(exchange, &answer);
    return true;
}

static void serve_page(const struct exchange *exchange, const struct front_page *page)
{
    if (!only_reads(exchange) || redirect(exchange))
        return;
    struct answer answer = {
        .status = 304,
        .policy = POLICY_PAGES,
        .is_static = true,
        .fields = {{"ETag", page->tag}, {"Cache-Control", "no-cache"}, {"Vary", "Accept-Encoding"}},
    };
    if (!http_head_lists(exchange->head, "If-None-Match", page->tag)) {
        answer.status = 200;
        answer.type = page->type;
        answer.body = (struct span){page->bytes, page->length};
        if (page->gzip && http_head_lists(exchange->head, "Accept-Encoding", "gzip")) {
            answer.body = (struct span){page->gzip, page->gzip_length};
            answer.fields[3].name = "Content-Encoding";
            answer.fields[3].value = "gzip";
        }
    }
    respond(exchange, &answer);
}

static void serve_challenge(const struct exchange *exchange, struct span token)
{
    char file[CHALLENGE_MAX];
    if (!only_reads(exchange))
        return;
    int length = challenge_read(exchange->stream->front->settings->acme_directory, token, file, sizeof file);
    struct answer answer = text_answer(404, "There is no such challenge.\n");
    if (length >= 0)
        answer = (struct answer){
            .status = 200, .type = "application/octet-stream", .policy = POLICY_NONE, .body = {file, (size_t)length}};
    respond(exchange, &answer);
}

static void serve_service(const struct exchange *exchange, const struct front_http_service *service)
{
    struct stream *stream = exchange->stream;
    struct front *front = stream->front;
    if (service->secure_only && !stream->secure) {
        respond_text(exchange, 403, "This is served by https:// only.\n");
        return;
    }
    if (!method_is_among(exchange->head->method, service->methods)) {
        respond_method_not_allowed(exchange, service->methods);
        return;
    }
    struct front_http_request request = {
        .head = exchange->head, .client = &stream->flow.client, .secure = stream->secure, .now = exchange->now};
    staging_flush(front, exchange->now);
    int length =
        service->answer(service->context, &request, exchange->keep_alive, front->staging.bytes, FRONT_HTTP_ANSWER_MAX);
    if (length > 0)
        send_answer(exchange, (size_t)length, (struct span){"", 0});
    else
        respond_text(exchange, 500, "This failed; the server's log may say why.\n");
}

static void respond_upgrade_required(const struct exchange *exchange)
{
    struct answer answer = text_answer(426, "This is a WebSocket of version " WS_VERSION ".\n");
    answer.fields[0].name = "Connection";
    answer.fields[0].value = "Upgrade";
    answer.fields[1].name = "Upgrade";
    answer.fields[1].value = "websocket";
    answer.fields[2].name = "Sec-WebSocket-Version";
    answer.fields[2].value = WS_VERSION;
    respond(exchange, &answer);
}

/* RFC 6455 §4.2.2. */
static void accept_upgrade(const struct exchange *exchange, const char *protocol)
{
    struct stream *stream = exchange->stream;
    uint8_t *memory = stream->front->staging.bytes;
    struct http_response response;
    char accept[WS_ACCEPT_SIZE];
    ws_accept(http_head_find(exchange->head, WS_KEY_FIELD)->value, accept);
    http_response_init(&response, memory, sizeof stream->front->staging.bytes, 101, exchange->now.wall_s, true);
    http_response_add(&response, "Upgrade", "websocket");
    http_response_add(&response, "Connection", "Upgrade");
    http_response_add(&response, "Sec-WebSocket-Accept", accept);
    if (protocol)
        http_response_add(&response, WS_PROTOCOLS, protocol);
    int length = http_response_finish(&response, NULL, 0, false);
    if (length > 0)
        stream_write(stream, memory, (size_t)length, exchange->now);
}

/* Becomes a WebSocket, or answers why not. */
static void upgrade(const struct exchange *exchange, bool turn, const char *protocol)
{
    struct stream *stream = exchange->stream;
    switch (ws_upgrade_check(exchange->head)) {
    case WS_UPGRADE_NOT_ASKED:
    case WS_UPGRADE_VERSION:
        respond_upgrade_required(exchange);
        return;
    case WS_UPGRADE_BAD:
        respond_text(exchange, 400, "This is no right request for a WebSocket (RFC 6455).\n");
        return;
    case WS_UPGRADE_GOOD:
        break;
    }
    staging_flush(stream->front, exchange->now);
    unsigned refusal = websocket_open(stream, turn, exchange->now);
    if (refusal != 0)
        respond_text(exchange, refusal, "No further WebSocket can be served now.\n");
    else
        accept_upgrade(exchange, protocol);
}

static void serve_sip(const struct exchange *exchange)
{
    struct stream *stream = exchange->stream;
    if (!stream->secure)
        respond_text(exchange, 403, "SIP is served over TLS only: use wss://.\n");
    else if (ws_upgrade_asked(exchange->head) && !http_head_lists(exchange->head, WS_PROTOCOLS, "sip"))
        respond_text(exchange, 400, "Sec-WebSocket-Protocol has to offer sip (RFC 7118).\n");
    else if (!front_origin_allowed(stream->front->settings, exchange->head))
        respond_text(exchange, 403, "Pages of this origin may not use this server: see edge.origins.\n");
    else
        upgrade(exchange, false, "sip");
}

static void serve_turn(const struct exchange *exchange)
{
    upgrade(exchange, true, http_head_lists(exchange->head, WS_PROTOCOLS, "turn") ? "turn" : NULL);
}

static void serve(const struct exchange *exchange)
{
    const struct front *front = exchange->stream->front;
    struct front_route route = front_route_find(front->settings, front->websocket_user != NULL, exchange->head);
    switch (route.kind) {
    case ROUTE_PAGE:
        serve_page(exchange, route.page);
        return;
    case ROUTE_SERVICE:
        serve_service(exchange, route.service);
        return;
    case ROUTE_CHALLENGE:
        serve_challenge(exchange, route.token);
        return;
    case ROUTE_SIP:
        serve_sip(exchange);
        return;
    case ROUTE_TURN:
        serve_turn(exchange);
        return;
    case ROUTE_BACKEND:
        backend_forward(exchange->stream, exchange->head,
                        exchange->head->keep_alive && exchange->stream->requests < REQUESTS_MAX, exchange->now);
        return;
    case ROUTE_NOBODY:
        respond_text(exchange, 404, "Not found. This is a relay for calls.\n");
        return;
    }
}

size_t stream_http(struct stream *stream, const uint8_t *bytes, size_t length, struct now now)
{
    if (stream_congested(stream))
        return 0;
    if (stream->kind == FRONT_LISTEN_TLS && !stream->tls) {
        struct exchange exchange = exchange_begin(stream, NULL, now);
        respond_text(&exchange, 400, "Only TLS is served on this port: use https:// (or turns:).\n");
        return length;
    }
    struct http_head head;
    unsigned status;
    int taken = http_head_decode(bytes, length, &head, &status);
    if (taken == ERR_SHORT)
        return 0;
    struct exchange exchange = exchange_begin(stream, taken > 0 ? &head : NULL, now);
    if (taken < 0) {
        char text[64];
        snprintf(text, sizeof text, "%s.\n", http_status_reason(status));
        respond_text(&exchange, status, text);
        return length;
    }
    serve(&exchange);
    return (size_t)taken;
}

void stream_http_drained(struct stream *stream, struct now now)
{
    if (stream->requests > 0)
        go_on(stream, now);
    if (stream->doomed || stream->stage != STREAM_HTTP || stream_congested(stream))
        return;
    stream_go_on(stream, now);
    if (stream->input_ended && stream->stage == STREAM_HTTP && !stream_congested(stream))
        stream_leave(stream, now);
}

void stream_http_refuse(struct stream *stream, unsigned status, const char *text, bool head_only, struct now now)
{
    struct exchange exchange = {.stream = stream, .head_only = head_only, .now = now};
    stream->stage = STREAM_HTTP;
    respond_text(&exchange, status, text);
}

void stream_http_answered(struct stream *stream, bool keep_alive, struct now now)
{
    if (stream->doomed || stream->stage != STREAM_BACKEND)
        return;
    stream->stage = STREAM_HTTP;
    stream->bridge_full = false;
    stream->http_ends = !keep_alive;
    if (!stream_congested(stream))
        stream_http_drained(stream, now);
    stream_watch(stream);
}
