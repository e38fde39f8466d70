/* SPDX-License-Identifier: BSD-3-Clause
 * The main program of a harness in a build without libFuzzer: each file of the folders that are named, once. So every
 * seed, and every input that once crashed and was put among them, is a test of every build. */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness.h"

#define INPUT_MAX (1 << 20)

static int replay_file(const char *path)
{
    static uint8_t input[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    size_t length = fread(input, 1, sizeof input, file);
    fclose(file);
    uint8_t *exact = malloc(length > 0 ? length : 1);
    if (!exact)
        return 1;
    for (size_t i = 0; i < length; i++)
        exact[i] = input[i];
    LLVMFuzzerTestOneInput(exact, length);
    free(exact);
    return 0;
}

/* Returns the number of files that were replayed, or -1. */
static int replay_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder) {
        perror(path);
        return -1;
    }
    int count = 0;
    for (struct dirent *entry; count >= 0 && (entry = readdir(folder));) {
        char file[PATH_MAX];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        count = replay_file(file) == 0 ? count + 1 : -1;
    }
    closedir(folder);
    return count;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        int count = replay_folder(argv[i]);
        printf("%s: %d seeds\n", argv[i], count);
        if (count <= 0)
            return 1;
    }
    return argc > 1 ? 0 : 1;
}
