/* SPDX-License-Identifier: BSD-3-Clause
 * The world of an edge without sockets or a clock: WICs on one side, a core that says what the test wants on the other.
 * Two workers share the registrations. Bugs of the tests themselves are assertions, so that the fuzzer can use it as
 * well. */
#ifndef TESTS_EDGE_WORLD_H
#define TESTS_EDGE_WORLD_H

#include "edge/edge.h"
#include "edge/registrations.h"

#define DOMAIN         "example.org"
#define SENT_BY        "192.0.2.1:5060"
#define WORLD_START_S  1700000000ull
#define WORLD_SENT_MAX 64
#define WORLD_WORKERS  2

struct world_options {
    bool tokens, challenge, no_provision;
    enum edge_transport transport; /* of the core's targets */
    unsigned targets;              /* 0: one */
    bool slow_lookup;              /* look-ups wait for world_look_up() */
    bool subscriptions;            /* the core takes SUBSCRIBE; else the world refuses the first one and forgets it */
};

struct sent {
    char *text;                /* with a NUL */
    struct edge_flow *flow;    /* to a WIC */
    struct edge_target target; /* to the core */
    unsigned worker;
};

struct world_host {
    struct world *world;
    unsigned worker;
    struct list lookups; /* that wait */
};

struct world {
    struct now now;
    struct timers timers;
    struct edge_settings settings;
    struct sip_flow_key flow_key;
    struct edge *edges[WORLD_WORKERS];
    struct world_host hosts[WORLD_WORKERS];
    struct edge_target targets[EDGE_TARGETS_MAX];
    unsigned target_count;
    bool slow_lookup, subscriptions;
    char lookup_uri[256]; /* of the latest one; "" for the core's entry */

    struct sent to_client[WORLD_SENT_MAX], to_core[WORLD_SENT_MAX]; /* the latest, rings */
    unsigned to_client_count, to_core_count;                        /* ever */
    unsigned silent, closed;
    struct sip_flow_name superseded[8];
    unsigned superseded_count;
    unsigned lines;
    unsigned branches;   /* given out by the core */
    char revoked[8][32]; /* registration ids */
    uint64_t revoked_until_s[8];
    unsigned revoked_count;

    /* For whoever wants to look at what goes out; may be NULL. */
    void (*check)(const char *text, size_t length, bool to_core);
};

struct world *world_create(const struct world_options *options);
/* Lets all that is under way come to its end and asserts that nothing is left over. Flows must be closed. */
void world_destroy(struct world **world);
/* Lets time pass in steps, timers fire, mail arrive. */
void world_pass(struct world *world, uint64_t milliseconds);
/* Answers all look-ups that wait. */
void world_look_up(struct world *world);

/* The latest of each, "" where there is none. */
const char *world_to_core(const struct world *world);
const char *world_to_client(const struct world *world);
/* The |back|-th before the latest. */
const char *world_to_core_before(const struct world *world, unsigned back);
const char *world_to_client_before(const struct world *world, unsigned back);

/* The value of the |index|-th line |name| of |text|; "" where there is none. Kept for 16 further calls. */
const char *field(const char *text, const char *name, unsigned index);
/* Whether |text| contains |part|. */
bool has(const char *text, const char *part);
/* The first line. */
const char *first_line(const char *text);
const char *body_of(const char *text);

/* A WIC */
struct wic {
    struct world *world;
    unsigned worker;
    struct edge_flow *flow;
    const char *user; /* of its public identity */
    char call_id[32], tag[16], instance[64];
    unsigned reg_id, cseq, branches, expires;
    const char *extra;               /* fields of the next REGISTER */
    char branch[48];                 /* of the latest request */
    char token[SIP_FLOW_TOKEN_SIZE]; /* as its Path said it */
};
struct wic wic_open(struct world *world, unsigned worker, const char *user);
void wic_close(struct wic *wic);
/* Sends |format| with CR in front of each LF; nothing is added. */
void wic_say(struct wic *wic, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* REGISTER with |extra| and |expires|, which the core has not answered yet. */
void wic_register_begin(struct wic *wic);
/* The same with the core's 200, two associated URIs and a Service-Route. */
void wic_register(struct wic *wic);
/* A request outside a dialog, or within the one of |to_tag|; |fields|: lines that end with LF. */
void wic_request(struct wic *wic, const char *method, const char *uri, const char *to, const char *fields,
                 const char *body);
/* Answers the latest request that a WIC got, if there is one; |fields| as above. */
void wic_answer(struct wic *wic, unsigned status, const char *tag, const char *fields);

/* The core */
void core_say(struct world *world, unsigned worker, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Answers the |back|-th before the latest request that the core got, if there is one. |tag|: of To, where it has none.
 */
void core_answer_before(struct world *world, unsigned back, unsigned status, const char *tag, const char *fields);
void core_answer(struct world *world, unsigned status, const char *tag, const char *fields);
/* A request to the WIC by its Path. */
void core_request(struct wic *wic, const char *method, const char *to_tag, const char *fields);

#endif
