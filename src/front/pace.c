/* SPDX-License-Identifier: BSD-3-Clause */
#include "front/pace.h"

#include "net/socket.h"

/* Of what the client takes, this much may wait in the kernel. */
#define UNSENT_MS 20
/* At least two full segments, so that one waits while the other leaves; and what keeps a fast client busy. */
#define LIMIT_MIN     3000
#define LIMIT_MAX     (256 * 1024)
#define LIMIT_INITIAL (16 * 1024)
/* Asking costs a system call, which may be a hundredth of the writing but not more. */
#define CHECK_EVERY  (8 * 1024)
#define LIMIT_AGE_NS (100 * NS_PER_MS)

static void renew_limit(struct pace *pace, int fd, struct now now)
{
    if (pace->limit != 0 && now.monotonic_ns - pace->limit_set_ns < LIMIT_AGE_NS)
        return;
    uint64_t limit = net_tcp_delivery_rate(fd) * UNSENT_MS / 1000;
    pace->limit = limit < LIMIT_MIN ? LIMIT_MIN : limit > LIMIT_MAX ? LIMIT_MAX : (uint32_t)limit;
    pace->limit_set_ns = now.monotonic_ns;
    net_tcp_set_unsent_limit(fd, pace->limit);
}

bool pace_allows(struct pace *pace, int fd, bool always, struct now now)
{
    if (!always && pace->unchecked < CHECK_EVERY)
        return true;
    pace->unchecked = 0;
    size_t unsent = net_tcp_unsent(fd);
    if (unsent < (pace->limit != 0 ? pace->limit : LIMIT_INITIAL))
        return true;
    renew_limit(pace, fd, now);
    pace->full = unsent >= pace->limit;
    return !pace->full;
}
