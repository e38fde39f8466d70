/* SPDX-License-Identifier: BSD-3-Clause
 * TLS 1.2, TLS 1.3 and DTLS 1.2 over memory: ciphertext in, plaintext out and the other way round; no sockets, no
 * timers of its own. A session costs little while idle: no memory BIOs, buffers released (SSL_MODE_RELEASE_BUFFERS). */
#ifndef CRYPTO_TLS_H
#define CRYPTO_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/now.h"
#include "base/span.h"

struct tls_context; /* certificates and policy; immutable once built, shared by all workers */
struct tls_session; /* one connection; belongs to one thread at a time */

/* Text that explains a failure to a person, filled by the functions that take one. */
struct tls_error {
    char text[192];
};

struct tls_certificate {
    const char *certificate_file, *key_file; /* PEM: leaf first, then the chain; key unencrypted */
};

/* A server context for TLS and DTLS with |count| ≥ 1 certificates: SNI chooses by subjectAltName (wildcards of one
 * label included), the first serves everyone else. ALPN: `stun.turn` and `http/1.1` are selected when offered, anything
 * else or nothing goes on without ALPN; never h2. Returns 0, or ERR_CRYPTO with |error| naming file and cause. */
int tls_context_create_server(const struct tls_certificate *certificates, size_t count, struct tls_context **out,
                              struct tls_error *error);
/* A client context for tests and tools. |verify| false accepts any certificate; |ca_file| NULL: the system's trust
 * store. */
int tls_context_create_client(bool verify, const char *ca_file, struct tls_context **out, struct tls_error *error);
/* A client context for which |resume| is true offers the newest ticket it got when the next session begins. Such a
 * context belongs to one thread. */
void tls_context_resume(struct tls_context *context, bool resume);
/* A client context speaks TLS 1.2 at most from now on. */
void tls_context_limit_to_tls12(struct tls_context *context);
void tls_context_destroy(struct tls_context **context);

/* Where a session puts ciphertext for the wire: the caller's memory, appended at |length|. What does not fit is
 * ERR_FULL and the session is to be closed, so give room: TLS_CIPHERTEXT_BOUND(). */
struct tls_output {
    uint8_t *bytes;
    size_t size, length;
};
#define TLS_RECORD_MAX 16384 /* bytes of plaintext in a record, RFC 8446 §5.1 */
/* Of a record: header 5, explicit nonce of TLS 1.2 8, content type of TLS 1.3 1, tag 16; rounded up. */
#define TLS_RECORD_OVERHEAD 32
/* Bytes that |plaintext| bytes need at most, encrypted into as few records as that takes. */
#define TLS_CIPHERTEXT_BOUND(plaintext) ((plaintext) + ((plaintext) / TLS_RECORD_MAX + 1) * TLS_RECORD_OVERHEAD)
/* Room that a hand-shake flight needs at most. */
#define TLS_FLIGHT_MAX 20000

/* Sessions over a byte stream. The certificate has to be good for |host_name|, copied. Return 0 or ERR_MEMORY. */
int tls_session_create_server(struct tls_context *context, struct tls_session **out);
int tls_session_create_client(struct tls_context *context, const char *host_name, struct tls_session **out);
void tls_session_destroy(struct tls_session **session);

/* Gives |length| bytes of ciphertext to the session, which borrows them until all are consumed or the call
 * tls_session_read() returned 0 or an error: after that an incomplete record has been copied inside. */
void tls_session_feed(struct tls_session *session, const uint8_t *bytes, size_t length);
/* Goes on with hand-shake or reading. Plaintext goes to |out|; alerts, hand-shake messages and tickets for the peer are
 * appended to |output|. Returns the number of plaintext bytes (call again until 0), 0 when all that was fed is
 * consumed, or
 *   ERR_CLOSED  the peer ended the session in order
 *   ERR_CRYPTO  hand-shake or record failure; |error| (may be NULL) says why. Send |output| (an alert), then close
 *   ERR_FULL    no room in |output|: close
 * A client's first call, with nothing fed, begins the hand-shake. */
int tls_session_read(struct tls_session *session, uint8_t *out, size_t size, struct tls_output *output,
                     struct tls_error *error);
/* Encrypts |length| bytes (at most TLS_RECORD_MAX: one record) into |output|. Returns 0, ERR_WOULD_BLOCK before the
 * hand-shake is done, ERR_TOO_LARGE, ERR_FULL or ERR_CRYPTO. */
int tls_session_write(struct tls_session *session, const uint8_t *bytes, size_t length, struct tls_output *output);
/* Appends close_notify to |output|. */
void tls_session_close(struct tls_session *session, struct tls_output *output);
bool tls_session_established(const struct tls_session *session);
/* "TLSv1.3", "DTLSv1.2", ...; static. */
const char *tls_session_version(const struct tls_session *session);
/* The suite's name; static. */
const char *tls_session_cipher(const struct tls_session *session);
/* Whether a ticket saved the full hand-shake. */
bool tls_session_resumed(const struct tls_session *session);
/* The protocol that ALPN selected, borrowed; length 0: none. */
struct span tls_session_alpn(const struct tls_session *session);

/* DTLS: one datagram in, datagrams out. A server first runs the stateless cookie exchange with dtls_listener_receive();
 * only what returns a session cost memory. */
struct dtls_listener; /* one per worker and socket family is enough; holds no state of clients */
int dtls_listener_create(struct tls_context *context, struct dtls_listener **out);
void dtls_listener_destroy(struct dtls_listener **listener);

/* Called for each datagram that a session puts on the wire. */
typedef void dtls_send(void *context, const uint8_t *datagram, size_t length);

/* A datagram from a |client| without a session. Sends a HelloVerifyRequest through |send|, or, where the cookie is
 * good, makes |*session_out| (feed it no more of this datagram: it has been taken). Returns 0 with |*session_out| set
 * or NULL, or ERR_MEMORY. Garbage is dropped silently. */
int dtls_listener_receive(struct dtls_listener *listener, const struct address *client, const uint8_t *datagram,
                          size_t length, dtls_send *send, void *context, struct tls_session **session_out);
/* A client's session; the first dtls_session_receive(), with |length| 0, begins the hand-shake. Returns 0 or
 * ERR_MEMORY. */
int dtls_session_create_client(struct tls_context *context, const char *host_name, struct tls_session **out);
/* A datagram of a session. Plaintext of one record goes to |out|; answers go through |send|. Returns as
 * tls_session_read(): call with |length| 0 for further records of the same datagram until 0. */
int dtls_session_receive(struct tls_session *session, const uint8_t *datagram, size_t length, uint8_t *out, size_t size,
                         dtls_send *send, void *context, struct tls_error *error);
/* Encrypts one record (at most TLS_RECORD_MAX) and sends it. Returns 0, ERR_WOULD_BLOCK, ERR_TOO_LARGE or ERR_CRYPTO.
 */
int dtls_session_write(struct tls_session *session, const uint8_t *bytes, size_t length, dtls_send *send,
                       void *context);
/* Nanoseconds until a flight must be sent again, TIME_NEVER if none waits; then call dtls_session_expire(). By
 * OpenSSL's own reading of the clock: it takes none from its caller. */
uint64_t dtls_session_timeout_ns(const struct tls_session *session);
/* Returns 0, or ERR_CRYPTO when the hand-shake has been retried too often. */
int dtls_session_expire(struct tls_session *session, dtls_send *send, void *context);
void dtls_session_close(struct tls_session *session, dtls_send *send, void *context);

#endif
