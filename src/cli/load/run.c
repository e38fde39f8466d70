/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/load/run.h"

#include <signal.h>
#include <stdio.h>

#include "auth/credentials.h"
#include "base/error.h"
#include "base/memory.h"
#include "cli/load/generator.h"
#include "cli/load/process_usage.h"
#include "net/socket.h"

#define OPENING_TIMEOUT_NS  (5 * NS_PER_S) /* without one more client being ready */
#define WARMING_NS          (300 * NS_PER_MS)
#define SETTLING_NS         (500 * NS_PER_MS) /* until a server's memory has come to rest */
#define DRAINING_NS         (500 * NS_PER_MS)
#define CLOSING_TIMEOUT_NS  NS_PER_S
#define CREDENTIAL_MARGIN_S 600 /* time-limited credentials outlive the run by this much */

struct load_run {
    const struct load_plan *plan;
    struct load_result *result;
    struct load_control control;
    char username[USERNAME_MAX + 1], password[CRYPTO_BASE64_SIZE(SHA1_SIZE)];
    struct load_generator *generators[WORKERS_MAX];
    struct process_usage before;
    uint64_t measuring_since_ns;
};

static void enter(struct load_run *run, enum load_phase phase)
{
    for (unsigned i = 0; i < run->plan->threads; i++)
        if (run->generators[i])
            load_generator_enter(run->generators[i], phase);
}

static int credentials_make(struct load_run *run)
{
    const struct load_plan *plan = run->plan;
    struct credentials *credentials;
    int error = credentials_create("", &credentials);
    if (error == 0) {
        error = credentials_add_secret(credentials, plan->secret);
        uint64_t expires_s = net_now().wall_s + plan->duration_s + CREDENTIAL_MARGIN_S;
        if (error == 0)
            error = credentials_issue(credentials, plan->user ? plan->user : "load", expires_s, run->username,
                                      run->password);
        credentials_destroy(&credentials);
    }
    if (error != 0)
        load_control_fail(&run->control, "no credentials from that secret: %s", error_text(error));
    return error;
}

static int usage_read(struct load_run *run, struct process_usage *out)
{
    *out = (struct process_usage){0};
    if (run->plan->server_pid == 0)
        return 0;
    int error = process_usage_read(run->plan->server_pid, out);
    if (error != 0)
        load_control_fail(&run->control, "--server-pid %d: there is no such process", (int)run->plan->server_pid);
    return error;
}

static int generators_start(struct load_run *run)
{
    const struct load_plan *plan = run->plan;
    const char *username = plan->secret ? run->username : plan->user;
    const char *password = plan->secret ? run->password : plan->password;
    for (unsigned i = 0; i < plan->threads; i++) {
        unsigned clients = plan->clients / plan->threads + (i < plan->clients % plan->threads);
        int error = load_generator_create(plan, &run->control, username, password, i, clients, &run->generators[i]);
        if (error != 0)
            return error;
    }
    for (unsigned i = 0; i < plan->threads; i++) {
        int error = load_generator_start(run->generators[i]);
        if (error != 0)
            return error;
    }
    return 0;
}

/* Waits until every client has its allocation; a load of allocations has nothing to wait for. */
static bool clients_ready(struct load_run *run)
{
    if (run->plan->kind == LOAD_ALLOCATE)
        return true;
    if (load_control_wait_ready(&run->control, run->plan->clients, OPENING_TIMEOUT_NS))
        return true;
    char server[ADDRESS_TEXT_MAX];
    load_control_fail(&run->control, "%s over %s: no answer within %u s, with %u of %u clients allocated",
                      address_format(&run->plan->server, server), turn_transport_name(run->plan->transport),
                      (unsigned)(OPENING_TIMEOUT_NS / NS_PER_S), load_control_ready_count(&run->control),
                      run->plan->clients);
    return false;
}

static int measure_begin(struct load_run *run)
{
    enter(run, LOAD_MEASURING);
    run->measuring_since_ns = net_now().monotonic_ns;
    return usage_read(run, &run->before);
}

static int measure_end(struct load_run *run)
{
    struct process_usage after;
    int error = usage_read(run, &after);
    run->result->elapsed_ns = net_now().monotonic_ns - run->measuring_since_ns;
    enter(run, LOAD_DRAINING);
    if (error == 0 && after.cpu_ns >= run->before.cpu_ns)
        run->result->server_cpu_s = (double)(after.cpu_ns - run->before.cpu_ns) / NS_PER_S;
    return error;
}

