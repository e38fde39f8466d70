/* SPDX-License-Identifier: BSD-3-Clause
 * TLS and DTLS sessions over memory: two ends in one process, every byte passes through the test's hands. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "crypto/certificate.h"
#include "crypto/tls_internal.h"

static char directory[] = "/tmp/postern-tls-XXXXXX";
static char files[8][64];
static struct tls_context *server_context, *client_context;

enum { FIRST_PEM, FIRST_KEY, SECOND_PEM, SECOND_KEY, EMPTY, ENCRYPTED };

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void write_encrypted_key(const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, EVP_aes_128_cbc(), (unsigned char *)"pw", 2, NULL, NULL), 1);
    fclose(file);
    EVP_PKEY_free(key);
}

static int set_up(void **state)
{
    (void)state;
    static const char *names[] = {"first.pem", "first.key", "second.pem", "second.key", "empty.pem", "encrypted.key"};
    assert_non_null(mkdtemp(directory));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        snprintf(files[i], sizeof files[i], "%s/%s", directory, names[i]);
    struct tls_error error;
    const char *first[] = {"first.example", "192.0.2.1"};
    const char *second[] = {"second.example", "*.wild.example"};
    assert_int_equal(certificate_create_self_signed(files[FIRST_PEM], files[FIRST_KEY], first, 2, 30, &error), 0);
    assert_int_equal(certificate_create_self_signed(files[SECOND_PEM], files[SECOND_KEY], second, 2, 30, &error), 0);
    write_file(files[EMPTY], "nothing here\n");
    write_encrypted_key(files[ENCRYPTED]);
    struct tls_certificate certificates[] = {{files[FIRST_PEM], files[FIRST_KEY]},
                                             {files[SECOND_PEM], files[SECOND_KEY]}};
    assert_int_equal(tls_context_create_server(certificates, 2, &server_context, &error), 0);
    assert_int_equal(tls_context_create_client(false, NULL, &client_context, &error), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tls_context_destroy(&server_context);
    tls_context_destroy(&client_context);
    for (size_t i = 0; i < 6; i++)
        unlink(files[i]);
    return rmdir(directory);
}

/* One end of a connection and what it has put on the wire. */
struct end {
    struct tls_session *session;
    uint8_t wire[100000];
    struct tls_output output;
    uint8_t plaintext[40000];
    size_t plaintext_length;
    int result; /* of the last read */
    struct tls_error error;
};

static void end_init(struct end *end)
{
    *end = (struct end){.output = {.bytes = end->wire, .size = sizeof end->wire}};
}

/* Feeds |to| with |length| bytes and reads until all are consumed. */
static void give(struct end *to, const uint8_t *bytes, size_t length)
{
    tls_session_feed(to->session, bytes, length);
    while ((to->result = tls_session_read(to->session, to->plaintext + to->plaintext_length,
                                          sizeof to->plaintext - to->plaintext_length, &to->output, &to->error)) > 0)
        to->plaintext_length += (size_t)to->result;
}

/* Carries all that |from| has put out to |to|, |piece| bytes at a time. */
static void carry(struct end *from, struct end *to, size_t piece)
{
    size_t length = from->output.length;
    from->output.length = 0;
    for (size_t at = 0; at < length && to->result >= 0; at += piece)
        give(to, from->wire + at, length - at < piece ? length - at : piece);
}

static void converse(struct end *client, struct end *server, size_t piece)
{
    give(client, NULL, 0);
    while (client->output.length > 0 || server->output.length > 0) {
        carry(client, server, piece);
        carry(server, client, piece);
    }
}

static struct end client, server;

static void connect_ends(const char *name)
{
    end_init(&client);
    end_init(&server);
    assert_int_equal(tls_session_create_server(server_context, &server.session), 0);
    assert_int_equal(tls_session_create_client(client_context, name, &client.session), 0);
}

static void close_ends(void)
{
    tls_session_destroy(&client.session);
    tls_session_destroy(&server.session);
}

