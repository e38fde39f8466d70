/* SPDX-License-Identifier: BSD-3-Clause
 * The TURN server's core: one per worker, no sockets, no clock. Bytes, addresses and the time come in; what is to be
 * done goes out through struct turn_host. RFC 8656, RFC 6062, RFC 8489; deviations are listed in docs/architecture.md.
 */
#ifndef TURN_SERVER_H
#define TURN_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "auth/credentials.h"
#include "auth/ledger.h"
#include "auth/nonce.h"
#include "auth/revocations.h"
#include "base/address.h"
#include "base/now.h"
#include "turn/peer_policy.h"
#include "turn/relay_port.h"
#include "turn/reservation.h"

enum turn_transport {
    TURN_UDP,
    TURN_TCP,
    TURN_TLS,
    TURN_DTLS,
    TURN_WEBSOCKET, /* a byte stream as well: docs/turn-over-websocket.md */
};
#define TURN_TRANSPORT_COUNT 5
/* "udp", "tcp", "tls", "dtls", "websocket"; static. */
const char *turn_transport_name(enum turn_transport transport);
static inline bool turn_transport_is_stream(enum turn_transport t)
{
    return t == TURN_TCP || t == TURN_TLS || t == TURN_WEBSOCKET;
}
/* Whether RFC 6062 is served: a data connection is a stream of bare bytes, which no WebSocket is. */
static inline bool turn_transport_joins(enum turn_transport t)
{
    return t == TURN_TCP || t == TURN_TLS;
}

/* A client's 5-tuple and the host's way back to it. A plain value. */
struct turn_flow {
    struct address client; /* source of what comes in */
    struct address server; /* the address that was asked; answers leave from it */
    enum turn_transport transport;
    void *link; /* the host's: listening socket, or connection, then it tells two apart that had one 5-tuple in turn */
};

struct turn_server;
struct turn_allocation;

#define TURN_RELAYS_MAX 2 /* of an allocation: one of each family */

/* A relayed transport address of an allocation. Embedded in the allocation; the host
 * stores its socket in |socket|. */
struct turn_relay {
    struct turn_allocation *allocation; /* NULL: not in use */
    struct relay_port port;
    intptr_t socket; /* the host's handle, -1 when none */
};

/* Importance of what goes to a client, for a stream that cannot take all of it. */
enum turn_class {
    TURN_CLASS_ANSWER, /* STUN of this server: never dropped */
    TURN_CLASS_LIVE,   /* relayed STUN, RTP and RTCP */
    TURN_CLASS_BULK,   /* relayed DTLS (data channels) and anything else */
};

/* One message for a client: |head| then |payload| then |padding| zero bytes. Borrowed for the call, except that payload
 * bytes that came in through turn_server_receive_peer() stay valid as long as the host kept them so. */
struct turn_packet {
    const uint8_t *head;
    size_t head_length;
    const uint8_t *payload;
    size_t payload_length;
    size_t padding;
    enum turn_class class;
};

/* Bytes on the wire. */
static inline size_t turn_packet_length(const struct turn_packet *packet)
{
    return packet->head_length + packet->payload_length + packet->padding;
}

/* Copies |packet| to |out|, which has room for turn_packet_length(). */
static inline void turn_packet_copy(const struct turn_packet *packet, uint8_t *out)
{
    memcpy(out, packet->head, packet->head_length);
    if (packet->payload_length > 0)
        memcpy(out + packet->head_length, packet->payload, packet->payload_length);
    if (packet->padding > 0)
        memset(out + packet->head_length + packet->payload_length, 0, packet->padding);
}

/* RFC 6062: a connection to a peer. The core owns the noun, the host the socket. It lives until peer_close(). */
struct turn_peer_connection {
    struct turn_allocation *allocation;
    struct turn_relay *relay;
    struct address peer;
    uint32_t id;
    intptr_t socket; /* the host's; -1 at first for one that is to be connected */
    /* further fields are the core's, in turn/peer_connection.h */
};

/* Why an allocation ended. */
enum turn_end {
    TURN_END_EXPIRED,      /* its lifetime passed */
    TURN_END_REFRESHED,    /* Refresh with lifetime 0 */
    TURN_END_DISCONNECTED, /* the stream or DTLS session is gone */
    TURN_END_REVOKED,      /* the registration behind its credentials ended */
    TURN_END_SHUTDOWN,
};
/* As part of a sentence; static. */
const char *turn_end_name(enum turn_end end);

