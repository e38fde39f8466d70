/* SPDX-License-Identifier: BSD-3-Clause
 * TLS sessions over memory. OpenSSL reads straight from the bytes that were fed and writes straight into the caller's
 * output through a BIO of our own: a pair of memory BIOs would cost an idle session some kilobytes more. */
#include <assert.h>
#include <limits.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/error.h"
#include "base/memory.h"
#include "crypto/tls_internal.h"

int tls_take_fed(BIO *bio, char *out, int size)
{
    struct tls_session *session = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (session->fed_length == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t length = session->fed_length < (size_t)size ? session->fed_length : (size_t)size;
    memcpy(out, session->fed, length);
    session->fed += length;
    session->fed_length -= length;
    return (int)length;
}

static int append_to_output(BIO *bio, const char *bytes, int length)
{
    struct tls_session *session = BIO_get_data(bio);
    struct tls_output *output = session->output;
    BIO_clear_retry_flags(bio);
    if (!output || output->size - output->length < (size_t)length) {
        session->output_overflowed = true;
        return -1;
    }
    memcpy(output->bytes + output->length, bytes, (size_t)length);
    output->length += (size_t)length;
    return length;
}

static long stream_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_stream_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "fed bytes");
    if (!method)
        return NULL;
    BIO_meth_set_read(method, tls_take_fed);
    BIO_meth_set_write(method, append_to_output);
    BIO_meth_set_ctrl(method, stream_control);
    return method;
}

int tls_session_create(SSL_CTX *ssl_context, BIO_METHOD *method, struct tls_session **out)
{
    struct tls_session *session = memory_zeroed(1, sizeof *session);
    SSL *ssl = SSL_new(ssl_context);
    BIO *bio = BIO_new(method);
    if (!session || !ssl || !bio) {
        memory_free(session);
        SSL_free(ssl);
        BIO_free(bio);
        ERR_clear_error();
        return ERR_MEMORY;
    }
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    SSL_set_app_data(ssl, session);
    session->ssl = ssl;
    *out = session;
    return 0;
}

int tls_session_create_server(struct tls_context *context, struct tls_session **out)
{
    int result = tls_session_create(context->identities[0].tls, context->stream_method, out);
    if (result == 0)
        SSL_set_accept_state((*out)->ssl);
    return result;
}

int tls_session_set_host(struct tls_session *session, struct tls_context *context, const char *host_name)
{
    SSL *ssl = session->ssl;
    SSL_set_connect_state(ssl);
    if (context->resume && context->ticket)
        SSL_set_session(ssl, context->ticket);
    if (!host_name)
        return 0;
    /* An IP literal is matched against iPAddress names and never sent as a server name (RFC 6066 §3). */
    struct address literal;
    int done;
    if (address_parse(host_name, &literal) == 0 && literal.port == 0)
        done = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host_name);
    else
        done = SSL_set_tlsext_host_name(ssl, host_name) && SSL_set1_host(ssl, host_name);
    ERR_clear_error();
    return done ? 0 : ERR_MEMORY;
}

int tls_session_create_client(struct tls_context *context, const char *host_name, struct tls_session **out)
{
    int result = tls_session_create(context->identities[0].tls, context->stream_method, out);
    if (result == 0 && (result = tls_session_set_host(*out, context, host_name)) != 0)
        tls_session_destroy(out);
    return result;
}

void tls_session_destroy(struct tls_session **session)
{
    if (!*session)
        return;
    /* Not "shut down in order" as far as OpenSSL knows would make it forget the ticket of a client. */
    SSL_set_quiet_shutdown((*session)->ssl, 1);
    SSL_shutdown((*session)->ssl);
    SSL_free((*session)->ssl);
    ERR_clear_error();
    memory_free(*session);
    *session = NULL;
}

void tls_session_feed(struct tls_session *session, const uint8_t *bytes, size_t length)
{
    assert(session->fed_length == 0);
    session->fed = bytes;
    session->fed_length = length;
}

