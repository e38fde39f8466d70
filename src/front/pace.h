/* SPDX-License-Identifier: BSD-3-Clause
 * How much may lie unsent in the kernel for one stream. What is there cannot be dropped or overtaken any more, so it is
 * kept to some milliseconds of what the client takes. TCP_NOTSENT_LOWAT alone does not do that: the kernel asks it only
 * when it begins a new segment of up to 64 KiB. */
#ifndef FRONT_PACE_H
#define FRONT_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/now.h"

struct pace {
    uint32_t limit;     /* bytes; 0: not known yet */
    uint32_t unchecked; /* bytes written since the kernel was last asked */
    bool full;          /* it was over the limit: wait until the socket is writable */
    uint64_t limit_set_ns;
};

/* |length| bytes have been written. */
static inline void pace_wrote(struct pace *pace, size_t length)
{
    pace->unchecked += (uint32_t)length;
}

/* Whether more may be written to |fd| now; otherwise |pace|->full is set. Asks the kernel when much was written since
 * it was asked last, or, with |always|, in any case. */
bool pace_allows(struct pace *pace, int fd, bool always, struct now now);

#endif