/* What the core asks of the world around it. All calls are synchronous and must not call back into the same
 * turn_server. */
struct turn_host {
    void *context;

    /* Binds a UDP socket, or for RELAY_TCP a listening one, to |port|->private_address. Returns 0 with |*socket_out|,
     * ERR_IN_USE, ERR_MEMORY or ERR_SYSTEM. It need not deliver before relay_attach(). */
    int (*relay_open)(void *context, const struct relay_port *port, intptr_t *socket_out);
    /* From now on packets (or connections) of |relay|->socket come in through turn_server_receive_peer() (or
     * _peer_accepted()). Returns 0 or ERR_MEMORY. */
    int (*relay_attach)(void *context, struct turn_relay *relay);
    /* Closes |relay|->socket, attached or not. */
    void (*relay_close)(void *context, struct turn_relay *relay);
    /* Sends one datagram; losing it is fine. |dont_fragment|: with the DF bit (RFC 8656 §14.9). */
    void (*relay_send)(void *context, struct turn_relay *relay, const struct address *peer, const uint8_t *payload,
                       size_t length, bool dont_fragment);

    /* Sends to the client of |flow|. */
    void (*client_send)(void *context, const struct turn_flow *flow, const struct turn_packet *packet);
    /* The allocation on |flow| began (|allocation| not NULL) or ended: the host keeps or closes idle connections by
     * this. May be NULL. */
    void (*client_allocation)(void *context, const struct turn_flow *flow, struct turn_allocation *allocation);

    /* RFC 6062; NULL where relay.tcp is off. Starts connecting from |relay|'s address; the answer comes by
     * turn_server_peer_connected() or _peer_failed(), never from inside this call. */
    int (*peer_connect)(void *context, struct turn_relay *relay, struct turn_peer_connection *connection);
    /* Closes |connection|->socket, whatever its state, and the data connection that it has been joined to: the last
     * word about it. Called once for each, also after turn_server_peer_failed(); not after a peer_connect() that
     * failed. */
    void (*peer_close)(void *context, struct turn_peer_connection *connection);
    /* Joins the client's data connection |flow| to |connection| once the success response has been sent: from here on
     * it is bytes, and both sockets belong to the host until peer_close(). When the bytes have come to their end it
     * calls turn_server_peer_failed(). */
    void (*peer_join)(void *context, struct turn_peer_connection *connection, const struct turn_flow *flow);

    /* For the log and the counters; may be NULL. Not per packet. */
    void (*allocation_began)(void *context, const struct turn_allocation *allocation);
    void (*allocation_ended)(void *context, const struct turn_allocation *allocation, enum turn_end end);
    void (*refused)(void *context, const struct turn_flow *flow, uint16_t method, int error_code, struct span username);
};

/* The settings that the core reads; borrowed, immutable while the server lives. Shared by all workers. */
struct turn_settings {
    const char *realm;
    const struct credentials *credentials;
    struct ledger *ledger;
    struct relay_ports *ports;
    struct reservations *reservations;
    const struct peer_policy *policy;
    struct nonce_key nonce_key;
    struct revocations *revocations; /* NULL: none are kept */
    bool end_revoked;                /* running allocations end with the registration; else at their next Refresh */
    uint32_t lifetime_max_s;         /* of an allocation; at least TURN_LIFETIME_DEFAULT_S */
    uint32_t permissions_max;        /* per allocation */
    uint32_t channels_max;           /* per allocation */
    bool tcp_relay;                  /* RFC 6062 */
    struct address alternate_server; /* family NONE: none. Sent as 300 where all are full */
    const char *alternate_domain;    /* or NULL */
};

#define TURN_WORKERS_MAX           64
#define TURN_LIFETIME_DEFAULT_S    600
#define TURN_PERMISSION_LIFETIME_S 300
#define TURN_CHANNEL_LIFETIME_S    600
#define TURN_CONNECT_TIMEOUT_S     30
#define TURN_REVOCATIONS_PERIOD_S  1 /* after at most so long, an allocation ends that is to end by a revocation */

/* |worker| (below TURN_WORKERS_MAX) becomes part of connection ids. |settings| is borrowed, |host| copied. Returns 0 or
 * ERR_MEMORY. */
int turn_server_create(const struct turn_settings *settings, const struct turn_host *host, unsigned worker,
                       struct turn_server **out);
