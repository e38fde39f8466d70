/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "base/error.h"
#include "crypto/digest.h"
#include "sip/transaction.h"

int sip_transactions_init(struct sip_transactions *table, struct timers *timers)
{
    *table = (struct sip_transactions){.timers = timers};
    crypto_random(&table->key, sizeof table->key);
    if (hash_init(&table->clients) < 0)
        return ERR_MEMORY;
    if (hash_init(&table->servers) == 0)
        return 0;
    hash_fini(&table->clients);
    return ERR_MEMORY;
}

void sip_transactions_fini(struct sip_transactions *table)
{
    hash_fini(&table->clients);
    hash_fini(&table->servers);
}
