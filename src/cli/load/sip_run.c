/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/load/sip_run.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "cli/load/process_usage.h"
#include "cli/load/sip_wic.h"
#include "crypto/digest.h"
#include "net/socket.h"

#define TICK_NS     (5 * NS_PER_MS)
#define PATIENCE_NS (35 * NS_PER_S) /* without progress: longer than a transaction of SIP may take */
#define SETTLING_NS (2 * NS_PER_S)  /* until a server's memory has come to rest */

enum sip_phase {
    PHASE_REGISTERING,
    PHASE_SETTLING,
    PHASE_RUNNING, /* what the plan's kind says */
    PHASE_LEAVING, /* deregistering */
    PHASE_DONE,
};

struct sip_run {
    const struct sip_plan *plan;
    struct sip_result *result;
    struct worker *worker;
    struct sip_wic_settings settings;
    struct sip_wic *wics;
    struct timer tick;
    struct loop_source signals;
    struct process_usage before;
    enum sip_phase phase;
    unsigned opened, busy; /* |busy|: WICs whose REGISTER is under way */
    unsigned left;         /* WICs that have deregistered or failed */
    unsigned next;         /* WIC to call, or to deregister, next */
    uint64_t phase_ns, progress_ns;
    bool failed, interrupted;
};

static bool usage_read(struct sip_run *run, struct process_usage *out)
{
    *out = (struct process_usage){0};
    if (run->plan->server_pid == 0 || process_tree_usage_read(run->plan->server_pid, out) == 0)
        return true;
    fprintf(stderr, "postern load sip: --server-pid %d: there is no such process\n", (int)run->plan->server_pid);
    run->failed = true;
    return false;
}

static void enter(struct sip_run *run, enum sip_phase phase, struct now now)
{
    run->phase = phase;
    run->phase_ns = run->progress_ns = now.monotonic_ns;
    run->next = 0;
    if (phase == PHASE_DONE)
        loop_stop(run->worker->loop);
}

static void note_progress(struct sip_run *run)
{
    run->progress_ns = net_now().monotonic_ns;
}

/* Registers the next WIC again: in turn, as an edge bounds what one of them may have under way. */
static void refresh_next(struct sip_run *run)
{
    for (unsigned tried = 0; tried < run->plan->wics; tried++) {
        struct sip_wic *wic = &run->wics[run->next];
        run->next = (run->next + 1) % run->plan->wics;
        if (wic->state != SIP_WIC_REGISTERED)
            continue;
        run->busy++;
        sip_wic_register(wic, run->plan->expires_s);
        return;
    }
}

/* From the WICs. */

static void on_registered(void *context, struct sip_wic *wic, uint64_t took_ns, bool provisioned)
{
    struct sip_run *run = context;
    (void)wic;
    note_progress(run);
    run->busy--;
    if (run->phase == PHASE_LEAVING) {
        run->left++;
        return;
    }
    histogram_record(&run->result->registering, took_ns);
    if (run->phase == PHASE_REGISTERING) {
        run->result->registered++;
        run->result->provisioned += provisioned;
    } else if (run->phase == PHASE_RUNNING) {
        run->result->refreshed++;
        refresh_next(run);
    }
}

static void on_call_answered(void *context, struct sip_wic *wic, uint64_t took_ns)
{
    struct sip_run *run = context;
    (void)wic;
    note_progress(run);
    run->result->calls_answered++;
    histogram_record(&run->result->setup, took_ns);
}

static void on_call_ended(void *context, struct sip_wic *wic)
{
    struct sip_run *run = context;
    (void)wic;
    note_progress(run);
    run->result->calls_ended++;
}

static void on_failed(void *context, struct sip_wic *wic, enum sip_wic_state was, const char *reason)
{
    struct sip_run *run = context;
    if (run->result->failures++ == 0)
        snprintf(run->result->failure, sizeof run->result->failure, "WIC %u: %s", wic->number, reason);
    if (run->phase == PHASE_LEAVING)
        run->left++;
    if (was == SIP_WIC_OPENING || was == SIP_WIC_REGISTERING)
        run->busy--;
}

/* The phases. */

static void register_more(struct sip_run *run)
{
    while (run->opened < run->plan->wics && run->busy < run->plan->at_once) {
        run->busy++;
        sip_wic_open(&run->wics[run->opened], &run->settings, run->opened);
        run->opened++;
    }
}

