/* SPDX-License-Identifier: BSD-3-Clause
 * REGISTER (RFC 3261 §10.3, RFC 3327 §5.3, RFC 3608 §6, RFC 5626 §6). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/error.h"
#include "base/memory.h"
#include "registrar/hop.h"
#include "registrar/registrar_state.h"

#define EXPIRES_LEAST_S 60
#define EXPIRES_USUAL_S 600
#define EXPIRES_MOST_S  7200
#define PATH_MAX        2048
#define INSTANCE_MAX    256
#define FIELD_MAX       (2 * HOP_URI_MAX)

/* One REGISTER on its way through. */
struct registration {
    struct registrar *registrar;
    const osip_message_t *request;
    const char *user;
    char path[PATH_MAX];
    bool by_password, outbound, changed;
    bool everything; /* Contact: * */
    struct list wanted;
};

static uint32_t cseq_of(const osip_message_t *message)
{
    return (uint32_t)strtoul(message->cseq->number, NULL, 10); /* it was decoded: it is a number of 32 bits */
}

/* The |index|-th thing that the request requires and that is unknown here, or NULL. */
static const char *unknown_requirement(const osip_message_t *request, unsigned index, char *token, size_t size)
{
    for (unsigned i = 0; sip_field_value(request, "Require", i, token, size); i++)
        if (strcasecmp(token, "path") != 0 && strcasecmp(token, "outbound") != 0 && index-- == 0)
            return token;
    return NULL;
}

/* All values of Path as one list. Returns 0 or 400. */
static unsigned read_path(struct registration *registration)
{
    size_t used = 0;
    char value[HOP_URI_MAX];
    for (unsigned i = 0; sip_field_value(registration->request, "Path", i, value, sizeof value); i++) {
        int length =
            snprintf(registration->path + used, sizeof registration->path - used, "%s%s", used ? ", " : "", value);
        used += (size_t)length;
        if (used >= sizeof registration->path)
            return 400;
    }
    return 0;
}

static int copy_texts(struct binding *binding, const struct registration *registration, const osip_contact_t *contact)
{
    char uri[HOP_URI_MAX];
    const char *instance = sip_parameter_find(&contact->gen_params, "+sip.instance");
    const char *reg_id = sip_parameter_find(&contact->gen_params, "reg-id");
    int length = hop_uri_text(contact->url, uri, sizeof uri);
    if (length < 0)
        return length;
    if (instance && strlen(instance) > INSTANCE_MAX)
        return ERR_TOO_LARGE;
    if (registration->outbound && instance && reg_id)
        binding->reg_id = (uint32_t)strtoul(reg_id, NULL, 10); /* 0 where it is no number */
    binding->contact = memory_string(uri);
    binding->call_id = memory_string(registration->request->call_id->number);
    if (instance)
        binding->instance = memory_string(instance);
    if (registration->path[0])
        binding->path = memory_string(registration->path);
    bool all = binding->contact && binding->call_id && (binding->instance || !instance) &&
               (binding->path || !registration->path[0]);
    return all ? 0 : ERR_MEMORY;
}

/* The binding that |contact| asks for. Returns 0, or the status to refuse with. */
static unsigned read_contact(struct registration *registration, const osip_contact_t *contact)
{
    uint32_t expires_s = sip_contact_expires(registration->request, contact, EXPIRES_USUAL_S);
    if (!contact->url || !contact->url->scheme || strncasecmp(contact->url->scheme, "sip", 3) != 0)
        return 400;
    if (expires_s > 0 && expires_s < EXPIRES_LEAST_S)
        return 423;
    struct binding *binding = binding_create(&registration->registrar->bindings);
    if (!binding)
        return 503;
    list_append(&registration->wanted, &binding->link);
    binding->expires_s = expires_s > EXPIRES_MOST_S ? EXPIRES_MOST_S : expires_s;
    binding->cseq = cseq_of(registration->request);
    int status = copy_texts(binding, registration, contact);
    return status == 0 ? 0 : status == ERR_MEMORY ? 503 : 400;
}

