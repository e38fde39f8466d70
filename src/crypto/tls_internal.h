/* SPDX-License-Identifier: BSD-3-Clause
 * What tls.c, dtls.c and tls_context.c know of each other. Nobody else includes this. */
#ifndef CRYPTO_TLS_INTERNAL_H
#define CRYPTO_TLS_INTERNAL_H

#include <openssl/ssl.h>

#include "crypto/tls.h"

/* Largest datagram of a DTLS hand-shake: IPv6's least MTU of 1,280 less IPv6 and UDP headers is 1,232. */
#define DTLS_HANDSHAKE_DATAGRAM_MAX 1200
#define DTLS_COOKIE_KEY_SIZE        32

/* One certificate. OpenSSL wants a context for each protocol; both have the same key and policy. */
struct tls_identity {
    SSL_CTX *tls, *dtls;
};

struct tls_context {
    struct tls_identity *identities; /* the first serves those who name none of the others */
    size_t identity_count;
    BIO_METHOD *stream_method, *datagram_method;
    uint8_t cookie_key[DTLS_COOKIE_KEY_SIZE]; /* random for each context */
    bool resume;                              /* client: offer |ticket| */
    SSL_SESSION *ticket;                      /* client: the newest that came */
};

struct tls_session {
    SSL *ssl;
    const char *reason; /* why it failed; static text. NULL: it has not */
    int failure;        /* the code to return once what was decrypted before has been handed out */
    const uint8_t *fed; /* ciphertext (or one datagram) not yet taken, borrowed */
    size_t fed_length;
    union {
        struct tls_output *output; /* stream: valid during a call */
        struct {                   /* datagrams */
            dtls_send *send;       /* valid during a call */
            void *send_context;
        };
    };
    bool output_overflowed;
    struct address client; /* DTLS server: what the cookie is bound to */
};

/* A session over |method|, its SSL not yet told which side it is. Returns 0 or ERR_MEMORY. */
int tls_session_create(SSL_CTX *ssl_context, BIO_METHOD *method, struct tls_session **out);
/* Server name and the name to verify. Returns 0 or ERR_MEMORY. */
int tls_session_set_host(struct tls_session *session, struct tls_context *context, const char *host_name);

/* Reads decrypted bytes: the common part of both kinds. Returns as tls_session_read(). */
int tls_session_decrypt(struct tls_session *session, uint8_t *out, size_t size, bool one_record,
                        struct tls_error *error);
/* Encrypts one record. Returns 0, ERR_WOULD_BLOCK, ERR_TOO_LARGE, ERR_FULL or ERR_CRYPTO. */
int tls_session_encrypt(struct tls_session *session, const uint8_t *bytes, size_t length);

/* Whether OpenSSL can still say close_notify. */
bool tls_session_may_close(const struct tls_session *session);

/* A BIO's read: what was fed to the session. */
int tls_take_fed(BIO *bio, char *out, int size);
/* New, the caller's; NULL without memory. */
BIO_METHOD *tls_stream_method(void);
BIO_METHOD *tls_datagram_method(void);
/* OpenSSL's callbacks: 1 for success. */
int dtls_cookie_generate(SSL *ssl, unsigned char *cookie, unsigned int *length);
int dtls_cookie_verify(SSL *ssl, const unsigned char *cookie, unsigned int length);

/* The cause of OpenSSL's newest failure on |ssl| (NULL: none in particular) as part of a sentence. Static text; empties
 * the error queue. */
const char *tls_failure_reason(const SSL *ssl);
__attribute__((format(printf, 2, 3))) void tls_error_set(struct tls_error *error, const char *format, ...);

#endif
