/* SPDX-License-Identifier: BSD-3-Clause
 * One row for each settings key: the truth from which parser, defaults, --help, sample file and manual page come. */
#ifndef DAEMON_SETTINGS_TABLE_H
#define DAEMON_SETTINGS_TABLE_H

#include "daemon/settings.h"

/* What a value is: the C type it is read into. */
enum settings_type {
    SETTING_TEXT,          /* char * */
    SETTING_SECRET,        /* char *, never an example from documentation */
    SETTING_FLAG,          /* bool */
    SETTING_COUNT,         /* uint32_t */
    SETTING_WORKERS,       /* uint32_t, 0 for `auto` */
    SETTING_DURATION,      /* uint32_t, seconds */
    SETTING_RATE,          /* uint64_t, bits per second */
    SETTING_ADDRESS,       /* struct address with port, or nothing */
    SETTING_PREFIX,        /* struct address_prefix */
    SETTING_PORTS,         /* struct settings_ports */
    SETTING_RELAY_ADDRESS, /* struct settings_relay_address */
    SETTING_LISTENER,      /* struct settings_listener without |plain| */
    SETTING_ACCOUNTS,      /* mapping of name to secret: a list of struct settings_account */
    SETTING_RECORD,        /* struct whose fields are the rows `key.…` */
};

struct settings_row {
    const char *key; /* "section.key", or "record.field" where |field| */
    enum settings_type type;
    bool list;                 /* a list of |type|; a list of one record may be written without the list */
    bool field;                /* of the record of that name: |offset| counts inside it */
    bool required;             /* a record without this field is incomplete */
    size_t offset;             /* in struct settings */
    size_t record_size;        /* SETTING_RECORD */
    size_t record_line_offset; /* SETTING_RECORD: of its |line| */
    const char *short_form;    /* SETTING_RECORD: the field that a scalar stands for, NULL: none does */
    uint64_t least, most;      /* of a number; of a text's length; |most| of a list's count where |list| */
    const char *fallback;      /* the default, as it stands in YAML; NULL: none */
    const char *example;       /* for the sample, where the default is no good example */
    const char *help;          /* one or more sentences, without a full stop at the end */
};

extern const struct settings_row settings_rows[];
extern const size_t settings_row_count;

/* The row of |key|, or NULL. */
const struct settings_row *settings_row_find(const char *key);
/* The key that the writer of |path| may have meant, the same word in another place or nearly the same; or NULL. */
const char *settings_key_nearest(const char *path);
/* True if |key| is "|section|.…": a key of that section, or a field of that record. */
bool settings_key_is_in(const char *key, const char *section);
/* True if |prefix| is a section: some rows begin with "prefix.", and it is none itself. */
bool settings_is_section(const char *prefix);
/* What a value of |row| looks like, for a person: "a duration such as 15s, 10m or 1h". */
const char *settings_row_wanted(const struct settings_row *row);
/* Bytes of one value of |row|. */
size_t settings_row_size(const struct settings_row *row);

#endif
