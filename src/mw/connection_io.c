/* SPDX-License-Identifier: BSD-3-Clause
 * What a connection reads and writes: TLS or not, messages by their length (RFC 3261 §18.3), keep-alives (RFC 5626
 * §4.4.1). */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "mw/connection.h"
#include "sip/framing.h"
#include "sip/message.h"

/* One read after another before others get their turn. */
#define READS_PER_TURN 4

/* One that had stood may have been closed as idle in the moment in which we wrote: whether the place is dead will show
 * when the next one is made. */
static void broke(struct mw_connection *connection)
{
    mw_connection_doom(connection, connection->stage != CONNECTION_OPEN, "closed: the connection broke",
                       strerror(errno));
}

/* Output */

/* Returns the number of bytes that the socket took. */
static size_t socket_write(struct mw_connection *connection, const uint8_t *bytes, size_t length)
{
    ssize_t sent = send(connection->fd, bytes, length, MSG_NOSIGNAL);
    if (sent >= 0)
        return (size_t)sent;
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        broke(connection);
    return 0;
}

static void write_raw(struct mw_connection *connection, const uint8_t *bytes, size_t length, struct now now)
{
    bool blocked = mw_bytes_length(&connection->unsent) > 0;
    if (connection->doomed || length == 0)
        return;
    size_t sent = blocked ? 0 : socket_write(connection, bytes, length);
    if (connection->doomed || sent == length)
        return;
    if (!blocked)
        connection->blocked_ns = now.monotonic_ns;
    if (mw_bytes_append(&connection->unsent, bytes + sent, length - sent, CONNECTION_UNSENT_MAX) != 0)
        mw_connection_doom(connection, true, "closed: it does not read what it is sent", NULL);
}

static void write_open(struct mw_connection *connection, const uint8_t *bytes, size_t length, struct now now)
{
    struct mw_core *core = connection->core;
    if (!connection->tls) {
        write_raw(connection, bytes, length, now);
        return;
    }
    for (size_t at = 0; at < length && !connection->doomed; at += TLS_RECORD_MAX) {
        struct tls_output output = {.bytes = core->output, .size = sizeof core->output};
        size_t part = length - at < TLS_RECORD_MAX ? length - at : TLS_RECORD_MAX;
        if (tls_session_write(connection->tls, bytes + at, part, &output) != 0)
            mw_connection_doom(connection, true, "closed: encryption failed", NULL);
        else
            write_raw(connection, output.bytes, output.length, now);
    }
}

void mw_connection_write(struct mw_connection *connection, const void *bytes, size_t length, struct now now)
{
    if (connection->doomed)
        return;
    if (connection->stage == CONNECTION_OPEN)
        write_open(connection, bytes, length, now);
    else if (mw_bytes_append(&connection->waiting, bytes, length, CONNECTION_UNSENT_MAX) != 0)
        mw_connection_doom(connection, true, "closed: too much waits for the connection to be made", NULL);
}

void mw_connection_writable(struct mw_connection *connection, struct now now)
{
    struct mw_bytes *unsent = &connection->unsent;
    size_t sent = socket_write(connection, mw_bytes_first(unsent), mw_bytes_length(unsent));
    if (sent == 0)
        return;
    mw_bytes_consume(unsent, sent);
    connection->blocked_ns = mw_bytes_length(unsent) > 0 ? now.monotonic_ns : 0;
}

