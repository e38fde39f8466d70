/* SPDX-License-Identifier: BSD-3-Clause
 * Which places of the core answer. One that does not is dead for a while: asked last (RFC 3263 §4.3 leaves out for how
 * long). No sockets, no clock. */
#ifndef MW_HEALTH_H
#define MW_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/now.h"

#define HEALTH_PLACES  64
#define HEALTH_DEAD_NS (30 * NS_PER_S)
/* So old at least is a request when the edge complains that it was not answered. */
#define HEALTH_HEARD_NS (4 * NS_PER_S)

struct health_place {
    struct address address;
    uint8_t transport;
    uint64_t sent_ns, heard_ns, dead_until_ns; /* 0: never */
};

/* An all-zero one knows nothing. The place that was sent to least lately makes room. */
struct health {
    struct health_place places[HEALTH_PLACES];
};

void health_sent(struct health *health, const struct address *address, uint8_t transport, struct now now);
/* It lives: any mark is gone. */
void health_heard(struct health *health, const struct address *address, uint8_t transport, struct now now);
void health_mark_dead(struct health *health, const struct address *address, uint8_t transport, struct now now);
bool health_is_dead(const struct health *health, const struct address *address, uint8_t transport, struct now now);
/* Whether nothing came from there while a request that has timed out now was under way. Otherwise one client could make
 * the core look dead with a request that is never answered. */
bool health_is_silent(const struct health *health, const struct address *address, uint8_t transport, struct now now);
/* Whether something was sent there behind what came from there last: an ICMP error that nothing of ours can have caused
 * is forged. */
bool health_is_waited_for(const struct health *health, const struct address *address, uint8_t transport);

#endif