static void bytes_pass_both_ways_however_they_are_cut(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 7, 100000};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        connect_ends("first.example");
        assert_int_equal(tls_session_write(server.session, (const uint8_t *)"early", 5, &server.output),
                         ERR_WOULD_BLOCK);
        converse(&client, &server, pieces[i]);
        assert_true(tls_session_established(client.session) && tls_session_established(server.session));
        assert_string_equal(tls_session_version(server.session), "TLSv1.3");
        assert_string_equal(tls_session_cipher(server.session), "TLS_AES_128_GCM_SHA256");

        static uint8_t record[16384];
        for (size_t at = 0; at < sizeof record; at++)
            record[at] = (uint8_t)(at * 7);
        assert_int_equal(tls_session_write(client.session, record, sizeof record, &client.output), 0);
        assert_true(client.output.length <= TLS_CIPHERTEXT_BOUND(sizeof record));
        assert_int_equal(tls_session_write(client.session, record, 3, &client.output), 0);
        carry(&client, &server, pieces[i]);
        assert_int_equal(server.plaintext_length, sizeof record + 3);
        assert_memory_equal(server.plaintext, record, sizeof record);
        assert_memory_equal(server.plaintext + sizeof record, record, 3);
        assert_int_equal(tls_session_write(client.session, record, sizeof record + 1, &client.output), ERR_TOO_LARGE);
        close_ends();
    }
}

static void clients_of_tls_1_2_are_served_and_older_ones_are_told_so(void **state)
{
    (void)state;
    connect_ends(NULL);
    SSL_set_max_proto_version(client.session->ssl, TLS1_2_VERSION);
    converse(&client, &server, 100000);
    assert_string_equal(tls_session_version(server.session), "TLSv1.2");
    assert_true(strstr(tls_session_cipher(server.session), "AES128-GCM") != NULL);
    close_ends();

    connect_ends(NULL);
    SSL_set_security_level(client.session->ssl, 0);
    SSL_set_cipher_list(client.session->ssl, "ALL:@SECLEVEL=0");
    SSL_set_min_proto_version(client.session->ssl, TLS1_VERSION);
    SSL_set_max_proto_version(client.session->ssl, TLS1_1_VERSION);
    converse(&client, &server, 100000);
    assert_int_equal(server.result, ERR_CRYPTO);
    assert_string_equal(server.error.text, "the peer offers only versions older than TLS 1.2");
    assert_int_equal(client.result, ERR_CRYPTO); /* by the alert */
    close_ends();
}

static void clients_without_aes_instructions_get_chacha(void **state)
{
    (void)state;
    connect_ends(NULL);
    SSL_set_ciphersuites(client.session->ssl, "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256");
    converse(&client, &server, 100000);
    assert_string_equal(tls_session_cipher(server.session), "TLS_CHACHA20_POLY1305_SHA256");
    close_ends();
}

/* The common name of the certificate that a client is shown when it asks for |name|. */
static const char *shown_certificate(const char *name)
{
    static char common_name[64];
    connect_ends(name);
    converse(&client, &server, 100000);
    assert_true(tls_session_established(server.session));
    X509 *certificate = SSL_get0_peer_certificate(client.session->ssl);
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, common_name, sizeof common_name);
    close_ends();
    return common_name;
}

static void server_name_chooses_the_certificate(void **state)
{
    (void)state;
    assert_string_equal(shown_certificate("first.example"), "first.example");
    assert_string_equal(shown_certificate("second.example"), "second.example");
    assert_string_equal(shown_certificate("a.wild.example"), "second.example");
    /* A wildcard stands for one label, and whoever names none of ours gets the first. */
    assert_string_equal(shown_certificate("a.b.wild.example"), "first.example");
    assert_string_equal(shown_certificate("other.example"), "first.example");
    assert_string_equal(shown_certificate(NULL), "first.example");
    assert_string_equal(shown_certificate("192.0.2.1"), "first.example");
}

static void check_alpn(const char *offer, const char *selected)
{
    connect_ends("first.example");
    SSL_set_alpn_protos(client.session->ssl, (const unsigned char *)offer, (unsigned)strlen(offer));
    converse(&client, &server, 100000);
    assert_true(tls_session_established(client.session) && tls_session_established(server.session));
    struct span got = tls_session_alpn(client.session);
    assert_int_equal(got.length, strlen(selected));
    if (got.length > 0)
        assert_memory_equal(got.bytes, selected, got.length);
    close_ends();
}

static void alpn_selects_what_is_served_and_refuses_nobody(void **state)
{
    (void)state;
    check_alpn("\x09stun.turn", "stun.turn");
    check_alpn("\x02h2\x08http/1.1", "http/1.1");
    check_alpn("\x02h2", "");
    check_alpn("\x08webrtc-x\x09stun.turn", "stun.turn");
    check_alpn("", "");
}

