/* SPDX-License-Identifier: BSD-3-Clause */
#include "office.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"

#define TEXTS 8

static void record(void *context, const void *bytes, size_t length)
{
    struct office *office = context;
    assert(length > 0);
    char *copy = malloc(length + 1); /* not ours: the tests of memory count registrar's allocations only */
    assert(copy);
    memcpy(copy, bytes, length);
    copy[length] = '\0';
    if (office->sent_count == OFFICE_SENT) { /* the oldest goes */
        free(office->sent[0]);
        memmove(&office->sent[0], &office->sent[1], (OFFICE_SENT - 1) * sizeof office->sent[0]);
        office->sent_count--;
        office->taken -= office->taken > 0;
    }
    office->sent[office->sent_count++] = copy;
}

static void begin(struct office *office)
{
    const struct registrar_host host = {.context = office, .timers = &office->timers, .send = record};
    int status = registrar_create(DOMAIN, OFFICE, office->accounts, &host, &office->registrar);
    assert(status == 0);
    (void)status;
}

void office_open(struct office *office)
{
    static const char *const names[][2] = {{"alice", "alice's"}, {"bob", "bob's"}, {"carol", "carol's"}};
    struct accounts_error error;
    /* No sip_init(): allocations of libosip2, which does not survive all failures, are not counted in. */
    memset(office, 0, sizeof *office);
    office->now = (struct now){.monotonic_ns = 1000 * NS_PER_S, .wall_s = OFFICE_START_S};
    timers_init(&office->timers);
    int status = accounts_open(NULL, DOMAIN, 0, &office->accounts, &error);
    assert(status == 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        status = accounts_add(office->accounts, names[i][0], names[i][1], OFFICE_START_S);
        assert(status == 0);
    }
    begin(office);
    (void)status;
}

void office_reopen(struct office *office, const char *file)
{
    struct accounts_error error;
    registrar_destroy(&office->registrar);
    accounts_close(&office->accounts);
    int status = accounts_open(file, DOMAIN, 0, &office->accounts, &error);
    assert(status == 0);
    (void)status;
    begin(office);
}

void office_close(struct office *office)
{
    registrar_destroy(&office->registrar);
    assert(office->timers.count == 0);
    timers_fini(&office->timers);
    accounts_close(&office->accounts);
    for (unsigned i = 0; i < office->sent_count; i++)
        free(office->sent[i]);
}

void office_wait(struct office *office, uint64_t ms)
{
    uint64_t end_ns = office->now.monotonic_ns + ms * NS_PER_MS;
    for (;;) {
        uint64_t next_ns = timers_deadline(&office->timers);
        uint64_t step_ns = next_ns < end_ns ? next_ns : end_ns;
        if (step_ns > office->now.monotonic_ns) {
            uint64_t before_s = office->now.monotonic_ns / NS_PER_S;
            office->now.monotonic_ns = step_ns;
            office->now.wall_s += step_ns / NS_PER_S - before_s;
        }
        timers_expire(&office->timers, office->now);
        if (step_ns == end_ns && timers_deadline(&office->timers) > end_ns)
            return;
    }
}

void office_receive(struct office *office, const char *format, ...)
{
    char text[16384], message[32768];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    assert(length >= 0 && (size_t)length < sizeof text);
    size_t used = 0;
    for (const char *at = text; *at; at++) {
        if (*at == '\n')
            message[used++] = '\r';
        message[used++] = *at;
    }
    registrar_receive(office->registrar, message, used, office->now);
    office_wait(office, 0);
}

void office_answer(struct office *office, const char *message, unsigned status)
{
    char vias[1024] = "", routes[1024] = "";
    for (unsigned i = 0; line_of(message, "Via", i)[0]; i++)
        snprintf(vias + strlen(vias), sizeof vias - strlen(vias), "Via: %s\n", line_of(message, "Via", i));
    for (unsigned i = 0; line_of(message, "Record-Route", i)[0]; i++)
        snprintf(routes + strlen(routes), sizeof routes - strlen(routes), "Record-Route: %s\n",
                 line_of(message, "Record-Route", i));
    const char *to = line_of(message, "To", 0);
    bool tagged = strstr(to, ";tag=") != NULL;
    office_receive(office,
                   "SIP/2.0 %u Reason\n%s%sFrom: %s\nTo: %s%s%s\nCall-ID: %s\nCSeq: %s\n"
                   "Contact: <sip:bob@b1.invalid;transport=ws>\nContent-Length: 0\n\n",
                   status, vias, routes, line_of(message, "From", 0), to, tagged ? "" : ";tag=to",
                   tagged ? "" : between(message, "sip:bob@", "."), line_of(message, "Call-ID", 0),
                   line_of(message, "CSeq", 0));
}

