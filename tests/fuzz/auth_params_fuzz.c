/* SPDX-License-Identifier: BSD-3-Clause
 * Credentials that can be read, written anew, read the same; whatever they are, Digest judges them without a crash. */
#include "harness.h"

#include <assert.h>
#include <string.h>

#include "auth/digest.h"
#include "base/auth_params.h"
#include "base/error.h"

static struct auth_params params, again;
static char value[AUTH_PARAMS_VALUE_MAX + 1], name[AUTH_PARAMS_VALUE_MAX + 1];
static char text[4 * AUTH_PARAMS_VALUE_MAX], text_again[4 * AUTH_PARAMS_VALUE_MAX];

static int write_anew(const struct auth_params *from, char *to, size_t size)
{
    char scheme[AUTH_PARAMS_VALUE_MAX + 1];
    memcpy(scheme, from->scheme.bytes, from->scheme.length);
    scheme[from->scheme.length] = '\0';
    struct auth_writer writer = auth_writer_begin(to, size, scheme);
    for (unsigned i = 0; i < from->count; i++) {
        memcpy(name, from->params[i].name.bytes, from->params[i].name.length);
        name[from->params[i].name.length] = '\0';
        int length = auth_params_copy(from, name, value, sizeof value);
        assert(length >= 0 && auth_params_find(from, name) == &from->params[i]);
        /* A NUL ends no value: none gets past the reader. */
        assert(strlen(value) == (size_t)length && auth_params_equal(from, name, value, false));
        auth_params_list(from, name, "auth");
        if (from->params[i].quoted)
            auth_writer_add_quoted(&writer, name, span_of_text(value));
        else
            auth_writer_add(&writer, name, value);
    }
    return auth_writer_end(&writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    int result = auth_params_read((struct span){bytes, length}, &params);
    if (result != 0) {
        assert(result == ERR_MALFORMED || result == ERR_TOO_LARGE);
        return 0;
    }
    assert(params.scheme.length > 0 && (params.token.length == 0 || params.count == 0));
    int written = write_anew(&params, text, sizeof text);
    assert(written > 0);
    /* Blanks behind commas may make it longer than is read. */
    if (params.token.length == 0 && written <= AUTH_PARAMS_VALUE_MAX) {
        assert(auth_params_read((struct span){text, (size_t)written}, &again) == 0 && again.count == params.count);
        assert(write_anew(&again, text_again, sizeof text_again) == written);
        assert(memcmp(text, text_again, (size_t)written) == 0);
    }
    enum digest_algorithm algorithm;
    if (digest_algorithm_of(&params, &algorithm) == 0)
        assert(digest_check(algorithm, "0123456789abcdef0123456789abcdef", &params, span_of_text("REGISTER")) != 0);
    return 0;
}
