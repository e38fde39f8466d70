/* SPDX-License-Identifier: BSD-3-Clause
 * What a hop does to a message on its way, beyond what sip/ offers (RFC 3261 §16.4 to §16.6). */
#ifndef REGISTRAR_HOP_H
#define REGISTRAR_HOP_H

#include "sip/message.h"

#define HOP_BRANCH_SIZE 32 /* with its NUL */
#define HOP_TAG_SIZE    17 /* with its NUL */
#define HOP_URI_MAX     1024

/* A new branch with the cookie of RFC 3261 §8.1.1.7, or a new tag. */
void hop_branch_make(char out[HOP_BRANCH_SIZE]);
void hop_tag_make(char out[HOP_TAG_SIZE]);

/* Whether |uri| names the element at |sent_by| (host:port). */
bool hop_is_at(const osip_uri_t *uri, const char *sent_by);
/* Takes away the topmost Route fields that name the element at |sent_by|. True where there was one. */
bool hop_pop_routes(osip_message_t *message, const char *sent_by);
bool hop_has_route(const osip_message_t *message);
/* Puts the comma list |path| (NULL: nothing) in front of the routes, or sets the Request-URI. Return 0, ERR_MEMORY,
 * ERR_MALFORMED or ERR_TOO_LARGE. */
int hop_push_routes(osip_message_t *message, const char *path);
int hop_set_target(osip_message_t *message, const char *uri);

/* The text of |uri| into |out|. Returns its length, ERR_TOO_LARGE or ERR_MEMORY. */
int hop_uri_text(const osip_uri_t *uri, char *out, size_t size);

#endif
