/* SPDX-License-Identifier: BSD-3-Clause
 * The core's side of the sockets, blocking, with assertions. */
#ifndef MW_PEER_H
#define MW_PEER_H

#include "world.h"

extern const char request[], for_worker_2[], response[]; /* whole messages; the edge's double steers by X-Worker */

/* Waits for poll()'s |events|. */
void peer_wait(int fd, short events);
/* A new socket, bound to |ip|. */
int peer_socket(const char *ip, int type);
/* What leads to |fd|. */
struct edge_target peer_target(int fd, enum edge_transport transport);
void peer_send_to(int fd, const struct address *to, const char *text);
/* To the edge's TCP listener, from |ip|. */
int peer_connect(const char *ip);
int peer_listen(void);
/* The connection that the edge makes. */
int peer_accept(int listener);
void peer_write(int fd, const char *text);
/* Reads as many bytes as |text| has: they must be these. */
void peer_expect(int fd, const char *text);
/* The connection ends, or breaks. */
void peer_expect_end(int fd);

/* The next message that an edge got; |*source_out| may be NULL. */
void world_expect_received(const char *text, unsigned worker, struct edge_target *source_out);
/* Every edge is told once that |target| has failed. */
void world_expect_failed(const struct edge_target *target);

#endif
