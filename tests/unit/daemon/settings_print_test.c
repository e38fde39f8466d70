/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/settings.h"
#include "daemon/settings_print.h"
#include "daemon/settings_table.h"

/* What |print| writes; to be freed. */
static char *printed(void (*print)(FILE *))
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    print(out);
    fclose(out);
    return text;
}

static void sample_names_every_key_and_is_a_settings_file_once_uncommented(void **state)
{
    (void)state;
    char *sample = printed(settings_print_sample);
    /* `#key: value` is a setting, `# text` a remark. */
    for (char *at = sample; (at = strchr(at, '#')); at++)
        if (at[1] != ' ')
            *at = at[-1] == '\n' ? '\n' : ' ';
    struct settings *settings;
    struct settings_error error;
    int status = settings_parse("sample", sample, strlen(sample), &settings, &error);
    /* Its secrets are examples, so a copy does not start. */
    assert_int_not_equal(status, 0);
    assert_non_null(strstr(error.text, "openssl rand"));
    for (char *at = sample; (at = strstr(at, "put-a-random-"));)
        memcpy(at, "kT5xPq9w", 8);
    status = settings_parse("sample", sample, strlen(sample), &settings, &error);
    if (status != 0)
        fail_msg("%s", error.text);
    for (size_t i = 0; i < settings_row_count; i++)
        if (!settings_rows[i].field && settings->lines[i] == 0)
            fail_msg("the sample lacks %s", settings_rows[i].key);
    settings_destroy(&settings);
    free(sample);
}

static void sample_as_it_is_lacks_only_who_may_log_in(void **state)
{
    (void)state;
    char *sample = printed(settings_print_sample);
    struct settings *settings;
    struct settings_error error;
    assert_int_not_equal(settings_parse("sample", sample, strlen(sample), &settings, &error), 0);
    assert_string_equal(error.text, "sample: nobody could get a relay: set users or credentials.shared-secrets");
    free(sample);
}

static void help_and_manual_name_every_key(void **state)
{
    (void)state;
    char *help = printed(settings_print_help), *manual = printed(settings_print_manual);
    for (size_t i = 0; i < settings_row_count; i++) {
        char line[80];
        snprintf(line, sizeof line, "\n  %s", settings_rows[i].key);
        assert_non_null(strstr(help, line + (i == 0)));
    }
    assert_non_null(strstr(manual, ".B limits.handshake\\-deadline\n"));
    for (const char *line = help; (line = strchr(line, '\n')); line++)
        assert_true(strcspn(line + 1, "\n") <= 100);
    free(help);
    free(manual);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_names_every_key_and_is_a_settings_file_once_uncommented),
        cmocka_unit_test(sample_as_it_is_lacks_only_who_may_log_in),
        cmocka_unit_test(help_and_manual_name_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
