/* SPDX-License-Identifier: BSD-3-Clause
 * Messages made from other messages. */
#include <osipparser2/osip_port.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "sip/field.h"
#include "sip/message.h"
#include "sip/value.h"

const char *sip_status_reason(unsigned status)
{
    /* RFC 3261 §21, RFC 3262, 3265, 3326, 3329, 3608, 3903, 4028, 4412, 4474, 5079, 5360, 5393, 5626, 6086, 6665. */
    static const struct {
        unsigned status;
        const char *reason;
    } reasons[] = {
        {100, "Trying"},
        {180, "Ringing"},
        {181, "Call Is Being Forwarded"},
        {182, "Queued"},
        {183, "Session Progress"},
        {199, "Early Dialog Terminated"},
        {200, "OK"},
        {202, "Accepted"},
        {204, "No Notification"},
        {300, "Multiple Choices"},
        {301, "Moved Permanently"},
        {302, "Moved Temporarily"},
        {305, "Use Proxy"},
        {380, "Alternative Service"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {407, "Proxy Authentication Required"},
        {408, "Request Timeout"},
        {410, "Gone"},
        {412, "Conditional Request Failed"},
        {413, "Request Entity Too Large"},
        {414, "Request-URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Unsupported URI Scheme"},
        {420, "Bad Extension"},
        {421, "Extension Required"},
        {422, "Session Interval Too Small"},
        {423, "Interval Too Brief"},
        {428, "Use Identity Header"},
        {430, "Flow Failed"},
        {433, "Anonymity Disallowed"},
        {439, "First Hop Lacks Outbound Support"},
        {440, "Max-Breadth Exceeded"},
        {469, "Bad Info Package"},
        {480, "Temporarily Unavailable"},
        {481, "Call/Transaction Does Not Exist"},
        {482, "Loop Detected"},
        {483, "Too Many Hops"},
        {484, "Address Incomplete"},
        {485, "Ambiguous"},
        {486, "Busy Here"},
        {487, "Request Terminated"},
        {488, "Not Acceptable Here"},
        {489, "Bad Event"},
        {491, "Request Pending"},
        {493, "Undecipherable"},
        {494, "Security Agreement Required"},
        {500, "Server Internal Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Server Time-out"},
        {505, "Version Not Supported"},
        {513, "Message Too Large"},
        {580, "Precondition Failure"},
        {600, "Busy Everywhere"},
        {603, "Decline"},
        {604, "Does Not Exist Anywhere"},
        {606, "Not Acceptable"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    static const char *const classes[] = {
        "Unknown", "Progress", "Success", "Redirection", "Request Failure", "Server Failure", "Global Failure",
    };
    return classes[status / 100 <= 6 ? status / 100 : 0];
}

/* Appends |from|'s values of |kind|, or only the first, to |to|'s. */
static int copy_field(osip_message_t *to, const osip_message_t *from, const char *name, bool all)
{
    char *text;
    int result = 0;
    for (unsigned i = 0; i == 0 || (all && result == 0); i++) {
        result = sip_field_text(from, sip_field_kind(name), i, &text);
        if (result < 0)
            break;
        result = sip_field_put(to, name, span_of_text(text), -1);
        memory_free(text);
    }
    return result == ERR_NOT_FOUND ? 0 : result;
}

static int copy_fields(osip_message_t *to, const osip_message_t *from, const char *const *names)
{
    int result = 0;
    for (; result == 0 && *names; names++)
        result = copy_field(to, from, *names, true);
    return result;
}

static bool opens_a_dialog(unsigned status)
{
    return status > 100 && status < 300;
}

osip_message_t *sip_response_create(const osip_message_t *request, unsigned status, const char *reason,
                                    const char *to_tag)
{
    static const char *const always[] = {"Via", "From", "To", "Call-ID", "CSeq", NULL};
    static const char *const for_dialogs[] = {"Record-Route", NULL};
    osip_message_t *response;
    if (osip_message_init(&response) != OSIP_SUCCESS)
        return NULL;
    response->status_code = (int)status;
    response->sip_version = sip_text_of((struct span){"SIP/2.0", 7});
    response->reason_phrase = sip_text_of(span_of_text(reason ? reason : sip_status_reason(status)));
    int result = response->sip_version && response->reason_phrase ? 0 : ERR_MEMORY;
    if (result == 0)
        result = copy_fields(response, request, always);
    if (result == 0 && opens_a_dialog(status))
        result = copy_fields(response, request, for_dialogs);
    if (result == 0 && to_tag && response->to && !sip_parameter_find(&response->to->gen_params, "tag"))
        result = sip_parameter_set(&response->to->gen_params, "tag", to_tag);
    if (result < 0)
        sip_message_destroy(&response);
    return response;
}

/* Method, URI and version alone. */
static osip_message_t *bare_request(const char *method, const char *uri)
{
    osip_message_t *request;
    if (osip_message_init(&request) != OSIP_SUCCESS)
        return NULL;
    request->sip_method = sip_text_of(span_of_text(method));
    request->sip_version = sip_text_of((struct span){"SIP/2.0", 7});
    if (!request->sip_method || !request->sip_version ||
        sip_value_read_uri(span_of_text(uri), &request->req_uri) != 0 ||
        sip_field_add(request, "Max-Forwards", "70") != 0)
        sip_message_destroy(&request);
    return request;
}

osip_message_t *sip_request_create(const char *method, const char *uri)
{
    return bare_request(method, uri);
}

/* A request of |method| in the place of |original|: same URI, topmost Via, Route, From, Call-ID and number. */
static osip_message_t *companion(const osip_message_t *original, const char *method, const osip_from_t *to)
{
    static const char *const same[] = {"Route", "From", "Call-ID", "CSeq", NULL};
    char *uri = NULL, *to_text = NULL;
    osip_message_t *request = NULL;
    if (osip_uri_to_str(original->req_uri, &uri) == OSIP_SUCCESS)
        request = bare_request(method, uri);
    if (request && (osip_to_to_str(to, &to_text) != OSIP_SUCCESS || copy_field(request, original, "Via", false) != 0 ||
                    copy_fields(request, original, same) != 0 || sip_field_add(request, "To", to_text) != 0))
        sip_message_destroy(&request);
    memory_free(uri);
    memory_free(to_text);
    if (!request)
        return NULL;
    char *cseq_method = sip_text_of(span_of_text(method));
    if (!cseq_method) {
        sip_message_destroy(&request);
        return NULL;
    }
    memory_free(request->cseq->method);
    request->cseq->method = cseq_method;
    return request;
}

osip_message_t *sip_ack_create(const osip_message_t *request, const osip_message_t *response)
{
    return companion(request, "ACK", response->to);
}

osip_message_t *sip_cancel_create(const osip_message_t *request)
{
    return companion(request, "CANCEL", request->to);
}
