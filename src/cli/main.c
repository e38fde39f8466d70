/* SPDX-License-Identifier: BSD-3-Clause
 * `postern`: the command with which an operator looks at, and loads, a TURN service. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"

static const struct command commands[] = {
    {"load", "put a TURN server, or a SIP edge, under load and measure it", load_command},
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static void help_print(FILE *to)
{
    fprintf(to, "Usage: postern COMMAND [OPTION]... [ARGUMENT]...\n\nCommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].summary);
    fprintf(to, "  %-8s %s\n\n`postern COMMAND --help` tells more about one of them.\n", "help", "show this help");
}

static bool is_one_of(const char *word, const char *long_option, const char *short_option, const char *command)
{
    return strcmp(word, long_option) == 0 || (short_option && strcmp(word, short_option) == 0) ||
           strcmp(word, command) == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        help_print(stderr);
        return EXIT_FAILURE;
    }
    if (is_one_of(argv[1], "--help", "-h", "help")) {
        help_print(stdout);
        return EXIT_SUCCESS;
    }
    if (is_one_of(argv[1], "--version", "-V", "version")) {
        printf("postern %s\n", POSTERN_VERSION);
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "postern: there is no command \"%s\"; `postern help` lists them\n", argv[1]);
    return EXIT_FAILURE;
}
