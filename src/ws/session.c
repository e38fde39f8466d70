/* SPDX-License-Identifier: BSD-3-Clause */
#include "ws/session.h"

#include <assert.h>
#include <string.h>
#include <wslay/wslay.h>

#include "base/cursor.h"
#include "base/error.h"
#include "base/memory.h"

struct ws_receiver {
    struct ws_receiver *next_free;
    wslay_frame_context_ptr frames;
    const uint8_t *at, *end; /* what was fed and libwslay has not asked for yet */
    uint64_t asked_for;      /* bytes that it took in all since it was idle, */
    uint64_t accounted;      /* and those of them that were whole frames: between frames both are the same */
    uint64_t offset;         /* of the next payload byte in the frame */
    size_t control_length;
    uint8_t control[WS_CONTROL_MAX];
};

static ssize_t give(uint8_t *out, size_t size, int flags, void *context)
{
    (void)flags;
    struct ws_receiver *receiver = context;
    size_t left = (size_t)(receiver->end - receiver->at), part = left < size ? left : size;
    if (part == 0)
        return -1; /* more bytes are wanted */
    memcpy(out, receiver->at, part);
    receiver->at += part;
    receiver->asked_for += part;
    return (ssize_t)part;
}

static void receiver_destroy(struct ws_receiver *receiver)
{
    wslay_frame_context_free(receiver->frames);
    memory_free(receiver);
}

static struct ws_receiver *receiver_take(struct ws_receivers *receivers)
{
    struct ws_receiver *receiver = receivers->free;
    if (receiver) {
        receivers->free = receiver->next_free;
        return receiver;
    }
    static const struct wslay_frame_callbacks callbacks = {.recv_callback = give};
    receiver = memory_zeroed(1, sizeof *receiver);
    if (receiver && wslay_frame_context_init(&receiver->frames, &callbacks, receiver) == 0)
        return receiver;
    memory_free(receiver);
    return NULL;
}

void ws_receivers_fini(struct ws_receivers *receivers)
{
    while (receivers->free) {
        struct ws_receiver *receiver = receivers->free;
        receivers->free = receiver->next_free;
        receiver_destroy(receiver);
    }
}

void ws_session_init(struct ws_session *session, enum ws_role role, struct ws_receivers *receivers,
                     uint64_t message_max)
{
    *session = (struct ws_session){.receivers = receivers, .role = (uint8_t)role, .message_max = message_max};
}

void ws_session_fini(struct ws_session *session)
{
    /* Within a frame libwslay cannot be told to forget it. */
    if (session->receiver)
        receiver_destroy(session->receiver);
    session->receiver = NULL;
}

int ws_session_feed(struct ws_session *session, const uint8_t *bytes, size_t length)
{
    if (session->ended || length == 0)
        return 0;
    if (!session->receiver)
        session->receiver = receiver_take(session->receivers);
    if (!session->receiver)
        return ERR_MEMORY;
    session->receiver->at = bytes;
    session->receiver->end = bytes + length;
    return 0;
}

/* All that was fed has been taken: between frames the receiver may serve another session. */
static void rest(struct ws_session *session)
{
    struct ws_receiver *receiver = session->receiver;
    if (receiver->asked_for != receiver->accounted)
        return;
    receiver->next_free = session->receivers->free;
    session->receivers->free = receiver;
    session->receiver = NULL;
}

static int fail(struct ws_session *session, uint16_t code)
{
    session->ended = true;
    session->failure = code;
    return ERR_MALFORMED;
}

/* Looks at the head of a frame. Returns 0 or the close code. */
static uint16_t begin_frame(struct ws_session *session, const struct wslay_frame_iocb *frame)
{
    if (frame->rsv != 0 || (frame->mask != 0) != (session->role == WS_SERVER))
        return WS_CLOSE_PROTOCOL;
    switch (frame->opcode) {
    case WS_CLOSE:
    case WS_PING:
    case WS_PONG:
        session->receiver->control_length = 0;
        return 0; /* that they are whole and short libwslay has checked */
    case WS_CONTINUATION:
        if (session->message == 0)
            return WS_CLOSE_PROTOCOL;
        break;
    case WS_TEXT:
    case WS_BINARY:
        if (session->message != 0)
            return WS_CLOSE_PROTOCOL;
        session->message = frame->opcode;
        session->message_length = 0;
        session->utf8 = (struct ws_utf8){0};
        break;
    default:
        return WS_CLOSE_PROTOCOL;
    }
    if (session->message_max == 0)
        return 0;
    /* Both are below 2^63. */
    session->message_length += frame->payload_length;
    return session->message_length > session->message_max ? WS_CLOSE_TOO_LARGE : 0;
}

/* The whole frame came: head, masking key and payload. */
static void account_frame(struct ws_receiver *receiver, const struct wslay_frame_iocb *frame)
{
    uint64_t extended = frame->payload_length < 126 ? 0 : frame->payload_length <= UINT16_MAX ? 2 : 8;
    receiver->accounted += 2 + extended + (frame->mask ? 4 : 0) + frame->payload_length;
    receiver->offset = 0;
}

