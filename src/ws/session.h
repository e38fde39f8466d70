/* SPDX-License-Identifier: BSD-3-Clause
 * One end of a WebSocket after its hand-shake (RFC 6455), without extensions: bytes in, events out; and the heads of
 * the frames that go out. Frames are read by libwslay. Its context of 5 KiB is only held while a frame is incomplete,
 * so that a WebSocket at rest costs what struct ws_session is. */
#ifndef WS_SESSION_H
#define WS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ws/utf8.h"

enum ws_role {
    WS_SERVER, /* what comes in is masked, what goes out is not */
    WS_CLIENT, /* the other way round */
};

/* RFC 6455 §5.2 */
enum ws_opcode {
    WS_CONTINUATION = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10,
};

/* Close codes that sessions themselves use (RFC 6455 §7.4.1). */
#define WS_CLOSE_PROTOCOL  1002
#define WS_CLOSE_NO_CODE   1005 /* never on the wire */
#define WS_CLOSE_BAD_TEXT  1007
#define WS_CLOSE_TOO_LARGE 1009

#define WS_CONTROL_MAX    125 /* payload bytes of a control frame */
#define WS_CLOSE_TEXT_MAX (WS_CONTROL_MAX - 2)
#define WS_FRAME_HEAD_MAX 14

/* Contexts of libwslay that sessions of one thread share. All zero at first. */
struct ws_receiver;
struct ws_receivers {
    struct ws_receiver *free;
};
/* All sessions must have ended. */
void ws_receivers_fini(struct ws_receivers *receivers);

struct ws_session {
    struct ws_receivers *receivers;
    struct ws_receiver *receiver; /* NULL between frames */
    uint64_t message_max;         /* bytes; 0: no limit */
    uint64_t message_length;      /* of the message that is coming in, up to the end of the frame at hand */
    struct ws_utf8 utf8;
    uint8_t role;     /* enum ws_role */
    uint8_t message;  /* WS_TEXT or WS_BINARY, or 0 between messages */
    bool ended;       /* closed or failed: what still comes is thrown away */
    uint16_t failure; /* the close code to send */
};

enum ws_event_kind {
    WS_EVENT_PAYLOAD, /* a part of a message's payload, perhaps empty */
    WS_EVENT_PING,    /* answer with a WS_PONG of the same payload */
    WS_EVENT_PONG,
    WS_EVENT_CLOSE, /* the last; answer with a WS_CLOSE unless one has been sent */
};

struct ws_event {
    enum ws_event_kind kind;
    bool text;            /* PAYLOAD: so far it is valid UTF-8, up to a character that is cut */
    bool last;            /* PAYLOAD: the message is complete */
    uint16_t code;        /* CLOSE; WS_CLOSE_NO_CODE where there is none */
    const uint8_t *bytes; /* payload; of CLOSE the reason, valid UTF-8. Borrowed until the next call for the session */
    size_t length;
};

void ws_session_init(struct ws_session *session, enum ws_role role, struct ws_receivers *receivers,
                     uint64_t message_max);
void ws_session_fini(struct ws_session *session);

/* Gives bytes of the stream to the session, which borrows them until ws_session_next() has returned 0 or an error; call
 * that until then. Returns 0 or ERR_MEMORY. */
int ws_session_feed(struct ws_session *session, const uint8_t *bytes, size_t length);
/* Returns 1 with the next event, 0 when all that was fed has been taken, or ERR_MALFORMED: close with
 * |session|->failure (1002, 1007 or 1009). After a close or an error all that follows is thrown away. */
int ws_session_next(struct ws_session *session, struct ws_event *out);

/* Writes the head of an unfragmented frame of |length| bytes of payload. |mask|: a client's four random bytes, NULL for
 * a server. Returns the bytes written. */
size_t ws_frame_head(enum ws_opcode opcode, uint64_t length, const uint8_t *mask, uint8_t out[WS_FRAME_HEAD_MAX]);
/* Masks, or unmasks, payload in place. */
void ws_mask(uint8_t *bytes, size_t length, const uint8_t mask[4]);
/* Writes the payload of a WS_CLOSE frame. |reason| is cut to what fits, at the end of a character. Returns its length.
 */
size_t ws_close_payload(uint16_t code, const char *reason, uint8_t out[WS_CONTROL_MAX]);

#endif
