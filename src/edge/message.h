/* SPDX-License-Identifier: BSD-3-Clause
 * A message as the edge reads it: an index over its text. libosip2 judges whether it is well-formed (sip/message.h);
 * what is passed on is then written line by line from the same index, so that what was looked at is what goes out,
 * and what the edge has no business with passes as it came. */
#ifndef EDGE_MESSAGE_H
#define EDGE_MESSAGE_H

#include "edge/raw.h"
#include "edge/text.h"
#include "sip/message.h"

/* What came in, and what the edge adds to it. */
#define EDGE_FIELDS_MAX (SIP_FIELDS_MAX + 32)

/* Everything borrows from the text. */
struct edge_message {
    struct span text, body;
    struct span method, uri; /* empty for responses */
    unsigned status;         /* 0 for requests */
    struct span via;         /* topmost value */
    struct span branch;      /* of that one */
    struct span from, to, call_id, cseq_method;
    unsigned cseq;
    struct raw_field fields[EDGE_FIELDS_MAX];
    unsigned field_count;
};

/* Reads what the network sent. Returns 0, or as sip_message_decode(): where |*status_out| is not 0 then, |out| is good
 * enough for an answer. */
int edge_message_decode(const void *bytes, size_t length, struct edge_message *out, unsigned *status_out);
/* The same without libosip2, for texts of our own. Returns 0 or ERR_MALFORMED. */
int edge_message_index(struct span text, struct edge_message *out);

bool edge_message_is(const struct edge_message *message, const char *method);
/* The value of the first field |name|; empty where there is none. */
struct span edge_message_find(const struct edge_message *message, const char *name);
unsigned edge_message_count(const struct edge_message *message, const char *name);
/* Walks the values of the comma lists |name|. Begin with a zeroed walk. */
struct edge_walk {
    unsigned field;
    struct span list;
};
bool edge_message_next(const struct edge_message *message, const char *name, struct edge_walk *walk,
                       struct span *value_out);
/* Whether a list of tokens has |token|; parameters behind it do not count. */
bool edge_message_lists(const struct edge_message *message, const char *name, const char *token);
/* The tag of From or To; empty where there is none. */
struct span value_tag(struct span value);

/* Writes all fields but Content-Length, those of |dropped| and those of |also_dropped|; each ends with NULL. */
void edge_message_write_fields(struct text *text, const struct edge_message *message, const char *const *dropped,
                               const char *const *also_dropped);
/* Content-Length, the empty line and the body. */
void text_add_body(struct text *text, struct span body);

#endif
