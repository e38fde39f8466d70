/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/load/process_usage.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/now.h"

#define PROC_PATH_MAX 320

/* Reads a small file of /proc as text. Returns its length or ERR_NOT_FOUND. */
static int text_read(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return ERR_NOT_FOUND;
    size_t length = fread(text, 1, size - 1, file);
    fclose(file);
    text[length] = '\0';
    return (int)length;
}

/* The scheduler's own count in nanoseconds, a thread at a time: utime and stime of /proc/PID/stat tick in hundredths of
 * a second, which is coarse where a cell lasts but a few seconds. Returns 0 or ERR_NOT_FOUND (kernel without it). */
static int cpu_from_schedstat(pid_t pid, uint64_t *out)
{
    char path[PROC_PATH_MAX], text[128];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (!tasks)
        return ERR_NOT_FOUND;
    uint64_t total = 0;
    struct dirent *task;
    while ((task = readdir(tasks))) {
        if (task->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", (int)pid, task->d_name);
        if (text_read(path, text, sizeof text) > 0)
            total += strtoull(text, NULL, 10);
    }
    closedir(tasks);
    *out = total;
    return total > 0 ? 0 : ERR_NOT_FOUND;
}

/* Fields 14 and 15 of /proc/PID/stat; the second field is the program's name in parentheses, which may hold anything.
 */
static int cpu_from_stat(pid_t pid, uint64_t *out)
{
    char path[PROC_PATH_MAX], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (text_read(path, text, sizeof text) < 0)
        return ERR_NOT_FOUND;
    unsigned long user, system;
    const char *rest = strrchr(text, ')');
    if (!rest || sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return ERR_SYSTEM;
    *out = (user + system) * NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
    return 0;
}

static int resident_read(pid_t pid, uint64_t *out)
{
    char path[PROC_PATH_MAX], text[4096];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (text_read(path, text, sizeof text) < 0)
        return ERR_NOT_FOUND;
    unsigned long kilobytes;
    const char *line = strstr(text, "\nVmRSS:");
    if (!line || sscanf(line, "\nVmRSS: %lu kB", &kilobytes) != 1)
        return ERR_SYSTEM;
    *out = (uint64_t)kilobytes * 1024;
    return 0;
}

int process_usage_read(pid_t pid, struct process_usage *out)
{
    if (cpu_from_schedstat(pid, &out->cpu_ns) != 0) {
        int error = cpu_from_stat(pid, &out->cpu_ns);
        if (error != 0)
            return error;
    }
    return resident_read(pid, &out->resident_bytes);
}