void mw_connection_say_goodbye(struct mw_connection *connection)
{
    if (!connection->tls || mw_bytes_length(&connection->unsent) > 0)
        return;
    struct tls_output output = {.bytes = connection->core->output, .size = sizeof connection->core->output};
    tls_session_close(connection->tls, &output);
    if (output.length > 0)
        (void)!send(connection->fd, output.bytes, output.length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Input */

static void open_now(struct mw_connection *connection, struct now now)
{
    struct mw_bytes *waiting = &connection->waiting;
    connection->stage = CONNECTION_OPEN;
    connection->begun_ns = now.monotonic_ns;
    /* Not held any more: what cannot be written waits behind the encryption from now on. */
    if (mw_bytes_length(waiting) > 0)
        write_open(connection, mw_bytes_first(waiting), mw_bytes_length(waiting), now);
    mw_bytes_clear(waiting);
}

static void message_take(struct mw_connection *connection, const uint8_t *bytes, size_t length, struct now now)
{
    struct mw_core *core = connection->core;
    struct edge_target source = connection->target;
    connection->spoken = true;
    health_heard(&core->health, &source.address, source.transport, now);
    /* Where we connected to a place that is no entry, it may answer, no more. */
    if (!connection->accepted && !mw_may_send(core, &source.address, bytes, length, now)) {
        mw_count(&core->refused);
        mw_remark(core, false, &source.address, "dropped: a request from a host that is not in edge.trusted", NULL);
        return;
    }
    mw_receive(core, &source, bytes, length, now);
}

/* Takes what stands at the beginning of |bytes|: a message or a line end. Returns the number of bytes, 0 where more are
 * needed. */
static size_t unit_take(struct mw_connection *connection, const uint8_t *bytes, size_t length, struct now now)
{
    unsigned pings;
    size_t skipped = sip_keep_alive_length(bytes, length, &pings);
    for (; pings > 0; pings--)
        mw_connection_write(connection, "\r\n", 2, now);
    if (skipped > 0 || (length < 4 && memcmp(bytes, "\r\n\r\n", length) == 0)) /* half of a ping */
        return skipped;
    int frame = mw_begins_message(bytes, length) ? sip_frame_length(bytes, length) : ERR_MALFORMED;
    if (frame < 0 && frame != ERR_SHORT)
        mw_connection_doom(connection, true, "closed: it sends what is not SIP", NULL);
    if (frame < 0 || (size_t)frame > length)
        return 0;
    message_take(connection, bytes, (size_t)frame, now);
    return (size_t)frame;
}

static void take(struct mw_connection *connection, const uint8_t *bytes, size_t length, struct now now)
{
    struct mw_bytes *rest = &connection->rest;
    connection->heard_ns = now.monotonic_ns;
    if (mw_bytes_append(rest, bytes, length, SIP_MESSAGE_MAX + MW_INPUT_SIZE) != 0) {
        mw_connection_doom(connection, true, "closed: a message is too long, or memory short", NULL);
        return;
    }
    size_t taken = 1;
    bool whole = false;
    while (!connection->doomed && taken > 0 && mw_bytes_length(rest) > 0) {
        taken = unit_take(connection, mw_bytes_first(rest), mw_bytes_length(rest), now);
        if (taken > 0)
            mw_bytes_consume(rest, taken);
        whole = whole || taken > 0;
    }
    if (mw_bytes_length(rest) == 0 || *mw_bytes_first(rest) == '\r')
        connection->partial_ns = 0;
    else if (whole || connection->partial_ns == 0)
        connection->partial_ns = now.monotonic_ns;
}

/* Ciphertext in |bytes|; none begins the hand-shake of a client. */
static void decrypt(struct mw_connection *connection, const uint8_t *bytes, size_t length, struct now now)
{
    struct mw_core *core = connection->core;
    tls_session_feed(connection->tls, bytes, length);
    for (;;) {
        struct tls_output output = {.bytes = core->output, .size = sizeof core->output};
        struct tls_error error = {{0}};
        int got = tls_session_read(connection->tls, core->plain, sizeof core->plain, &output, &error);
        write_raw(connection, output.bytes, output.length, now);
        if (connection->doomed)
            return;
        if (got == ERR_CLOSED)
            mw_connection_doom(connection, false, "closed by the core", NULL);
        else if (got < 0)
            mw_connection_doom(connection, true, "closed: TLS failed", error.text);
        else if (connection->stage == CONNECTION_HANDSHAKE && tls_session_established(connection->tls))
            open_now(connection, now);
        if (got <= 0 || connection->doomed)
            return;
        take(connection, core->plain, (size_t)got, now);
    }
}

void mw_connection_begin(struct mw_connection *connection, struct now now)
{
    struct mw_core *core = connection->core;
    if (connection->target.transport != EDGE_TLS) {
        open_now(connection, now);
        return;
    }
    connection->stage = CONNECTION_HANDSHAKE;
    connection->begun_ns = now.monotonic_ns;
    const char *name = router_name(&core->router, connection->target.name);
    struct tls_context *context = connection->accepted ? core->settings.tls_server : core->settings.tls_client;
    int result = ERR_NOT_FOUND;
    if (connection->accepted && context)
        result = tls_session_create_server(context, &connection->tls);
    else if (context && name) /* never a session that is verified for nobody */
        result = tls_session_create_client(context, name, &connection->tls);
    if (result != 0)
        mw_connection_doom(connection, true, "closed: TLS cannot begin", error_text(result));
    else if (!connection->accepted)
        decrypt(connection, NULL, 0, now);
}

void mw_connection_readable(struct mw_connection *connection, struct now now)
{
    struct mw_core *core = connection->core;
    for (int i = 0; i < READS_PER_TURN && !connection->doomed; i++) {
        ssize_t got = recv(connection->fd, core->input, sizeof core->input, 0);
        if (got < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
                broke(connection);
            return;
        }
        if (got == 0)
            mw_connection_doom(connection, connection->stage != CONNECTION_OPEN, "closed by the core", NULL);
        else if (connection->tls)
            decrypt(connection, core->input, (size_t)got, now);
        else
            take(connection, core->input, (size_t)got, now);
    }
}
