/* SPDX-License-Identifier: BSD-3-Clause
 * The host's end of a struct turn_flow: whatever bytes to a client leave through. Embedded in a UDP listener, a stream
 * or a DTLS session; flow.link points to it. */
#ifndef FRONT_LINK_H
#define FRONT_LINK_H

#include "front/bridge.h"
#include "turn/server.h"

struct front_link {
    /* Sends one message to the client of |flow|; dropping is fine but for TURN_CLASS_ANSWER. */
    void (*send)(struct front_link *link, const struct turn_flow *flow, const struct turn_packet *packet);
    /* An allocation on this flow began, or ended (NULL). NULL where the link does not care. */
    void (*allocation)(struct front_link *link, struct turn_allocation *allocation);
    /* RFC 6062: from here on the flow is bytes for |peer|, and |peer|'s are for the flow. NULL where the link is no
     * stream. */
    void (*join)(struct front_link *link, struct bridge_end *peer);
};

#endif
