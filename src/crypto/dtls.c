/* SPDX-License-Identifier: BSD-3-Clause
 * DTLS 1.2 sessions over memory (RFC 6347), and the stateless cookie exchange in front of them (§4.2.1). */
#include <sys/time.h>

#include <openssl/err.h>

#include "base/error.h"
#include "base/memory.h"
#include "crypto/digest.h"
#include "crypto/tls_internal.h"

struct dtls_listener {
    struct tls_context *context;
    struct tls_session *waiting; /* becomes the session of the next client whose cookie is good */
    BIO_ADDR *unused;            /* DTLSv1_listen() insists on writing an address somewhere */
};

static int take_datagram(BIO *bio, char *out, int size)
{
    struct tls_session *session = BIO_get_data(bio);
    int length = tls_take_fed(bio, out, size);
    session->fed_length = 0; /* what there was no room for is lost, as with a socket */
    return length;
}

static int send_datagram(BIO *bio, const char *bytes, int length)
{
    struct tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (session->send)
        session->send(session->send_context, (const uint8_t *)bytes, (size_t)length);
    return length;
}

static long datagram_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
        return DTLS_HANDSHAKE_DATAGRAM_MAX;
    default:
        return 0;
    }
}

BIO_METHOD *tls_datagram_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "fed datagram");
    if (!method)
        return NULL;
    BIO_meth_set_read(method, take_datagram);
    BIO_meth_set_write(method, send_datagram);
    BIO_meth_set_ctrl(method, datagram_control);
    return method;
}

static void cookie_of(SSL *ssl, uint8_t cookie[SHA256_SIZE])
{
    const struct tls_session *session = SSL_get_app_data(ssl);
    const struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct span key = {context->cookie_key, sizeof context->cookie_key};
    struct span client = {&session->client, sizeof session->client};
    crypto_hmac_sha256(key, &client, 1, cookie);
}

int dtls_cookie_generate(SSL *ssl, unsigned char *cookie, unsigned int *length)
{
    cookie_of(ssl, cookie);
    *length = SHA256_SIZE;
    return 1;
}

int dtls_cookie_verify(SSL *ssl, const unsigned char *cookie, unsigned int length)
{
    uint8_t expected[SHA256_SIZE];
    cookie_of(ssl, expected);
    return length == sizeof expected && crypto_equal(cookie, expected, sizeof expected);
}

static void begin(struct tls_session *session, const uint8_t *datagram, size_t length, dtls_send *send, void *context)
{
    session->fed = datagram;
    session->fed_length = length;
    session->send = send;
    session->send_context = context;
}

static void end(struct tls_session *session)
{
    session->fed = NULL;
    session->fed_length = 0;
    session->send = NULL;
    session->send_context = NULL;
}

static int create_waiting(struct dtls_listener *listener)
{
    struct tls_context *context = listener->context;
    int result = tls_session_create(context->identities[0].dtls, context->datagram_method, &listener->waiting);
    if (result == 0) {
        SSL_set_accept_state(listener->waiting->ssl);
        SSL_set_mtu(listener->waiting->ssl, DTLS_HANDSHAKE_DATAGRAM_MAX);
    }
    return result;
}

int dtls_listener_create(struct tls_context *context, struct dtls_listener **out)
{
    struct dtls_listener *listener = memory_zeroed(1, sizeof *listener);
    if (!listener)
        return ERR_MEMORY;
    listener->context = context;
    listener->unused = BIO_ADDR_new();
    if (!listener->unused || create_waiting(listener) != 0) {
        dtls_listener_destroy(&listener);
        return ERR_MEMORY;
    }
    *out = listener;
    return 0;
}

void dtls_listener_destroy(struct dtls_listener **listener)
{
    if (!*listener)
        return;
    tls_session_destroy(&(*listener)->waiting);
    BIO_ADDR_free((*listener)->unused);
    memory_free(*listener);
    *listener = NULL;
}

int dtls_listener_receive(struct dtls_listener *listener, const struct address *client, const uint8_t *datagram,
                          size_t length, dtls_send *send, void *context, struct tls_session **session_out)
{
    *session_out = NULL;
    if (!listener->waiting && create_waiting(listener) != 0)
        return ERR_MEMORY;
    struct tls_session *session = listener->waiting;
    session->client = *client;
    begin(session, datagram, length, send, context);
    int accepted = DTLSv1_listen(session->ssl, listener->unused);
    ERR_clear_error();
    if (accepted > 0) {
        /* The ClientHello waits inside; going on answers it, or waits for its further fragments. */
        listener->waiting = NULL;
        uint8_t none[1];
        tls_session_decrypt(session, none, sizeof none, true, NULL);
        *session_out = session;
    } else if (accepted < 0) {
        /* A failure within OpenSSL, not a bad datagram: start afresh. */
        tls_session_destroy(&listener->waiting);
    }
    if (listener->waiting)
        end(listener->waiting);
    else if (*session_out)
        end(session);
    return 0;
}

int dtls_session_create_client(struct tls_context *context, const char *host_name, struct tls_session **out)
{
    int result = tls_session_create(context->identities[0].dtls, context->datagram_method, out);
    if (result != 0)
        return result;
    SSL_set_mtu((*out)->ssl, DTLS_HANDSHAKE_DATAGRAM_MAX);
    if ((result = tls_session_set_host(*out, context, host_name)) != 0)
        tls_session_destroy(out);
    return result;
}

int dtls_session_receive(struct tls_session *session, const uint8_t *datagram, size_t length, uint8_t *out, size_t size,
                         dtls_send *send, void *context, struct tls_error *error)
{
    begin(session, datagram, length, send, context);
    int result = tls_session_decrypt(session, out, size, true, error);
    end(session);
    return result;
}

int dtls_session_write(struct tls_session *session, const uint8_t *bytes, size_t length, dtls_send *send, void *context)
{
    begin(session, NULL, 0, send, context);
    int result = tls_session_encrypt(session, bytes, length);
    end(session);
    return result;
}

uint64_t dtls_session_timeout_ns(const struct tls_session *session)
{
    struct timeval left;
    if (session->failure != 0 || DTLSv1_get_timeout(session->ssl, &left) != 1)
        return TIME_NEVER;
    return (uint64_t)left.tv_sec * NS_PER_S + (uint64_t)left.tv_usec * NS_PER_US;
}

int dtls_session_expire(struct tls_session *session, dtls_send *send, void *context)
{
    begin(session, NULL, 0, send, context);
    ERR_clear_error();
    int result = (int)DTLSv1_handle_timeout(session->ssl);
    ERR_clear_error();
    end(session);
    return result < 0 ? ERR_CRYPTO : 0;
}

void dtls_session_close(struct tls_session *session, dtls_send *send, void *context)
{
    if (!tls_session_may_close(session))
        return;
    begin(session, NULL, 0, send, context);
    SSL_shutdown(session->ssl);
    ERR_clear_error();
    end(session);
}
