/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/load/sip_wic.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "auth/provision.h"
#include "base/error.h"
#include "base/memory.h"
#include "cli/load/sip_digest.h"
#include "cli/load/sip_text.h"
#include "crypto/digest.h"
#include "net/socket.h"

#define INPUT_MAX   65536
#define MESSAGE_MAX 8192
#define SDP                                                                     \
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" \
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=setup:actpass\r\na=sendrecv\r\n"

/* A text that is put together; what does not fit is cut, and the message is then not sent. */
struct text {
    char bytes[MESSAGE_MAX];
    size_t length;
    bool cut;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text->bytes + text->length, sizeof text->bytes - text->length, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof text->bytes - text->length)
        text->cut = true;
    else
        text->length += (size_t)length;
}

static void fail(struct sip_wic *wic, const char *reason)
{
    if (wic->state == SIP_WIC_FAILED)
        return;
    enum sip_wic_state was = wic->state;
    wic->state = SIP_WIC_FAILED;
    timers_cancel(loop_timers(wic->settings->flow.worker->loop), &wic->hold);
    wic->settings->failed(wic->settings->context, wic, was, reason);
}

static uint64_t now_ns(void)
{
    return net_now().monotonic_ns;
}

/* One masked frame. */
static void frame_send(struct sip_wic *wic, enum ws_opcode opcode, const void *bytes, size_t length)
{
    uint8_t head[WS_FRAME_HEAD_MAX], mask[4], payload[MESSAGE_MAX];
    if (length > sizeof payload || wic->state == SIP_WIC_FAILED)
        return;
    crypto_random(mask, sizeof mask);
    size_t head_length = ws_frame_head(opcode, length, mask, head);
    if (length > 0)
        memcpy(payload, bytes, length);
    ws_mask(payload, length, mask);
    load_flow_send(&wic->flow, head, head_length, payload, length, 0);
    load_flow_flush(&wic->flow);
}

static void text_send(struct sip_wic *wic, const struct text *text)
{
    if (text->cut)
        fail(wic, "a message became too long");
    else
        frame_send(wic, WS_TEXT, text->bytes, text->length);
}

/* Whose name a WIC goes by. */
static void add_user(struct text *text, const struct sip_wic *wic)
{
    const struct sip_plan *plan = wic->settings->plan;
    if (plan->single)
        add(text, "%s", plan->user);
    else
        add(text, "%s%u", plan->user, wic->number);
}

/* The first lines of each request. */
static void add_request(struct text *text, struct sip_wic *wic, const char *method, const char *uri, const char *to,
                        unsigned cseq, const char *call)
{
    uint64_t branch;
    crypto_random(&branch, sizeof branch);
    add(text, "%s %s SIP/2.0\r\nVia: SIP/2.0/WSS w%u.invalid;branch=z9hG4bK%016" PRIx64 "\r\nMax-Forwards: 70\r\n",
        method, uri, wic->number, branch);
    add(text, "From: <sip:");
    add_user(text, wic);
    add(text, "@%s>;tag=w%u\r\nTo: %s\r\nCall-ID: %s-%u-%016" PRIx64 "\r\nCSeq: %u %s\r\n", wic->settings->plan->domain,
        wic->number, to, call, wic->number, wic->settings->run, cseq, method);
}

static void add_contact(struct text *text, const struct sip_wic *wic)
{
    add(text, "Contact: <sip:");
    add_user(text, wic);
    add(text, "@w%u.invalid;transport=ws;ob>", wic->number);
}

