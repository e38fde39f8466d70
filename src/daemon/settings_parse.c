/* SPDX-License-Identifier: BSD-3-Clause
 * From YAML to struct settings, by the table. libyaml builds the document; what an alias stands for is walked once per
 * use and no deeper than the table goes, so aliases cannot blow up. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "base/error.h"
#include "base/memory.h"
#include "daemon/quote.h"
#include "daemon/settings.h"
#include "daemon/settings_check.h"
#include "daemon/settings_table.h"
#include "daemon/settings_value.h"

#define FILE_SIZE_MAX (1u << 20)
#define PATH_SIZE     128 /* of a key and its section */
#define QUOTED_MAX    80

struct reading {
    yaml_document_t *document;
    struct settings *settings;
    struct settings_error *error;
};

/* Every list of struct settings begins like this (see SETTINGS_LIST). */
typedef SETTINGS_LIST(void) any_list;

int settings_fail(const struct settings *settings, unsigned line, struct settings_error *error, const char *format, ...)
{
    int length = 0;
    if (settings->file[0] && line > 0)
        length = snprintf(error->text, sizeof error->text, "%.250s:%u: ", settings->file, line);
    else if (settings->file[0])
        length = snprintf(error->text, sizeof error->text, "%.250s: ", settings->file);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text + length, sizeof error->text - (size_t)length, format, arguments);
    va_end(arguments);
    return ERR_MALFORMED;
}

int settings_fail_system(struct settings_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return ERR_SYSTEM;
}

unsigned settings_line(const struct settings *settings, const char *key)
{
    const struct settings_row *row = settings_row_find(key);
    assert(row);
    return settings->lines[row - settings_rows];
}

static int fail_memory(struct reading *reading)
{
    settings_fail(reading->settings, 0, reading->error, "out of memory");
    return ERR_MEMORY;
}

static unsigned line_of(const yaml_node_t *node)
{
    return (unsigned)node->start_mark.line + 1;
}

