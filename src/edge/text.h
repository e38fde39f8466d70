/* SPDX-License-Identifier: BSD-3-Clause
 * Text that grows, with a sticky failure: a writer adds piece by piece and asks once at the end. */
#ifndef EDGE_TEXT_H
#define EDGE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct text {
    char *bytes; /* not terminated; memory_free() */
    size_t length, capacity;
    bool failed;
};

void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_span(struct text *text, struct span span);
/* A field's value; a folded one becomes one line. */
void text_add_unfolded(struct text *text, struct span value);
/* The same and the line's end. */
void text_add_value(struct text *text, struct span value);
/* `name: value` and the line's end. */
void text_add_field(struct text *text, const char *name, struct span value);
/* The fields |name| of |message| in their order, each on its line. */
void text_add_fields_of(struct text *text, struct span message, const char *name);
/* |value| with its parameter |name| set to |setting|, or with that one added. */
void text_add_with_parameter(struct text *text, struct span value, const char *name, const char *setting);
static inline struct span text_span(const struct text *text)
{
    return (struct span){text->bytes ? text->bytes : "", text->length};
}
/* Frees; the text is empty then and may be used again. */
void text_fini(struct text *text);

#endif