static void tickets_resume_sessions_without_a_cache(void **state)
{
    (void)state;
    tls_context_resume(client_context, true);
    for (int i = 0; i < 3; i++) {
        connect_ends("second.example");
        converse(&client, &server, 100000);
        assert_int_equal(tls_session_resumed(server.session), i > 0);
        close_ends();
    }
    tls_context_resume(client_context, false);
    assert_int_equal(SSL_CTX_sess_number(server_context->identities[0].tls), 0);
}

static void failures_are_told_in_a_sentence(void **state)
{
    (void)state;
    connect_ends("first.example");
    give(&server, (const uint8_t *)"GET / HTTP/1.1\r\n\r\n", 18);
    assert_int_equal(server.result, ERR_CRYPTO);
    assert_string_equal(server.error.text, "the peer spoke plain HTTP instead of TLS");
    close_ends();

    connect_ends("first.example");
    SSL_set_ciphersuites(client.session->ssl, "TLS_AES_128_CCM_SHA256");
    SSL_set_min_proto_version(client.session->ssl, TLS1_3_VERSION);
    converse(&client, &server, 100000);
    assert_int_equal(server.result, ERR_CRYPTO);
    assert_string_equal(server.error.text, "no cipher suite in common with the peer");
    close_ends();

    connect_ends("first.example");
    converse(&client, &server, 100000);
    assert_int_equal(tls_session_write(client.session, (const uint8_t *)"hello", 5, &client.output), 0);
    client.wire[client.output.length - 1] ^= 1;
    carry(&client, &server, 100000);
    assert_int_equal(server.result, ERR_CRYPTO);
    assert_string_equal(server.error.text, "a record failed its integrity check");
    assert_int_equal(tls_session_write(server.session, (const uint8_t *)"no", 2, &server.output), ERR_CRYPTO);
    close_ends();
}

static void clients_verify_name_and_authority(void **state)
{
    (void)state;
    struct tls_context *any = client_context;
    struct tls_error error;
    static const struct {
        const char *name, *failure;
    } cases[] = {
        {"first.example", NULL},
        {"192.0.2.1", NULL},
        {"other.example", "hostname mismatch"},
        {"192.0.2.2", "IP address mismatch"},
        {"second.example", "self-signed certificate"},
    };
    assert_int_equal(tls_context_create_client(true, files[FIRST_PEM], &client_context, &error), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        connect_ends(cases[i].name);
        converse(&client, &server, 100000);
        assert_int_equal(client.result, cases[i].failure ? ERR_CRYPTO : 0);
        if (cases[i].failure)
            assert_string_equal(client.error.text, cases[i].failure);
        if (cases[i].failure)
            assert_int_equal(server.result, ERR_CRYPTO);
        close_ends();
    }
    tls_context_destroy(&client_context);
    client_context = any;
}

static void data_before_an_orderly_end_is_handed_out_first(void **state)
{
    (void)state;
    connect_ends("first.example");
    converse(&client, &server, 100000);
    assert_int_equal(tls_session_write(client.session, (const uint8_t *)"last words", 10, &client.output), 0);
    tls_session_close(client.session, &client.output);
    carry(&client, &server, 100000);
    assert_int_equal(server.plaintext_length, 10);
    assert_memory_equal(server.plaintext, "last words", 10);
    assert_int_equal(server.result, ERR_CLOSED);
    /* The other direction is still open (RFC 8446 §6.1). */
    assert_int_equal(tls_session_write(server.session, (const uint8_t *)"bye", 3, &server.output), 0);
    carry(&server, &client, 100000);
    assert_int_equal(client.plaintext_length, 3);
    close_ends();
}

static void output_without_room_ends_the_session(void **state)
{
    (void)state;
    connect_ends("first.example");
    give(&client, NULL, 0);
    server.output.size = 100;
    carry(&client, &server, 100000);
    assert_int_equal(server.result, ERR_FULL);
    close_ends();
}

