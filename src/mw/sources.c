/* SPDX-License-Identifier: BSD-3-Clause */
#include "mw/sources.h"

void sources_entries_clear(struct sources *sources)
{
    sources->entry_count = 0;
}

static bool is_entry(const struct sources *sources, const struct address *address)
{
    for (size_t i = 0; i < sources->entry_count; i++)
        if (address_same_ip(&sources->entries[i], address))
            return true;
    return false;
}

void sources_entries_add(struct sources *sources, const struct address *address)
{
    if (sources->entry_count < SOURCES_ENTRIES_MAX && !is_entry(sources, address))
        sources->entries[sources->entry_count++] = *address;
}

bool sources_trust(const struct sources *sources, const struct address *address)
{
    for (size_t i = 0; i < sources->trusted_count; i++)
        if (address_prefix_contains(&sources->trusted[i], address))
            return true;
    return is_entry(sources, address);
}

void sources_ask(struct sources *sources, const struct address *address, struct now now)
{
    struct source_asked *oldest = &sources->asked[0];
    for (size_t i = 0; i < SOURCES_ASKED_MAX; i++) {
        struct source_asked *asked = &sources->asked[i];
        if (address_same_ip(&asked->address, address)) {
            oldest = asked;
            break;
        }
        if (asked->until_ns < oldest->until_ns)
            oldest = asked;
    }
    *oldest = (struct source_asked){.address = *address, .until_ns = now.monotonic_ns + SOURCES_ASKED_NS};
}

bool sources_may_answer(const struct sources *sources, const struct address *address, struct now now)
{
    for (size_t i = 0; i < SOURCES_ASKED_MAX; i++)
        if (sources->asked[i].until_ns > now.monotonic_ns && address_same_ip(&sources->asked[i].address, address))
            return true;
    return false;
}
