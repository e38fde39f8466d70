/* SPDX-License-Identifier: BSD-3-Clause
 * A subcommand of `postern`: one row of the table in main.c, one file. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

/* |argv|[0] is the subcommand's name. Returns the exit status; a failure has been told on stderr in one line. */
typedef int command_run(int argc, char **argv);

struct command {
    const char *name, *summary;
    command_run *run;
};

command_run load_command;
command_run load_sip_command; /* of load_command */

#endif