static void renegotiation_is_refused(void **state)
{
    (void)state;
    connect_ends("first.example");
    SSL_set_max_proto_version(client.session->ssl, TLS1_2_VERSION);
    SSL_clear_options(client.session->ssl, SSL_OP_NO_RENEGOTIATION);
    converse(&client, &server, 100000);
    assert_int_equal(SSL_renegotiate(client.session->ssl), 1);
    client.session->output = &client.output;
    SSL_do_handshake(client.session->ssl);
    assert_true(client.output.length > 0);
    carry(&client, &server, 100000);
    assert_true(tls_session_established(server.session));
    assert_int_equal(SSL_num_renegotiations(server.session->ssl), 0);
    assert_true(server.output.length < 100); /* an alert, no flight */
    close_ends();
}

static void files_that_do_not_fit_are_named(void **state)
{
    (void)state;
    struct tls_error error;
    struct tls_context *context = NULL;
    char expected[192], missing[96];
    snprintf(missing, sizeof missing, "%s/missing", directory);
    struct {
        const char *certificate, *key, *text;
    } cases[] = {
        {missing, files[FIRST_KEY], "cannot read the certificate %s: No such file or directory"},
        {files[FIRST_PEM], missing, "cannot read the private key %s: No such file or directory"},
        {files[EMPTY], files[FIRST_KEY], "%s cannot be used as a certificate: it holds no PEM certificate"},
        {files[FIRST_PEM], files[EMPTY], "the private key %s holds no PEM private key that can be used"},
        {files[FIRST_PEM], files[ENCRYPTED], "the private key %s is encrypted; store it without a passphrase"},
        {files[FIRST_PEM], files[SECOND_KEY], "the private key %s does not belong to the certificate"},
    };
    const char *named[] = {missing, missing, files[EMPTY], files[EMPTY], files[ENCRYPTED], files[SECOND_KEY]};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tls_certificate certificate = {cases[i].certificate, cases[i].key};
        assert_int_equal(tls_context_create_server(&certificate, 1, &context, &error), ERR_CRYPTO);
        assert_null(context);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(expected, sizeof expected, cases[i].text, named[i]);
#pragma GCC diagnostic pop
        assert_memory_equal(error.text, expected, strlen(expected));
    }
}

/* A server of the field with memory BIOs needs 48 KB for a TLS allocation in all; the session is most of it. */
static void an_idle_session_costs_less_than_16_KB(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    skip();
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    skip();
#endif
#endif
    enum { COUNT = 50 };
    static struct tls_session *sessions[COUNT];
    connect_ends("first.example"); /* what the first one makes stays */
    converse(&client, &server, 100000);
    close_ends();
    size_t before = mallinfo2().uordblks;
    for (size_t i = 0; i < COUNT; i++) {
        connect_ends("first.example");
        converse(&client, &server, 100000);
        assert_int_equal(tls_session_write(client.session, (const uint8_t *)"hello", 5, &client.output), 0);
        carry(&client, &server, 100000);
        sessions[i] = server.session;
        tls_session_destroy(&client.session);
    }
    size_t each = (mallinfo2().uordblks - before) / COUNT;
    print_message("an idle TLS session: %zu bytes\n", each);
    assert_in_range(each, 1000, 16000);
    for (size_t i = 0; i < COUNT; i++)
        tls_session_destroy(&sessions[i]);
}

/* DTLS: datagrams that one end has sent and the other has not seen yet. */
struct post {
    struct datagram {
        uint8_t bytes[2048];
        size_t length;
    } datagrams[32];
    size_t count;
};

static void post_datagram(void *context, const uint8_t *bytes, size_t length)
{
    struct post *post = context;
    assert_true(post->count < 32 && length <= sizeof post->datagrams[0].bytes);
    memcpy(post->datagrams[post->count].bytes, bytes, length);
    post->datagrams[post->count++].length = length;
}

static struct post to_server, to_client;
static struct dtls_listener *listener;
static struct address client_address, stranger_address;

static int deliver(struct tls_session *session, struct post *in, struct post *out, char *text)
{
    struct tls_error error;
    uint8_t bytes[2048];
    int result = 0;
    for (size_t i = 0; i < in->count; i++) {
        const struct datagram *datagram = &in->datagrams[i];
        size_t length = datagram->length;
        while ((result = dtls_session_receive(session, datagram->bytes, length, bytes, sizeof bytes, post_datagram, out,
                                              &error)) > 0) {
            length = 0;
            if (text)
                strncat(text, (char *)bytes, (size_t)result);
        }
        if (result < 0)
            break;
    }
    in->count = 0;
    return result;
}

