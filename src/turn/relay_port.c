/* SPDX-License-Identifier: BSD-3-Clause */
#include "turn/relay_port.h"

#include <assert.h>
#include <stdatomic.h>

#include "base/error.h"
#include "base/memory.h"
#include "crypto/digest.h"

#define PROTOCOLS     2
#define BITS_PER_WORD 64
#define WORDS         (65536 / BITS_PER_WORD)

/* One bit a port. */
struct port_map {
    _Atomic uint64_t words[WORDS];
};

struct relay_address {
    struct address public_address, private_address; /* port 0 */
    struct port_map taken[PROTOCOLS];
    struct port_map live; /* UDP */
};

struct relay_ports {
    uint16_t first, last;
    unsigned count;
    struct relay_address *addresses[RELAY_ADDRESSES_MAX];
    _Atomic uint32_t taken;
};

int relay_ports_create(uint16_t first, uint16_t last, struct relay_ports **out)
{
    assert(first > 0 && first <= last);
    struct relay_ports *ports = memory_zeroed(1, sizeof *ports);
    if (!ports)
        return ERR_MEMORY;
    ports->first = first;
    ports->last = last;
    *out = ports;
    return 0;
}

void relay_ports_destroy(struct relay_ports **ports)
{
    if (!*ports)
        return;
    for (unsigned i = 0; i < (*ports)->count; i++)
        memory_free((*ports)->addresses[i]);
    memory_free(*ports);
    *ports = NULL;
}

int relay_ports_add_address(struct relay_ports *ports, const struct address *public_address,
                            const struct address *private_address)
{
    assert(public_address->family == private_address->family);
    if (ports->count == RELAY_ADDRESSES_MAX)
        return ERR_FULL;
    struct relay_address *added = memory_zeroed(1, sizeof *added);
    if (!added)
        return ERR_MEMORY;
    added->public_address = *public_address;
    added->private_address = *private_address;
    added->public_address.port = added->private_address.port = 0;
    ports->addresses[ports->count++] = added;
    return 0;
}

static uint64_t bit_of(uint16_t port)
{
    return 1ull << (port % BITS_PER_WORD);
}

/* Returns whether it was clear before. */
static bool map_set(struct port_map *map, uint16_t port)
{
    _Atomic uint64_t *word = &map->words[port / BITS_PER_WORD];
    /* A look first: a walk over a crowded range must not take every cache line away from the other workers. */
    if (atomic_load_explicit(word, memory_order_relaxed) & bit_of(port))
        return false;
    return !(atomic_fetch_or_explicit(word, bit_of(port), memory_order_acq_rel) & bit_of(port));
}

static bool map_clear(struct port_map *map, uint16_t port)
{
    uint64_t old = atomic_fetch_and_explicit(&map->words[port / BITS_PER_WORD], ~bit_of(port), memory_order_acq_rel);
    return old & bit_of(port);
}

static bool map_get(const struct port_map *map, uint16_t port)
{
    return atomic_load_explicit(&map->words[port / BITS_PER_WORD], memory_order_acquire) & bit_of(port);
}

static struct relay_port port_at(const struct relay_ports *ports, unsigned index, enum relay_protocol protocol,
                                 uint16_t number)
{
    struct relay_port port = {.public_address = ports->addresses[index]->public_address,
                              .private_address = ports->addresses[index]->private_address,
                              .protocol = (uint8_t)protocol,
                              .index = (uint8_t)index};
    port.public_address.port = port.private_address.port = number;
    return port;
}

static bool reserve(struct relay_ports *ports, const struct relay_port *port)
{
    if (!map_set(&ports->addresses[port->index]->taken[port->protocol], port->public_address.port))
        return false;
    atomic_fetch_add_explicit(&ports->taken, 1, memory_order_relaxed);
    return true;
}

void relay_ports_give(struct relay_ports *ports, const struct relay_port *port)
{
    struct relay_address *address = ports->addresses[port->index];
    if (port->protocol == RELAY_UDP)
        map_clear(&address->live, port->public_address.port);
    bool was_taken = map_clear(&address->taken[port->protocol], port->public_address.port);
    assert(was_taken);
    atomic_fetch_sub_explicit(&ports->taken, 1, memory_order_relaxed);
}

/* Reserves and binds one port. Returns 0, ERR_IN_USE, or |bind|'s error. */
static int try_port(struct relay_ports *ports, const struct relay_port *port, bool second, relay_port_bind *bind,
                    void *context)
{
    if (!reserve(ports, port))
        return ERR_IN_USE;
    int result = bind(context, port, second);
    if (result != 0)
        relay_ports_give(ports, port);
    return result;
}

