/* SPDX-License-Identifier: BSD-3-Clause */
#include "http/body.h"

#include "base/error.h"

enum state {
    ENDED,
    COUNTED, /* |left| bytes */
    UNTIL_CLOSE,
    SIZE,          /* of a chunk: digits */
    EXTENSION,     /* behind them, to the end of the line */
    SIZE_END,      /* its LF */
    DATA,          /* |left| bytes */
    DATA_END,      /* CR behind them */
    DATA_LF,       /* LF */
    TRAILER_START, /* a field, or the empty line */
    TRAILER,       /* within a field */
    TRAILER_END,   /* its LF */
    LAST_LF,       /* of the empty line */
    FAILED,
};

static struct http_body body_of(struct http_framing framing, bool trailers)
{
    struct http_body body = {.state = ENDED, .trailers = trailers, .left = framing.content_length};
    if (framing.chunked)
        body.state = SIZE;
    else if (framing.content_length > 0)
        body.state = COUNTED;
    return body;
}

struct http_body http_body_of_request(const struct http_head *head)
{
    return body_of((struct http_framing){.chunked = head->chunked, .content_length = head->content_length}, false);
}

/* RFC 9112 §6.3 */
struct http_body http_body_of_response(const struct http_response_head *head, bool to_head)
{
    if (to_head || head->status < 200 || head->status == 204 || head->status == 304)
        return (struct http_body){.state = ENDED};
    if (!head->framing.chunked && !head->framing.has_length)
        return (struct http_body){.state = UNTIL_CLOSE};
    return body_of(head->framing, true);
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool is_text(uint8_t c)
{
    return (c >= ' ' && c != 0x7f) || c == '\t';
}

/* At least one digit; then nothing, or an extension. */
static enum state take_size(struct http_body *body, uint8_t c)
{
    bool first = body->gathered == 1;
    int digit = hex_value(c);
    if (digit < 0)
        return first ? FAILED : c == '\r' ? SIZE_END : c == ';' ? EXTENSION : FAILED;
    if (!first && body->left >> 59 != 0) /* others count with a sign */
        return FAILED;
    body->left = (first ? 0 : body->left * 16) + (uint64_t)digit;
    return SIZE;
}

static enum state start_trailer(struct http_body *body, uint8_t c)
{
    if (c == '\r')
        return LAST_LF;
    /* A field's name is a token, so no white space may begin it, nor a colon. */
    return body->trailers && is_text(c) && c != ' ' && c != '\t' && c != ':' ? TRAILER : FAILED;
}

static enum state expect(uint8_t c, uint8_t expected, enum state next)
{
    return c == expected ? next : FAILED;
}

/* Takes a byte that is no data. */
static enum state take_byte(struct http_body *body, uint8_t c)
{
    enum state state = body->state;
    switch (state) {
    case SIZE:
        return take_size(body, c);
    case EXTENSION:
        return c == '\r' ? SIZE_END : is_text(c) ? EXTENSION : FAILED;
    case SIZE_END:
        body->gathered = 0;
        return expect(c, '\n', body->left > 0 ? DATA : TRAILER_START);
    case DATA_END:
        return expect(c, '\r', DATA_LF);
    case DATA_LF:
        body->gathered = 0;
        return expect(c, '\n', SIZE);
    case TRAILER_START:
        return start_trailer(body, c);
    case TRAILER:
        return c == '\r' ? TRAILER_END : is_text(c) ? TRAILER : FAILED;
    case TRAILER_END:
        return expect(c, '\n', TRAILER_START);
    case LAST_LF:
        return expect(c, '\n', ENDED);
    default:
        return FAILED;
    }
}

static bool too_long(const struct http_body *body)
{
    bool trailer = body->state == TRAILER_START || body->state == TRAILER || body->state == TRAILER_END;
    return body->gathered > (trailer ? HTTP_TRAILERS_MAX : HTTP_CHUNK_LINE_MAX);
}

/* Takes up to |length| bytes of data. */
static size_t take_data(struct http_body *body, size_t length)
{
    size_t part = body->left < length ? (size_t)body->left : length;
    body->left -= part;
    if (body->left == 0)
        body->state = body->state == DATA ? DATA_END : ENDED;
    return part;
}

int http_body_take(struct http_body *body, const void *bytes, size_t length)
{
    const uint8_t *at = bytes, *end = at + length;
    if (body->state == UNTIL_CLOSE)
        return (int)length;
    while (at < end && body->state != ENDED && body->state != FAILED) {
        if (body->state == COUNTED || body->state == DATA) {
            at += take_data(body, (size_t)(end - at));
            continue;
        }
        body->gathered++;
        body->state = (uint8_t)take_byte(body, *at++);
        if (body->state != ENDED && too_long(body))
            body->state = FAILED;
    }
    return body->state == FAILED ? ERR_MALFORMED : (int)(at - (const uint8_t *)bytes);
}

bool http_body_ended(const struct http_body *body)
{
    return body->state == ENDED;
}

bool http_body_until_close(const struct http_body *body)
{
    return body->state == UNTIL_CLOSE;
}