/* Memory counts from before the first client. */
static void run_idle(struct load_run *run)
{
    struct process_usage empty, full;
    if (usage_read(run, &empty) != 0 || generators_start(run) != 0 || !clients_ready(run) ||
        !load_control_sleep(&run->control, SETTLING_NS) || usage_read(run, &full) != 0)
        return;
    run->result->allocations = run->plan->clients;
    run->result->server_bytes = (int64_t)full.resident_bytes - (int64_t)empty.resident_bytes;
    load_control_sleep(&run->control, run->plan->duration_s * NS_PER_S);
}

static void run_loaded(struct load_run *run)
{
    if (generators_start(run) != 0 || !clients_ready(run))
        return;
    enter(run, LOAD_WARMING);
    if (!load_control_sleep(&run->control, WARMING_NS) || measure_begin(run) != 0 ||
        !load_control_sleep(&run->control, run->plan->duration_s * NS_PER_S) || measure_end(run) != 0)
        return;
    load_control_sleep(&run->control, DRAINING_NS);
}

/* Once the threads stand still. */
static void results_collect(struct load_run *run)
{
    for (unsigned i = 0; i < run->plan->threads; i++) {
        const struct load_result *part = &run->generators[i]->result;
        histogram_merge(&run->result->latency, &part->latency);
        run->result->sent += part->sent;
        run->result->answered += part->answered;
        run->result->to_peer += part->to_peer;
        run->result->to_client += part->to_client;
        run->result->unsent += part->unsent;
        run->result->allocations += part->allocations;
        run->result->resumed += part->resumed;
    }
    char peer[ADDRESS_TEXT_MAX];
    if (run->result->sent > 0 && run->result->answered == 0)
        load_control_fail(&run->control, "not one packet came back from the peer %s",
                          address_format(&run->generators[0]->peer, peer));
}

static sigset_t ending_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

static void *signals_await(void *argument)
{
    struct load_control *control = argument;
    sigset_t signals = ending_signals();
    int number;
    if (sigwait(&signals, &number) == 0)
        load_control_fail(control, "interrupted");
    return NULL;
}

/* A thread of its own takes the signals, so that whoever waits for the control hears of them. Returns 0 or ERR_SYSTEM.
 */
static int signals_take(struct load_control *control, pthread_t *thread_out)
{
    sigset_t signals = ending_signals();
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    return pthread_create(thread_out, NULL, signals_await, control) == 0 ? 0 : ERR_SYSTEM;
}

static void finish(struct load_run *run)
{
    unsigned started = 0;
    for (unsigned i = 0; i < run->plan->threads; i++)
        started += run->generators[i] && run->generators[i]->running;
    enter(run, LOAD_CLOSING);
    load_control_wait_closed(&run->control, started, CLOSING_TIMEOUT_NS);
    for (unsigned i = 0; i < run->plan->threads; i++)
        if (run->generators[i])
            load_generator_stop(run->generators[i]);
    if (!load_control_failed(&run->control))
        results_collect(run);
    for (unsigned i = 0; i < run->plan->threads; i++)
        load_generator_destroy(&run->generators[i]);
}

bool load_run(const struct load_plan *plan, struct load_result *result)
{
    struct load_run *run = memory_zeroed(1, sizeof *run);
    if (!run) {
        fprintf(stderr, "postern load: %s\n", error_text(ERR_MEMORY));
        return false;
    }
    run->plan = plan;
    run->result = result;
    load_control_init(&run->control);
    pthread_t signals;
    bool signals_taken = signals_take(&run->control, &signals) == 0;

    if (!plan->secret || credentials_make(run) == 0) {
        if (plan->kind == LOAD_IDLE)
            run_idle(run);
        else
            run_loaded(run);
    }
    finish(run);
    load_control_close(&run->control);
    if (signals_taken) {
        pthread_kill(signals, SIGTERM); /* wakes the thread: what it says now is not heard any more */
        pthread_join(signals, NULL);
    }
    bool failed = load_control_failed(&run->control);
    if (failed)
        fprintf(stderr, "postern load: %s\n", run->control.failure);
    load_control_fini(&run->control);
    memory_free(run);
    return !failed;
}