static void add_end(struct text *text, const char *body)
{
    if (body[0])
        add(text, "Content-Type: application/sdp\r\n");
    add(text, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
}

/* Registering. |challenge| is empty, or a WWW-Authenticate value to answer. */
static void register_send(struct sip_wic *wic, unsigned expires_s, struct span challenge)
{
    const struct sip_plan *plan = wic->settings->plan;
    struct text text = {.length = 0}, to = {.length = 0}, uri = {.length = 0};
    add(&to, "<sip:");
    add_user(&to, wic);
    add(&to, "@%s>", plan->domain);
    add(&uri, "sip:%s", plan->domain);
    add_request(&text, wic, "REGISTER", uri.bytes, to.bytes, ++wic->cseq, "r");
    add_contact(&text, wic);
    add(&text, ";+sip.instance=\"<urn:uuid:%08" PRIx32 "-0000-4000-8000-%012" PRIx64 ">\";reg-id=1;expires=%u\r\n",
        wic->number, wic->settings->run & 0xFFFFFFFFFFFF, expires_s);
    add(&text, "Supported: path, outbound, gruu\r\nAccept: " PROVISION_TYPE "\r\n");
    if (challenge.length > 0) {
        struct text user = {.length = 0};
        char authorization[1024];
        add_user(&user, wic);
        if (sip_digest_answer(challenge, user.bytes, plan->password, "REGISTER", uri.bytes, authorization,
                              sizeof authorization) != 0) {
            fail(wic, "the challenge asks for something that this program cannot do");
            return;
        }
        add(&text, "Authorization: %s\r\n", authorization);
    } else if (plan->token) {
        add(&text, "Authorization: Bearer %s\r\n", plan->token);
    }
    add_end(&text, "");
    text_send(wic, &text);
}

void sip_wic_register(struct sip_wic *wic, unsigned expires_s)
{
    if (wic->state == SIP_WIC_FAILED)
        return;
    wic->state = SIP_WIC_REGISTERING;
    wic->challenged = false;
    wic->asked_ns = now_ns();
    register_send(wic, expires_s, (struct span){"", 0});
}

static void fail_status(struct sip_wic *wic, const char *method, struct span message)
{
    char reason[160];
    const char *line = message.bytes, *end = memchr(line, '\r', message.length);
    snprintf(reason, sizeof reason, "%s was answered with %.*s", method, (int)(end ? end - line : 40), line);
    fail(wic, reason);
}

static void register_answered(struct sip_wic *wic, struct span message, unsigned status)
{
    if (wic->state != SIP_WIC_REGISTERING || status < 200)
        return;
    if (status == 401 && !wic->challenged && wic->settings->plan->password) {
        wic->challenged = true;
        register_send(wic, wic->settings->plan->expires_s, sip_text_field(message, "WWW-Authenticate", 0));
        return;
    }
    if (status >= 300) {
        fail_status(wic, "REGISTER", message);
        return;
    }
    bool provisioned = memmem(message.bytes, message.length, "\"iceServers\"", 12) != NULL;
    wic->state = SIP_WIC_REGISTERED;
    wic->settings->registered(wic->settings->context, wic, now_ns() - wic->asked_ns, provisioned);
}

/* Calling. */

static void call_name(const struct sip_wic *wic, char out[32])
{
    snprintf(out, 32, "c%u", wic->call.count);
}

void sip_wic_call(struct sip_wic *wic, const char *uri)
{
    struct text text = {.length = 0}, to = {.length = 0};
    char name[32];
    wic->call.count++;
    wic->call.cseq = 1;
    call_name(wic, name);
    add(&to, "<%s>", uri);
    add_request(&text, wic, "INVITE", uri, to.bytes, wic->call.cseq, name);
    add_contact(&text, wic);
    add(&text, "\r\nSupported: outbound\r\n");
    add_end(&text, SDP);
    wic->state = SIP_WIC_CALLING;
    wic->asked_ns = now_ns();
    text_send(wic, &text);
}

static void copy(char *out, size_t size, struct span span)
{
    snprintf(out, size, "%.*s", (int)span.length, (const char *)span.bytes);
}

/* The dialog of RFC 3261 §12.1.2: the Record-Route fields in reverse, and who answered. */
static void dialog_learn(struct sip_wic *wic, struct span message)
{
    struct sip_wic_call *call = &wic->call;
    unsigned count = 0;
    size_t length = 0;
    while (sip_text_field(message, "Record-Route", count).length > 0)
        count++;
    call->routes[0] = '\0';
    while (count-- > 0) {
        struct span route = sip_text_field(message, "Record-Route", count);
        int added = snprintf(call->routes + length, sizeof call->routes - length, "Route: %.*s\r\n", (int)route.length,
                             (const char *)route.bytes);
        length += (size_t)added < sizeof call->routes - length ? (size_t)added : 0;
    }
    copy(call->to, sizeof call->to, sip_text_field(message, "To", 0));
    copy(call->remote_uri, sizeof call->remote_uri, sip_text_uri(sip_text_field(message, "Contact", 0)));
}

static void in_dialog_send(struct sip_wic *wic, const char *method, unsigned cseq)
{
    struct text text = {.length = 0};
    char name[32];
    call_name(wic, name);
    add_request(&text, wic, method, wic->call.remote_uri, wic->call.to, cseq, name);
    add(&text, "%s", wic->call.routes);
    add_end(&text, "");
    text_send(wic, &text);
}

static void hang_up(struct timer *timer, struct now now)
{
    (void)now;
    struct sip_wic *wic = container_of(timer, struct sip_wic, hold);
    wic->state = SIP_WIC_HANGING_UP;
    in_dialog_send(wic, "BYE", ++wic->call.cseq);
}

static void invite_answered(struct sip_wic *wic, struct span message, unsigned status)
{
    if (status < 200)
        return;
    if (wic->state != SIP_WIC_CALLING)
        return;
    if (status >= 300) {
        /* Its ACK goes hop by hop and is of no use to a load on a reliable transport's next hop, but for the rules. */
        copy(wic->call.to, sizeof wic->call.to, sip_text_field(message, "To", 0));
        fail_status(wic, "INVITE", message);
        return;
    }
    dialog_learn(wic, message);
    in_dialog_send(wic, "ACK", wic->call.cseq);
    wic->state = SIP_WIC_TALKING;
    wic->settings->call_answered(wic->settings->context, wic, now_ns() - wic->asked_ns);
    wic->hold.callback = hang_up;
    if (timers_set(loop_timers(wic->settings->flow.worker->loop), &wic->hold,
                   now_ns() + wic->settings->plan->hold_ms * NS_PER_MS) != 0)
        fail(wic, error_text(ERR_MEMORY));
}

static void bye_answered(struct sip_wic *wic, struct span message, unsigned status)
{
    if (status < 200 || wic->state != SIP_WIC_HANGING_UP)
        return;
    if (status >= 300) {
        fail_status(wic, "BYE", message);
        return;
    }
    wic->state = SIP_WIC_REGISTERED;
    wic->settings->call_ended(wic->settings->context, wic);
}

/* What comes in. */

static void copy_fields(struct text *text, struct span message, const char *name, const char *suffix)
{
    struct span value;
    for (unsigned i = 0; (value = sip_text_field(message, name, i)).length > 0; i++)
        add(text, "%s: %.*s%s\r\n", name, (int)value.length, (const char *)value.bytes, suffix);
}

/* A called WIC says yes to everything. */
static void request_answer(struct sip_wic *wic, struct span message, struct span method)
{
    bool invite = span_equal(method, span_of_text("INVITE"));
    struct text text = {.length = 0};
    if (span_equal(method, span_of_text("ACK")))
        return;
    bool tagged = sip_text_parameter(sip_text_field(message, "To", 0), "tag").length > 0;
    add(&text, "SIP/2.0 200 OK\r\n");
    copy_fields(&text, message, "Via", "");
    copy_fields(&text, message, "Record-Route", "");
    copy_fields(&text, message, "From", "");
    copy_fields(&text, message, "To", tagged ? "" : ";tag=a");
    copy_fields(&text, message, "Call-ID", "");
    copy_fields(&text, message, "CSeq", "");
    if (invite) {
        add_contact(&text, wic);
        add(&text, "\r\n");
    }
    add_end(&text, invite ? SDP : "");
    text_send(wic, &text);
}

static void message_take(struct sip_wic *wic, struct span message)
{
    static const struct {
        const char *method;
        void (*answered)(struct sip_wic *wic, struct span message, unsigned status);
    } rows[] = {{" REGISTER", register_answered}, {" INVITE", invite_answered}, {" BYE", bye_answered}};
    struct span method = sip_text_method(message);
    unsigned status = sip_text_status(message);
    if (method.length > 0) {
        request_answer(wic, message, method);
        return;
    }
    struct span cseq = sip_text_field(message, "CSeq", 0);
    for (size_t i = 0; status > 0 && i < sizeof rows / sizeof *rows; i++) {
        size_t length = strlen(rows[i].method);
        if (cseq.length > length &&
            memcmp((const char *)cseq.bytes + cseq.length - length, rows[i].method, length) == 0)
            rows[i].answered(wic, message, status);
    }
}

static int input_append(struct sip_wic *wic, const uint8_t *bytes, size_t length)
{
    size_t wanted = wic->input_length + length;
    if (wanted > INPUT_MAX)
        return ERR_TOO_LARGE;
    if (wanted > wic->input_size) {
        uint8_t *grown = memory_resize(wic->input, wanted);
        if (!grown)
            return ERR_MEMORY;
        wic->input = grown;
        wic->input_size = wanted;
    }
    if (length > 0)
        memcpy(wic->input + wic->input_length, bytes, length);
    wic->input_length = wanted;
    return 0;
}

static void input_forget(struct sip_wic *wic)
{
    memory_free(wic->input);
    wic->input = NULL;
    wic->input_length = wic->input_size = 0;
}

static void frames_take(struct sip_wic *wic, const uint8_t *bytes, size_t length)
{
    struct ws_event event;
    int result = ws_session_feed(&wic->ws, bytes, length);
    while (result == 0 && wic->state != SIP_WIC_FAILED && (result = ws_session_next(&wic->ws, &event)) > 0) {
        result = 0;
        if (event.kind == WS_EVENT_PING)
            frame_send(wic, WS_PONG, event.bytes, event.length);
        else if (event.kind == WS_EVENT_CLOSE)
            fail(wic, "the server closed the WebSocket");
        else if (event.kind == WS_EVENT_PAYLOAD)
            result = input_append(wic, event.bytes, event.length);
        if (result == 0 && event.kind == WS_EVENT_PAYLOAD && event.last) {
            message_take(wic, (struct span){wic->input, wic->input_length});
            input_forget(wic);
        }
        if (result == 0)
            continue;
        break;
    }
    if (result < 0)
        fail(wic, result == ERR_MALFORMED ? "the server broke the rules of WebSocket" : error_text(result));
}

/* The answer to the upgrade; frames may follow it at once. */
static void upgrade_take(struct sip_wic *wic, const uint8_t *bytes, size_t length)
{
    if (input_append(wic, bytes, length) != 0) {
        fail(wic, "the answer to the upgrade does not end");
        return;
    }
    const uint8_t *end = memmem(wic->input, wic->input_length, "\r\n\r\n", 4);
    if (!end)
        return;
    if (wic->input_length < 12 || memcmp(wic->input, "HTTP/1.1 101", 12) != 0) {
        char reason[120];
        snprintf(reason, sizeof reason, "the upgrade to a WebSocket was answered with %.40s", (const char *)wic->input);
        reason[strcspn(reason, "\r\n")] = '\0';
        fail(wic, reason);
        return;
    }
    size_t head = (size_t)(end + 4 - wic->input), rest = wic->input_length - head;
    uint8_t *input = wic->input;
    wic->input = NULL;
    wic->input_length = wic->input_size = 0;
    ws_session_init(&wic->ws, WS_CLIENT, (struct ws_receivers *)&wic->settings->receivers, INPUT_MAX);
    sip_wic_register(wic, wic->settings->plan->expires_s);
    if (rest > 0)
        frames_take(wic, input + head, rest);
    memory_free(input);
}

static struct sip_wic *wic_of(struct load_flow *flow)
{
    return container_of(flow, struct sip_wic, flow);
}

void sip_wic_flow_opened(struct load_flow *flow)
{
    struct sip_wic *wic = wic_of(flow);
    const struct sip_plan *plan = wic->settings->plan;
    uint8_t key[16];
    char key_text[CRYPTO_BASE64_SIZE(sizeof key)];
    struct text text = {.length = 0};
    crypto_random(key, sizeof key);
    crypto_base64(key, sizeof key, key_text);
    add(&text,
        "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %s\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n\r\n",
        plan->path, plan->host, key_text);
    load_flow_send(flow, (const uint8_t *)text.bytes, text.length, NULL, 0, 0);
    load_flow_flush(flow);
}

void sip_wic_flow_received(struct load_flow *flow, const uint8_t *bytes, size_t length)
{
    struct sip_wic *wic = wic_of(flow);
    if (wic->state == SIP_WIC_OPENING)
        upgrade_take(wic, bytes, length);
    else if (wic->state != SIP_WIC_FAILED)
        frames_take(wic, bytes, length);
}

void sip_wic_flow_settled(struct load_flow *flow)
{
    (void)flow;
}

void sip_wic_flow_failed(struct load_flow *flow, const char *reason)
{
    fail(wic_of(flow), reason);
}

void sip_wic_open(struct sip_wic *wic, const struct sip_wic_settings *settings, uint32_t number)
{
    wic->settings = settings;
    wic->number = number;
    wic->state = SIP_WIC_OPENING;
    int error = load_flow_open(&wic->flow, &settings->flow);
    if (error != 0)
        fail(wic, error_text(error));
}

void sip_wic_close(struct sip_wic *wic)
{
    if (!wic->settings)
        return;
    timers_cancel(loop_timers(wic->settings->flow.worker->loop), &wic->hold);
    load_flow_close(&wic->flow);
    if (wic->ws.receivers)
        ws_session_fini(&wic->ws);
    input_forget(wic);
    *wic = (struct sip_wic){.state = SIP_WIC_CLOSED};
}
