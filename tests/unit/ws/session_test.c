/* SPDX-License-Identifier: BSD-3-Clause
 * Sessions fed with hand-made frames, whole and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"
#include "ws/session.h"

#define MESSAGE_MAX 1000

static const uint8_t mask[4] = {0x11, 0x22, 0x83, 0x44};
static uint8_t wire[100000];
static size_t wire_length;

/* What a session made of |wire|: payload gathered, the other events noted. */
struct heard {
    uint8_t payload[100000];
    size_t length;
    unsigned messages, pings, pongs, closes;
    bool text;
    uint8_t control[WS_CONTROL_MAX];
    size_t control_length;
    uint16_t code, failure;
};
static struct heard heard;
static struct ws_receivers receivers;

static void frame_raw(uint8_t first, const void *payload, size_t length, bool masked)
{
    uint8_t *at = wire + wire_length;
    size_t head = ws_frame_head((enum ws_opcode)(first & 15), length, masked ? mask : NULL, at);
    at[0] = first;
    if (length > 0)
        memcpy(at + head, payload, length);
    if (masked)
        ws_mask(at + head, length, mask);
    wire_length += head + length;
}

static void frame(bool fin, enum ws_opcode opcode, const char *payload)
{
    frame_raw((uint8_t)((fin ? 0x80 : 0) | opcode), payload, strlen(payload), true);
}

static void note(const struct ws_event *event)
{
    switch (event->kind) {
    case WS_EVENT_PAYLOAD:
        if (event->length > 0)
            memcpy(heard.payload + heard.length, event->bytes, event->length);
        heard.length += event->length;
        heard.messages += event->last;
        heard.text = event->text;
        return;
    case WS_EVENT_PING:
        heard.pings++;
        break;
    case WS_EVENT_PONG:
        heard.pongs++;
        break;
    case WS_EVENT_CLOSE:
        heard.closes++;
        heard.code = event->code;
        break;
    }
    heard.control_length = event->length;
    memcpy(heard.control, event->bytes, event->length);
}

/* Feeds what is on the wire in pieces. Returns whether the session holds nothing of libwslay's at the end. */
static bool hear_as(enum ws_role role, size_t piece)
{
    struct ws_session session;
    memset(&heard, 0, sizeof heard);
    ws_session_init(&session, role, &receivers, MESSAGE_MAX);
    for (size_t at = 0; at < wire_length && heard.failure == 0; at += piece) {
        /* A copy, so that a sanitizer sees what reads past its end. */
        size_t length = wire_length - at < piece ? wire_length - at : piece;
        uint8_t *bytes = memory_zeroed(1, length);
        memcpy(bytes, wire + at, length);
        assert_int_equal(ws_session_feed(&session, bytes, length), 0);
        struct ws_event event;
        int result;
        while ((result = ws_session_next(&session, &event)) == 1)
            note(&event);
        if (result == ERR_MALFORMED)
            heard.failure = session.failure;
        memory_free(bytes);
    }
    bool at_rest = session.receiver == NULL;
    ws_session_fini(&session);
    return at_rest;
}

static bool hear(void)
{
    struct heard whole;
    hear_as(WS_SERVER, sizeof wire);
    whole = heard;
    bool at_rest = hear_as(WS_SERVER, 1);
    /* Of a message that fails, less may have been told before it did. */
    assert_int_equal(heard.failure, whole.failure);
    if (heard.failure == 0)
        assert_memory_equal(&whole, &heard, sizeof heard);
    return at_rest;
}

static int set_up(void **state)
{
    (void)state;
    wire_length = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ws_receivers_fini(&receivers);
    return 0;
}

static void a_message_is_unmasked_and_nothing_is_held_after_it(void **state)
{
    (void)state;
    frame(true, WS_TEXT, "Hello");
    assert_memory_equal(wire, "\x81\x85", 2);
    assert_true(hear());
    assert_int_equal(heard.messages, 1);
    assert_true(heard.text);
    assert_int_equal(heard.length, 5);
    assert_memory_equal(heard.payload, "Hello", 5);
}

static void fragments_make_one_message_with_control_frames_between(void **state)
{
    (void)state;
    frame(false, WS_TEXT, "Hel");
    frame(true, WS_PING, "are you there?");
    frame(false, WS_CONTINUATION, "");
    frame(true, WS_CONTINUATION, "lo");
    frame(true, WS_BINARY, "\xff\xfe");
    frame(true, WS_PONG, "");
    assert_true(hear());
    assert_int_equal(heard.messages, 2);
    assert_int_equal(heard.pings, 1);
    assert_int_equal(heard.pongs, 1);
    assert_memory_equal(heard.payload, "Hello\xff\xfe", 7);
}