static struct tls_session *start_dtls_client(bool long_hello)
{
    static const unsigned char long_protocol[200] = {sizeof long_protocol - 1};
    struct tls_session *session;
    to_server.count = to_client.count = 0;
    assert_int_equal(address_parse("192.0.2.7:4000", &client_address), 0);
    assert_int_equal(address_parse("192.0.2.8:4000", &stranger_address), 0);
    assert_int_equal(dtls_listener_create(server_context, &listener), 0);
    assert_int_equal(dtls_session_create_client(client_context, "first.example", &session), 0);
    if (long_hello)
        SSL_set_alpn_protos(session->ssl, long_protocol, sizeof long_protocol);
    assert_int_equal(dtls_session_receive(session, NULL, 0, (uint8_t[1]){0}, 1, post_datagram, &to_server, NULL), 0);
    assert_int_equal(to_server.count, 1);
    return session;
}

/* Gives the listener the first datagram that is on its way to the server. */
static struct tls_session *knock(const struct address *address)
{
    struct tls_session *session;
    assert_int_equal(dtls_listener_receive(listener, address, to_server.datagrams[0].bytes,
                                           to_server.datagrams[0].length, post_datagram, &to_client, &session),
                     0);
    to_server.count = 0;
    return session;
}

static void a_dtls_session_begins_with_the_cookie_and_not_before(void **state)
{
    (void)state;
    struct tls_session *dtls_client = start_dtls_client(false);
    size_t hello = to_server.datagrams[0].length;
    assert_null(knock(&client_address));
    assert_int_equal(to_client.count, 1);
    assert_true(to_client.datagrams[0].length < hello); /* no amplification */

    deliver(dtls_client, &to_client, &to_server, NULL);
    assert_int_equal(to_server.count, 1);
    struct datagram with_cookie = to_server.datagrams[0];
    assert_null(knock(&stranger_address)); /* somebody else's cookie: asked anew */
    assert_int_equal(to_client.count, 1);

    to_client.count = 0;
    to_server.datagrams[0] = with_cookie;
    struct tls_session *dtls_server = knock(&client_address);
    assert_non_null(dtls_server);
    assert_false(tls_session_established(dtls_server));
    for (int i = 0; i < 4; i++) {
        for (size_t at = 0; at < to_client.count; at++)
            assert_true(to_client.datagrams[at].length <= DTLS_HANDSHAKE_DATAGRAM_MAX);
        assert_int_equal(deliver(dtls_client, &to_client, &to_server, NULL), 0);
        assert_int_equal(deliver(dtls_server, &to_server, &to_client, NULL), 0);
    }
    assert_true(tls_session_established(dtls_client) && tls_session_established(dtls_server));
    assert_string_equal(tls_session_version(dtls_server), "DTLSv1.2");

    char text[64] = "";
    assert_int_equal(dtls_session_write(dtls_client, (const uint8_t *)"one ", 4, post_datagram, &to_server), 0);
    assert_int_equal(dtls_session_write(dtls_client, (const uint8_t *)"two", 3, post_datagram, &to_server), 0);
    /* Both records in one datagram. */
    memcpy(to_server.datagrams[0].bytes + to_server.datagrams[0].length, to_server.datagrams[1].bytes,
           to_server.datagrams[1].length);
    to_server.datagrams[0].length += to_server.datagrams[1].length;
    to_server.count = 1;
    assert_int_equal(deliver(dtls_server, &to_server, &to_client, text), 0);
    assert_string_equal(text, "one two");

    dtls_session_close(dtls_client, post_datagram, &to_server);
    assert_int_equal(deliver(dtls_server, &to_server, &to_client, NULL), ERR_CLOSED);
    tls_session_destroy(&dtls_client);
    tls_session_destroy(&dtls_server);
    dtls_listener_destroy(&listener);
}

/* Browsers' ClientHellos no longer fit one datagram. */
static void a_client_hello_in_two_fragments_is_understood(void **state)
{
    (void)state;
    struct tls_session *dtls_client = start_dtls_client(true);
    assert_null(knock(&client_address));
    SSL_set_mtu(dtls_client->ssl, 256); /* the least that OpenSSL takes */
    deliver(dtls_client, &to_client, &to_server, NULL);
    assert_int_equal(to_server.count, 2);
    struct datagram rest = to_server.datagrams[1];
    struct tls_session *dtls_server = knock(&client_address);
    assert_non_null(dtls_server);
    assert_int_equal(to_client.count, 0);
    to_server.datagrams[0] = rest;
    to_server.count = 1;
    deliver(dtls_server, &to_server, &to_client, NULL);
    assert_true(to_client.count > 0);
    for (int i = 0; i < 4; i++) {
        deliver(dtls_client, &to_client, &to_server, NULL);
        deliver(dtls_server, &to_server, &to_client, NULL);
    }
    assert_true(tls_session_established(dtls_server));
    tls_session_destroy(&dtls_client);
    tls_session_destroy(&dtls_server);
    dtls_listener_destroy(&listener);
}