static const char *text_of(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

/* Keys. */

static int fail_unknown(struct reading *reading, const yaml_node_t *key, const char *path)
{
    char quoted[QUOTED_MAX];
    quote(quoted, sizeof quoted, path, strlen(path));
    const char *near = settings_key_nearest(path);
    if (near)
        return settings_fail(reading->settings, line_of(key), reading->error, "unknown key %s: did you mean %s?",
                             quoted, near);
    return settings_fail(reading->settings, line_of(key), reading->error,
                         "unknown key %s: posternd --help lists the keys", quoted);
}

/* True if an earlier pair of |mapping| has the key of |pair|. */
static bool is_repeated(struct reading *reading, const yaml_node_t *mapping, const yaml_node_pair_t *pair)
{
    const yaml_node_t *key = yaml_document_get_node(reading->document, pair->key);
    for (const yaml_node_pair_t *other = mapping->data.mapping.pairs.start; other < pair; other++) {
        const yaml_node_t *earlier = yaml_document_get_node(reading->document, other->key);
        if (earlier->data.scalar.length == key->data.scalar.length &&
            memcmp(text_of(earlier), text_of(key), key->data.scalar.length) == 0)
            return true;
    }
    return false;
}

/* Writes "prefix.key" to |path|. Returns 0, or ERR_MALFORMED for a key that can be none. */
static int key_read(struct reading *reading, const char *prefix, const yaml_node_t *key, char *path, size_t size)
{
    if (key->type != YAML_SCALAR_NODE || strlen(text_of(key)) != key->data.scalar.length)
        return settings_fail(reading->settings, line_of(key), reading->error,
                             "a key must be a word: posternd --help lists the keys");
    int length = snprintf(path, size, "%s%s%s", prefix, prefix[0] ? "." : "", text_of(key));
    return length >= 0 && (size_t)length < size ? 0 : fail_unknown(reading, key, text_of(key));
}

/* Values. */

static int fail_wanted(struct reading *reading, const struct settings_row *row, const yaml_node_t *node)
{
    const struct settings_row *short_form = row->short_form ? settings_row_find(row->short_form) : NULL;
    const char *wanted = settings_row_wanted(short_form ? short_form : row);
    bool list = row->list && node->type != YAML_SEQUENCE_NODE;
    static const char *const shapes[] = {
        [YAML_NO_NODE] = "nothing",
        [YAML_SCALAR_NODE] = "a single value",
        [YAML_SEQUENCE_NODE] = "a list",
        [YAML_MAPPING_NODE] = "a mapping",
    };
    return settings_fail(reading->settings, line_of(node), reading->error, "%s: this is %s: write %s%s%s%s", row->key,
                         shapes[node->type], list ? "a list in [brackets], each item " : "", wanted,
                         row->type == SETTING_RECORD && !short_form ? " with the keys that posternd --help shows" : "",
                         row->type == SETTING_ACCOUNTS ? ", {NAME: PASSWORD}" : "");
}

static int scalar_read(struct reading *reading, const struct settings_row *row, const yaml_node_t *node, void *value)
{
    if (node->type != YAML_SCALAR_NODE)
        return fail_wanted(reading, row, node);
    struct settings_problem problem;
    int status;
    if (strlen(text_of(node)) != node->data.scalar.length) {
        snprintf(problem.text, sizeof problem.text, "contains a zero byte: take it out");
        status = ERR_MALFORMED;
    } else {
        status = settings_value_read(row, text_of(node), line_of(node), value, &problem);
    }
    if (status == ERR_MEMORY)
        return fail_memory(reading);
    if (status != 0)
        return settings_fail(reading->settings, line_of(node), reading->error, "%s: %s", row->key, problem.text);
    return 0;
}

/* Appends |item|, whose bytes belong to the list from then on. */
static int list_append(struct reading *reading, const struct settings_row *row, void *list_memory, const void *item)
{
    size_t size = settings_row_size(row);
    any_list list;
    memcpy(&list, list_memory, sizeof list);
    /* Doubling at the powers of two keeps a long list cheap. */
    if ((list.count & (list.count - 1)) == 0) {
        size_t room = list.count ? 2 * list.count : 1;
        void *items = memory_resize(list.items, room * size);
        if (!items)
            return fail_memory(reading);
        list.items = items;
    }
    memcpy((char *)list.items + list.count * size, item, size);
    list.count++;
    memcpy(list_memory, &list, sizeof list);
    return 0;
}

static int fail_too_many(struct reading *reading, const struct settings_row *row, const yaml_node_t *node)
{
    return settings_fail(reading->settings, line_of(node), reading->error, "%s: too many: at most %llu will do",
                         row->key, (unsigned long long)row->most);
}

static int account_read(struct reading *reading, const struct settings_row *row, const yaml_node_pair_t *pair,
                        struct settings_account *account)
{
    static const struct settings_row name_row = {.key = "users", .type = SETTING_TEXT, .least = 1, .most = 508};
    static const struct settings_row password_row = {.key = "users", .type = SETTING_SECRET, .least = 1, .most = 1024};
    const yaml_node_t *name = yaml_document_get_node(reading->document, pair->key);
    const yaml_node_t *password = yaml_document_get_node(reading->document, pair->value);
    if (name->type != YAML_SCALAR_NODE)
        return fail_wanted(reading, row, name);
    account->line = line_of(name);
    int status = scalar_read(reading, &name_row, name, &account->name);
    if (status != 0)
        return status;
    status = scalar_read(reading, &password_row, password, &account->password);
    if (status == 0 && strcmp(account->name, account->password) == 0)
        status = settings_fail(reading->settings, line_of(password), reading->error,
                               "users: the password is the name itself: put a random one");
    return status;
}

static int accounts_read(struct reading *reading, const struct settings_row *row, const yaml_node_t *node, void *list)
{
    if (node->type != YAML_MAPPING_NODE)
        return fail_wanted(reading, row, node);
    const yaml_node_pair_t *end = node->data.mapping.pairs.top;
    if ((size_t)(end - node->data.mapping.pairs.start) > row->most)
        return fail_too_many(reading, row, node);
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < end; pair++) {
        struct settings_account account = {0};
        int status = account_read(reading, row, pair, &account);
        if (status == 0)
            status = list_append(reading, row, list, &account);
        if (status != 0) {
            settings_value_fini(row, &account);
            return status;
        }
    }
    return 0;
}