static int take_payload(struct ws_session *session, const struct wslay_frame_iocb *frame, bool whole,
                        struct ws_event *out)
{
    bool text = session->message == WS_TEXT, last = whole && frame->fin;
    if (text && (!ws_utf8_check(&session->utf8, frame->data, frame->data_length) ||
                 (last && !ws_utf8_complete(&session->utf8))))
        return fail(session, WS_CLOSE_BAD_TEXT);
    if (last)
        session->message = 0;
    *out = (struct ws_event){
        .kind = WS_EVENT_PAYLOAD, .text = text, .last = last, .bytes = frame->data, .length = frame->data_length};
    return 1;
}

/* RFC 6455 §7.4: what may stand in a close frame; 1004 to 1006 and 1015 never do. */
static bool is_close_code(uint16_t code)
{
    return (code >= 1000 && code <= 1014 && (code < 1004 || code > 1006)) || (code >= 3000 && code <= 4999);
}

static int take_close(struct ws_session *session, struct ws_event *out)
{
    const struct ws_receiver *receiver = session->receiver;
    *out = (struct ws_event){.kind = WS_EVENT_CLOSE, .code = WS_CLOSE_NO_CODE, .bytes = receiver->control};
    if (receiver->control_length > 0) {
        out->code = receiver->control_length >= 2 ? load_u16(receiver->control) : 0;
        if (!is_close_code(out->code))
            return fail(session, WS_CLOSE_PROTOCOL);
        out->bytes += 2;
        out->length = receiver->control_length - 2;
        if (!ws_utf8_valid(out->bytes, out->length))
            return fail(session, WS_CLOSE_BAD_TEXT);
    }
    session->ended = true;
    return 1;
}

/* Returns as ws_session_next(), 0 while the frame is incomplete. */
static int take_control(struct ws_session *session, const struct wslay_frame_iocb *frame, bool whole,
                        struct ws_event *out)
{
    struct ws_receiver *receiver = session->receiver;
    assert(frame->data_length <= sizeof receiver->control - receiver->control_length);
    if (frame->data_length > 0)
        memcpy(receiver->control + receiver->control_length, frame->data, frame->data_length);
    receiver->control_length += frame->data_length;
    if (!whole)
        return 0;
    if (frame->opcode == WS_CLOSE)
        return take_close(session, out);
    *out = (struct ws_event){.kind = frame->opcode == WS_PING ? WS_EVENT_PING : WS_EVENT_PONG,
                             .bytes = receiver->control,
                             .length = receiver->control_length};
    return 1;
}

int ws_session_next(struct ws_session *session, struct ws_event *out)
{
    int result = 0;
    while (result == 0 && !session->ended && session->receiver) {
        struct ws_receiver *receiver = session->receiver;
        struct wslay_frame_iocb frame = {0};
        ssize_t got = wslay_frame_recv(receiver->frames, &frame);
        if (got == WSLAY_ERR_WANT_READ) {
            rest(session);
            break;
        }
        if (got < 0)
            return fail(session, WS_CLOSE_PROTOCOL);
        uint16_t refusal = receiver->offset == 0 ? begin_frame(session, &frame) : 0;
        if (refusal != 0)
            return fail(session, refusal);
        receiver->offset += frame.data_length;
        bool whole = receiver->offset == frame.payload_length;
        if (whole)
            account_frame(receiver, &frame);
        result =
            frame.opcode & 8 ? take_control(session, &frame, whole, out) : take_payload(session, &frame, whole, out);
    }
    return result;
}

size_t ws_frame_head(enum ws_opcode opcode, uint64_t length, const uint8_t *mask, uint8_t out[WS_FRAME_HEAD_MAX])
{
    uint8_t mask_bit = mask ? 0x80 : 0;
    struct writer writer = writer_over(out, WS_FRAME_HEAD_MAX);
    writer_u8(&writer, (uint8_t)(0x80 | opcode));
    if (length < 126) {
        writer_u8(&writer, (uint8_t)(mask_bit | length));
    } else if (length <= UINT16_MAX) {
        writer_u8(&writer, mask_bit | 126);
        writer_u16(&writer, (uint16_t)length);
    } else {
        writer_u8(&writer, mask_bit | 127);
        writer_u32(&writer, (uint32_t)(length >> 32));
        writer_u32(&writer, (uint32_t)length);
    }
    if (mask)
        writer_bytes(&writer, mask, 4);
    return writer_length(&writer);
}

void ws_mask(uint8_t *bytes, size_t length, const uint8_t mask[4])
{
    for (size_t i = 0; i < length; i++)
        bytes[i] ^= mask[i % 4];
}

size_t ws_close_payload(uint16_t code, const char *reason, uint8_t out[WS_CONTROL_MAX])
{
    size_t length = strlen(reason);
    if (length > WS_CLOSE_TEXT_MAX) {
        for (length = WS_CLOSE_TEXT_MAX; length > 0 && ((uint8_t)reason[length] & 0xc0) == 0x80;)
            length--;
    }
    store_u16(out, code);
    memcpy(out + 2, reason, length);
    return 2 + length;
}
