/* SPDX-License-Identifier: BSD-3-Clause
 * The whole edge, driven by a program from both sides: each step is a letter and two further bytes, so that seeds can
 * be written by hand (see step()). WICs come and go, register, call, answer for others; the core answers, calls, says
 * garbage and nothing; time passes, targets die, memory fails. What has to hold: whatever goes out is a message, no
 * token and nothing that a WIC may not say reaches the core, and in the end nothing is left. */
#include "harness.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/memory.h"
#include "sip/message.h"
#include "world.h"

#define WICS      4
#define STEPS_MAX 300
#define FIELDS_OK 100 /* lines that the edge's own additions do not bring above SIP_FIELDS_MAX */
#define BOB       "<sip:bob@" DOMAIN ">"
#define TO_ALICE  "Contact: <sip:alice@a.invalid;ob>\n"
#define COUNT(a)  (sizeof(a) / sizeof *(a))

static struct run {
    struct reader program;
    struct world *world;
    struct wic wics[WICS];
    bool mangled;      /* bytes have been changed: words may stand anywhere */
    bool memory_fails; /* sometimes */
} run;

static const char *const names[] = {"alice", "alice", "bob", "carol"};
static const char *const register_fields[] = {
    "",
    "Accept: application/vnd.postern.ice-servers+json\n",
    "Authorization: Digest username=\"alice\", realm=\"r\", nonce=\"n\", integrity-protected=\"evil\", response=\"\"\n",
    "Authorization: Bearer alice@private/sip:alice@" DOMAIN "/300\n",
    "Authorization: Bearer bad\n",
    "Path: <sip:evil>\nRoute: <sip:evil>\nP-Asserted-Identity: <sip:evil@" DOMAIN ">\n",
    "Via: SIP/2.0/UDP other;branch=z9hG4bKo\n",
    "Contact: <sip:second@a.invalid>\n",
    "Authorization: Digest username=\"a, integrity-protected=\"evil\"\n",
    "Accept: */*\nAuthorization: Digest username=\"alice\", qop=auth-int, response=\"0\"\nRequire: path\n",
};
static const char *const methods[] = {"INVITE",  "BYE",   "ACK",  "OPTIONS", "SUBSCRIBE", "NOTIFY", "REFER",
                                      "MESSAGE", "PRACK", "INFO", "UPDATE",  "PUBLISH",   "CANCEL", "FROBNICATE"};
static const char *const tags[] = {"", "one", "two", "core"};
static const char *const request_fields[] = {
    TO_ALICE,
    "P-Preferred-Identity: <tel:+15551234>\n" TO_ALICE,
    TO_ALICE "Route: <sip:evil>\nRecord-Route: <sip:evil>\nP-Asserted-Identity: <sip:evil>\n",
    "Proxy-Require: sec-agree\n",
    "Authorization: Bearer alice@private/sip:alice@" DOMAIN "/300\n" TO_ALICE,
    "Contact: <sip:bob@198.51.100.9>\nRecord-Route: <sip:scscf;lr>,<sip:other;lr>\n",
    "Subscription-State: terminated;reason=timeout\n",
    "Privacy: id\nP-Asserted-Identity: " BOB "\n",
};
static const unsigned statuses[] = {100, 180, 183, 200, 202, 302, 401, 404, 407,
                                    408, 481, 486, 487, 489, 500, 503, 600};
static const char *const response_fields[] = {
    "",
    "Contact: <sip:bob@198.51.100.9>\nRecord-Route: <sip:scscf;lr>\n",
    "Contact: <sip:bob@198.51.100.9>\nExpires: 0\n",
    "Contact: *\nService-Route: <sip:a;lr>,<sip:b;lr>\nP-Associated-URI: <tel:+1>\n",
    "Content-Type: text/plain\nAuthentication-Info: qop=auth-int\n\nbody",
    "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", ik=\"1\"\n",
};
static const uint64_t delays_ms[] = {1, 600, 4100, 33 * 1000, 190 * 1000, 700 * 1000};