static int fields_read(struct reading *reading, const struct settings_row *row, const yaml_node_t *node, char *record);

static int record_read(struct reading *reading, const struct settings_row *row, const yaml_node_t *node, void *record)
{
    unsigned line = line_of(node);
    int status;
    if (node->type == YAML_SCALAR_NODE && row->short_form)
        status = scalar_read(reading, settings_row_find(row->short_form), node, record);
    else if (node->type == YAML_MAPPING_NODE)
        status = fields_read(reading, row, node, record);
    else
        status = fail_wanted(reading, row, node);
    memcpy((char *)record + row->record_line_offset, &line, sizeof line);
    return status;
}

static int item_append(struct reading *reading, const struct settings_row *row, const yaml_node_t *node, void *list)
{
    /* Large enough for a value of any row, and aligned for it. */
    union {
        struct settings_listener listener;
        struct settings_certificate certificate;
        struct settings_relay_address relay_address;
        struct address_prefix prefix;
        char *text;
    } item;
    assert(settings_row_size(row) <= sizeof item);
    memset(&item, 0, sizeof item);
    int status =
        row->type == SETTING_RECORD ? record_read(reading, row, node, &item) : scalar_read(reading, row, node, &item);
    if (status == 0)
        status = list_append(reading, row, list, &item);
    if (status != 0)
        settings_value_fini(row, &item);
    return status;
}

static int list_read(struct reading *reading, const struct settings_row *row, const yaml_node_t *node, void *list)
{
    if (row->type == SETTING_RECORD && node->type == YAML_MAPPING_NODE)
        return item_append(reading, row, node, list);
    if (node->type != YAML_SEQUENCE_NODE)
        return fail_wanted(reading, row, node);
    const yaml_node_item_t *end = node->data.sequence.items.top;
    if ((size_t)(end - node->data.sequence.items.start) > row->most)
        return fail_too_many(reading, row, node);
    for (const yaml_node_item_t *item = node->data.sequence.items.start; item < end; item++) {
        int status = item_append(reading, row, yaml_document_get_node(reading->document, *item), list);
        if (status != 0)
            return status;
    }
    return 0;
}

/* Reads the value of |row| into |base| + its offset. */
static int value_read(struct reading *reading, const struct settings_row *row, const yaml_node_t *node, char *base)
{
    void *value = base + row->offset;
    if (row->type == SETTING_ACCOUNTS)
        return accounts_read(reading, row, node, value);
    if (row->list)
        return list_read(reading, row, node, value);
    return scalar_read(reading, row, node, value);
}

/* Mappings. */

/* The fields of one |record| of |row|. */
static int fields_read(struct reading *reading, const struct settings_row *row, const yaml_node_t *node, char *record)
{
    bool seen[SETTINGS_ROWS_MAX] = {false};
    const yaml_node_pair_t *end = node->data.mapping.pairs.top;
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < end; pair++) {
        const yaml_node_t *key = yaml_document_get_node(reading->document, pair->key);
        char path[PATH_SIZE];
        int status = key_read(reading, row->key, key, path, sizeof path);
        if (status != 0)
            return status;
        const struct settings_row *field = settings_row_find(path);
        if (!field || !field->field)
            return fail_unknown(reading, key, path);
        if (seen[field - settings_rows])
            return settings_fail(reading->settings, line_of(key), reading->error, "%s is there twice: keep one", path);
        seen[field - settings_rows] = true;
        status = value_read(reading, field, yaml_document_get_node(reading->document, pair->value), record);
        if (status != 0)
            return status;
    }
    for (size_t i = 0; i < settings_row_count; i++) {
        const struct settings_row *field = &settings_rows[i];
        if (field->required && !seen[i] && settings_key_is_in(field->key, row->key))
            return settings_fail(reading->settings, line_of(node), reading->error, "%s is missing: add it", field->key);
    }
    return 0;
}

