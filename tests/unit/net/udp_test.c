/* SPDX-License-Identifier: BSD-3-Clause
 * Batches of datagrams over loopback sockets, and what happens where segmentation fails. */
#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "net/socket.h"
#include "net/udp.h"

struct pair {
    struct udp_socket sender_socket, receiver_socket;
    struct udp_sender sender;
    struct udp_receiver receiver;
};

static struct pair pair;

static int pair_open(void **state)
{
    (void)state;
    struct address loopback;
    assert_int_equal(address_parse("127.0.0.1", &loopback), 0);
    udp_socket_init(&pair.sender_socket, net_udp_relay(&loopback));
    udp_socket_init(&pair.receiver_socket, net_udp_listen(&loopback, true));
    assert_true(pair.sender_socket.fd >= 0 && pair.receiver_socket.fd >= 0);
    udp_sender_init(&pair.sender);
    return udp_receiver_init(&pair.receiver);
}

static int pair_close(void **state)
{
    (void)state;
    udp_receiver_fini(&pair.receiver);
    close(pair.sender_socket.fd);
    close(pair.receiver_socket.fd);
    return 0;
}

static void send_text(const char *head, const char *payload)
{
    udp_send(&pair.sender, &pair.sender_socket, &pair.receiver_socket.local, NULL,
             &(struct udp_datagram){
                 .head = head, .head_length = strlen(head), .payload = payload, .payload_length = strlen(payload)});
}

/* Reads until |count| datagrams have come, and compares each with its expectation. */
static void expect_datagrams(const char *const *texts, size_t count)
{
    size_t seen = 0;
    while (seen < count) {
        struct pollfd poll_fd = {.fd = pair.receiver_socket.fd, .events = POLLIN};
        assert_int_equal(poll(&poll_fd, 1, 5000), 1);
        int arrivals = udp_receive(&pair.receiver, &pair.receiver_socket);
        assert_true(arrivals > 0);
        for (int i = 0; i < arrivals; i++) {
            const struct udp_arrival *arrival = &pair.receiver.arrivals[i];
            assert_true(address_equal(&arrival->from, &pair.sender_socket.local));
            for (size_t at = 0; at < arrival->length; at += arrival->segment) {
                size_t left = arrival->length - at;
                size_t length = left < arrival->segment ? left : arrival->segment;
                assert_true(seen < count);
                assert_int_equal(length, strlen(texts[seen]));
                assert_memory_equal(arrival->bytes + at, texts[seen], length);
                seen++;
            }
        }
    }
    assert_int_equal(udp_receive(&pair.receiver, &pair.receiver_socket), 0);
}

static void datagrams_of_one_size_and_destination_go_in_one_send(void **state)
{
    (void)state;
    send_text("1:", "alpha");
    send_text("2:", "gamma");
    send_text("3:", "end");
    assert_int_equal(pair.sender.message_count, 1);
    send_text("4:", "omega"); /* longer than the one before: a row of its own */
    assert_int_equal(pair.sender.message_count, 2);
    udp_sender_flush(&pair.sender);
    assert_int_equal(pair.sender.message_count, 0);
    assert_int_equal(pair.sender.sent, 4);
    expect_datagrams((const char *const[]){"1:alpha", "2:gamma", "3:end", "4:omega"}, 4);
}

static unsigned segmented_sends;
static int forced_errno;

static ssize_t send_without_segmentation(int fd, const struct msghdr *message, int flags)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR((struct msghdr *)message, c)) {
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_SEGMENT) {
            segmented_sends++;
            errno = forced_errno;
            return -1;
        }
    }
    return sendmsg(fd, message, flags);
}

static void a_device_that_cannot_segment_gets_plain_sends_from_then_on(void **state)
{
    (void)state;
    segmented_sends = 0;
    forced_errno = EIO;
    pair.sender.send = send_without_segmentation;
    send_text("a", "1");
    send_text("b", "2");
    send_text("", "3");
    udp_sender_flush(&pair.sender);
    expect_datagrams((const char *const[]){"a1", "b2", "3"}, 3);
    assert_true(pair.sender_socket.no_segmentation);

    send_text("c", "4");
    send_text("d", "5");
    assert_int_equal(pair.sender.message_count, 2);
    udp_sender_flush(&pair.sender);
    expect_datagrams((const char *const[]){"c4", "d5"}, 2);
    assert_int_equal(segmented_sends, 1);
    assert_int_equal(pair.sender.dropped, 0);
}