static void a_character_may_be_cut_between_frames(void **state)
{
    (void)state;
    frame(false, WS_TEXT, "\xe2\x82");
    frame(true, WS_CONTINUATION, "\xac");
    hear();
    assert_int_equal(heard.messages, 1);
    assert_int_equal(heard.failure, 0);
}

static void text_that_is_no_utf8_is_1007(void **state)
{
    (void)state;
    static const char *const texts[] = {"a\xff", "\xe2\x82", "\xed\xa0\x80"};
    for (size_t i = 0; i < 3; i++) {
        wire_length = 0;
        frame(true, WS_TEXT, texts[i]);
        hear();
        assert_int_equal(heard.failure, WS_CLOSE_BAD_TEXT);
    }
}

static void frames_of_another_kind_than_agreed_are_1002(void **state)
{
    (void)state;
    static const uint8_t firsts[] = {0xc1, 0xa1, 0x91, 0x83, 0x87, 0x8b, 0x8f, 0x80, 0x00, 0x09, 0x08, 0x0a};
    for (size_t i = 0; i < sizeof firsts; i++) {
        wire_length = 0;
        frame_raw(firsts[i], "x", 1, true);
        hear();
        assert_int_equal(heard.failure, WS_CLOSE_PROTOCOL);
        assert_int_equal(heard.messages + heard.pings + heard.pongs + heard.closes, 0);
    }
}

static void a_new_message_within_a_message_is_1002(void **state)
{
    (void)state;
    frame(false, WS_TEXT, "a");
    frame(true, WS_TEXT, "b");
    hear();
    assert_int_equal(heard.failure, WS_CLOSE_PROTOCOL);
}

static void an_unmasked_frame_of_a_client_is_1002_and_a_masked_one_of_a_server(void **state)
{
    (void)state;
    frame_raw(0x81, "x", 1, false);
    hear();
    assert_int_equal(heard.failure, WS_CLOSE_PROTOCOL);
    hear_as(WS_CLIENT, 1);
    assert_int_equal(heard.failure, 0);
    assert_int_equal(heard.messages, 1);
    frame_raw(0x81, "x", 1, true);
    hear_as(WS_CLIENT, 1);
    assert_int_equal(heard.failure, WS_CLOSE_PROTOCOL);
}

static void a_control_frame_that_is_too_long_is_1002(void **state)
{
    (void)state;
    uint8_t payload[126] = {0};
    frame_raw(0x89, payload, 125, true);
    hear();
    assert_int_equal(heard.control_length, 125);
    wire_length = 0;
    frame_raw(0x89, payload, 126, true);
    hear();
    assert_int_equal(heard.failure, WS_CLOSE_PROTOCOL);
}

static void lengths_that_lie_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        uint16_t code;
    } lies[] = {
        {"\x82\xff\x80\0\0\0\0\0\0\0\1\2\3\4x", 15, WS_CLOSE_PROTOCOL},                /* 2^63 */
        {"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\1\2\3\4x", 15, WS_CLOSE_TOO_LARGE}, /* the largest there is */
        {"\x82\xfe\0\x05\1\2\3\4xxxxx", 13, WS_CLOSE_PROTOCOL},                        /* RFC 6455 §5.2: minimal */
        {"\x82\xff\0\0\0\0\0\0\0\x05\1\2\3\4xxxxx", 19, WS_CLOSE_PROTOCOL},
    };
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        memcpy(wire, lies[i].bytes, lies[i].length);
        wire_length = lies[i].length;
        hear();
        assert_int_equal(heard.failure, lies[i].code);
        assert_int_equal(heard.length, 0);
    }
}

static void a_message_is_measured_over_all_its_fragments(void **state)
{
    (void)state;
    static uint8_t part[MESSAGE_MAX / 2];
    frame_raw(0x02, part, sizeof part, true);
    frame_raw(0x80, part, sizeof part, true);
    frame_raw(0x02, part, sizeof part, true);
    hear();
    assert_int_equal(heard.failure, 0);
    assert_int_equal(heard.length, 3 * sizeof part);
    frame_raw(0x00, part, sizeof part, true);
    frame_raw(0x80, part, 1, true);
    hear();
    assert_int_equal(heard.failure, WS_CLOSE_TOO_LARGE);
}

