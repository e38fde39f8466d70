/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/password.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "crypto/digest.h"

#define PATH_SIZE     4200
#define RANDOM_BYTES  18 /* 24 characters of base64url */
#define GROUPS        4
#define GROUP_LENGTH  4
#define PEOPLE_LENGTH (GROUPS * (GROUP_LENGTH + 1) - 1)

_Static_assert(CRYPTO_BASE64_SIZE(RANDOM_BYTES) == PASSWORD_SIZE, "the longer kind fills it");

/* 32 characters that nobody takes for another one: no l, o, 0, 1. */
static const char alphabet[] = "abcdefghijkmnpqrstuvwxyz23456789";

void password_make(enum password_use use, char out[PASSWORD_SIZE])
{
    uint8_t bytes[RANDOM_BYTES];
    crypto_random(bytes, sizeof bytes);
    if (use == PASSWORD_FOR_PROGRAMS) {
        crypto_base64url(bytes, sizeof bytes, out);
    } else {
        for (size_t i = 0; i < PEOPLE_LENGTH; i++)
            out[i] = i % (GROUP_LENGTH + 1) == GROUP_LENGTH ? '-' : '\0';
        for (size_t i = 0, at = 0; i < GROUPS * GROUP_LENGTH; i++, at++) {
            at += out[at] == '-';
            out[at] = alphabet[bytes[i] % (sizeof alphabet - 1)];
        }
        out[PEOPLE_LENGTH] = '\0';
    }
    crypto_erase(bytes, sizeof bytes);
}

static bool looks_made(enum password_use use, const char *text)
{
    if (use == PASSWORD_FOR_PEOPLE)
        return strlen(text) == PEOPLE_LENGTH && strspn(text, "-abcdefghijkmnpqrstuvwxyz23456789") == PEOPLE_LENGTH;
    uint8_t bytes[RANDOM_BYTES];
    int length = crypto_base64url_decode(text, strlen(text), bytes, sizeof bytes);
    crypto_erase(bytes, sizeof bytes);
    return length == RANDOM_BYTES;
}

/* Returns 0, ERR_NOT_FOUND, or ERR_SYSTEM with |error| filled. */
static int read_file(const char *file, enum password_use use, char out[PASSWORD_SIZE], struct settings_error *error)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT)
        return ERR_NOT_FOUND;
    char text[PASSWORD_SIZE + 1] = "";
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    int cause = errno;
    if (fd >= 0)
        close(fd);
    if (length < 0)
        return settings_fail_system(error, "%.400s: cannot be read: %s", file, strerror(cause));
    text[strcspn(text, "\n")] = '\0';
    if (!looks_made(use, text))
        return settings_fail_system(
            error, "%.400s: holds no password that postern made: delete it, and a new one will be made", file);
    snprintf(out, PASSWORD_SIZE, "%s", text);
    crypto_erase(text, sizeof text);
    return 0;
}

/* A password is linked into place, so that it is there as a whole or not at all. */
static int make_file(const char *file, enum password_use use, struct settings_error *error)
{
    char temporary[PATH_SIZE], text[PASSWORD_SIZE];
    snprintf(temporary, sizeof temporary, "%s.XXXXXX", file);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return settings_fail_system(error, "%.400s: cannot be written: %s: name another directory in STATE_DIRECTORY",
                                    file, strerror(errno));
    password_make(use, text);
    bool written = dprintf(fd, "%s\n", text) > 0 && fsync(fd) == 0;
    int cause = errno;
    crypto_erase(text, sizeof text);
    if (close(fd) != 0 && written) {
        cause = errno;
        written = false;
    }
    if (written && link(temporary, file) != 0 && errno != EEXIST) {
        cause = errno;
        written = false;
    }
    unlink(temporary);
    return written ? 0 : settings_fail_system(error, "%.400s: cannot be written: %s", file, strerror(cause));
}

int password_keep(const char *file, enum password_use use, char out[PASSWORD_SIZE], struct settings_error *error)
{
    int status = read_file(file, use, out, error);
    if (status != ERR_NOT_FOUND)
        return status;
    status = make_file(file, use, error);
    if (status != 0)
        return status;
    status = read_file(file, use, out, error);
    return status == ERR_NOT_FOUND ? settings_fail_system(error, "%.400s: was deleted right after it was made", file)
                                   : status;
}
