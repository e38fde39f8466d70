/* SPDX-License-Identifier: BSD-3-Clause
 * A TURN server's world without sockets or a clock: a host that records what goes out and fails on demand, and clients
 * that speak to it. Bugs of the tests themselves are assertions, so that the fuzzer can use it as well. */
#ifndef TESTS_TURN_WORLD_H
#define TESTS_TURN_WORLD_H

#include "base/cursor.h"
#include "base/error.h"
#include "base/memory.h"
#include "stun/message.h"
#include "turn/server.h"

#define REALM             "example.org" /* of 11 bytes, as reflection is reckoned with */
#define RELAY_V4          "198.51.100.1"
#define RELAY_V4_PRIVATE  "10.0.0.1"
#define RELAY_V6          "2001:db8:9::1"
#define PEER_V4           "203.0.113.5:5000"
#define PEER_V6           "[2001:db8:5::5]:5000"
#define LISTENER          "198.51.100.7:3478"
#define WORLD_START_S     1700000000ull
#define WORLD_SOCKETS_MAX 256
#define WORLD_SENT_MAX    64
#define WORLD_PEERS_MAX   256
#define NO_ANSWER         (-1)

struct world_options {
    struct ledger_limits limits;
    uint16_t port_first, port_last; /* 0: 49152-49407 */
    uint32_t permissions_max, channels_max;
    bool no_ipv6, no_hairpin, no_allowed_peers, tcp_relay, secrets, alternate;
    bool revocations, end_revoked;
    const char *deny;
};

struct fake_socket {
    bool open, attached;
    struct relay_port port;
    struct turn_relay *relay;
};

struct sent_to_client {
    struct turn_flow flow;
    enum turn_class class;
    size_t length;
    uint8_t bytes[2048]; /* as far as they go */
};

struct sent_to_peer {
    struct address from; /* private relay address */
    struct address to;
    bool dont_fragment;
    size_t length;
    uint8_t bytes[2048];
};

struct world {
    struct now now;
    struct turn_settings settings;
    struct credentials *credentials;
    struct ledger *ledger;
    struct relay_ports *ports;
    struct reservations *reservations;
    struct peer_policy *policy;
    struct revocations *revocations;
    struct turn_host host;
    struct turn_server *servers[2]; /* two workers that share the rest */

    struct fake_socket sockets[WORLD_SOCKETS_MAX];
    unsigned sockets_open;
    unsigned opens;                                                         /* tried, ever */
    int (*open_result)(struct world *world, const struct relay_port *port); /* NULL: all succeed */
    int attach_result, connect_result;

    struct sent_to_client to_client[WORLD_SENT_MAX]; /* the latest, a ring */
    struct sent_to_peer to_peer[WORLD_SENT_MAX];
    unsigned to_client_count, to_peer_count; /* ever */

    struct turn_peer_connection *connecting;             /* the latest */
    struct turn_peer_connection *peers[WORLD_PEERS_MAX]; /* those that have not been closed, in any order */
    unsigned peer_count;
    unsigned connects, closes, joins;
    struct turn_flow joined_flow;

    unsigned began, ended, refusals;
    enum turn_end end;
    int refused_code;
    char refused_username[64];
    struct turn_allocation *allocation; /* the latest that began */

    /* For whoever wants to look on; may be NULL. */
    void (*watch_send)(struct world *world, const struct turn_relay *relay, const struct address *peer);
    void (*watch_end)(struct world *world, const struct turn_allocation *allocation);
};

struct world *world_create(const struct world_options *options);
/* Ends everything and asserts that nothing is left over. */
void world_destroy(struct world **world);
/* Lets time pass and timers fire. */
void world_pass(struct world *world, uint64_t seconds);
/* The latest of each; assert that there is one. */
const struct sent_to_client *world_last_to_client(const struct world *world);
const struct sent_to_peer *world_last_to_peer(const struct world *world);
/* A datagram from |peer| to the relay's socket with public address |relayed|. */
void world_peer_sends(struct world *world, const struct address *relayed, const char *peer, const void *payload,
                      size_t length);
/* The same for a connection; NULL where it is refused. */
struct turn_peer_connection *world_peer_connects(struct world *world, const struct address *relayed, const char *peer);
struct fake_socket *world_socket(struct world *world, const struct address *relayed);

struct address address_of(const char *text);

struct client {
    struct world *world;
    struct turn_server *server;
    struct turn_flow flow;
    const char *user, *password;
    enum password_algorithm algorithm; /* 0: neither attribute is sent, as by clients of RFC 5389 */
    bool sha256, userhash, fingerprint;
    uint8_t nonce[NONCE_BOUND_LENGTH]; /* of either type */
    size_t nonce_length;               /* 0: NONCE_LENGTH */
    bool has_nonce;
    uint32_t transactions;

    struct stun_builder request;
    uint8_t request_memory[2048];
    uint8_t answer_memory[2048];
    struct stun_message answer;
};

/* A client of the world's first server at |address|, with alice's password. */
struct client client_at(struct world *world, const char *address, enum turn_transport transport);
/* Starts a request with a new transaction id. */
struct stun_builder *client_begin(struct client *client, uint16_t method);
void client_add_peer(struct client *client, const char *peer);
/* Sends what was begun as it is. Returns the error code of the answer, 0 for a success, NO_ANSWER. */
int client_send_bare(struct client *client);
/* With credentials; a first challenge is fetched before. Asserts that a success is protected in kind. */
int client_send_signed(struct client *client);
/* Makes the client know a nonce. */
void client_learn_nonce(struct client *client);
/* Sends the same bytes again. */
int client_send_again(struct client *client);
int client_send_bytes(struct client *client, const uint8_t *bytes, size_t length);

/* The everyday requests. */
int client_allocate(struct client *client);
int client_allocate_family(struct client *client, unsigned family);
int client_refresh(struct client *client, uint32_t lifetime_s);
int client_permit(struct client *client, const char *peer);
int client_bind(struct client *client, uint16_t number, const char *peer);
void client_send_indication(struct client *client, const char *peer, const void *payload, size_t length);
void client_send_channel(struct client *client, uint16_t number, const void *payload, size_t length);

/* Of the latest answer. */
struct address client_answer_address(const struct client *client, uint16_t type);
uint32_t client_answer_u32(const struct client *client, uint16_t type);
bool client_answer_has(const struct client *client, uint16_t type);

#endif