const char *office_next(struct office *office)
{
    return office->taken < office->sent_count ? office->sent[office->taken++] : NULL;
}

static char *text_buffer(void)
{
    static char texts[TEXTS][4096];
    static unsigned next;
    return texts[next++ % TEXTS];
}

const char *line_of(const char *message, const char *name, unsigned index)
{
    char *out = text_buffer();
    const char *at = message;
    while ((at = strstr(at, "\r\n")) && strncmp(at, "\r\n\r\n", 4) != 0) {
        at += 2;
        size_t length = strlen(name);
        if (strncasecmp(at, name, length) != 0 || at[length] != ':' || index-- > 0)
            continue;
        at += length + 1;
        at += strspn(at, " ");
        snprintf(out, 4096, "%.*s", (int)strcspn(at, "\r"), at);
        return out;
    }
    return strcpy(out, "");
}

const char *between(const char *text, const char *start, const char *ends)
{
    char *out = text_buffer();
    const char *at = strstr(text, start);
    if (!at)
        return strcpy(out, "");
    at += strlen(start);
    snprintf(out, 4096, "%.*s", (int)strcspn(at, ends), at);
    return out;
}

unsigned status_of(const char *message)
{
    unsigned status = 0;
    if (message)
        sscanf(message, "SIP/2.0 %3u", &status);
    return status;
}

static void hex_of(bool sha256, const char *text, char out[65])
{
    uint8_t hash[SHA256_SIZE];
    const struct span span = span_of_text(text);
    if (sha256)
        crypto_sha256(&span, 1, hash);
    else
        crypto_md5(&span, 1, hash);
    for (size_t i = 0; i < (sha256 ? SHA256_SIZE : MD5_SIZE); i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

const char *digest_answer(const char *challenge, const char *user, const char *password, const char *method,
                          unsigned count)
{
    char *out = text_buffer(), text[1024], a1[65], a2[65], response[65];
    const char *nonce = between(challenge, "nonce=\"", "\"");
    bool sha256 = strstr(challenge, "SHA-256") != NULL;
    snprintf(text, sizeof text, "%s:" DOMAIN ":%s", user, password);
    hex_of(sha256, text, a1);
    snprintf(text, sizeof text, "%s:sip:" DOMAIN, method);
    hex_of(sha256, text, a2);
    snprintf(text, sizeof text, "%s:%s:%08x:chance:auth:%s", a1, nonce, count, a2);
    hex_of(sha256, text, response);
    snprintf(out, 4096,
             "Digest username=\"%s\", realm=\"" DOMAIN "\", nonce=\"%s\", uri=\"sip:" DOMAIN "\", algorithm=%s, "
             "cnonce=\"chance\", nc=%08x, qop=auth, response=\"%s\"",
             user, nonce, sha256 ? "SHA-256" : "MD5", count, response);
    return out;
}

const char *office_register(struct office *office, const struct device *device)
{
    static unsigned cseq;
    char contact[512], parameters[256] = "";
    if (device->instance)
        snprintf(parameters, sizeof parameters, ";+sip.instance=\"<urn:uuid:%s>\";reg-id=%u", device->instance,
                 device->reg_id);
    snprintf(contact, sizeof contact, "Contact: <sip:%s@%s.invalid;transport=ws>%s;expires=%u\n", device->user,
             device->flow, parameters, device->expires ? device->expires : 600);
    while (office_next(office))
        ;
    office_receive(office,
                   "REGISTER sip:" DOMAIN " SIP/2.0\n"
                   "Via: SIP/2.0/TCP " EDGE ";branch=z9hG4bKr%u\n"
                   "Via: SIP/2.0/WSS %s.invalid;branch=z9hG4bKclient\n"
                   "From: <sip:%s@" DOMAIN ">;tag=f\nTo: <sip:%s@" DOMAIN ">\nCall-ID: %s\nCSeq: %u REGISTER\n"
                   "Path: <sip:%s@" EDGE ";lr;ob>\nRequire: path\nSupported: path, outbound\n"
                   "%s%sAuthorization: %s\nMax-Forwards: 69\nContent-Length: 0\n\n",
                   cseq, device->flow, device->user, device->user, device->flow, cseq + 1, device->flow,
                   device->contact ? device->contact : contact, device->contact && device->contact[0] ? "\n" : "",
                   device->authorization ? device->authorization
                                         : "Digest username=\"x\", integrity-protected=\"auth-done\"");
    cseq++;
    return office_next(office);
}

void office_let_in(struct office *office, const char *user, const char *flow)
{
    const char *answer = office_register(office, &(struct device){.user = user, .flow = flow});
    assert(status_of(answer) == 200);
    (void)answer;
}