/* The keys of the file (|prefix| "") or of one of its sections. */
static int section_read(struct reading *reading, const char *prefix, const yaml_node_t *node)
{
    struct settings *settings = reading->settings;
    /* `limits:` with nothing below it is a null scalar. */
    if (node->type == YAML_SCALAR_NODE && node->data.scalar.length == 0)
        return 0;
    if (node->type != YAML_MAPPING_NODE)
        return settings_fail(settings, line_of(node), reading->error,
                             "%s%swrite keys and values, one `key: value` a line", prefix, prefix[0] ? ": " : "");
    const yaml_node_pair_t *end = node->data.mapping.pairs.top;
    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < end; pair++) {
        const yaml_node_t *key = yaml_document_get_node(reading->document, pair->key);
        const yaml_node_t *value = yaml_document_get_node(reading->document, pair->value);
        char path[PATH_SIZE];
        int status = key_read(reading, prefix, key, path, sizeof path);
        if (status != 0)
            return status;
        const struct settings_row *row = settings_row_find(path);
        bool section = !row && !prefix[0] && settings_is_section(path);
        if (!section && (!row || row->field))
            return fail_unknown(reading, key, path);
        if (is_repeated(reading, node, pair))
            return settings_fail(settings, line_of(key), reading->error, "%s is there twice: keep one", path);
        if (!section)
            settings->lines[row - settings_rows] = line_of(key);
        status = section ? section_read(reading, path, value) : value_read(reading, row, value, (char *)settings);
        if (status != 0)
            return status;
    }
    return 0;
}

/* Documents. */

/* Why libyaml gave up, and where. */
static int fail_yaml(struct reading *reading, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return fail_memory(reading);
    const char *problem = parser->problem ? parser->problem : "it cannot be read";
    return settings_fail(reading->settings, (unsigned)parser->problem_mark.line + 1, reading->error,
                         "not YAML: %.120s: check indentation, quotes and brackets", problem);
}

/* Loads one document and walks it with |walk|; a further document is refused. */
typedef int walker(struct reading *reading, const yaml_node_t *root, const void *context);

static int document_read(struct reading *reading, const void *yaml, size_t length, walker *walk, const void *context)
{
    yaml_parser_t parser;
    yaml_document_t document, further;
    if (!yaml_parser_initialize(&parser))
        return fail_memory(reading);
    yaml_parser_set_input_string(&parser, yaml, length);
    if (!yaml_parser_load(&parser, &document)) {
        int status = fail_yaml(reading, &parser);
        yaml_parser_delete(&parser);
        return status;
    }
    reading->document = &document;
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    int status = root ? walk(reading, root, context) : 0;
    if (status == 0 && root) {
        if (!yaml_parser_load(&parser, &further)) {
            status = fail_yaml(reading, &parser);
        } else {
            const yaml_node_t *second = yaml_document_get_root_node(&further);
            if (second)
                status = settings_fail(reading->settings, line_of(second), reading->error,
                                       "a second document begins here: a settings file has one");
            yaml_document_delete(&further);
        }
    }
    yaml_document_delete(&document);
    yaml_parser_delete(&parser);
    return status;
}

static int walk_file(struct reading *reading, const yaml_node_t *root, const void *context)
{
    (void)context;
    return section_read(reading, "", root);
}