static void refresh_begin(struct sip_run *run)
{
    for (unsigned i = 0; i < run->plan->at_once; i++)
        refresh_next(run);
}

/* Every second WIC calls the next one, or each calls |callee|. */
static bool call_place(struct sip_run *run)
{
    const struct sip_plan *plan = run->plan;
    unsigned step = plan->callee ? 1 : 2;
    for (unsigned tried = 0; tried < plan->wics; tried += step) {
        unsigned number = run->next;
        run->next = (run->next + step) % (plan->wics - plan->wics % step);
        if (run->wics[number].state != SIP_WIC_REGISTERED)
            continue;
        char uri[512];
        snprintf(uri, sizeof uri, "sip:%s%u@%s", plan->user, number + 1, plan->domain);
        run->result->calls_begun++;
        sip_wic_call(&run->wics[number], plan->callee ? plan->callee : uri);
        return true;
    }
    return false;
}

static void calls_place(struct sip_run *run, struct now now)
{
    uint64_t due = (now.monotonic_ns - run->phase_ns) * run->plan->rate / NS_PER_S + 1;
    while (run->result->calls_begun < run->plan->calls && run->result->calls_begun < due && call_place(run))
        ;
}

static bool running_done(const struct sip_run *run, struct now now)
{
    const struct sip_result *result = run->result;
    if (run->plan->kind == SIP_LOAD_CALLS)
        return result->calls_begun >= run->plan->calls && result->calls_ended + result->failures >= result->calls_begun;
    return now.monotonic_ns - run->phase_ns >= run->plan->duration_s * NS_PER_S;
}

static void running_end(struct sip_run *run, struct now now)
{
    struct process_usage after;
    run->result->elapsed_ns = now.monotonic_ns - run->phase_ns;
    if (usage_read(run, &after) && after.cpu_ns >= run->before.cpu_ns)
        run->result->server_cpu_s = (double)(after.cpu_ns - run->before.cpu_ns) / NS_PER_S;
    enter(run, PHASE_LEAVING, now);
}

static void leave_more(struct sip_run *run)
{
    while (run->next < run->opened && run->busy < run->plan->at_once) {
        struct sip_wic *wic = &run->wics[run->next++];
        if (wic->state == SIP_WIC_FAILED) {
            run->left++;
        } else {
            run->busy += wic->state != SIP_WIC_REGISTERING; /* one that is being refreshed counts already */
            sip_wic_register(wic, 0);
        }
    }
}

static void settling_end(struct sip_run *run, struct now now)
{
    uint64_t empty_bytes = run->before.resident_bytes;
    if (!usage_read(run, &run->before)) {
        enter(run, PHASE_DONE, now);
        return;
    }
    run->result->server_bytes = (int64_t)run->before.resident_bytes - (int64_t)empty_bytes;
    enter(run, PHASE_RUNNING, now);
    if (run->plan->kind == SIP_LOAD_REFRESH)
        refresh_begin(run);
}

static void phase_go_on(struct sip_run *run, struct now now)
{
    switch (run->phase) {
    case PHASE_REGISTERING:
        register_more(run);
        if (run->opened == run->plan->wics && run->busy == 0)
            enter(run, PHASE_SETTLING, now);
        break;
    case PHASE_SETTLING:
        if (now.monotonic_ns - run->phase_ns >= SETTLING_NS)
            settling_end(run, now);
        break;
    case PHASE_RUNNING:
        if (run->plan->kind == SIP_LOAD_CALLS)
            calls_place(run, now);
        if (running_done(run, now))
            running_end(run, now);
        break;
    case PHASE_LEAVING:
        leave_more(run);
        if (run->left >= run->opened)
            enter(run, PHASE_DONE, now);
        break;
    case PHASE_DONE:
        break;
    }
}

/* Whether somebody has waited for an answer for too long. */
static bool is_stuck(const struct sip_run *run, struct now now)
{
    return run->phase != PHASE_SETTLING && !(run->phase == PHASE_RUNNING && run->plan->kind == SIP_LOAD_IDLE) &&
           now.monotonic_ns > run->progress_ns + PATIENCE_NS + run->plan->hold_ms * NS_PER_MS;
}