static void a_lost_flight_is_sent_again(void **state)
{
    (void)state;
    struct tls_session *dtls_client = start_dtls_client(false);
    assert_null(knock(&client_address));
    deliver(dtls_client, &to_client, &to_server, NULL);
    struct tls_session *dtls_server = knock(&client_address);
    assert_non_null(dtls_server);
    assert_true(to_client.count > 0);
    to_client.count = 0; /* lost */
    uint64_t timeout_ns = dtls_session_timeout_ns(dtls_server);
    assert_in_range(timeout_ns, NS_PER_S / 2, NS_PER_S);
    /* Sending again early does nothing: the clock is OpenSSL's own. */
    assert_int_equal(dtls_session_expire(dtls_server, post_datagram, &to_client), 0);
    assert_int_equal(to_client.count, 0);
    usleep((useconds_t)(timeout_ns / 1000) + 1000);
    assert_int_equal(dtls_session_expire(dtls_server, post_datagram, &to_client), 0);
    assert_true(to_client.count > 0);
    for (int i = 0; i < 4; i++) {
        deliver(dtls_client, &to_client, &to_server, NULL);
        deliver(dtls_server, &to_server, &to_client, NULL);
    }
    assert_true(tls_session_established(dtls_server));
    assert_true(dtls_session_timeout_ns(dtls_server) == TIME_NEVER);
    tls_session_destroy(&dtls_client);
    tls_session_destroy(&dtls_server);
    dtls_listener_destroy(&listener);
}

static void garbage_gets_neither_answer_nor_session(void **state)
{
    (void)state;
    struct tls_session *dtls_client = start_dtls_client(false);
    struct datagram hello = to_server.datagrams[0];
    for (size_t length = 0; length < hello.length; length++) {
        to_server.datagrams[0].length = length;
        assert_null(knock(&client_address));
        assert_int_equal(to_client.count, 0);
    }
    srand(1);
    for (int i = 0; i < 2000; i++) {
        struct datagram *datagram = &to_server.datagrams[0];
        *datagram = hello;
        for (int changes = rand() % 8; changes >= 0; changes--)
            datagram->bytes[(size_t)rand() % datagram->length] = (uint8_t)rand();
        assert_null(knock(&client_address));
        assert_true(to_client.count <= 1);
        to_client.count = 0;
    }
    to_server.datagrams[0] = hello;
    assert_null(knock(&client_address));
    assert_int_equal(to_client.count, 1);
    tls_session_destroy(&dtls_client);
    dtls_listener_destroy(&listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_pass_both_ways_however_they_are_cut),
        cmocka_unit_test(clients_of_tls_1_2_are_served_and_older_ones_are_told_so),
        cmocka_unit_test(clients_without_aes_instructions_get_chacha),
        cmocka_unit_test(server_name_chooses_the_certificate),
        cmocka_unit_test(alpn_selects_what_is_served_and_refuses_nobody),
        cmocka_unit_test(tickets_resume_sessions_without_a_cache),
        cmocka_unit_test(failures_are_told_in_a_sentence),
        cmocka_unit_test(clients_verify_name_and_authority),
        cmocka_unit_test(data_before_an_orderly_end_is_handed_out_first),
        cmocka_unit_test(output_without_room_ends_the_session),
        cmocka_unit_test(renegotiation_is_refused),
        cmocka_unit_test(files_that_do_not_fit_are_named),
        cmocka_unit_test(an_idle_session_costs_less_than_16_KB),
        cmocka_unit_test(a_dtls_session_begins_with_the_cookie_and_not_before),
        cmocka_unit_test(a_client_hello_in_two_fragments_is_understood),
        cmocka_unit_test(a_lost_flight_is_sent_again),
        cmocka_unit_test(garbage_gets_neither_answer_nor_session),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
