/* SPDX-License-Identifier: BSD-3-Clause
 * The allocation (RFC 8656 §3.2) and what belongs to it: relayed addresses, permissions, channels. Private to the
 * server's core. */
#ifndef TURN_ALLOCATION_H
#define TURN_ALLOCATION_H

#include "base/hash.h"
#include "base/list.h"
#include "base/timers.h"
#include "stun/message.h"
#include "turn/server.h"

/* Most calls need one or two peers; more get memory of their own. */
#define PERMISSIONS_INLINE 4
#define CHANNELS_INLINE    2

/* RFC 8656 §9. Expires without a timer: whoever meets one asks for its time. */
struct turn_permission {
    struct address ip; /* canonical, port 0 */
    uint8_t verdict;   /* enum peer_verdict of the IP, when it was installed */
    uint64_t expires_ns;
};

/* RFC 8656 §12. */
struct turn_channel {
    struct address peer; /* canonical */
    uint16_t number;
    uint8_t verdict;
    bool own; /* |peer|'s IP is a relay address of ours: where it goes is asked for each packet */
    uint64_t expires_ns;
};

/* What a retransmitted Allocate is answered with (RFC 8656 §7.2), beside the addresses. */
struct turn_allocate_answer {
    uint8_t transaction_id[STUN_TRANSACTION_ID_SIZE];
    uint32_t lifetime_s;
    bool token_present;
    uint8_t token[RESERVATION_TOKEN_SIZE];
    uint8_t missing_family;      /* of a dual allocation that got one address only, else ADDRESS_NONE */
    uint16_t missing_error_code; /* enum stun_error_code */
};

struct turn_request;

struct turn_allocation {
    struct hash_entry by_flow;
    struct turn_server *server;
    struct turn_flow flow;
    struct turn_relay relays[TURN_RELAYS_MAX];
    struct timer expiry;

    /* Either the inline ones or memory of their own. The last ones found are looked at first. */
    struct turn_permission *permissions;
    struct turn_channel *channels;
    uint16_t permission_count, permission_capacity, permission_found;
    uint16_t channel_count, channel_capacity, channel_found;
    struct turn_permission permissions_inline[PERMISSIONS_INLINE];
    struct turn_channel channels_inline[CHANNELS_INLINE];
    struct list peer_connections; /* RFC 6062 */
    uint16_t peer_connection_count;

    char *username; /* no NUL */
    uint16_t username_length, user_part_at, user_part_length;
    uint16_t registration_length; /* its id is the end of the username; 0: none */
    struct ledger_user *user;
    struct ledger_source *source;
    uint64_t leased_bytes, lease_again_ns; /* bandwidth */
    uint64_t owed_bytes;                   /* RFC 6062: carried beyond what could be leased */

    struct turn_allocate_answer answer;
    uint64_t began_ns;
    uint64_t packets_in, bytes_in, packets_out, bytes_out;
};

static inline struct span turn_allocation_username(const struct turn_allocation *allocation)
{
    return (struct span){allocation->username, allocation->username_length};
}

static inline struct span turn_allocation_user_part(const struct turn_allocation *allocation)
{
    return (struct span){allocation->username + allocation->user_part_at, allocation->user_part_length};
}

static inline struct span turn_allocation_registration(const struct turn_allocation *allocation)
{
    return (struct span){allocation->username + allocation->username_length - allocation->registration_length,
                         allocation->registration_length};
}

/* The relay of |family|, or NULL. */
static inline struct turn_relay *turn_allocation_relay(struct turn_allocation *allocation, uint8_t family)
{
    for (unsigned i = 0; i < TURN_RELAYS_MAX; i++)
        if (allocation->relays[i].allocation && allocation->relays[i].port.public_address.family == family)
            return &allocation->relays[i];
    return NULL;
}

/* RELAY_UDP or RELAY_TCP: both relays are of one protocol. */
static inline enum relay_protocol turn_allocation_protocol(const struct turn_allocation *allocation)
{
    const struct turn_relay *relay = &allocation->relays[allocation->relays[0].allocation ? 0 : 1];
    return (enum relay_protocol)relay->port.protocol;
}

/* The live allocation of |flow|, or NULL. */
struct turn_allocation *turn_allocation_find(struct turn_server *server, const struct turn_flow *flow);

/* A bare one for |flow|: no relay, no user, not yet found by its flow. Or NULL. */
struct turn_allocation *turn_allocation_create(struct turn_server *server, const struct turn_flow *flow);
/* Copies the name of who sent |request|. Returns 0 or ERR_MEMORY, with the old name kept. */
int turn_allocation_set_username(struct turn_allocation *allocation, const struct turn_request *request);
/* From now on it is found, expires, and is told to the host. Returns 0, or ERR_MEMORY: destroy it. */
int turn_allocation_begin(struct turn_allocation *allocation, uint32_t lifetime_s, struct now now);
/* Moves the expiry. */
void turn_allocation_refresh(struct turn_allocation *allocation, uint32_t lifetime_s, struct now now);
/* Ends a begun one and destroys it. */
void turn_allocation_end(struct turn_allocation *allocation, enum turn_end end);
/* Gives everything back; for one that never began. */
void turn_allocation_destroy(struct turn_allocation *allocation);

/* Closes the socket, gives the port back, and forgets the peers of its family. */
void turn_relay_close(struct turn_relay *relay);

/* |array| of |count| elements with room for |wanted| at least, up to |limit|: |array| itself where it has the room, or
 * larger memory into which it has been moved; |fixed| is the inline array, which is not freed. NULL: no room. */
void *turn_array_grow(void *array, void *fixed, size_t element_size, uint16_t count, uint16_t *capacity, size_t wanted,
                      size_t limit);

#endif