static void a_narrow_path_costs_the_others_nothing(void **state)
{
    (void)state;
    segmented_sends = 0;
    forced_errno = EMSGSIZE;
    pair.sender.send = send_without_segmentation;
    send_text("a", "1");
    send_text("b", "2");
    udp_sender_flush(&pair.sender);
    expect_datagrams((const char *const[]){"a1", "b2"}, 2);
    assert_false(pair.sender_socket.no_segmentation);
}

static void a_queue_that_is_full_is_flushed_and_nothing_is_lost(void **state)
{
    (void)state;
    static char texts[UDP_SEND_MESSAGES + 6][8];
    const char *expected[UDP_SEND_MESSAGES + 6];
    for (unsigned i = 0; i < UDP_SEND_MESSAGES + 6; i++) {
        memset(texts[i], 'a' + (int)(i % 26),
               1 + i % 2); /* sizes in turn: no two make a row but shorter after longer */
        expected[i] = texts[i];
        send_text("", texts[i]);
    }
    udp_sender_flush(&pair.sender);
    expect_datagrams(expected, UDP_SEND_MESSAGES + 6);
}

static void padding_is_zeros(void **state)
{
    (void)state;
    udp_send(&pair.sender, &pair.sender_socket, &pair.receiver_socket.local, NULL,
             &(struct udp_datagram){.head = "h", .head_length = 1, .payload = "p", .payload_length = 1, .padding = 2});
    udp_sender_flush(&pair.sender);
    struct pollfd poll_fd = {.fd = pair.receiver_socket.fd, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 5000), 1);
    assert_int_equal(udp_receive(&pair.receiver, &pair.receiver_socket), 1);
    assert_int_equal(pair.receiver.arrivals[0].length, 4);
    assert_memory_equal(pair.receiver.arrivals[0].bytes, "hp\0\0", 4);
}

static void a_port_that_nobody_listens_on_is_told_with_its_peer(void **state)
{
    (void)state;
    struct address gone = pair.receiver_socket.local;
    close(pair.receiver_socket.fd);
    send_text("to", "nobody");
    udp_sender_flush(&pair.sender);
    struct pollfd poll_fd = {.fd = pair.sender_socket.fd, .events = 0};
    assert_int_equal(poll(&poll_fd, 1, 5000), 1);
    struct udp_icmp icmp;
    assert_int_equal(udp_receive_icmp(&pair.sender_socket, &icmp), 1);
    assert_true(address_equal(&icmp.peer, &gone));
    assert_int_equal(icmp.type, 3);
    assert_int_equal(icmp.code, 3);
    assert_int_equal(udp_receive_icmp(&pair.sender_socket, &icmp), 0);
    udp_socket_init(&pair.receiver_socket, net_udp_listen(&gone, true));
}

static void an_answer_leaves_from_the_address_that_was_asked(void **state)
{
    (void)state;
    struct address wildcard, asked;
    assert_int_equal(address_parse("0.0.0.0", &wildcard), 0);
    struct udp_socket server;
    udp_socket_init(&server, net_udp_listen(&wildcard, false));
    assert_true(server.packet_info);
    assert_int_equal(address_parse("127.0.0.77", &asked), 0);
    asked.port = server.local.port;
    udp_send(&pair.sender, &pair.sender_socket, &asked, NULL,
             &(struct udp_datagram){.payload = "?", .payload_length = 1});
    udp_sender_flush(&pair.sender);

    struct pollfd poll_fd = {.fd = server.fd, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 5000), 1);
    assert_int_equal(udp_receive(&pair.receiver, &server), 1);
    struct udp_arrival question = pair.receiver.arrivals[0];
    assert_true(address_equal(&question.to, &asked));
    udp_send(&pair.sender, &server, &question.from, &question.to,
             &(struct udp_datagram){.payload = "!", .payload_length = 1});
    udp_sender_flush(&pair.sender);

    poll_fd.fd = pair.sender_socket.fd;
    assert_int_equal(poll(&poll_fd, 1, 5000), 1);
    assert_int_equal(udp_receive(&pair.receiver, &pair.sender_socket), 1);
    assert_true(address_equal(&pair.receiver.arrivals[0].from, &asked));
    close(server.fd);
}

#define claim(name) cmocka_unit_test_setup_teardown(name, pair_open, pair_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        claim(datagrams_of_one_size_and_destination_go_in_one_send),
        claim(a_device_that_cannot_segment_gets_plain_sends_from_then_on),
        claim(a_narrow_path_costs_the_others_nothing),
        claim(a_queue_that_is_full_is_flushed_and_nothing_is_lost),
        claim(padding_is_zeros),
        claim(a_port_that_nobody_listens_on_is_told_with_its_peer),
        claim(an_answer_leaves_from_the_address_that_was_asked),
    };
    return cmocka_run_group_tests_name("udp", tests, NULL, NULL);
}
