/* SPDX-License-Identifier: BSD-3-Clause */
#include "mw/health.h"

static struct health_place *find(const struct health *health, const struct address *address, uint8_t transport)
{
    for (unsigned i = 0; i < HEALTH_PLACES; i++) {
        const struct health_place *place = &health->places[i];
        if (place->transport == transport && address_equal(&place->address, address))
            return (struct health_place *)place;
    }
    return NULL;
}

static struct health_place *find_or_make(struct health *health, const struct address *address, uint8_t transport)
{
    struct health_place *place = find(health, address, transport);
    if (place)
        return place;
    place = &health->places[0];
    for (unsigned i = 1; i < HEALTH_PLACES; i++)
        if (health->places[i].sent_ns < place->sent_ns)
            place = &health->places[i];
    *place = (struct health_place){.address = *address, .transport = transport};
    return place;
}

void health_sent(struct health *health, const struct address *address, uint8_t transport, struct now now)
{
    find_or_make(health, address, transport)->sent_ns = now.monotonic_ns;
}

void health_heard(struct health *health, const struct address *address, uint8_t transport, struct now now)
{
    struct health_place *place = find(health, address, transport);
    if (!place)
        return;
    place->heard_ns = now.monotonic_ns;
    place->dead_until_ns = 0;
}

void health_mark_dead(struct health *health, const struct address *address, uint8_t transport, struct now now)
{
    struct health_place *place = find_or_make(health, address, transport);
    place->sent_ns = now.monotonic_ns; /* it is not to be forgotten before the others */
    place->dead_until_ns = now.monotonic_ns + HEALTH_DEAD_NS;
}

bool health_is_dead(const struct health *health, const struct address *address, uint8_t transport, struct now now)
{
    const struct health_place *place = find(health, address, transport);
    return place && place->dead_until_ns > now.monotonic_ns;
}

bool health_is_silent(const struct health *health, const struct address *address, uint8_t transport, struct now now)
{
    const struct health_place *place = find(health, address, transport);
    return !place || place->heard_ns == 0 || now.monotonic_ns - place->heard_ns >= HEALTH_HEARD_NS;
}

bool health_is_waited_for(const struct health *health, const struct address *address, uint8_t transport)
{
    const struct health_place *place = find(health, address, transport);
    return place && place->sent_ns > 0 && place->sent_ns >= place->heard_ns;
}
