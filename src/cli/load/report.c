/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/load/report.h"

#include "base/now.h"

static const double percentiles[] = {50, 90, 99, 99.9};
#define PERCENTILE_COUNT (sizeof percentiles / sizeof *percentiles)

static const char *kind_name(enum load_kind kind)
{
    switch (kind) {
    case LOAD_RELAY:
        return "relay";
    case LOAD_ALLOCATE:
        return "allocate";
    case LOAD_IDLE:
        return "idle";
    }
    return "unknown";
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static double seconds(const struct load_result *result)
{
    return (double)result->elapsed_ns / NS_PER_S;
}

/* Packets that the server has relayed: those that reached the peer, and those that came back. A peer of somebody
 * else's does not tell what reached it, so there the ones that came back count for both. */
static uint64_t relayed(const struct load_plan *plan, const struct load_result *result)
{
    return result->to_client + (plan->peer.family == ADDRESS_NONE ? result->to_peer : result->to_client);
}

static double lost_percent(const struct load_result *result)
{
    uint64_t lost = result->sent > result->answered ? result->sent - result->answered : 0;
    return 100 * ratio((double)lost, (double)result->sent);
}

static double to_us(uint64_t ns)
{
    return (double)ns / NS_PER_US;
}

static void latency_text(FILE *to, const char *label, const struct histogram *latency)
{
    fprintf(to, "%-14s", label);
    for (size_t i = 0; i < PERCENTILE_COUNT; i++)
        fprintf(to, "%g %%: %.0f us, ", percentiles[i], to_us(histogram_percentile(latency, percentiles[i])));
    fprintf(to, "longest: %.0f us\n", to_us(latency->highest_ns));
}

static void relay_text(FILE *to, const struct load_plan *plan, const struct load_result *result)
{
    uint64_t packets = relayed(plan, result);
    double rate = ratio((double)packets, seconds(result));
    fprintf(to, "%-14s%u of %u bytes %s of each client under way", "load", plan->in_flight, plan->size,
            plan->bursts ? "in a burst" : "singly");
    if (plan->rate > 0)
        fprintf(to, ", %u a second in all (open loop)", plan->rate);
    fprintf(to, "\n%-14s%.0f packets a second, %.1f Mbit/s of payload, both directions together\n", "relayed", rate,
            rate * plan->size * 8 / 1e6);
    fprintf(to, "%-14s%.3f %% of %llu packets", "lost", lost_percent(result), (unsigned long long)result->sent);
    if (result->unsent > 0)
        fprintf(to, "; %llu more were due but never sent, as the connection was full",
                (unsigned long long)result->unsent);
    fputc('\n', to);
    latency_text(to, "round trip", &result->latency);
    if (result->server_cpu_s > 0)
        fprintf(to, "%-14s%.1f %% of a core; %.0f packets relayed a second of CPU time\n", "server",
                100 * ratio(result->server_cpu_s, seconds(result)), (double)packets / result->server_cpu_s);
}

static void allocate_text(FILE *to, const struct load_result *result)
{
    fprintf(to, "%-14s%.0f a second, made and released\n", "allocations",
            ratio((double)result->allocations, seconds(result)));
    if (result->resumed > 0)
        fprintf(to, "%-14s%.1f %% of them with a resumed TLS session\n", "",
                100 * ratio((double)result->resumed, (double)result->allocations));
    latency_text(to, "time to one", &result->latency);
    if (result->server_cpu_s > 0)
        fprintf(to, "%-14s%.1f %% of a core; %.0f allocations a second of CPU time\n", "server",
                100 * ratio(result->server_cpu_s, seconds(result)), (double)result->allocations / result->server_cpu_s);
}

static void idle_text(FILE *to, const struct load_plan *plan, const struct load_result *result)
{
    fprintf(to, "%-14s%llu idle\n", "allocations", (unsigned long long)result->allocations);
    if (plan->server_pid != 0)
        fprintf(to, "%-14s%.0f bytes of resident memory an allocation\n", "server",
                ratio((double)result->server_bytes, (double)result->allocations));
}

void load_report_text(FILE *to, const struct load_plan *plan, const struct load_result *result)
{
    char server[ADDRESS_TEXT_MAX];
    fprintf(to, "%-14s%s over %s, %u clients\n", "server", address_format(&plan->server, server),
            turn_transport_name(plan->transport), plan->clients);
    switch (plan->kind) {
    case LOAD_RELAY:
        relay_text(to, plan, result);
        break;
    case LOAD_ALLOCATE:
        allocate_text(to, result);
        break;
    case LOAD_IDLE:
        idle_text(to, plan, result);
        break;
    }
}

void load_report_json(FILE *to, const struct load_plan *plan, const struct load_result *result)
{
    uint64_t packets = relayed(plan, result);
    fprintf(to, "{\"kind\": \"%s\", \"transport\": \"%s\", \"clients\": %u, \"in_flight\": %u, \"bytes\": %u, ",
            kind_name(plan->kind), turn_transport_name(plan->transport), plan->clients, plan->in_flight, plan->size);
    fprintf(to, "\"bursts\": %s, \"rate\": %u, \"seconds\": %.3f, \"server_cpu_seconds\": %.6f, ",
            plan->bursts ? "true" : "false", plan->rate, seconds(result), result->server_cpu_s);
    fprintf(to, "\"sent\": %llu, \"answered\": %llu, \"unsent\": %llu, \"relayed\": %llu, \"lost_percent\": %.4f, ",
            (unsigned long long)result->sent, (unsigned long long)result->answered, (unsigned long long)result->unsent,
            (unsigned long long)packets, lost_percent(result));
    fprintf(to, "\"relayed_per_second\": %.0f, \"relayed_per_cpu_second\": %.0f, ",
            ratio((double)packets, seconds(result)), ratio((double)packets, result->server_cpu_s));
    fprintf(to, "\"allocations\": %llu, \"allocations_per_second\": %.1f, \"allocations_per_cpu_second\": %.1f, ",
            (unsigned long long)result->allocations, ratio((double)result->allocations, seconds(result)),
            ratio((double)result->allocations, result->server_cpu_s));
    fprintf(to, "\"resumed\": %llu, ", (unsigned long long)result->resumed);
    fprintf(to, "\"server_bytes_per_allocation\": %.0f, \"latency_us\": {",
            ratio((double)result->server_bytes, (double)result->allocations));
    for (size_t i = 0; i < PERCENTILE_COUNT; i++)
        fprintf(to, "\"p%g\": %.1f, ", percentiles[i], to_us(histogram_percentile(&result->latency, percentiles[i])));
    fprintf(to, "\"max\": %.1f}}\n", to_us(result->latency.highest_ns));
}