static int walk_default(struct reading *reading, const yaml_node_t *root, const void *row)
{
    return value_read(reading, row, root, (char *)reading->settings);
}

/* Gives every key that the file did not set the table's default. */
static int defaults_read(struct reading *reading)
{
    for (size_t i = 0; i < settings_row_count; i++) {
        const struct settings_row *row = &settings_rows[i];
        if (row->field || reading->settings->lines[i] > 0)
            continue;
        int status = document_read(reading, row->fallback, strlen(row->fallback), walk_default, row);
        if (status != 0)
            return status;
    }
    /* Lines within a default are none of the file's. */
    for (size_t i = 0; i < reading->settings->listen.count && !settings_line(reading->settings, "listen"); i++)
        reading->settings->listen.items[i].line = 0;
    return 0;
}

int settings_parse(const char *name, const void *yaml, size_t length, struct settings **out,
                   struct settings_error *error)
{
    *out = NULL;
    struct settings *settings = memory_zeroed(1, sizeof *settings);
    if (settings)
        settings->file = memory_string(name);
    if (!settings || !settings->file) {
        memory_free(settings);
        snprintf(error->text, sizeof error->text, "out of memory");
        return ERR_MEMORY;
    }
    struct reading reading = {.settings = settings, .error = error};
    int status = document_read(&reading, yaml, length, walk_file, NULL);
    if (status == 0)
        status = defaults_read(&reading);
    if (status == 0)
        status = settings_check(settings, error);
    if (status == 0)
        *out = settings;
    else
        settings_destroy(&settings);
    return status;
}

static int file_read(const char *file, char **bytes_out, size_t *length_out, struct settings_error *error)
{
    const struct settings nameless = {.file = (char *)file};
    struct stat about;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &about) != 0) {
        settings_fail(&nameless, 0, error, "cannot be read: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return ERR_SYSTEM;
    }
    if (!S_ISREG(about.st_mode) || about.st_size > FILE_SIZE_MAX) {
        close(fd);
        return settings_fail(&nameless, 0, error, "%s",
                             S_ISREG(about.st_mode) ? "larger than 1 MiB: this cannot be a settings file"
                                                    : "not a file: name a settings file");
    }
    size_t size = (size_t)about.st_size, length = 0;
    char *bytes = memory_zeroed(1, size + 1);
    ssize_t got = 1;
    while (bytes && length < size && (got = read(fd, bytes + length, size - length)) > 0)
        length += (size_t)got;
    int cause = errno;
    close(fd);
    if (!bytes || got < 0) {
        memory_free(bytes);
        settings_fail(&nameless, 0, error, "cannot be read: %s", bytes ? strerror(cause) : "out of memory");
        return bytes ? ERR_SYSTEM : ERR_MEMORY;
    }
    *bytes_out = bytes;
    *length_out = length;
    return 0;
}

int settings_load(const char *file, struct settings **out, struct settings_error *error)
{
    char *bytes;
    size_t length;
    *out = NULL;
    int status = file_read(file, &bytes, &length, error);
    if (status != 0)
        return status;
    status = settings_parse(file, bytes, length, out, error);
    explicit_bzero(bytes, length);
    memory_free(bytes);
    return status;
}

void settings_destroy(struct settings **settings)
{
    if (!*settings)
        return;
    for (size_t i = 0; i < settings_row_count; i++) {
        const struct settings_row *row = &settings_rows[i];
        void *value = (char *)*settings + row->offset;
        if (row->field)
            continue;
        if (!row->list && row->type != SETTING_ACCOUNTS) {
            settings_value_fini(row, value);
            continue;
        }
        any_list list;
        memcpy(&list, value, sizeof list);
        for (size_t item = 0; item < list.count; item++)
            settings_value_fini(row, (char *)list.items + item * settings_row_size(row));
        memory_free(list.items);
    }
    memory_free((*settings)->file);
    memory_free(*settings);
    *settings = NULL;
}
