/* SPDX-License-Identifier: BSD-3-Clause
 * Dialogs of a WIC (RFC 3261 §12) as a proxy has to know them: by them its requests are routed, whatever it says
 * itself, and a lost flow ends its calls towards the core (TS 24.229 §5.2.8). */
#ifndef EDGE_DIALOG_H
#define EDGE_DIALOG_H

#include "edge/exchange.h"

struct edge_dialog {
    struct list link; /* in the flow */
    bool call;        /* made by INVITE; else a subscription */
    bool confirmed;   /* 2xx seen */
    bool caller;      /* the WIC sent the first request */
    bool acknowledged;
    uint32_t cseq;        /* highest of the WIC's requests, 0: none */
    uint32_t invite_cseq; /* of the INVITE that an ACK of the edge's would be for */
    uint64_t ends_ns;     /* when it may be forgotten; TIME_NEVER for a call that goes on */
    char *texts;
    /* |local| is the WIC: From or To with its tag. |routes|: a comma list towards the core, without the edge. */
    struct span call_id, local, remote, target, routes;
};

/* The dialog that |response| to |request| makes, for the side of the WIC (or of the edge) that is the |caller| or not.
 * NULL where it makes none or memory is short. */
struct edge_dialog *edge_dialog_create(const struct edge *edge, const struct edge_message *request,
                                       const struct edge_message *response, bool caller);
void edge_dialog_destroy(struct edge_dialog **dialog);
/* Writes the head of a request within it, up to and with CSeq, from the WIC's side: what is sent has to be complete. */
void edge_dialog_write_request(const struct edge_dialog *dialog, const char *method, uint32_t cseq, struct text *text);
/* Where its requests go: the first route, or the target. */
struct span edge_dialog_next_hop(const struct edge_dialog *dialog);
/* Ends a call that goes on towards the core: ACK where it is missing, then BYE. */
void edge_dialog_hang_up(struct edge *edge, struct edge_dialog *dialog, struct now now);

/* The dialog of |flow| that a request belongs to; |from_client|: whose tags are which. */
struct edge_dialog *edge_dialog_find(const struct edge_flow *flow, const struct edge_message *request,
                                     bool from_client);
/* A request within |dialog| passes: its CSeq, its target. */
void edge_dialog_note_request(struct edge_dialog *dialog, const struct edge_message *request, bool from_client,
                              struct now now);
/* A response passes: dialogs begin, are confirmed, and end by it. */
void edge_dialog_note_response(struct edge_exchange *exchange, const struct edge_message *request,
                               const struct edge_message *response, struct now now);
/* The INVITE is over: what it left early comes to nothing (also the other branches of a fork, RFC 3261 §13.2.2.4). */
void edge_dialog_forget_early(struct edge_flow *flow, const struct edge_message *invite);
/* Frees and leaves the flow. */
void edge_dialog_remove(struct edge_flow *flow, struct edge_dialog *dialog);

#endif
