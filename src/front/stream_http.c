/* SPDX-License-Identifier: BSD-3-Clause
 * HTTP on a port that serves TURN: one page that says what this is, and an honest error for everything else. */
#include <string.h>

#include "base/error.h"
#include "front/stream.h"
#include "http/head.h"
#include "http/response.h"

/* web/status.html */
extern const unsigned char status_page[];
extern const size_t status_page_length;

struct answer {
    unsigned status;
    const void *body;
    size_t length;
    const char *type;
    bool with_body;
};

static struct answer text_answer(unsigned status, const char *text, size_t length)
{
    return (struct answer){status, text, length, "text/plain; charset=utf-8", true};
}
#define TEXT_ANSWER(status, text) text_answer(status, text, sizeof text - 1)

static struct answer answer_to(const struct http_head *head)
{
    bool get = http_span_equals(head->method, "GET"), only_head = http_span_equals(head->method, "HEAD");
    struct answer answer = TEXT_ANSWER(404, "Not found. This is a relay for the media of calls.\n");
    if (!get && !only_head)
        answer = TEXT_ANSWER(405, "Only GET and HEAD are served here.\n");
    else if (http_span_equals(head->path, "/"))
        answer = (struct answer){200, status_page, status_page_length, "text/html; charset=utf-8", true};
    if (only_head)
        answer.with_body = false;
    return answer;
}

static void respond(struct stream *stream, const struct answer *answer, struct now now)
{
    struct front *front = stream->front;
    staging_flush(front, now); /* its memory takes the response */
    struct http_response response;
    http_response_init(&response, front->staging.bytes, sizeof front->staging.bytes, answer->status, now.wall_s, false);
    http_response_add(&response, "Content-Type", answer->type);
    http_response_add(&response, "X-Content-Type-Options", "nosniff");
    http_response_add(&response, "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
    if (answer->status == 405)
        http_response_add(&response, "Allow", "GET, HEAD");
    int length = http_response_finish(&response, answer->body, answer->length, answer->with_body);
    if (length > 0)
        stream_write(stream, front->staging.bytes, (size_t)length, now);
    stream_leave(stream, now);
}

size_t stream_http(struct stream *stream, const uint8_t *bytes, size_t length, struct now now)
{
    struct http_head head;
    unsigned status;
    struct answer answer;
    if (stream->kind == FRONT_LISTEN_TLS && !stream->tls) {
        answer = TEXT_ANSWER(400, "Only TLS is served on this port: use https:// (or turns:).\n");
    } else {
        int result = http_head_decode(bytes, length, &head, &status);
        if (result == ERR_SHORT)
            return 0;
        if (result > 0)
            answer = answer_to(&head);
        else
            answer = text_answer(status, http_status_reason(status), strlen(http_status_reason(status)));
    }
    respond(stream, &answer, now);
    return length;
}