/* RFC 3261 §10.3 step 6: alone, and with Expires: 0. */
static unsigned read_star(const struct registration *registration)
{
    uint32_t expires_s = 1;
    bool alone = osip_list_size(&registration->request->contacts) == 1;
    return alone && sip_field_number(registration->request, "Expires", &expires_s) == 0 && expires_s == 0 ? 0 : 400;
}

static unsigned read_contacts(struct registration *registration)
{
    const osip_list_t *contacts = &registration->request->contacts;
    int count = osip_list_size(contacts);
    if (count > BINDINGS_PER_RECORD)
        return 400;
    for (int i = 0; i < count; i++) {
        const osip_contact_t *contact = osip_list_get(contacts, i);
        registration->everything = sip_contact_is_star(contact);
        unsigned refusal = registration->everything ? read_star(registration) : read_contact(registration, contact);
        if (refusal != 0)
            return refusal;
    }
    return 0;
}

/* RFC 3261 §10.3 steps 6 and 7: what was overtaken by a later request of the same client changes nothing. */
static bool is_overtaken(const struct registration *registration, const struct binding *binding)
{
    return strcmp(binding->call_id, registration->request->call_id->number) == 0 &&
           cseq_of(registration->request) <= binding->cseq;
}

static unsigned check_order(const struct registration *registration, const struct record *record)
{
    const struct list *link;
    if (!record)
        return 0;
    list_each (link, &registration->wanted) {
        const struct binding *old = bindings_match(record, container_of(link, struct binding, link));
        if (old && is_overtaken(registration, old))
            return 400;
    }
    if (registration->everything)
        list_each (link, &record->bindings)
            if (is_overtaken(registration, container_of(link, struct binding, link)))
                return 400;
    return 0;
}

/* Returns 0, or the status to refuse with. */
static unsigned change(struct registration *registration, struct now now)
{
    struct bindings *bindings = &registration->registrar->bindings;
    unsigned refusal = read_path(registration);
    if (refusal == 0)
        refusal = read_contacts(registration);
    struct record *record = bindings_find(bindings, registration->user);
    if (refusal == 0)
        refusal = check_order(registration, record);
    if (refusal != 0)
        return refusal;
    if (registration->everything && record)
        bindings_end_all(record, BINDING_UNREGISTERED, now);
    if (list_empty(&registration->wanted))
        return 0;
    if (bindings_commit(bindings, registration->user, &registration->wanted, registration->by_password, now) != 0)
        return 503;
    registrar_keep_looking(registration->registrar, now);
    registration->changed = true;
    return 0;
}

static int add_contact(osip_message_t *response, const struct binding *binding, struct now now)
{
    char text[FIELD_MAX];
    uint64_t left_s = (binding->expires_ns - now.monotonic_ns + NS_PER_S - 1) / NS_PER_S;
    int length = snprintf(text, sizeof text, "<%s>", binding->contact);
    if (binding->instance)
        length += snprintf(text + length, sizeof text - (size_t)length, ";+sip.instance=%s", binding->instance);
    if (binding->reg_id)
        length += snprintf(text + length, sizeof text - (size_t)length, ";reg-id=%" PRIu32, binding->reg_id);
    snprintf(text + length, sizeof text - (size_t)length, ";expires=%" PRIu64, left_s);
    return sip_field_add(response, "Contact", text);
}

static void add_date(osip_message_t *response, struct now now)
{
    char text[64];
    struct tm when;
    time_t seconds = (time_t)now.wall_s;
    if (strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&seconds, &when)) > 0)
        sip_field_add(response, "Date", text);
}

