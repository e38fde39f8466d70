/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/now.h"
#include "cli/load/sip_run.h"

static const double percentiles[] = {50, 90, 99};
#define PERCENTILE_COUNT (sizeof percentiles / sizeof *percentiles)

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static const char *kind_name(enum sip_load_kind kind)
{
    static const char *const names[] = {
        [SIP_LOAD_CALLS] = "calls", [SIP_LOAD_REFRESH] = "refresh", [SIP_LOAD_IDLE] = "idle"};
    return names[kind];
}

static void times_text(FILE *to, const char *label, const struct histogram *times)
{
    if (times->total == 0)
        return;
    fprintf(to, "%-14s", label);
    for (size_t i = 0; i < PERCENTILE_COUNT; i++)
        fprintf(to, "%g %%: %.1f ms, ", percentiles[i],
                (double)histogram_percentile(times, percentiles[i]) / NS_PER_MS);
    fprintf(to, "longest: %.1f ms\n", (double)times->highest_ns / NS_PER_MS);
}

void sip_report_text(FILE *to, const struct sip_plan *plan, const struct sip_result *result)
{
    char server[ADDRESS_TEXT_MAX];
    fprintf(to, "%-14s%s over %s\n", "server", address_format(&plan->server, server), plan->tls ? "wss" : "ws");
    fprintf(to, "%-14s%llu of %u WICs, %llu with TURN credentials\n", "registered",
            (unsigned long long)result->registered, plan->wics, (unsigned long long)result->provisioned);
    times_text(to, "REGISTER", &result->registering);
    if (plan->server_pid != 0)
        fprintf(to, "%-14s%.1f KB a registration\n", "memory",
                ratio((double)result->server_bytes / 1024, (double)result->registered));
    if (plan->kind == SIP_LOAD_CALLS)
        fprintf(to, "%-14s%llu begun, %llu answered, %llu ended\n", "calls", (unsigned long long)result->calls_begun,
                (unsigned long long)result->calls_answered, (unsigned long long)result->calls_ended);
    times_text(to, "INVITE", &result->setup);
    if (plan->kind == SIP_LOAD_REFRESH)
        fprintf(to, "%-14s%.0f a second\n", "refreshed",
                ratio((double)result->refreshed * NS_PER_S, (double)result->elapsed_ns));
    if (plan->kind == SIP_LOAD_REFRESH && result->server_cpu_s > 0)
        fprintf(to, "%-14s%.0f REGISTERs a second of CPU time\n", "server",
                (double)result->refreshed / result->server_cpu_s);
    if (result->failures > 0)
        fprintf(to, "%-14s%llu, the first: %s\n", "failures", (unsigned long long)result->failures, result->failure);
}

static void times_json(FILE *to, const char *label, const struct histogram *times)
{
    fprintf(to, ", \"%s_ms\": {", label);
    for (size_t i = 0; i < PERCENTILE_COUNT; i++)
        fprintf(to, "\"p%g\": %.3f, ", percentiles[i], (double)histogram_percentile(times, percentiles[i]) / NS_PER_MS);
    fprintf(to, "\"max\": %.3f}", (double)times->highest_ns / NS_PER_MS);
}

void sip_report_json(FILE *to, const struct sip_plan *plan, const struct sip_result *result)
{
    fprintf(to, "{\"kind\": \"%s\", \"wics\": %u, \"registered\": %llu, \"provisioned\": %llu, \"refreshed\": %llu",
            kind_name(plan->kind), plan->wics, (unsigned long long)result->registered,
            (unsigned long long)result->provisioned, (unsigned long long)result->refreshed);
    fprintf(to, ", \"calls_begun\": %llu, \"calls_answered\": %llu, \"calls_ended\": %llu, \"failures\": %llu",
            (unsigned long long)result->calls_begun, (unsigned long long)result->calls_answered,
            (unsigned long long)result->calls_ended, (unsigned long long)result->failures);
    times_json(to, "register", &result->registering);
    times_json(to, "invite", &result->setup);
    fprintf(to, ", \"elapsed_s\": %.3f, \"server_cpu_s\": %.6f, \"bytes_per_registration\": %.1f",
            (double)result->elapsed_ns / NS_PER_S, result->server_cpu_s,
            ratio((double)result->server_bytes, (double)result->registered));
    fprintf(to, ", \"registers_per_cpu_s\": %.1f}\n", ratio((double)result->refreshed, result->server_cpu_s));
}
