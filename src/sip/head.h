/* SPDX-License-Identifier: BSD-3-Clause
 * The lines of a SIP message before its body (RFC 3261 §7), taken apart and unfolded. Strict where a lenient reader
 * would let two programs see two different messages. Inside src/sip only. */
#ifndef SIP_HEAD_H
#define SIP_HEAD_H

#include "sip/message.h"

struct sip_line {
    const char *name;  /* full: compact ones are spelled out; else as sent */
    struct span value; /* trimmed, unfolded; with a NUL behind it */
};
struct sip_head {
    char *text;    /* owned; everything borrows from it */
    size_t length; /* of the head, empty line included: where the body begins */
    struct span start_line;
    struct sip_line lines[SIP_FIELDS_MAX];
    unsigned count;
};

/* Returns 0, ERR_MALFORMED, ERR_TOO_LARGE or ERR_MEMORY. sip_head_fini() in any case. */
int sip_head_init(struct sip_head *head, const void *bytes, size_t length);
void sip_head_fini(struct sip_head *head);

/* The full name of a compact one (RFC 3261 §7.3.3 and later RFCs), or |name| itself. */
const char *sip_full_name(const char *name);

#endif
