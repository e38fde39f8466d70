/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/service_log.h"

#include <inttypes.h>

#include "base/now.h"
#include "daemon/log.h"
#include "daemon/quote.h"
#include "net/socket.h"
#include "stun/attributes.h"

/* Longest username that a line shows, quoted. */
#define USERNAME_SHOWN 160

static void username_quote(struct span username, char text[USERNAME_SHOWN])
{
    quote_value(text, USERNAME_SHOWN, username.bytes, username.length);
}

static void allocation_began(void *context, const struct turn_allocation *allocation)
{
    (void)context;
    struct turn_allocation_view view;
    turn_allocation_view(allocation, &view);
    char client[ADDRESS_TEXT_MAX], relayed[ADDRESS_TEXT_MAX], user[USERNAME_SHOWN];
    username_quote(view.username, user);
    log_event(LOG_ALLOCATION_BEGAN, "user=%s client=%s transport=%s relayed=%s", user,
              address_format(&view.flow->client, client), turn_transport_name(view.flow->transport),
              address_format(&view.relayed[0], relayed));
}

static void allocation_ended(void *context, const struct turn_allocation *allocation, enum turn_end end)
{
    (void)context;
    struct turn_allocation_view view;
    turn_allocation_view(allocation, &view);
    char client[ADDRESS_TEXT_MAX], user[USERNAME_SHOWN];
    username_quote(view.username, user);
    log_event(LOG_ALLOCATION_ENDED,
              "user=%s client=%s transport=%s reason=\"%s\" duration_s=%" PRIu64 " packets_in=%" PRIu64
              " bytes_in=%" PRIu64 " packets_out=%" PRIu64 " bytes_out=%" PRIu64,
              user, address_format(&view.flow->client, client), turn_transport_name(view.flow->transport),
              turn_end_name(end), (net_now().monotonic_ns - view.began_ns) / NS_PER_S, view.packets_in, view.bytes_in,
              view.packets_out, view.bytes_out);
}

/* The first 401 of a client and a 438 are how authentication goes, no refusal: only what carried a username is. */
static void refused(void *context, const struct turn_flow *flow, uint16_t method, int error_code, struct span username)
{
    (void)context;
    if (error_code == STUN_STALE_NONCE || (error_code == STUN_UNAUTHENTICATED && username.length == 0))
        return;
    char client[ADDRESS_TEXT_MAX], user[USERNAME_SHOWN];
    username_quote(username, user);
    log_event(LOG_REFUSED, "client=%s transport=%s method=%s error=%d user=%s", address_format(&flow->client, client),
              turn_transport_name(flow->transport), stun_method_name(method), error_code, user);
}

void service_log_attach(struct turn_host *host)
{
    host->allocation_began = allocation_began;
    host->allocation_ended = allocation_ended;
    host->refused = refused;
}

void service_log_front(void *context, enum front_log_level level, const char *text)
{
    (void)context;
    static const enum log_event events[] = {[FRONT_LOG_ERROR] = LOG_EXHAUSTED,
                                            [FRONT_LOG_BACKEND] = LOG_BACKEND_FAILED,
                                            [FRONT_LOG_INFO] = LOG_CONNECTION_FAILED,
                                            [FRONT_LOG_DEBUG] = LOG_DETAIL};
    log_event(events[level], "%s", text);
}
