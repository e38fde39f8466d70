/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/settings_print.h"

#include <string.h>

#include "daemon/settings_value.h"

#define COLUMNS 100

/* "1s to 5m"; nothing where any number of the type will do. */
static const char *format_range(const struct settings_row *row, char *out, size_t size)
{
    char least[32], most[32];
    bool bounded =
        row->type == SETTING_DURATION || row->type == SETTING_WORKERS || (row->type == SETTING_COUNT && row->least > 0);
    out[0] = '\0';
    if (bounded)
        snprintf(out, size, "%s to %s", settings_number_format(row->type, row->least, least, sizeof least),
                 settings_number_format(row->type, row->most, most, sizeof most));
    return out;
}

/* |text| and a full stop, broken between words into lines that begin with |indent|. */
static void print_wrapped(FILE *out, const char *indent, const char *text)
{
    size_t column = 0;
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column > 0 && column + 1 + word > COLUMNS) {
            fputc('\n', out);
            column = 0;
        }
        if (column == 0)
            column = (size_t)fprintf(out, "%s", indent);
        else
            column += (size_t)fprintf(out, " ");
        column += (size_t)fprintf(out, "%.*s%s", (int)word, text, text[word] ? "" : ".");
        text += word;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

/* The part before the dot of a key in a section; 0 for a key at the top. A record's fields have none. */
static size_t section_length(const struct settings_row *row)
{
    const char *dot = strchr(row->key, '.');
    return dot && !row->field ? (size_t)(dot - row->key) : 0;
}

void settings_print_help(FILE *out)
{
    for (size_t i = 0; i < settings_row_count; i++) {
        const struct settings_row *row = &settings_rows[i];
        char range[80];
        fprintf(out, "  %s", row->key);
        if (row->fallback)
            fprintf(out, ": %s", row->fallback);
        if (format_range(row, range, sizeof range)[0])
            fprintf(out, "   (%s)", range);
        fputc('\n', out);
        print_wrapped(out, "      ", row->help);
    }
}

static void print_sample_row(FILE *out, const struct settings_row *row, size_t section)
{
    const char *indent = section ? "  # " : "# ";
    char range[80];
    print_wrapped(out, indent, row->help);
    if (row->example)
        fprintf(out, "%sDefault: %s\n", indent, row->fallback);
    if (format_range(row, range, sizeof range)[0])
        fprintf(out, "%sFrom %s.\n", indent, range);
    fprintf(out, "%s#%s: %s\n", section ? "  " : "", row->key + (section ? section + 1 : 0),
            row->example ? row->example : row->fallback);
}

void settings_print_sample(FILE *out)
{
    fputs("# Settings of posternd, with all keys there are. Each shows its default or an example: take the # away\n"
          "# from what you want to change. users or credentials.shared-secrets has to be set.\n"
          "# posternd --check-config --config FILE tells whether a file is good.\n",
          out);
    for (size_t i = 0; i < settings_row_count; i++) {
        const struct settings_row *row = &settings_rows[i];
        size_t section = section_length(row);
        if (row->field) {
            fprintf(out, "# %s:\n", strchr(row->key, '.') + 1);
            print_wrapped(out, "#   ", row->help);
            continue;
        }
        bool begins = section && (i == 0 || strncmp(row[-1].key, row->key, section + 1) != 0);
        fputc('\n', out);
        if (begins)
            fprintf(out, "%.*s:\n", (int)section, row->key);
        print_sample_row(out, row, section);
    }
}

/* troff takes a backslash, a leading dot or quote, and a hyphen for something else than the character. */
static void print_troff(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else if (*text == '\'')
            fputs("\\(aq", out);
        else if (*text == '`')
            fputs("\\(ga", out);
        else
            fputc(*text, out);
    }
}

void settings_print_manual(FILE *out)
{
    for (size_t i = 0; i < settings_row_count; i++) {
        const struct settings_row *row = &settings_rows[i];
        char range[80];
        fputs(".TP\n.B ", out);
        print_troff(out, row->key);
        fputc('\n', out);
        print_troff(out, row->help);
        fputs(".\n", out);
        if (row->fallback) {
            fputs("Default: ", out);
            print_troff(out, row->fallback);
            if (format_range(row, range, sizeof range)[0])
                fprintf(out, "; from %s", range);
            fputs(".\n", out);
        }
        if (!row->list && row->type != SETTING_TEXT && row->type != SETTING_RECORD) {
            fputs("Write ", out);
            print_troff(out, settings_row_wanted(row));
            fputs(".\n", out);
        }
    }
}
