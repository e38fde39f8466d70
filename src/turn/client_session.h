/* SPDX-License-Identifier: BSD-3-Clause
 * The client's side of one allocation, sans-IO: long-term authentication (RFC 8489 §9.2), allocation, permissions and
 * channels kept alive, data both ways. One flow, whose bytes the caller carries: datagrams, or a stream that is cut
 * into frames here. */
#ifndef TURN_CLIENT_SESSION_H
#define TURN_CLIENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/now.h"

struct turn_client_session;

struct turn_client_config {
    const char *username, *password; /* copied */
    bool stream;                     /* frames on a byte stream: no retransmission, padding */
    uint8_t relay_family;            /* enum address_family; ADDRESS_NONE asks for none in particular */
    uint32_t lifetime_s;             /* 0: the server's default */
    bool refuse_md5;                 /* ERR_FORBIDDEN towards a server that offers no SHA-256 */
};

#define TURN_CLIENT_PEERS_MAX 256 /* permissions and channels of one session */

/* Called with each message to put on the wire, |padding| zero bytes at its end; borrowed for the call. */
typedef void turn_client_send(void *context, const uint8_t *head, size_t head_length, const uint8_t *payload,
                              size_t payload_length, size_t padding);

enum turn_client_event_type {
    TURN_CLIENT_ALLOCATED,     /* |address| is the relayed transport address, |mapped| the server-reflexive one */
    TURN_CLIENT_FAILED,        /* by |error_code|; nothing more will come. Of a 300 |address| is the alternate server */
    TURN_CLIENT_CHANNEL_BOUND, /* |address| is the peer, |channel| its number; also each time it is renewed */
    TURN_CLIENT_PERMITTED,     /* |address| is the peer; also each time it is renewed */
    TURN_CLIENT_PEER_REFUSED,  /* CreatePermission or ChannelBind failed for |address| by |error_code| */
    TURN_CLIENT_ENDED,         /* the allocation is gone (released or expired); nothing more will come */
    TURN_CLIENT_DATA,          /* |payload| from |address| */
};
struct turn_client_event {
    enum turn_client_event_type type;
    struct address address, mapped;
    uint16_t channel; /* TURN_CLIENT_DATA: 0 where it came as a Data indication */
    int error_code;   /* positive: the server's; 0: it did not answer; negative: of enum error */
    const uint8_t *payload;
    size_t payload_length;
};
/* May call anything of the session but turn_client_session_receive(), _expire() and _destroy(). */
typedef void turn_client_notify(void *context, const struct turn_client_event *event);

/* Returns 0, ERR_TOO_LARGE (username) or ERR_MEMORY. */
int turn_client_session_create(const struct turn_client_config *config, turn_client_send *send,
                               turn_client_notify *notify, void *context, struct turn_client_session **out);
/* Sends nothing: an allocation that lives on expires at the server. Accepts a pointer to NULL. */
void turn_client_session_destroy(struct turn_client_session **session);

/* Sends the first Allocate. Once per session. */
void turn_client_session_start(struct turn_client_session *session, struct now now);
/* Bytes from the server: one datagram, or any piece of the stream. Returns 0, or for a stream ERR_MALFORMED where it
 * can no longer be cut into frames, or ERR_MEMORY: close it. */
int turn_client_session_receive(struct turn_client_session *session, const uint8_t *bytes, size_t length,
                                struct now now);
/* Permission, or a channel, for |peer|, renewed until the session ends; before there is an allocation they wait for it.
 * A peer that was refused is asked for again. Return 0, ERR_FULL or ERR_MEMORY. */
int turn_client_session_permit(struct turn_client_session *session, const struct address *peer, struct now now);
int turn_client_session_bind(struct turn_client_session *session, const struct address *peer, struct now now);
/* Through the channel if one is bound, else as a Send indication. Returns 0, ERR_NOT_FOUND (no allocation) or
 * ERR_TOO_LARGE (more than a message or a datagram can carry). */
int turn_client_session_send(struct turn_client_session *session, const struct address *peer, const uint8_t *payload,
                             size_t length);
/* Refresh with lifetime 0; TURN_CLIENT_ENDED follows. Without an allocation it does nothing. */
void turn_client_session_release(struct turn_client_session *session, struct now now);
/* Monotonic time at which turn_client_session_expire() wants to be called, TIME_NEVER if not at all. Changes only in
 * start, receive, permit, bind, release and expire. */
uint64_t turn_client_session_deadline(const struct turn_client_session *session);
void turn_client_session_expire(struct turn_client_session *session, struct now now);

#endif
