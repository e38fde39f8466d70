/* SPDX-License-Identifier: BSD-3-Clause
 * Policy and certificates of TLS and DTLS: versions, cipher suites, server names (RFC 6066 §3), ALPN (RFC 7443),
 * tickets. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/error.h"
#include "base/memory.h"
#include "crypto/digest.h"
#include "crypto/tls_internal.h"

/* AES-128-GCM first: the cheapest to serve, and safe. A client that puts ChaCha20 first has no AES instructions and
 * gets it (SSL_OP_PRIORITIZE_CHACHA). All suites have forward secrecy and authenticated encryption. */
#define CIPHERS_TLS12                                                                          \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:" \
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
#define CIPHERS_TLS13 "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"
#define GROUPS        "X25519:P-256:P-384"

/* How long a ticket resumes a session. Its key lives as long as the context, so not for days. */
#define TICKET_LIFETIME_S 7200

/* ALPN: names in the wire's form, each after its length. */
static const struct span protocols[] = {{"stun.turn", 9}, {"http/1.1", 8}};

static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_length, const unsigned char *offered,
                           unsigned length, void *context)
{
    (void)ssl, (void)context;
    for (unsigned at = 0; at < length && offered[at] < length - at; at += 1u + offered[at])
        for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
            if (offered[at] == protocols[i].length && memcmp(offered + at + 1, protocols[i].bytes, offered[at]) == 0) {
                *out = offered + at + 1;
                *out_length = offered[at];
                return SSL_TLSEXT_ERR_OK;
            }
    return SSL_TLSEXT_ERR_NOACK;
}

