/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/load/generator.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "net/socket.h"
#include "stun/framing.h"

#define OPENING_AT_ONCE   32 /* clients that allocate at the same time */
#define SWEEP_NS          (100 * NS_PER_MS)
#define PACED_PER_TURN    1024 /* packets sent before what has arrived is looked at again */
#define TLS_RECORD_AROUND 32   /* bytes around a record's plaintext: read singly, a record is read at a time */

/* Opening: a few clients at a time, so that a thousand hand-shakes do not all time out together. */
static void clients_open(struct load_generator *generator)
{
    while (generator->opened_count < generator->client_count && generator->opening_count < OPENING_AT_ONCE) {
        generator->opening_count++;
        load_client_open(&generator->clients[generator->opened_count++]);
    }
}

void load_generator_client_ready(struct load_generator *generator)
{
    generator->opening_count--;
    load_control_client_ready(generator->control);
    clients_open(generator);
}

/* Closing. */

static bool anybody_ready(const struct load_generator *generator)
{
    for (unsigned i = 0; i < generator->client_count; i++)
        if (generator->clients[i].ready)
            return true;
    return false;
}

void load_generator_client_ended(struct load_generator *generator)
{
    if (generator->phase == LOAD_CLOSING && !anybody_ready(generator))
        load_control_generator_closed(generator->control);
}

static void clients_release(struct load_generator *generator, struct now now)
{
    if (!anybody_ready(generator)) {
        load_control_generator_closed(generator->control);
        return;
    }
    for (unsigned i = 0; i < generator->client_count; i++)
        load_client_release(&generator->clients[i], now);
}

/* The closed loop. */

static void sweep_expired(struct timer *timer, struct now now)
{
    struct load_generator *generator = container_of(timer, struct load_generator, sweep);
    for (unsigned i = 0; i < generator->client_count; i++)
        load_client_sweep(&generator->clients[i], now);
    (void)timers_set(loop_timers(generator->worker->loop), timer, now.monotonic_ns + SWEEP_NS);
}

static void closed_loop_begin(struct load_generator *generator, struct now now)
{
    for (unsigned i = 0; i < generator->client_count; i++)
        load_client_begin(&generator->clients[i], now);
    (void)timers_set(loop_timers(generator->worker->loop), &generator->sweep, now.monotonic_ns + SWEEP_NS);
}

/* The open loop: what is due is due, whether the server keeps up or not, and delays count from then. */

static uint64_t next_due_ns(const struct load_generator *generator)
{
    uint64_t seconds = generator->paced / generator->rate, rest = generator->paced % generator->rate;
    return generator->pacing_began_ns + seconds * NS_PER_S + rest * NS_PER_S / generator->rate;
}

static void pacer_set(struct load_generator *generator)
{
    uint64_t due_ns = next_due_ns(generator);
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(due_ns / NS_PER_S), .tv_nsec = (long)(due_ns % NS_PER_S)}};
    timerfd_settime(generator->pacer.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void pacer_ready(struct loop_source *source, uint32_t events, struct now now)
{
    (void)events, (void)now;
    struct load_generator *generator = container_of(source, struct load_generator, pacer);
    unsigned per_client = generator->plan->bursts ? generator->plan->in_flight : 1;
    if (generator->phase > LOAD_MEASURING) {
        int fd = source->fd;
        loop_remove(generator->worker->loop, source);
        close(fd);
        return;
    }
    uint64_t now_ns = net_now().monotonic_ns, due_ns;
    for (unsigned sent = 0; sent < PACED_PER_TURN && (due_ns = next_due_ns(generator)) <= now_ns; sent += per_client) {
        load_client_send(&generator->clients[generator->next_client], per_client, due_ns);
        generator->next_client = (generator->next_client + 1) % generator->client_count;
        generator->paced += per_client;
    }
    pacer_set(generator);
}

static void open_loop_begin(struct load_generator *generator, struct now now)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    generator->pacer.ready = pacer_ready;
    if (fd < 0 || loop_add(generator->worker->loop, &generator->pacer, fd, EPOLLIN) != 0) {
        load_control_fail(generator->control, "no timer: %s", strerror(errno));
        return;
    }
    generator->pacing_began_ns = now.monotonic_ns;
    pacer_set(generator);
}

/* Phases. */

static void warming_begin(struct load_generator *generator, struct now now)
{
    if (generator->plan->kind == LOAD_ALLOCATE) {
        clients_open(generator);
    } else if (generator->plan->kind == LOAD_RELAY) {
        if (generator->rate > 0)
            open_loop_begin(generator, now);
        else
            closed_loop_begin(generator, now);
    }
}

static void phase_enter(struct mail *mail, struct now now)
{
    struct load_phase_mail *phase_mail = container_of(mail, struct load_phase_mail, mail);
    struct load_generator *generator = phase_mail->generator;
    if (!generator->running)
        return; /* mail that was still under way when the thread was stopped */
    generator->phase = phase_mail->phase;
    switch (generator->phase) {
    case LOAD_OPENING:
        if (generator->plan->kind != LOAD_ALLOCATE)
            clients_open(generator);
        break;
    case LOAD_WARMING:
        warming_begin(generator, now);
        break;
    case LOAD_MEASURING:
        generator->arrived_before = generator->arrived;
        generator->echoed_before = generator->echo.arrived;
        break;
    case LOAD_DRAINING:
        generator->result.to_client = generator->arrived - generator->arrived_before;
        generator->result.to_peer = generator->echo.arrived - generator->echoed_before;
        break;
    case LOAD_CLOSING:
        clients_release(generator, now);
        break;
    }
}