/* Ends all allocations. */
void turn_server_destroy(struct turn_server **server);

/* One datagram, or one frame of a stream, from a client. Whatever it is: nonsense is dropped. |flow|->link may be kept
 * as long as the flow has an allocation. Returns 0; or for a stream ERR_MALFORMED where the bytes are neither STUN nor
 * ChannelData: close it; or 1 where the flow has been joined to a peer (RFC 6062): the rest of the bytes is payload for
 * the peer. */
int turn_server_receive(struct turn_server *server, const struct turn_flow *flow, const uint8_t *bytes, size_t length,
                        struct now now);
/* Whether a datagram may go to |client|, whose address nothing has proved yet: not to a known UDP service, not to a
 * listener of ours, and only so many per second and network. The core asks for its own answers; the host asks for those
 * of DTLS. */
bool turn_server_answers_stranger(struct turn_server *server, const struct address *client, struct now now);
/* One datagram from |peer| on |relay|. */
void turn_server_receive_peer(struct turn_server *server, struct turn_relay *relay, const struct address *peer,
                              const uint8_t *payload, size_t length, struct now now);
/* An ICMP error about a datagram to |peer| (RFC 8656 §11.5, §14.13). |type|, |code| and |data| (next-hop MTU) as on the
 * wire. */
void turn_server_receive_icmp(struct turn_server *server, struct turn_relay *relay, const struct address *peer,
                              uint8_t type, uint8_t code, uint32_t data, struct now now);
/* The client's stream or DTLS session is gone: its allocation ends. */
void turn_server_flow_closed(struct turn_server *server, const struct turn_flow *flow, struct now now);

/* RFC 6062. An incoming connection on a relay's listener: returns the new noun (ConnectionAttempt has been sent), or
 * NULL: close the socket. */
struct turn_peer_connection *turn_server_peer_accepted(struct turn_server *server, struct turn_relay *relay,
                                                       const struct address *peer, intptr_t socket, struct now now);
/* The connection that peer_connect() began stands: the client is told its id. */
void turn_server_peer_connected(struct turn_server *server, struct turn_peer_connection *connection, struct now now);
/* Connecting failed, or the connection, joined or not, is over. The core forgets it after calling peer_close(). */
void turn_server_peer_failed(struct turn_server *server, struct turn_peer_connection *connection, struct now now);
/* A joined connection has carried |length| bytes, to the client or to the peer: they are counted and weigh on the
 * limits of bandwidth. What is beyond those cannot be dropped from a byte stream, so it is owed: returns the
 * nanoseconds after which to ask again (with |length| 0), and to carry nothing until the answer is 0. */
uint64_t turn_server_peer_carried(struct turn_server *server, struct turn_peer_connection *connection, bool to_client,
                                  size_t length, struct now now);
/* A ConnectionBind request tells by its id which worker holds the peer connection; the front asks before it hands a
 * stream's frame over, and moves the stream there. Returns the worker, or ERR_NOT_FOUND where the frame is no
 * ConnectionBind request. */
int turn_connection_bind_worker(const uint8_t *frame, size_t length);

/* Monotonic time at which turn_server_expire() wants to be called, TIME_NEVER if not at all. */
uint64_t turn_server_deadline(const struct turn_server *server);
void turn_server_expire(struct turn_server *server, struct now now);

/* Read-only look at an allocation, for log and status. */
struct turn_allocation_view {
    const struct turn_flow *flow;
    struct span username, user_part;
    struct address relayed[TURN_RELAYS_MAX]; /* family NONE behind the last */
    uint64_t began_ns, expires_ns;
    uint64_t packets_in, bytes_in;   /* payload from the client to peers */
    uint64_t packets_out, bytes_out; /* payload from peers to the client */
};
void turn_allocation_view(const struct turn_allocation *allocation, struct turn_allocation_view *out);

/* Counters of one worker; plain words that another thread may read torn-free. */
struct turn_counters {
    uint64_t allocations[TURN_TRANSPORT_COUNT]; /* live */
    uint64_t packets_in, bytes_in, packets_out, bytes_out;
    uint64_t dropped_no_permission, dropped_bandwidth, dropped_malformed, dropped_answer_limit;
    uint64_t refused; /* error responses */
};
const struct turn_counters *turn_server_counters(const struct turn_server *server);

#endif