static uint8_t next(void)
{
    return reader_u8(&run.program);
}

static void check(const char *text, size_t length, bool to_core)
{
    unsigned lines = 0, status;
    osip_message_t *message = NULL;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    bool refusal =
        strncmp(text, "SIP/2.0 400", 11) == 0 || strncmp(text, "SIP/2.0 505", 11) == 0; /* of what was none */
    if (!run.memory_fails && lines < FIELDS_OK && length > 2 && !refusal) {
        int result = sip_message_decode(text, length, &message, &status);
        assert(result == 0);
        sip_message_destroy(&message);
    }
    if (to_core && !run.mangled) {
        assert(!has(text, "evil"));
        assert(!has(text, "Bearer"));
    }
}

static struct wic *wic_of(uint8_t number)
{
    struct wic *wic = &run.wics[number % WICS];
    return wic->flow ? wic : NULL;
}

static void open_wic(uint8_t number, uint8_t worker)
{
    struct wic *wic = &run.wics[number % WICS];
    if (wic->flow)
        return;
    *wic = wic_open(run.world, worker % WORLD_WORKERS, names[number % WICS]);
    if (worker & 2) /* one that has been here before */
        snprintf(wic->instance, sizeof wic->instance, "<urn:uuid:same>");
}

static void answer_register(uint8_t back)
{
    char fields[1000];
    const char *sent = world_to_core_before(run.world, back % 8);
    snprintf(fields, sizeof fields, "Contact: %.600s\nService-Route: <sip:scscf." DOMAIN ";lr>\n",
             field(sent, "Contact", 0));
    core_answer_before(run.world, back % 8, 200, "core", fields);
}

static void request(struct wic *wic, uint8_t what, uint8_t how)
{
    char to[100];
    const char *tag = tags[how % COUNT(tags)];
    snprintf(to, sizeof to, BOB "%s%s", *tag ? ";tag=" : "", tag);
    wic_request(wic, methods[what % COUNT(methods)], "sip:bob@" DOMAIN, to,
                request_fields[(how >> 2) % COUNT(request_fields)], how & 0x80 ? "v=0" : "");
}

/* The CANCEL or ACK for the latest request of |wic|. */
static void end_latest(struct wic *wic, const char *method)
{
    wic_say(wic,
            "%s sip:bob@" DOMAIN " SIP/2.0\nVia: SIP/2.0/WSS %s.invalid;branch=%s\nTo: " BOB "\nFrom: <sip:%s@" DOMAIN
            ">;tag=%s\nCall-ID: call-%s\nCSeq: %u %s\nContent-Length: 0\n\n",
            method, wic->tag, wic->branch, wic->user, wic->tag, wic->call_id, wic->cseq, method);
}

static void notify(uint8_t back, uint8_t how)
{
    const char *sent = world_to_core_before(run.world, back % 8), *contact = strstr(field(sent, "Contact", 0), "sip:");
    if (strncmp(sent, "SUBSCRIBE", 9) != 0 || !contact)
        return;
    char body[500];
    snprintf(
        body, sizeof body,
        "<reginfo xmlns='urn:ietf:params:xml:ns:reginfo' version='%u' state='%s'><registration aor='sip:alice@" DOMAIN
        "' state='%s'/></reginfo>",
        how, how & 2 ? "full" : "partial", how & 1 ? "terminated" : "active");
    core_say(run.world, how % WORLD_WORKERS,
             "NOTIFY %.*s SIP/2.0\nVia: SIP/2.0/TCP scscf;branch=z9hG4bKn%u\nTo: %s\nFrom: %s;tag=core\nCall-ID: %s\n"
             "CSeq: %u NOTIFY\nSubscription-State: active\nContent-Length: %zu\n\n%s",
             (int)strcspn(contact, ">"), contact, how, field(sent, "From", 0), field(sent, "To", 0),
             field(sent, "Call-ID", 0), how, strlen(body), body);
}

