/* SPDX-License-Identifier: BSD-3-Clause
 * One WIC of `postern load sip`: a WebSocket, a registration, and at most one call at a time. */
#ifndef CLI_LOAD_SIP_WIC_H
#define CLI_LOAD_SIP_WIC_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/load/flow.h"
#include "cli/load/sip_plan.h"
#include "ws/session.h"

struct sip_wic;

enum sip_wic_state {
    SIP_WIC_CLOSED,
    SIP_WIC_OPENING, /* TCP, TLS, the WebSocket's hand-shake */
    SIP_WIC_REGISTERING,
    SIP_WIC_REGISTERED,
    SIP_WIC_CALLING, /* INVITE is out */
    SIP_WIC_TALKING,
    SIP_WIC_HANGING_UP, /* BYE is out */
    SIP_WIC_FAILED,
};

/* What all WICs have in common; the callbacks go to the run, none may close the WIC. */
struct sip_wic_settings {
    const struct sip_plan *plan;
    struct load_flow_settings flow; /* with the sip_wic_flow_...() callbacks */
    struct ws_receivers receivers;
    uint64_t run; /* random: identities of this run differ from another's */
    void *context;
    void (*registered)(void *context, struct sip_wic *wic, uint64_t took_ns, bool provisioned);
    void (*call_answered)(void *context, struct sip_wic *wic, uint64_t took_ns);
    void (*call_ended)(void *context, struct sip_wic *wic);
    void (*failed)(void *context, struct sip_wic *wic, enum sip_wic_state was, const char *reason);
};

#define SIP_WIC_ROUTES_MAX 2048
#define SIP_WIC_TEXT_MAX   512

struct sip_wic {
    const struct sip_wic_settings *settings;
    struct load_flow flow;
    struct ws_session ws;
    struct timer hold; /* the call's end */
    uint8_t *input;    /* a message, or the answer to the upgrade, while it comes in */
    size_t input_length, input_size;
    uint32_t number;
    enum sip_wic_state state;
    bool challenged; /* the answer to the request under way will answer a challenge */
    unsigned cseq;
    uint64_t asked_ns;
    struct sip_wic_call {
        unsigned cseq, count; /* |count|: calls so far, part of the Call-ID */
        char remote_uri[SIP_WIC_TEXT_MAX], to[SIP_WIC_TEXT_MAX], routes[SIP_WIC_ROUTES_MAX];
    } call;
};

/* |wic| all zero. Connects and registers. */
void sip_wic_open(struct sip_wic *wic, const struct sip_wic_settings *settings, uint32_t number);
/* Closes at once. Harmless where nothing is open. */
void sip_wic_close(struct sip_wic *wic);
/* Registers again, or with |expires_s| 0 ends the registration. */
void sip_wic_register(struct sip_wic *wic, unsigned expires_s);
/* Calls |uri|; only in SIP_WIC_REGISTERED. */
void sip_wic_call(struct sip_wic *wic, const char *uri);

void sip_wic_flow_opened(struct load_flow *flow);
void sip_wic_flow_received(struct load_flow *flow, const uint8_t *bytes, size_t length);
void sip_wic_flow_settled(struct load_flow *flow);
void sip_wic_flow_failed(struct load_flow *flow, const char *reason);

#endif
