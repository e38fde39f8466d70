/* SPDX-License-Identifier: BSD-3-Clause
 * The pages of web/, built into the program by web/embed.py. */
#ifndef FRONT_PAGES_H
#define FRONT_PAGES_H

#include <stddef.h>

struct front_page {
    const char *path;
    const char *type;
    const unsigned char *bytes;
    size_t length;
    const unsigned char *gzip; /* the same, compressed; NULL: not worth it */
    size_t gzip_length;
    const char *tag; /* for ETag, with its quotes; a weak one, as it stands for both */
};

extern const struct front_page front_pages[];
extern const size_t front_page_count;

#endif
