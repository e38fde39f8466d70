/* SPDX-License-Identifier: BSD-3-Clause */
#include "cli/load/process_usage.h"

#include <dirent.h>
#include <stdbool.h>
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

/* The kilobytes that |file| of /proc/PID tells behind |label|, such as "\nVmRSS:". */
static int kilobytes_read(pid_t pid, const char *file, const char *label, uint64_t *out)
{
    char path[PROC_PATH_MAX], text[4096];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    if (text_read(path, text, sizeof text) < 0)
        return ERR_NOT_FOUND;
    unsigned long kilobytes;
    const char *line = strstr(text, label);
    if (!line || sscanf(line + strlen(label), " %lu kB", &kilobytes) != 1)
        return ERR_SYSTEM;
    *out = (uint64_t)kilobytes * 1024;
    return 0;
}

static int cpu_read(pid_t pid, uint64_t *out)
{
    return cpu_from_schedstat(pid, out) == 0 ? 0 : cpu_from_stat(pid, out);
}

/* 0 where there is no such process. */
static pid_t parent_of(pid_t pid)
{
    char path[PROC_PATH_MAX], text[1024];
    int parent;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (text_read(path, text, sizeof text) < 0)
        return 0;
    const char *rest = strrchr(text, ')');
    return rest && sscanf(rest + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

static bool descends_from(pid_t pid, pid_t ancestor)
{
    while (pid > 1 && pid != ancestor)
        pid = parent_of(pid);
    return pid == ancestor;
}

int process_usage_read(pid_t pid, struct process_usage *out)
{
    int error = cpu_read(pid, &out->cpu_ns);
    return error != 0 ? error : kilobytes_read(pid, "status", "\nVmRSS:", &out->resident_bytes);
}

int process_tree_usage_read(pid_t pid, struct process_usage *out)
{
    DIR *processes = opendir("/proc");
    if (!processes)
        return ERR_SYSTEM;
    *out = (struct process_usage){0};
    bool found = false;
    struct dirent *entry;
    while ((entry = readdir(processes))) {
        pid_t each = (pid_t)strtol(entry->d_name, NULL, 10);
        uint64_t cpu_ns, bytes;
        /* One that ends meanwhile does not count. */
        if (each <= 0 || !descends_from(each, pid) || cpu_read(each, &cpu_ns) != 0 ||
            kilobytes_read(each, "smaps_rollup", "\nPss:", &bytes) != 0)
            continue;
        out->cpu_ns += cpu_ns;
        out->resident_bytes += bytes;
        found = found || each == pid;
    }
    closedir(processes);
    return found ? 0 : ERR_NOT_FOUND;
}
