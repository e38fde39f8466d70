/* SPDX-License-Identifier: BSD-3-Clause
 * The packet path between client and peers (RFC 8656 §11, §12): no memory is allocated here, and nothing locked but the
 * ledger once a slice where bandwidth is limited. Private to the server's core. */
#ifndef TURN_DATA_H
#define TURN_DATA_H

#include "stun/framing.h"
#include "turn/allocation.h"

void turn_channel_data_receive(struct turn_allocation *allocation, const struct channel_data *data, struct now now);
/* A Send indication. */
void turn_send_receive(struct turn_allocation *allocation, const struct stun_message *message, struct now now);

#endif
