/* SPDX-License-Identifier: BSD-3-Clause
 * A tool of the build: writes posternd(8) from its template, in which a line `@SETTINGS@` stands for the table.
 *     settings_manual TEMPLATE > posternd.8 */
#include <stdio.h>
#include <string.h>

#include "daemon/settings_print.h"

int main(int count, char **arguments)
{
    FILE *template = count == 2 ? fopen(arguments[1], "r") : NULL;
    if (!template) {
        fprintf(stderr, "usage: settings_manual TEMPLATE\n");
        return 1;
    }
    char line[1024];
    while (fgets(line, sizeof line, template)) {
        if (strcmp(line, "@SETTINGS@\n") == 0)
            settings_print_manual(stdout);
        else
            fputs(line, stdout);
    }
    fclose(template);
    return fflush(stdout) == 0 ? 0 : 1;
}