/* The certificate whose subjectAltName has the server name that the client asks for. */
static int select_identity(SSL *ssl, int *alert, void *argument)
{
    (void)alert;
    const struct tls_context *context = argument;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (!name)
        return SSL_TLSEXT_ERR_NOACK;
    for (size_t i = 0; i < context->identity_count; i++) {
        const struct tls_identity *identity = &context->identities[i];
        X509 *certificate = SSL_CTX_get0_certificate(identity->tls);
        if (X509_check_host(certificate, name, strlen(name),
                            X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) != 1)
            continue;
        SSL_set_SSL_CTX(ssl, SSL_is_dtls(ssl) ? identity->dtls : identity->tls);
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

/* What servers and clients, TLS and DTLS have in common. NULL without memory. */
static SSL_CTX *new_ssl_context(const SSL_METHOD *method, bool datagrams)
{
    SSL_CTX *ssl_context = SSL_CTX_new(method);
    if (!ssl_context)
        return NULL;
    if (!SSL_CTX_set_min_proto_version(ssl_context, datagrams ? DTLS1_2_VERSION : TLS1_2_VERSION) ||
        !SSL_CTX_set_cipher_list(ssl_context, CIPHERS_TLS12) || !SSL_CTX_set_ciphersuites(ssl_context, CIPHERS_TLS13) ||
        !SSL_CTX_set1_groups_list(ssl_context, GROUPS)) {
        SSL_CTX_free(ssl_context);
        return NULL;
    }
    SSL_CTX_set_options(ssl_context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(ssl_context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ssl_context, SSL_SESS_CACHE_OFF);
    if (datagrams) /* there is no socket that could be asked */
        SSL_CTX_set_options(ssl_context, SSL_OP_NO_QUERY_MTU);
    return ssl_context;
}

static SSL_CTX *new_server_context(struct tls_context *context, bool datagrams)
{
    SSL_CTX *ssl_context = new_ssl_context(datagrams ? DTLS_server_method() : TLS_server_method(), datagrams);
    if (!ssl_context)
        return NULL;
    SSL_CTX_set_options(ssl_context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_num_tickets(ssl_context, 1);
    SSL_CTX_set_timeout(ssl_context, TICKET_LIFETIME_S);
    SSL_CTX_set_alpn_select_cb(ssl_context, select_protocol, NULL);
    SSL_CTX_set_tlsext_servername_callback(ssl_context, select_identity);
    SSL_CTX_set_tlsext_servername_arg(ssl_context, context);
    if (datagrams) {
        SSL_CTX_set_options(ssl_context, SSL_OP_COOKIE_EXCHANGE);
        SSL_CTX_set_cookie_generate_cb(ssl_context, dtls_cookie_generate);
        SSL_CTX_set_cookie_verify_cb(ssl_context, dtls_cookie_verify);
        SSL_CTX_set_app_data(ssl_context, context);
    }
    return ssl_context;
}

/* Reading a key that is encrypted must fail instead of asking at the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

/* Whether |file| can be opened; |what| for the error's text. */
static int check_readable(const char *file, const char *what, struct tls_error *error)
{
    FILE *stream = fopen(file, "re");
    if (!stream) {
        tls_error_set(error, "cannot read the %s %s: %s", what, file, strerror(errno));
        return ERR_CRYPTO;
    }
    fclose(stream);
    return 0;
}

/* Whether one of OpenSSL's queued errors is |reason| of |library|. */
static bool failed_with(int library, int reason)
{
    bool found = false;
    for (unsigned long code; (code = ERR_get_error()) != 0;)
        found = found || (ERR_GET_LIB(code) == library && ERR_GET_REASON(code) == reason);
    return found;
}

static int load_identity(SSL_CTX *ssl_context, const struct tls_certificate *certificate, struct tls_error *error)
{
    const char *file = certificate->certificate_file, *key_file = certificate->key_file;
    int result = check_readable(file, "certificate", error);
    if (result == 0)
        result = check_readable(key_file, "private key", error);
    if (result != 0)
        return result;
    SSL_CTX_set_default_passwd_cb(ssl_context, no_passphrase);
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ssl_context, file) != 1) {
        unsigned long code = ERR_peek_last_error();
        const char *reason = ERR_reason_error_string(code);
        tls_error_set(error, "%s cannot be used as a certificate: %s", file,
                      failed_with(ERR_LIB_PEM, PEM_R_NO_START_LINE) ? "it holds no PEM certificate" : reason);
        return ERR_CRYPTO;
    }
    if (SSL_CTX_use_PrivateKey_file(ssl_context, key_file, SSL_FILETYPE_PEM) != 1) {
        /* A key that is read but does not fit the certificate fails here as well: tell the causes apart. */
        if (ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509)
            tls_error_set(error, "the private key %s does not belong to the certificate %s", key_file, file);
        else
            tls_error_set(error, "the private key %s %s", key_file,
                          failed_with(ERR_LIB_PEM, PEM_R_BAD_PASSWORD_READ)
                              ? "is encrypted; store it without a passphrase"
                              : "holds no PEM private key that can be used");
        ERR_clear_error();
        return ERR_CRYPTO;
    }
    return 0;
}

static int add_identity(struct tls_context *context, const struct tls_certificate *certificate, struct tls_error *error)
{
    struct tls_identity *identity = &context->identities[context->identity_count++];
    identity->tls = new_server_context(context, false);
    identity->dtls = new_server_context(context, true);
    if (!identity->tls || !identity->dtls) {
        tls_error_set(error, "OpenSSL cannot serve TLS: %s", tls_failure_reason(NULL));
        return ERR_CRYPTO;
    }
    int result = load_identity(identity->tls, certificate, error);
    return result != 0 ? result : load_identity(identity->dtls, certificate, error);
}

/* A context with room for |count| identities and none of them. */
static struct tls_context *new_context(size_t count)
{
    struct tls_context *context = memory_zeroed(1, sizeof *context);
    if (!context)
        return NULL;
    context->identities = memory_zeroed(count, sizeof *context->identities);
    context->stream_method = tls_stream_method();
    context->datagram_method = tls_datagram_method();
    if (!context->identities || !context->stream_method || !context->datagram_method)
        tls_context_destroy(&context);
    return context;
}

int tls_context_create_server(const struct tls_certificate *certificates, size_t count, struct tls_context **out,
                              struct tls_error *error)
{
    struct tls_context *context = new_context(count);
    if (!context) {
        tls_error_set(error, "%s", error_text(ERR_MEMORY));
        return ERR_CRYPTO;
    }
    crypto_random(context->cookie_key, sizeof context->cookie_key);
    for (size_t i = 0; i < count; i++) {
        int result = add_identity(context, &certificates[i], error);
        if (result != 0) {
            tls_context_destroy(&context);
            return result;
        }
    }
    *out = context;
    return 0;
}

/* Keeps the newest ticket of the server for the next session. The reference is ours. */
static int keep_ticket(SSL *ssl, SSL_SESSION *ticket)
{
    struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    SSL_SESSION_free(context->ticket);
    context->ticket = ticket;
    return 1;
}

static SSL_CTX *new_client_context(struct tls_context *context, bool datagrams, bool verify, const char *ca_file)
{
    SSL_CTX *ssl_context = new_ssl_context(datagrams ? DTLS_client_method() : TLS_client_method(), datagrams);
    if (!ssl_context)
        return NULL;
    SSL_CTX_set_app_data(ssl_context, context);
    SSL_CTX_set_verify(ssl_context, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (!verify)
        return ssl_context;
    int loaded =
        ca_file ? SSL_CTX_load_verify_file(ssl_context, ca_file) : SSL_CTX_set_default_verify_paths(ssl_context);
    if (loaded == 1)
        return ssl_context;
    SSL_CTX_free(ssl_context);
    return NULL;
}

int tls_context_create_client(bool verify, const char *ca_file, struct tls_context **out, struct tls_error *error)
{
    if (verify && ca_file) {
        int result = check_readable(ca_file, "trusted certificates", error);
        if (result != 0)
            return result;
    }
    struct tls_context *context = new_context(1);
    if (!context) {
        tls_error_set(error, "%s", error_text(ERR_MEMORY));
        return ERR_CRYPTO;
    }
    context->identity_count = 1;
    context->identities[0].tls = new_client_context(context, false, verify, ca_file);
    context->identities[0].dtls = new_client_context(context, true, verify, ca_file);
    if (!context->identities[0].tls || !context->identities[0].dtls) {
        tls_error_set(error, "cannot use the trusted certificates in %s: %s", ca_file ? ca_file : "the system's store",
                      tls_failure_reason(NULL));
        tls_context_destroy(&context);
        return ERR_CRYPTO;
    }
    *out = context;
    return 0;
}

void tls_context_resume(struct tls_context *context, bool resume)
{
    SSL_CTX *ssl_context = context->identities[0].tls;
    context->resume = resume;
    SSL_CTX_set_session_cache_mode(ssl_context,
                                   resume ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
    SSL_CTX_sess_set_new_cb(ssl_context, resume ? keep_ticket : NULL);
}

void tls_context_limit_to_tls12(struct tls_context *context)
{
    SSL_CTX_set_max_proto_version(context->identities[0].tls, TLS1_2_VERSION);
}

void tls_context_destroy(struct tls_context **out)
{
    struct tls_context *context = *out;
    if (!context)
        return;
    for (size_t i = 0; i < context->identity_count; i++) {
        SSL_CTX_free(context->identities[i].tls);
        SSL_CTX_free(context->identities[i].dtls);
    }
    memory_free(context->identities);
    SSL_SESSION_free(context->ticket);
    BIO_meth_free(context->stream_method);
    BIO_meth_free(context->datagram_method);
    crypto_erase(context->cookie_key, sizeof context->cookie_key);
    memory_free(context);
    ERR_clear_error();
    *out = NULL;
}