/* RFC 3261 §10.3 step 8, with what IMS adds. */
static osip_message_t *accept(const struct registration *registration, struct now now)
{
    const struct registrar *registrar = registration->registrar;
    osip_message_t *response = registrar_response(registration->request, 200);
    if (!response)
        return NULL;
    char text[FIELD_MAX];
    int status = 0;
    const struct record *record = bindings_find(&registrar->bindings, registration->user);
    const struct list *link;
    if (record)
        list_each (link, &record->bindings)
            status = status ? status : add_contact(response, container_of(link, struct binding, link), now);
    if (status == 0 && registration->path[0])
        status = sip_field_add(response, "Path", registration->path);
    snprintf(text, sizeof text, "<sip:orig@%s;lr>", registrar->sent_by);
    if (status == 0)
        status = sip_field_add(response, "Service-Route", text);
    snprintf(text, sizeof text, "<sip:%s@%s>", registration->user, registrar->domain);
    if (status == 0)
        status = sip_field_add(response, "P-Associated-URI", text);
    if (status == 0)
        status = sip_field_add(response, "Supported", "path, outbound");
    if (status == 0 && registration->outbound)
        status = sip_field_add(response, "Require", "outbound");
    add_date(response, now);
    if (status != 0)
        sip_message_destroy(&response);
    return response;
}

static osip_message_t *refuse(const struct registration *registration, unsigned status)
{
    char token[HOP_URI_MAX];
    osip_message_t *response = registrar_response(registration->request, status);
    if (response && status == 423)
        sip_field_add(response, "Min-Expires", "60");
    if (response && status == 420)
        for (unsigned i = 0; unknown_requirement(registration->request, i, token, sizeof token); i++)
            sip_field_add(response, "Unsupported", token);
    if (response && status == 503)
        sip_field_add(response, "Retry-After", "10");
    return response;
}

static osip_message_t *challenge(const struct registration *registration, bool stale, struct now now)
{
    const struct registrar *registrar = registration->registrar;
    osip_message_t *response = registrar_response(registration->request, 401);
    if (response && challenge_add(&registrar->challenge, registrar->domain, stale, now, response) != 0)
        sip_message_destroy(&response);
    return response;
}

/* RFC 5626 §6: both ends and the first hop speak outbound. */
static bool speaks_outbound(const osip_message_t *request)
{
    const char *path = sip_field_find(request, "Path");
    return sip_field_lists(request, "Supported", "outbound") && path && strstr(path, ";ob");
}

static osip_message_t *answer_to(struct registration *registration, struct now now)
{
    struct registrar *registrar = registration->registrar;
    char account[ACCOUNT_NAME_MAX + 1];
    char token[HOP_URI_MAX];
    if (unknown_requirement(registration->request, 0, token, sizeof token))
        return refuse(registration, 420);
    enum challenge_verdict verdict = challenge_judge(&registrar->challenge, registrar->accounts, registrar->domain,
                                                     registration->request, now, account);
    if (verdict == CHALLENGE_AGAIN || verdict == CHALLENGE_STALE)
        return challenge(registration, verdict == CHALLENGE_STALE, now);
    if (verdict == CHALLENGE_ERROR)
        return refuse(registration, 500);
    if (!registration->user)
        return refuse(registration, 404);
    registration->by_password = verdict == CHALLENGE_PASSED;
    if (registration->by_password && strcmp(account, registration->user) != 0)
        return refuse(registration, 403);
    unsigned refusal = change(registration, now);
    return refusal != 0 ? refuse(registration, refusal) : accept(registration, now);
}

void register_receive(struct registrar *registrar, osip_message_t *request, struct now now)
{
    struct registration registration = {
        .registrar = registrar,
        .request = request,
        .user = registrar_user_of(registrar, request->to->url),
        .outbound = speaks_outbound(request),
    };
    list_init(&registration.wanted);
    registrar_send(registrar, answer_to(&registration, now));
    const struct record *record = registration.changed ? bindings_find(&registrar->bindings, registration.user) : NULL;
    if (record)
        subscription_notify(registrar, record, NULL, BINDING_UNREGISTERED, now);
    while (!list_empty(&registration.wanted))
        binding_destroy(container_of(registration.wanted.next, struct binding, link));
    sip_message_destroy(&request);
}