static void tick(struct timer *timer, struct now now)
{
    struct sip_run *run = container_of(timer, struct sip_run, tick);
    phase_go_on(run, now);
    if (is_stuck(run, now)) {
        fprintf(stderr, "postern load sip: no answer for %u s: %llu of %u WICs are registered\n",
                (unsigned)(PATIENCE_NS / NS_PER_S), (unsigned long long)run->result->registered, run->plan->wics);
        run->failed = true;
        enter(run, PHASE_DONE, now);
    }
    if (timers_set(loop_timers(run->worker->loop), timer, now.monotonic_ns + TICK_NS) != 0)
        enter(run, PHASE_DONE, now);
}

static void interrupted(struct loop_source *source, uint32_t events, struct now now)
{
    (void)events;
    struct sip_run *run = container_of(source, struct sip_run, signals);
    struct signalfd_siginfo info;
    (void)!read(source->fd, &info, sizeof info);
    if (run->interrupted || run->phase == PHASE_LEAVING)
        enter(run, PHASE_DONE, now);
    else
        running_end(run, now);
    run->interrupted = true;
}

/* Beginning and end. */

static int signals_watch(struct sip_run *run)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return ERR_SYSTEM;
    run->signals.ready = interrupted;
    int result = loop_add(run->worker->loop, &run->signals, fd, EPOLLIN);
    if (result != 0)
        close(fd);
    return result;
}

static bool prepare(struct sip_run *run)
{
    const struct sip_plan *plan = run->plan;
    struct sip_wic_settings *settings = &run->settings;
    struct tls_error error;
    int result = worker_create(0, &run->worker);
    if (result == 0 && plan->tls &&
        tls_context_create_client(!plan->insecure, plan->ca_file, &settings->flow.tls, &error) != 0) {
        fprintf(stderr, "postern load sip: %s\n", error.text);
        return false;
    }
    if (result == 0)
        result = load_flow_scratch_create(&settings->flow.scratch);
    run->wics = result == 0 ? memory_zeroed(plan->wics, sizeof *run->wics) : NULL;
    if (result == 0 && !run->wics)
        result = ERR_MEMORY;
    if (result == 0)
        result = signals_watch(run);
    if (result != 0)
        fprintf(stderr, "postern load sip: %s\n", result == ERR_SYSTEM ? strerror(errno) : error_text(result));
    return result == 0 && usage_read(run, &run->before);
}

static void settings_init(struct sip_run *run)
{
    const struct sip_plan *plan = run->plan;
    struct sip_wic_settings *settings = &run->settings;
    settings->plan = plan;
    settings->context = run;
    settings->registered = on_registered;
    settings->call_answered = on_call_answered;
    settings->call_ended = on_call_ended;
    settings->failed = on_failed;
    crypto_random(&settings->run, sizeof settings->run);
    settings->flow.worker = run->worker;
    settings->flow.server = plan->server;
    settings->flow.host = plan->host;
    settings->flow.transport = plan->tls ? TURN_TLS : TURN_TCP;
    settings->flow.bursts = true;
    settings->flow.opened = sip_wic_flow_opened;
    settings->flow.received = sip_wic_flow_received;
    settings->flow.settled = sip_wic_flow_settled;
    settings->flow.failed = sip_wic_flow_failed;
}

static void clear(struct sip_run *run)
{
    for (unsigned i = 0; run->wics && i < run->opened; i++)
        sip_wic_close(&run->wics[i]);
    ws_receivers_fini(&run->settings.receivers);
    memory_free(run->wics);
    load_flow_scratch_destroy(&run->settings.flow.scratch);
    tls_context_destroy(&run->settings.flow.tls);
    if (!run->worker)
        return;
    timers_cancel(loop_timers(run->worker->loop), &run->tick);
    if (run->signals.fd >= 0) {
        int fd = run->signals.fd;
        loop_remove(run->worker->loop, &run->signals);
        close(fd);
    }
    worker_destroy(&run->worker);
}

bool sip_run(const struct sip_plan *plan, struct sip_result *result)
{
    struct sip_run run = {.plan = plan, .result = result, .tick = {.callback = tick}, .signals = {.fd = -1}};
    bool good = prepare(&run);
    if (good) {
        settings_init(&run);
        run.phase_ns = run.progress_ns = net_now().monotonic_ns;
        good = timers_set(loop_timers(run.worker->loop), &run.tick, run.phase_ns) == 0;
        if (good)
            loop_run(run.worker->loop);
    }
    clear(&run);
    return good && !run.failed;
}