static void a_close_tells_its_code_and_ends_everything(void **state)
{
    (void)state;
    frame_raw(0x88,
              "\x03\xe9"
              "going",
              7, true);
    frame(true, WS_TEXT, "after the end");
    hear_as(WS_SERVER, sizeof wire);
    assert_int_equal(heard.closes, 1);
    assert_int_equal(heard.code, 1001);
    assert_int_equal(heard.control_length, 5);
    assert_memory_equal(heard.control, "going", 5);
    assert_int_equal(heard.messages, 0);
    wire_length = 0;
    frame_raw(0x88, NULL, 0, true);
    hear();
    assert_int_equal(heard.code, WS_CLOSE_NO_CODE);
}

static void close_codes_that_never_stand_in_a_frame_are_1002(void **state)
{
    (void)state;
    static const uint16_t codes[] = {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        uint8_t payload[2] = {(uint8_t)(codes[i] >> 8), (uint8_t)codes[i]};
        wire_length = 0;
        frame_raw(0x88, payload, 2, true);
        hear();
        assert_int_equal(heard.failure, WS_CLOSE_PROTOCOL);
    }
    wire_length = 0;
    frame_raw(0x88, "\x03", 1, true);
    hear();
    assert_int_equal(heard.failure, WS_CLOSE_PROTOCOL);
    wire_length = 0;
    frame_raw(0x88, "\x03\xe8\xff", 3, true);
    hear();
    assert_int_equal(heard.failure, WS_CLOSE_BAD_TEXT);
}

static void heads_are_as_short_as_they_can_be(void **state)
{
    (void)state;
    uint8_t head[WS_FRAME_HEAD_MAX];
    assert_int_equal(ws_frame_head(WS_BINARY, 125, NULL, head), 2);
    assert_int_equal(ws_frame_head(WS_BINARY, 126, NULL, head), 4);
    assert_int_equal(ws_frame_head(WS_BINARY, 65535, NULL, head), 4);
    assert_int_equal(ws_frame_head(WS_BINARY, 65536, NULL, head), 10);
    assert_memory_equal(head, "\x82\x7f\0\0\0\0\0\1\0\0", 10);
    assert_int_equal(ws_frame_head(WS_TEXT, 65536, mask, head), 14);
}

static void a_reason_is_cut_at_the_end_of_a_character(void **state)
{
    (void)state;
    char reason[200];
    uint8_t payload[WS_CONTROL_MAX];
    memset(reason, 'a', sizeof reason);
    memcpy(reason + 121, "\xe2\x82\xac", 3);
    reason[199] = 0;
    assert_int_equal(ws_close_payload(1001, reason, payload), 2 + 121);
    assert_int_equal(ws_close_payload(1001, "bye", payload), 5);
    assert_memory_equal(payload,
                        "\x03\xe9"
                        "bye",
                        5);
}

static void without_memory_a_session_says_so_and_goes_on_later(void **state)
{
    (void)state;
    struct ws_session session;
    struct ws_event event;
    frame(true, WS_TEXT, "x");
    ws_session_init(&session, WS_SERVER, &receivers, 0);
    memory_fail_at(1);
    assert_int_equal(ws_session_feed(&session, wire, wire_length), ERR_MEMORY);
    memory_fail_at(0);
    assert_int_equal(ws_session_next(&session, &event), 0);
    assert_int_equal(ws_session_feed(&session, wire, wire_length), 0);
    assert_int_equal(ws_session_next(&session, &event), 1);
    ws_session_fini(&session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(a_message_is_unmasked_and_nothing_is_held_after_it),
        TEST(fragments_make_one_message_with_control_frames_between),
        TEST(a_character_may_be_cut_between_frames),
        TEST(text_that_is_no_utf8_is_1007),
        TEST(frames_of_another_kind_than_agreed_are_1002),
        TEST(a_new_message_within_a_message_is_1002),
        TEST(an_unmasked_frame_of_a_client_is_1002_and_a_masked_one_of_a_server),
        TEST(a_control_frame_that_is_too_long_is_1002),
        TEST(lengths_that_lie_are_refused),
        TEST(a_message_is_measured_over_all_its_fragments),
        TEST(a_close_tells_its_code_and_ends_everything),
        TEST(close_codes_that_never_stand_in_a_frame_are_1002),
        TEST(heads_are_as_short_as_they_can_be),
        TEST(a_reason_is_cut_at_the_end_of_a_character),
        TEST(without_memory_a_session_says_so_and_goes_on_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
