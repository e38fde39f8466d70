/* SPDX-License-Identifier: BSD-3-Clause */
#include "turn/reservation.h"

#include <pthread.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/memory.h"
#include "crypto/digest.h"

/* Ports held for one user at a time: a pair is made for RTP and RTCP of one call, a flood of pairs is none. */
#define RESERVATIONS_PER_USER_MAX 8
#define RESERVATIONS_MAX          4096

struct reservation {
    struct hash_entry by_token;
    struct list link; /* by age */
    uint64_t expires_ns;
    struct relay_port port;
    intptr_t socket;
    uint8_t token[RESERVATION_TOKEN_SIZE];
    size_t user_length;
    uint8_t user[];
};

struct reservations {
    pthread_mutex_t lock;
    struct relay_ports *ports;
    void (*close_socket)(intptr_t socket);
    struct hash by_token;
    struct list by_age;
};

int reservations_create(struct relay_ports *ports, void (*close_socket)(intptr_t socket), struct reservations **out)
{
    struct reservations *reservations = memory_zeroed(1, sizeof *reservations);
    if (!reservations || hash_init(&reservations->by_token) != 0) {
        memory_free(reservations);
        return ERR_MEMORY;
    }
    pthread_mutex_init(&reservations->lock, NULL);
    list_init(&reservations->by_age);
    reservations->ports = ports;
    reservations->close_socket = close_socket;
    *out = reservations;
    return 0;
}

static void take_out(struct reservations *reservations, struct reservation *reservation)
{
    hash_remove(&reservations->by_token, &reservation->by_token);
    list_remove(&reservation->link);
}

/* Ends those that expire before |now_ns|; locked, or nobody else is left. */
static void end_before(struct reservations *reservations, uint64_t now_ns)
{
    while (!list_empty(&reservations->by_age)) {
        struct reservation *oldest = container_of(reservations->by_age.next, struct reservation, link);
        if (oldest->expires_ns > now_ns)
            break;
        take_out(reservations, oldest);
        reservations->close_socket(oldest->socket);
        relay_ports_give(reservations->ports, &oldest->port);
        memory_free(oldest);
    }
}

void reservations_destroy(struct reservations **reservations)
{
    struct reservations *gone = *reservations;
    if (!gone)
        return;
    end_before(gone, UINT64_MAX);
    hash_fini(&gone->by_token);
    pthread_mutex_destroy(&gone->lock);
    memory_free(gone);
    *reservations = NULL;
}

static bool belongs_to(const struct reservation *reservation, struct span user_part)
{
    return span_equal((struct span){reservation->user, reservation->user_length}, user_part);
}

static bool has_room(const struct reservations *reservations, struct span user_part)
{
    if (reservations->by_token.count >= RESERVATIONS_MAX)
        return false;
    unsigned of_user = 0;
    const struct list *link;
    list_each (link, &reservations->by_age)
        of_user += belongs_to(container_of(link, struct reservation, link), user_part);
    return of_user < RESERVATIONS_PER_USER_MAX;
}

/* Tokens are random, so that they are their own hash: nobody can choose them to collide. */
static uint64_t hash_of(const uint8_t token[RESERVATION_TOKEN_SIZE])
{
    uint64_t hash;
    _Static_assert(sizeof hash == RESERVATION_TOKEN_SIZE, "a token is a hash");
    memcpy(&hash, token, sizeof hash);
    return hash;
}

int reservations_install(struct reservations *reservations, const struct relay_port *port, intptr_t socket,
                         struct span user_part, struct now now, uint8_t token_out[RESERVATION_TOKEN_SIZE])
{
    struct reservation *reservation = memory_zeroed(1, sizeof *reservation + user_part.length);
    if (!reservation)
        return ERR_FULL;
    reservation->expires_ns = now.monotonic_ns + RESERVATION_LIFETIME_S * NS_PER_S;
    reservation->port = *port;
    reservation->socket = socket;
    reservation->user_length = user_part.length;
    memcpy(reservation->user, user_part.bytes, user_part.length);
    crypto_random(reservation->token, sizeof reservation->token);

    pthread_mutex_lock(&reservations->lock);
    end_before(reservations, now.monotonic_ns);
    bool installed = has_room(reservations, user_part);
    if (installed) {
        memcpy(token_out, reservation->token, sizeof reservation->token);
        hash_insert(&reservations->by_token, &reservation->by_token, hash_of(reservation->token));
        list_append(&reservations->by_age, &reservation->link);
    }
    pthread_mutex_unlock(&reservations->lock);
    if (!installed)
        memory_free(reservation);
    return installed ? 0 : ERR_FULL;
}

int reservations_redeem(struct reservations *reservations, const uint8_t token[RESERVATION_TOKEN_SIZE],
                        struct span user_part, struct now now, struct relay_port *port_out, intptr_t *socket_out)
{
    struct reservation *found = NULL;
    pthread_mutex_lock(&reservations->lock);
    end_before(reservations, now.monotonic_ns);
    for (struct hash_entry *e = hash_first(&reservations->by_token, hash_of(token)); e && !found; e = hash_next(e))
        found = container_of(e, struct reservation, by_token);
    if (found && belongs_to(found, user_part))
        take_out(reservations, found);
    else
        found = NULL;
    pthread_mutex_unlock(&reservations->lock);
    if (!found)
        return ERR_NOT_FOUND;
    *port_out = found->port;
    *socket_out = found->socket;
    memory_free(found);
    return 0;
}

void reservations_expire(struct reservations *reservations, struct now now)
{
    pthread_mutex_lock(&reservations->lock);
    end_before(reservations, now.monotonic_ns);
    pthread_mutex_unlock(&reservations->lock);
}
