/* SPDX-License-Identifier: BSD-3-Clause
 * Channels (RFC 8656 §12). Private to the server's core. */
#ifndef TURN_CHANNEL_H
#define TURN_CHANNEL_H

#include "turn/allocation.h"

/* The live channel of that number, or bound to that canonical peer; NULL where there is none. */
struct turn_channel *turn_channel_of_number(struct turn_allocation *allocation, uint16_t number, struct now now);
struct turn_channel *turn_channel_of_peer(struct turn_allocation *allocation, const struct address *canonical,
                                          struct now now);
/* Those to peers of |family| are gone. */
void turn_channels_forget(struct turn_allocation *allocation, uint8_t family);

#endif
