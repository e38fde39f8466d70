/* SPDX-License-Identifier: BSD-3-Clause
 * What comes in tells the same whatever pieces it comes in: the same events, the same payload, the same failure. Text
 * is UTF-8, no message is longer than allowed, nothing follows a close, and nothing is held between frames. The first
 * byte of the input chooses role and pieces. */
#include "harness.h"

#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "ws/session.h"

#define MESSAGE_MAX 4096
#define INPUT_MAX   65536

struct heard {
    uint8_t payload[INPUT_MAX];
    size_t length, message_start;
    unsigned messages, pings, pongs, control_bytes;
    uint16_t code, failure;
};

static struct ws_receivers receivers;
static struct heard heard, again;

static void note_payload(struct heard *out, const struct ws_event *event)
{
    assert(event->length <= INPUT_MAX - out->length);
    if (event->length > 0)
        memcpy(out->payload + out->length, event->bytes, event->length);
    out->length += event->length;
    assert(out->length - out->message_start <= MESSAGE_MAX);
    if (!event->last)
        return;
    assert(!event->text || ws_utf8_valid(out->payload + out->message_start, out->length - out->message_start));
    out->message_start = out->length;
    out->messages++;
}

static void note(struct heard *out, const struct ws_event *event)
{
    assert(out->code == 0 && out->failure == 0);
    if (event->kind == WS_EVENT_PAYLOAD) {
        note_payload(out, event);
        return;
    }
    assert(event->length <= WS_CONTROL_MAX);
    out->pings += event->kind == WS_EVENT_PING;
    out->pongs += event->kind == WS_EVENT_PONG;
    for (size_t i = 0; i < event->length; i++)
        out->control_bytes = out->control_bytes * 31 + event->bytes[i];
    if (event->kind == WS_EVENT_CLOSE) {
        assert(event->code >= 1000 && event->code <= 4999 && ws_utf8_valid(event->bytes, event->length));
        out->code = event->code;
    }
}

static void hear(struct heard *out, enum ws_role role, const uint8_t *bytes, size_t length, size_t piece)
{
    memset(out, 0, sizeof *out);
    struct ws_session session;
    ws_session_init(&session, role, &receivers, MESSAGE_MAX);
    for (size_t at = 0; at < length; at += piece) {
        struct ws_event event;
        int failure = ws_session_feed(&session, bytes + at, length - at < piece ? length - at : piece);
        int result;
        assert(failure == 0);
        while ((result = ws_session_next(&session, &event)) == 1)
            note(out, &event);
        assert(result == 0 || (result == ERR_MALFORMED && out->failure == 0));
        if (result == ERR_MALFORMED)
            out->failure = session.failure;
    }
    assert((out->failure != 0 || out->code != 0) == session.ended);
    ws_session_fini(&session);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length < 2 || length > INPUT_MAX)
        return 0;
    enum ws_role role = bytes[0] & 1 ? WS_CLIENT : WS_SERVER;
    size_t piece = (size_t)(bytes[0] >> 1) + 1;
    bytes++;
    length--;
    hear(&heard, role, bytes, length, length);
    hear(&again, role, bytes, length, piece);
    assert(heard.failure == again.failure && heard.code == again.code && heard.messages == again.messages);
    assert(heard.pings == again.pings && heard.pongs == again.pongs && heard.control_bytes == again.control_bytes);
    /* Of a message that fails, less may have been told before it did. */
    assert(heard.failure != 0 ||
           (heard.length == again.length && memcmp(heard.payload, again.payload, heard.length) == 0));
    return 0;
}