void load_generator_enter(struct load_generator *generator, enum load_phase phase)
{
    mailbox_send(&generator->worker->mailbox, &generator->mails[phase].mail);
}

/* Set-up. */

/* The local address from which the server is reached is one that the server can reach. */
static int own_peer_create(struct load_generator *generator)
{
    struct sockaddr_storage name;
    socklen_t length = net_sockaddr(&generator->plan->server, &name);
    int fd = socket(name.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ERR_SYSTEM;
    struct address local = {0};
    if (connect(fd, (struct sockaddr *)&name, length) == 0)
        local = net_local_address(fd);
    close(fd);
    if (local.family == ADDRESS_NONE)
        return ERR_SYSTEM;
    int error = echo_peer_init(&generator->echo, generator->worker, &local, generator->plan->bursts);
    generator->peer = generator->echo.socket.local;
    return error;
}

static int tls_create(struct load_generator *generator)
{
    struct tls_error reason;
    const struct load_plan *plan = generator->plan;
    if (tls_context_create_client(!plan->insecure, plan->ca_file, &generator->tls, &reason) != 0) {
        load_control_fail(generator->control, "%s", reason.text);
        return ERR_CRYPTO;
    }
    tls_context_resume(generator->tls, plan->resume);
    if (plan->tls12)
        tls_context_limit_to_tls12(generator->tls);
    return 0;
}

static void flow_settings_init(struct load_generator *generator)
{
    const struct load_plan *plan = generator->plan;
    size_t message_size = CHANNEL_DATA_HEADER_SIZE + plan->size + stun_padding(plan->size);
    generator->flow_settings = (struct load_flow_settings){
        .worker = generator->worker,
        .scratch = generator->scratch,
        .server = plan->server,
        .host = plan->host,
        .tls = generator->tls,
        .transport = plan->transport,
        .bursts = plan->bursts,
        .message_size = message_size + (plan->transport == TURN_TLS ? TLS_RECORD_AROUND : 0),
        .opened = load_client_flow_opened,
        .received = load_client_flow_received,
        .settled = load_client_flow_settled,
        .failed = load_client_flow_failed,
    };
}

static int memory_create(struct load_generator *generator)
{
    const struct load_plan *plan = generator->plan;
    generator->clients = memory_zeroed(generator->client_count, sizeof *generator->clients);
    generator->packets = memory_zeroed(plan->in_flight, plan->size);
    if (!generator->clients || !generator->packets || load_flow_scratch_create(&generator->scratch) != 0)
        return ERR_MEMORY;
    /* A timer for each session, the sweep, and a few of the loop's own: setting them cannot fail then. */
    return timers_reserve(loop_timers(generator->worker->loop), generator->client_count + 8);
}

int load_generator_create(const struct load_plan *plan, struct load_control *control, const char *username,
                          const char *password, unsigned index, unsigned client_count, struct load_generator **out)
{
    struct load_generator *generator = memory_zeroed(1, sizeof *generator);
    if (!generator)
        return ERR_MEMORY;
    *out = generator;
    generator->plan = plan;
    generator->control = control;
    generator->username = username;
    generator->password = password;
    generator->client_count = client_count;
    generator->rate = plan->rate / plan->threads + (index < plan->rate % plan->threads);
    generator->peer = plan->peer;
    generator->sweep.callback = sweep_expired;
    generator->pacer.fd = -1;
    for (unsigned phase = LOAD_OPENING; phase <= LOAD_CLOSING; phase++)
        generator->mails[phase] =
            (struct load_phase_mail){.mail = {.open = phase_enter}, .generator = generator, .phase = phase};

    int error = worker_create(index, &generator->worker);
    if (error == 0)
        error = memory_create(generator);
    if (error == 0 && plan->transport == TURN_TLS)
        error = tls_create(generator);
    if (error == 0 && plan->kind == LOAD_RELAY && plan->peer.family == ADDRESS_NONE)
        error = own_peer_create(generator);
    if (error == 0)
        flow_settings_init(generator);
    for (unsigned i = 0; error == 0 && i < client_count; i++)
        error = load_client_init(&generator->clients[i], generator, index << 24 | i);
    if (error != 0)
        load_control_fail(control, "%s", error == ERR_SYSTEM ? strerror(errno) : error_text(error));
    return error;
}

int load_generator_start(struct load_generator *generator)
{
    generator->running = true;
    int error = worker_start(generator->worker);
    if (error != 0) {
        generator->running = false;
        load_control_fail(generator->control, "no thread: %s", strerror(errno));
        return error;
    }
    load_generator_enter(generator, LOAD_OPENING);
    return 0;
}

void load_generator_stop(struct load_generator *generator)
{
    if (generator->running)
        worker_stop(generator->worker);
    generator->running = false;
}

void load_generator_destroy(struct load_generator **slot)
{
    struct load_generator *generator = *slot;
    *slot = NULL;
    if (!generator)
        return;
    load_generator_stop(generator);
    for (unsigned i = 0; generator->clients && i < generator->client_count; i++)
        load_client_fini(&generator->clients[i]);
    if (generator->pacer.fd >= 0)
        close(generator->pacer.fd);
    echo_peer_fini(&generator->echo);
    if (generator->worker)
        worker_destroy(&generator->worker);
    tls_context_destroy(&generator->tls);
    load_flow_scratch_destroy(&generator->scratch);
    memory_free(generator->packets);
    memory_free(generator->clients);
    memory_free(generator);
}