/* What SSL_read or SSL_do_handshake failed with, as a code; keeps the reason of a real failure. */
static int failure_of(struct tls_session *session, int returned)
{
    switch (SSL_get_error(session->ssl, returned)) {
    case SSL_ERROR_WANT_READ:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        session->reason = "the peer ended the session";
        return ERR_CLOSED;
    default:
        if (session->output_overflowed) {
            ERR_clear_error();
            session->reason = "the peer causes more answers than there is room for";
            return ERR_FULL;
        }
        session->reason = tls_failure_reason(session->ssl);
        return ERR_CRYPTO;
    }
}

/* OpenSSL wants its error queue empty before each call; emptying it costs more than looking. */
static void expect_no_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

/* Asking OpenSSL in vain costs nearly as much as a record. */
static bool nothing_to_read(const struct tls_session *session)
{
    return session->fed_length == 0 && SSL_is_init_finished(session->ssl) && !SSL_has_pending(session->ssl);
}

int tls_session_decrypt(struct tls_session *session, uint8_t *out, size_t size, bool one_record,
                        struct tls_error *error)
{
    size_t total = 0;
    if (size > INT_MAX)
        size = INT_MAX;
    while (session->failure == 0 && total < size && !nothing_to_read(session)) {
        size_t got = 0;
        expect_no_errors();
        int returned = SSL_read_ex(session->ssl, out + total, size - total, &got);
        if (returned != 1) {
            session->failure = failure_of(session, returned);
            break;
        }
        total += got;
        if (one_record)
            break;
    }
    /* What came before a failure is handed out first; the failure is told by the next call. */
    if (total > 0)
        return (int)total;
    if (session->failure != 0) {
        session->fed_length = 0;
        tls_error_set(error, "%s", session->reason);
    }
    return session->failure;
}

int tls_session_read(struct tls_session *session, uint8_t *out, size_t size, struct tls_output *output,
                     struct tls_error *error)
{
    session->output = output;
    int result = tls_session_decrypt(session, out, size, false, error);
    session->output = NULL;
    return result;
}

int tls_session_encrypt(struct tls_session *session, const uint8_t *bytes, size_t length)
{
    if (length == 0)
        return 0;
    if (length > TLS_RECORD_MAX)
        return ERR_TOO_LARGE;
    if (session->failure != 0 && session->failure != ERR_CLOSED)
        return ERR_CRYPTO;
    if (!SSL_is_init_finished(session->ssl))
        return ERR_WOULD_BLOCK;
    size_t written;
    expect_no_errors();
    if (SSL_write_ex(session->ssl, bytes, length, &written) == 1)
        return 0;
    session->failure = session->output_overflowed ? ERR_FULL : ERR_CRYPTO;
    session->reason = tls_failure_reason(session->ssl);
    return session->failure;
}

int tls_session_write(struct tls_session *session, const uint8_t *bytes, size_t length, struct tls_output *output)
{
    session->output = output;
    int result = tls_session_encrypt(session, bytes, length);
    session->output = NULL;
    return result;
}

bool tls_session_may_close(const struct tls_session *session)
{
    return SSL_is_init_finished(session->ssl) && (session->failure == 0 || session->failure == ERR_CLOSED);
}

void tls_session_close(struct tls_session *session, struct tls_output *output)
{
    if (!tls_session_may_close(session))
        return;
    session->output = output;
    SSL_shutdown(session->ssl);
    ERR_clear_error();
    session->output = NULL;
}

bool tls_session_established(const struct tls_session *session)
{
    return SSL_is_init_finished(session->ssl);
}

bool tls_session_resumed(const struct tls_session *session)
{
    return SSL_session_reused(session->ssl);
}

const char *tls_session_version(const struct tls_session *session)
{
    return SSL_get_version(session->ssl);
}

const char *tls_session_cipher(const struct tls_session *session)
{
    return SSL_get_cipher_name(session->ssl);
}

struct span tls_session_alpn(const struct tls_session *session)
{
    const unsigned char *name = NULL;
    unsigned length = 0;
    SSL_get0_alpn_selected(session->ssl, &name, &length);
    return (struct span){.bytes = name, .length = length};
}
