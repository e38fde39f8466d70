/* SPDX-License-Identifier: BSD-3-Clause
 * Inside of the registrar: what its files share. */
#ifndef REGISTRAR_REGISTRAR_STATE_H
#define REGISTRAR_REGISTRAR_STATE_H

#include "registrar/accounts.h"
#include "registrar/bindings.h"
#include "registrar/challenge.h"
#include "registrar/registrar.h"
#include "sip/message.h"
#include "sip/transaction.h"
#include "sip/via.h"

#define CONTEXTS_MAX      20000 /* requests under way */
#define SUBSCRIPTIONS_MAX 20000

struct registrar {
    const char *domain, *sent_by;
    char own_route[SIP_SENT_BY_SIZE + 16]; /* "<sip:SENT_BY;lr>" */
    struct accounts *accounts;
    struct registrar_host host;
    struct sip_transactions transactions;
    struct bindings bindings;
    struct challenge challenge;
    struct list contexts; /* of struct proxy_context */
    size_t context_count;
    struct hash subscriptions; /* of struct subscription, by user */
    struct timer look;         /* at what other processes did to the accounts */
};

/* Sends |message| and destroys it; NULL does nothing. */
void registrar_send(struct registrar *registrar, osip_message_t *message);
/* Answers |request| without a transaction: the way to the edges is reliable, so nothing comes twice. */
void registrar_answer(struct registrar *registrar, const osip_message_t *request, unsigned status);
/* An answer that is still to be filled, or NULL where memory is short. */
osip_message_t *registrar_response(const osip_message_t *request, unsigned status);

/* Looks at the accounts from time to time, while somebody is registered by one of them. */
void registrar_keep_looking(struct registrar *registrar, struct now now);
/* The user part of |uri| where it is an identity of the domain, else NULL. */
const char *registrar_user_of(const struct registrar *registrar, const osip_uri_t *uri);

/* The parts; each takes over |request|. register.c, proxy.c, subscription.c */
void register_receive(struct registrar *registrar, osip_message_t *request, struct now now);
/* |routed|: one of our own Route fields was on top of it. */
void proxy_receive_request(struct registrar *registrar, osip_message_t *request, bool routed, struct now now);
void proxy_receive_ack(struct registrar *registrar, osip_message_t *request, struct now now);
void proxy_receive_cancel(struct registrar *registrar, osip_message_t *request, struct now now);

/* True where the request belongs to the event package `reg` and was taken over. */
bool subscription_receive(struct registrar *registrar, osip_message_t *request, struct now now);
/* True where |client| is one of a NOTIFY of ours; then |response| was taken over. */
bool subscription_answered(struct sip_client_transaction *client, osip_message_t *response, struct now now);
/* |ended| NULL: |record| has changed; else that binding is about to end. */
void subscription_notify(struct registrar *registrar, const struct record *record, const struct binding *ended,
                         enum binding_end end, struct now now);
void subscription_fini(struct registrar *registrar);

#endif
