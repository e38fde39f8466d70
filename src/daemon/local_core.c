/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/local_core.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/list.h"
#include "base/memory.h"
#include "registrar/accounts.h"
#include "registrar/registrar.h"

/* What it is called in Via and Route, which never leave the process. */
#define SENT_BY         "registrar.invalid:5060"
#define FILE_SIZE       4200
#define DATABASE_MS_MAX 200 /* that the first worker waits for another process that writes to the database */

struct local_core {
    const struct sip_flow_key *flow_key;
    struct worker *const *workers;
    unsigned worker_count;
    struct accounts *accounts;
    struct registrar *registrar;
    struct edge *edges[WORKERS_MAX];
};

/* One message on its way to the registrar, or to an edge. */
struct sip_mail {
    struct mail mail;
    struct local_core *core;
    struct edge *edge;
    size_t length;
    char bytes[];
};

static void mail_send(struct local_core *core, unsigned index, void (*open)(struct mail *, struct now),
                      const void *bytes, size_t length)
{
    struct worker *to = core->workers[index];
    struct sip_mail *mail = mailbox_is_open(&to->mailbox) ? memory_zeroed(1, sizeof *mail + length) : NULL;
    if (!mail)
        return; /* lost, as on a wire: whoever waits for an answer has a timer */
    mail->mail.open = open;
    mail->core = core;
    mail->edge = core->edges[index];
    mail->length = length;
    memcpy(mail->bytes, bytes, length);
    mailbox_send(&to->mailbox, &mail->mail);
}

static void open_at_edge(struct mail *opened, struct now now)
{
    struct sip_mail *mail = container_of(opened, struct sip_mail, mail);
    struct edge_target source;
    memset(&source, 0, sizeof source); /* compared as bytes */
    source.transport = EDGE_LOCAL;
    edge_receive_core(mail->edge, &source, mail->bytes, mail->length, now);
    memory_free(mail);
}

static void open_at_registrar(struct mail *opened, struct now now)
{
    struct sip_mail *mail = container_of(opened, struct sip_mail, mail);
    registrar_receive(mail->core->registrar, mail->bytes, mail->length, now);
    memory_free(mail);
}

/* What names no worker is answered by the first. */
static void registrar_sends(void *context, const void *bytes, size_t length)
{
    struct local_core *core = context;
    int index = edge_worker_of(core->flow_key, bytes, length);
    unsigned to = index >= 0 && (unsigned)index < core->worker_count ? (unsigned)index : 0;
    mail_send(core, to, open_at_edge, bytes, length);
}

void local_core_send(struct local_core *core, const void *bytes, size_t length)
{
    mail_send(core, 0, open_at_registrar, bytes, length);
}

void local_core_attach(struct local_core *core, unsigned index, struct edge *edge)
{
    core->edges[index] = edge;
}

int local_core_create(const struct settings *settings, const struct sip_flow_key *flow_key,
                      struct worker *const *workers, unsigned worker_count, struct local_core **out,
                      struct settings_error *error)
{
    struct local_core *core = memory_zeroed(1, sizeof *core);
    if (!core) {
        settings_fail(settings, 0, error, "out of memory while starting");
        return ERR_MEMORY;
    }
    core->flow_key = flow_key;
    core->workers = workers;
    core->worker_count = worker_count;
    const struct registrar_host host = {
        .context = core, .timers = loop_timers(workers[0]->loop), .send = registrar_sends};
    char file[FILE_SIZE];
    struct accounts_error cause;
    snprintf(file, sizeof file, "%s/" ACCOUNTS_FILE, settings->state_directory);
    int result = accounts_open(file, settings->edge_domain, DATABASE_MS_MAX, &core->accounts, &cause);
    if (result != 0)
        result = settings_fail(settings, settings_line(settings, "state-directory"), error, "%s", cause.text);
    else if (registrar_create(settings->edge_domain, SENT_BY, core->accounts, &host, &core->registrar) != 0)
        result = ERR_MEMORY;
    if (result == ERR_MEMORY)
        settings_fail(settings, 0, error, "out of memory while starting");
    if (result != 0)
        local_core_destroy(&core);
    *out = core;
    return result;
}

void local_core_destroy(struct local_core **slot)
{
    struct local_core *core = *slot;
    *slot = NULL;
    if (!core)
        return;
    registrar_destroy(&core->registrar);
    accounts_close(&core->accounts);
    memory_free(core);
}
