/* SPDX-License-Identifier: BSD-3-Clause */
#include "registrar/accounts.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

#define VERSION   1 /* of the schema, kept in user_version */
#define MEMORY_DB ":memory:"
#define PATH_SIZE 4224

enum statement { FIND, ADD, REMOVE, LIST, CHANGES, STATEMENTS };

/* Names and domains reach the database as bound values only. */
static const char *const statement_texts[STATEMENTS] = {
    [FIND] = "SELECT name, ha1_md5, ha1_sha256, created FROM account WHERE domain = ?1 AND name = ?2",
    [ADD] = "INSERT INTO account (domain, name, ha1_md5, ha1_sha256, created) VALUES (?1, ?2, ?3, ?4, ?5)",
    [REMOVE] = "DELETE FROM account WHERE domain = ?1 AND name = ?2",
    [LIST] = "SELECT name, ha1_md5, ha1_sha256, created FROM account WHERE domain = ?1 ORDER BY name",
    [CHANGES] = "PRAGMA data_version",
};

static const char schema[] = "CREATE TABLE account ("
                             "  domain TEXT NOT NULL, name TEXT NOT NULL,"
                             "  ha1_md5 BLOB NOT NULL CHECK (length(ha1_md5) = 16),"
                             "  ha1_sha256 BLOB NOT NULL CHECK (length(ha1_sha256) = 32),"
                             "  created INTEGER NOT NULL,"
                             "  PRIMARY KEY (domain, name)) STRICT, WITHOUT ROWID;"
                             "PRAGMA user_version = 1;";

struct accounts {
    sqlite3 *database;
    sqlite3_stmt *statements[STATEMENTS];
    char domain[ACCOUNT_DOMAIN_MAX + 1];
    int64_t version; /* of the data, when accounts_changed() was asked last */
};