static int try_pair(struct relay_ports *ports, const struct relay_port *even, relay_port_bind *bind, void *context)
{
    int result = try_port(ports, even, false, bind, context);
    if (result != 0)
        return result;
    struct relay_port odd = port_at(ports, even->index, even->protocol, (uint16_t)(even->public_address.port + 1));
    result = try_port(ports, &odd, true, bind, context);
    if (result != 0)
        relay_ports_give(ports, even);
    return result;
}

static uint32_t greatest_common_divisor(uint32_t a, uint32_t b)
{
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Walks the candidates of one address: start and stride are random and the stride shares no divisor with their number,
 * so each is met once and none can be told ahead from another. */
static int walk(struct relay_ports *ports, unsigned index, enum relay_protocol protocol, enum relay_parity parity,
                relay_port_bind *bind, void *context, struct relay_port *out)
{
    uint32_t spacing = parity == RELAY_PORT_ANY ? 1 : 2;
    uint32_t first = spacing == 2 ? (ports->first + 1u) & ~1u : ports->first;
    uint32_t last = parity == RELAY_PORT_EVEN_PAIR ? ports->last - 1u : ports->last;
    if (first > last)
        return ERR_FULL;
    uint32_t candidates = (last - first) / spacing + 1;
    uint32_t at = crypto_random_below(candidates);
    uint32_t stride = 1 + crypto_random_below(candidates);
    while (greatest_common_divisor(stride, candidates) != 1)
        stride++;
    for (uint32_t tried = 0; tried < candidates; tried++, at = (at + stride) % candidates) {
        struct relay_port port = port_at(ports, index, protocol, (uint16_t)(first + at * spacing));
        int result = parity == RELAY_PORT_EVEN_PAIR ? try_pair(ports, &port, bind, context)
                                                    : try_port(ports, &port, false, bind, context);
        if (result == 0)
            *out = port;
        if (result != ERR_IN_USE)
            return result;
    }
    return ERR_FULL;
}

int relay_ports_take(struct relay_ports *ports, uint8_t family, enum relay_protocol protocol, enum relay_parity parity,
                     relay_port_bind *bind, void *context, struct relay_port *out)
{
    int result = ERR_FAMILY;
    unsigned start = ports->count > 1 ? crypto_random_below(ports->count) : 0;
    for (unsigned i = 0; i < ports->count; i++) {
        unsigned index = (start + i) % ports->count;
        if (ports->addresses[index]->public_address.family != family)
            continue;
        result = walk(ports, index, protocol, parity, bind, context, out);
        if (result != ERR_FULL)
            break;
    }
    return result;
}

bool relay_ports_live(const struct relay_ports *ports, const struct address *canonical, struct address *private_out)
{
    for (unsigned i = 0; i < ports->count; i++) {
        const struct relay_address *address = ports->addresses[i];
        if (!address_same_ip(&address->public_address, canonical) || !map_get(&address->live, canonical->port))
            continue;
        *private_out = address->private_address;
        private_out->port = canonical->port;
        return true;
    }
    return false;
}

void relay_ports_set_live(struct relay_ports *ports, const struct relay_port *port)
{
    assert(port->protocol == RELAY_UDP);
    map_set(&ports->addresses[port->index]->live, port->public_address.port);
}

bool relay_ports_public(const struct relay_ports *ports, const struct address *address, struct address *public_out)
{
    for (unsigned i = 0; i < ports->count; i++) {
        if (!address_same_ip(&ports->addresses[i]->private_address, address))
            continue;
        uint16_t port = address->port; /* |public_out| may be |address| */
        *public_out = ports->addresses[i]->public_address;
        public_out->port = port;
        return true;
    }
    return false;
}

bool relay_ports_private(const struct relay_ports *ports, const struct address *public_address,
                         struct address *private_out)
{
    for (unsigned i = 0; i < ports->count; i++) {
        if (!address_same_ip(&ports->addresses[i]->public_address, public_address))
            continue;
        uint16_t port = public_address->port;
        *private_out = ports->addresses[i]->private_address;
        private_out->port = port;
        return true;
    }
    return false;
}

uint32_t relay_ports_taken(const struct relay_ports *ports)
{
    return atomic_load_explicit(&ports->taken, memory_order_relaxed);
}