/* A message that went out comes in, from either side, with a byte changed. */
static void replay(bool from_core, uint8_t where, uint8_t byte)
{
    const char *sent =
        where & 1 ? world_to_core_before(run.world, byte % 4) : world_to_client_before(run.world, byte % 4);
    struct wic *wic = wic_of(byte);
    size_t length = strlen(sent);
    char *text = malloc(length + 1);
    memcpy(text, sent, length + 1);
    run.mangled = true;
    if (length > 0)
        text[where * 5u % length] = (char)byte;
    if (from_core)
        edge_receive_core(run.world->edges[byte % WORLD_WORKERS], &run.world->targets[0], text, length, run.world->now);
    else if (wic)
        edge_receive_client(run.world->edges[wic->worker], wic->flow, text, length, run.world->now);
    (void)edge_worker_of(&run.world->flow_key, text, length);
    free(text);
}

static void raw(bool from_core, uint8_t number)
{
    uint8_t length = next();
    const uint8_t *bytes = reader_take(&run.program, length);
    struct wic *wic = wic_of(number);
    if (!bytes)
        return;
    run.mangled = true;
    if (from_core)
        edge_receive_core(run.world->edges[0], &run.world->targets[0], bytes, length, run.world->now);
    else if (wic)
        edge_receive_client(run.world->edges[wic->worker], wic->flow, bytes, length, run.world->now);
}

static void step(void)
{
    uint8_t op = next(), a = next(), b = next();
    struct wic *wic = wic_of(a);
    switch (op) {
    case 'o':
        open_wic(a, b);
        break;
    case 'y':
        answer_register(a);
        break;
    case 'k':
        core_answer_before(run.world, a % 4, statuses[b % COUNT(statuses)], tags[1 + (a >> 2) % 3],
                           response_fields[(a >> 4) % COUNT(response_fields)]);
        break;
    case 't':
        world_pass(run.world, delays_ms[a % COUNT(delays_ms)]);
        break;
    case 'f':
        edge_target_failed(run.world->edges[b % WORLD_WORKERS], &run.world->targets[a % 2], run.world->now);
        break;
    case 'l':
        run.world->slow_lookup = b & 1;
        world_look_up(run.world);
        break;
    case 'n':
        notify(a, b);
        break;
    case 'm':
        run.memory_fails = true;
        memory_fail_at(1 + (a & 0x3F));
        break;
    case 'p':
    case 'P':
        replay(op == 'P', a, b);
        break;
    case '<':
    case '>':
        raw(op == '>', a);
        break;
    default:
        break;
    }
    if (!wic)
        return;
    switch (op) {
    case 'c':
        wic_close(wic);
        break;
    case 'r':
        wic->extra = register_fields[b % COUNT(register_fields)];
        wic->expires = b & 0x80 ? 0 : 600;
        wic_register_begin(wic);
        break;
    case 'i':
        request(wic, next(), b);
        break;
    case 'x':
        end_latest(wic, b & 1 ? "CANCEL" : "ACK");
        break;
    case 'a':
        wic_answer(wic, statuses[b % COUNT(statuses)], tags[1 + a / WICS % 3], request_fields[b >> 5]);
        break;
    case 'q':
        core_request(wic, methods[b % COUNT(methods)], tags[next() % COUNT(tags)], request_fields[5 + b % 3]);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    run = (struct run){.program = reader_over(bytes, length)};
    uint8_t options = next();
    run.world = world_create(&(struct world_options){
        .tokens = options & 1,
        .challenge = options & 2,
        .transport = options & 4 ? EDGE_TCP : EDGE_UDP,
        .targets = options & 8 ? 2 : 1,
        .slow_lookup = options & 16,
        .subscriptions = true,
    });
    run.world->check = check;
    for (unsigned i = 0; i < STEPS_MAX && !run.program.failed; i++)
        step();
    memory_fail_at(0);
    for (unsigned i = 0; i < WICS; i++)
        if (run.wics[i].flow)
            wic_close(&run.wics[i]);
    world_destroy(&run.world);
    return 0;
}