static int fail(struct accounts_error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail(struct accounts_error *error, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return code;
}

/* root makes the file for whom the directory belongs to: the daemon's own user. */
static int give_to_owner_of_directory(int fd, const char *file)
{
    char directory[PATH_SIZE];
    struct stat about;
    if (geteuid() != 0)
        return 0;
    const char *slash = strrchr(file, '/');
    snprintf(directory, sizeof directory, "%.*s", slash ? (int)(slash - file) + 1 : 1, slash ? file : ".");
    return stat(directory, &about) != 0 ? -1 : fchown(fd, about.st_uid, about.st_gid);
}

/* SQLite would make the file as the umask says. */
static int prepare_file(const char *file, struct accounts_error *error)
{
    int status = 0;
    int fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool made = fd >= 0;
    if (!made && errno == EEXIST)
        fd = open(file, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    struct stat about;
    if (fd < 0 || fstat(fd, &about) != 0)
        status = fail(error, ERR_SYSTEM, "%.200s: cannot be opened: %s", file, strerror(errno));
    else if (!S_ISREG(about.st_mode))
        status = fail(error, ERR_MALFORMED, "%.200s: is no file: move it away", file);
    else if (about.st_mode & 077)
        status = fail(error, ERR_FORBIDDEN, "%.200s: others may read or write it: chmod 600 it", file);
    else if (made && give_to_owner_of_directory(fd, file) != 0)
        status =
            fail(error, ERR_SYSTEM, "%.200s: cannot be given to the owner of its directory: %s", file, strerror(errno));
    if (fd >= 0)
        close(fd);
    return status;
}

static int read_version(sqlite3 *database)
{
    sqlite3_stmt *statement = NULL;
    int version = -1;
    if (sqlite3_prepare_v2(database, "PRAGMA user_version", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        version = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return version;
}

/* Two processes may open a new file at once: the version is looked at again under the lock. */
static int ensure_schema(sqlite3 *database)
{
    int version = read_version(database);
    if (version != 0)
        return version;
    if (sqlite3_exec(database, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return -1;
    version = read_version(database);
    if (version == 0 && sqlite3_exec(database, schema, NULL, NULL, NULL) == SQLITE_OK)
        version = VERSION;
    if (sqlite3_exec(database, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        return -1;
    return version;
}

static int prepare_database(struct accounts *accounts, const char *file, unsigned patience_ms,
                            struct accounts_error *error)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    if (sqlite3_open_v2(file, &accounts->database, flags, NULL) != SQLITE_OK)
        return fail(error, ERR_SYSTEM, "%.200s: %s", file, sqlite3_errmsg(accounts->database));
    sqlite3_busy_timeout(accounts->database, (int)patience_ms);
    /* Whatever the file says of itself, it holds data and no code; what is removed is wiped. */
    sqlite3_db_config(accounts->database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(accounts->database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_exec(accounts->database, "PRAGMA secure_delete = ON", NULL, NULL, NULL);

    int version = ensure_schema(accounts->database);
    if (version > VERSION)
        return fail(error, ERR_MALFORMED, "%.200s: of a newer postern: use that one", file);
    for (int i = 0; version == VERSION && i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(accounts->database, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &accounts->statements[i], NULL) != SQLITE_OK)
            version = -1;
    if (version != VERSION)
        return fail(error, ERR_MALFORMED, "%.200s: no accounts of postern can be read from it: %s", file,
                    sqlite3_errmsg(accounts->database));
    return 0;
}

int accounts_open(const char *file, const char *domain, unsigned patience_ms, struct accounts **out,
                  struct accounts_error *error)
{
    *out = NULL;
    if (strlen(domain) > ACCOUNT_DOMAIN_MAX)
        return fail(error, ERR_MALFORMED, "%.64s...: the domain is too long", domain);
    struct accounts *accounts = memory_zeroed(1, sizeof *accounts);
    if (!accounts)
        return fail(error, ERR_MEMORY, "out of memory");
    snprintf(accounts->domain, sizeof accounts->domain, "%s", domain);
    int status = file ? prepare_file(file, error) : 0;
    if (status == 0)
        status = prepare_database(accounts, file ? file : MEMORY_DB, patience_ms, error);
    if (status == 0)
        accounts_changed(accounts); /* what has happened before is no change */
    else
        accounts_close(&accounts);
    *out = accounts;
    return status;
}

void accounts_close(struct accounts **accounts)
{
    if (!*accounts)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize((*accounts)->statements[i]);
    sqlite3_close((*accounts)->database);
    memory_free(*accounts);
    *accounts = NULL;
}

const char *accounts_cause(struct accounts *accounts)
{
    return sqlite3_errmsg(accounts->database);
}

/* Binds the domain, and |name| where there is one. */
static sqlite3_stmt *begin(struct accounts *accounts, enum statement which, struct span name)
{
    sqlite3_stmt *statement = accounts->statements[which];
    sqlite3_bind_text(statement, 1, accounts->domain, -1, SQLITE_STATIC);
    if (which != LIST)
        sqlite3_bind_text(statement, 2, name.bytes, (int)name.length, SQLITE_STATIC);
    return statement;
}

/* Ends the locks that |statement| holds, and forgets what was bound. */
static void end(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

static void read_key(sqlite3_stmt *statement, int column, size_t length, struct credential_key *out)
{
    const void *bytes = sqlite3_column_blob(statement, column);
    size_t there = (size_t)sqlite3_column_bytes(statement, column);
    *out = (struct credential_key){.length = length};
    if (bytes && there == length)
        memcpy(out->bytes, bytes, length);
}

static void read_row(sqlite3_stmt *statement, struct account *out)
{
    const unsigned char *name = sqlite3_column_text(statement, 0);
    snprintf(out->name, sizeof out->name, "%s", name ? (const char *)name : "");
    read_key(statement, 1, MD5_SIZE, &out->md5);
    read_key(statement, 2, SHA256_SIZE, &out->sha256);
    out->created_s = (uint64_t)sqlite3_column_int64(statement, 3);
}

int accounts_find(struct accounts *accounts, struct span name, struct account *out)
{
    if (name.length == 0 || name.length > ACCOUNT_NAME_MAX)
        return ERR_NOT_FOUND;
    sqlite3_stmt *statement = begin(accounts, FIND, name);
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        read_row(statement, out);
    end(statement);
    return result == SQLITE_ROW ? 0 : result == SQLITE_DONE ? ERR_NOT_FOUND : ERR_SYSTEM;
}

/* The user part of a SIP URI that needs no escape, without the marks that only confuse (RFC 3261 §25.1). */
static bool name_is_plain(const char *name)
{
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("-_.+", *name))
            return false;
    return true;
}

static int insert(struct accounts *accounts, const struct account *account)
{
    sqlite3_stmt *statement = begin(accounts, ADD, span_of_text(account->name));
    sqlite3_bind_blob(statement, 3, account->md5.bytes, MD5_SIZE, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 4, account->sha256.bytes, SHA256_SIZE, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 5, (sqlite3_int64)account->created_s);
    int result = sqlite3_step(statement);
    end(statement);
    return result == SQLITE_DONE ? 0 : result == SQLITE_CONSTRAINT ? ERR_EXISTS : ERR_SYSTEM;
}

int accounts_add(struct accounts *accounts, const char *name, const char *password, uint64_t wall_s)
{
    struct span user = span_of_text(name), realm = span_of_text(accounts->domain), secret = span_of_text(password);
    if (user.length > ACCOUNT_NAME_MAX || secret.length > ACCOUNT_PASSWORD_MAX)
        return ERR_TOO_LARGE;
    if (user.length == 0 || secret.length == 0 || !name_is_plain(name))
        return ERR_MALFORMED;
    struct account account = {.created_s = wall_s};
    memcpy(account.name, name, user.length);
    credential_key_derive(PASSWORD_MD5, user, realm, secret, &account.md5);
    credential_key_derive(PASSWORD_SHA256, user, realm, secret, &account.sha256);
    int status = insert(accounts, &account);
    crypto_erase(&account, sizeof account);
    return status;
}

int accounts_remove(struct accounts *accounts, const char *name)
{
    sqlite3_stmt *statement = begin(accounts, REMOVE, span_of_text(name));
    int result = sqlite3_step(statement);
    end(statement);
    if (result != SQLITE_DONE)
        return ERR_SYSTEM;
    return sqlite3_changes(accounts->database) > 0 ? 0 : ERR_NOT_FOUND;
}

int accounts_list(struct accounts *accounts, void (*visit)(void *context, const struct account *account), void *context)
{
    sqlite3_stmt *statement = begin(accounts, LIST, (struct span){0});
    struct account account;
    int result;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
        read_row(statement, &account);
        visit(context, &account);
    }
    end(statement);
    crypto_erase(&account, sizeof account);
    return result == SQLITE_DONE ? 0 : ERR_SYSTEM;
}

bool accounts_changed(struct accounts *accounts)
{
    sqlite3_stmt *statement = accounts->statements[CHANGES];
    int64_t version = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : accounts->version;
    sqlite3_reset(statement);
    bool changed = version != accounts->version;
    accounts->version = version;
    return changed;
}
