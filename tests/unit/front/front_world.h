/* SPDX-License-Identifier: BSD-3-Clause
 * A worker with a front and a TURN core, for tests that see streams from both sides: the client's end of a socket pair,
 * and what the server holds for it. The worker must not run while a test looks at the latter; once stopped it does not
 * run again. */
#ifndef FRONT_WORLD_H
#define FRONT_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "front/stream.h"

#define PATIENCE_MS           10000
#define WEBSOCKETS_PER_SOURCE 3 /* of the ledger's limits; the others are off */

extern struct tls_context *client_tls;
extern struct ledger *ledger;
extern struct front_settings front_settings; /* may be changed while the worker does not run */
extern struct worker *worker;
extern struct front *front;

/* A group's fixtures, and a test's. */
int front_world_begin(void **state);
int front_world_end(void **state);
int front_world_set_up(void **state);
int front_world_tear_down(void **state); /* asserts that all that was counted has been given back */

/* A new client; returns its end. */
int connect_client(enum front_listen kind);
struct stream *only_stream(void);

/* Does something between two events of the running worker, on its thread; returns when that is done. */
void on_worker(void (*act)(void *context), void *context);

void wait_for(int fd, short events);
void write_all(int fd, const uint8_t *bytes, size_t length);
/* Returns once the server has read all that was written to |fd|. */
void wait_until_taken(int fd);
size_t read_exactly(int fd, uint8_t *out, size_t length);

#endif
