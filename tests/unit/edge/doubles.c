/* SPDX-License-Identifier: BSD-3-Clause */
#include "doubles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "world.h"

static char verifier, provision;

const struct token_verifier *double_verifier(void)
{
    return (const struct token_verifier *)&verifier;
}

const struct provision *double_provision(void)
{
    return (const struct provision *)&provision;
}

struct revocations *double_revocations(struct world *world)
{
    return (struct revocations *)world;
}

int token_of_authorization(struct span value, struct span *out)
{
    static const char scheme[] = "Bearer ";
    if (value.length < 7 || strncasecmp(value.bytes, scheme, 7) != 0)
        return ERR_NOT_FOUND;
    *out = (struct span){(const char *)value.bytes + 7, value.length - 7};
    return out->length > 0 ? 0 : ERR_MALFORMED;
}

int token_verify(const struct token_verifier *ignored, struct span token, uint64_t wall_s, struct token_identity *out,
                 const char **reason_out)
{
    char text[512], *at = NULL;
    (void)ignored;
    *reason_out = "not good";
    snprintf(text, sizeof text, "%.*s", (int)token.length, (const char *)token.bytes);
    *out = (struct token_identity){0};
    for (char *part = strtok_r(text, "/", &at); part; part = strtok_r(NULL, "/", &at)) {
        if (!out->impi[0])
            snprintf(out->impi, sizeof out->impi, "%s", part);
        else if (strchr(part, ':') && out->impu_count < TOKEN_IMPUS_MAX)
            snprintf(out->impus[out->impu_count++], sizeof out->impus[0], "%s", part);
        else
            out->expires_s = WORLD_START_S + (uint64_t)atoi(part);
    }
    if (out->impu_count == 0)
        return ERR_CRYPTO;
    return out->expires_s > wall_s ? 0 : ERR_EXPIRED;
}

void registration_id_make(char out[REGISTRATION_ID_SIZE])
{
    static unsigned ids;
    snprintf(out, REGISTRATION_ID_SIZE, "registration%04u", ++ids % 10000);
}

int provision_issue(const struct provision *ignored, struct span impi, const char *registration_id,
                    uint64_t registration_expires_s, struct now now, char *json_out, size_t size, uint64_t *expires_out)
{
    (void)ignored;
    *expires_out = registration_expires_s;
    return snprintf(json_out, size, "{\"id\":\"%s\",\"impi\":\"%.*s\",\"ttl\":%llu}", registration_id, (int)impi.length,
                    (const char *)impi.bytes, (unsigned long long)(registration_expires_s - now.wall_s));
}

int revocations_add(struct revocations *revocations, const char *registration_id, uint64_t until_s, uint64_t wall_s)
{
    struct world *world = (struct world *)revocations;
    (void)wall_s;
    unsigned slot = world->revoked_count++ % 8;
    snprintf(world->revoked[slot], sizeof world->revoked[slot], "%s", registration_id);
    world->revoked_until_s[slot] = until_s;
    return 0;
}
