/* SPDX-License-Identifier: BSD-3-Clause
 * A message that decodes keeps the promise of sip/message.h, and written anew says the same; so do its copies and the
 * messages that are made from it. */
#include "harness.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "sip/framing.h"
#include "sip/via.h"

static void assert_same(struct span a, struct span b)
{
    assert(span_equal(a, b));
}

static void check_promise(const osip_message_t *message)
{
    assert(message->from && message->from->url && message->to && message->to->url);
    assert(message->call_id && message->call_id->number && message->cseq && message->cseq->method);
    assert(sip_via_top(message) && sip_via_branch(message)[0] != '\0');
    assert((message->sip_method != NULL) == (message->status_code == 0));
    if (message->sip_method)
        assert(message->req_uri && strcmp(message->sip_method, message->cseq->method) == 0);
    assert(osip_list_size(&message->bodies) <= 1);
    char sent_by[SIP_SENT_BY_SIZE];
    sip_via_sent_by(message, sent_by);
}

/* What is written is a frame, decodes, and comes out the same again. */
static void check_written_anew(osip_message_t *message)
{
    char *text, *text_again;
    int length = sip_message_encode(message, &text);
    if (length == ERR_TOO_LARGE)
        return;
    assert(length > 0 && sip_frame_length(text, (size_t)length) == length);
    osip_message_t *again;
    unsigned status;
    int result = sip_message_decode(text, (size_t)length, &again, &status);
    /* Escapes that were not needed before, and compact names, make it longer than it was. */
    assert(result == 0 || result == ERR_TOO_LARGE);
    if (result == 0) {
        check_promise(again);
        assert_same(sip_message_body(message), sip_message_body(again));
        assert(strcmp(sip_via_branch(message), sip_via_branch(again)) == 0);
        assert(sip_message_encode(again, &text_again) == length && memcmp(text, text_again, (size_t)length) == 0);
        assert(sip_peek_is_response(text, (size_t)length) == (message->status_code != 0));
        sip_text_free(text_again);
        sip_message_destroy(&again);
    }
    sip_text_free(text);
}

static void check_made_from(osip_message_t *message)
{
    osip_message_t *clone = sip_message_clone(message);
    check_promise(clone);
    check_written_anew(clone);
    if (message->sip_method) {
        osip_message_t *response = sip_response_create(message, 200, NULL, "tag");
        check_promise(response);
        check_written_anew(response);
        osip_message_t *ack = sip_ack_create(message, response);
        check_promise(ack);
        check_written_anew(ack);
        sip_message_destroy(&ack);
        sip_message_destroy(&response);
    }
    sip_message_destroy(&clone);
}

static void take_apart(osip_message_t *message)
{
    static const char *const names[] = {"Via",       "Route", "Contact", "From",
                                        "Supported", "Path",  "X-Y",     "WWW-Authenticate"};
    char value[512];
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        unsigned index = 0;
        while (sip_field_value(message, names[i], index, value, sizeof value))
            index++;
        assert(index <= SIP_MESSAGE_MAX);
        sip_field_lists(message, names[i], "x");
        sip_field_remove_first(message, names[i]);
        sip_field_remove(message, names[i]);
        assert(!sip_field_value(message, names[i], 0, value, sizeof value));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static bool begun;
    if (!begun)
        sip_init();
    begun = true;

    osip_message_t *message;
    unsigned status;
    int result = sip_message_decode(bytes, length, &message, &status);
    assert((result == 0) == (message != NULL));
    if (result != 0) {
        assert(result == ERR_MALFORMED || result == ERR_TOO_LARGE);
        assert(status == 0 || status == 400 || status == 505);
        return 0;
    }
    check_promise(message);
    check_written_anew(message);
    check_made_from(message);
    if (sip_max_forwards_decrement(message) == 0)
        check_written_anew(message);
    take_apart(message);
    sip_message_destroy(&message);
    return 0;
}
