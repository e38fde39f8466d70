/* SPDX-License-Identifier: BSD-3-Clause
 * A URI that is taken names a host that can be looked up, and written anew says the same. */
#include "harness.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "mw/uri.h"

static void check_host(const char host[MW_HOST_SIZE])
{
    assert(memchr(host, '\0', MW_HOST_SIZE) && host[0] != '\0');
    for (const char *at = host; *at; at++)
        assert((*at >= '0' && *at <= '9') || (*at >= 'a' && *at <= 'z') || strchr("-._:", *at));
}

static void check_written_anew(const struct mw_uri *uri)
{
    static const char *const transports[] = {"", ";transport=udp", ";transport=tcp", ";transport=tls"};
    char text[3 * MW_HOST_SIZE], port[8] = "";
    struct mw_uri again;
    if (uri->port)
        snprintf(port, sizeof port, ":%u", uri->port);
    bool host_six = strchr(uri->host, ':'), target_six = strchr(uri->target, ':');
    snprintf(text, sizeof text, "%s:%s%s%s%s%s;maddr=%s%s%s", uri->secure ? "sips" : "sip", host_six ? "[" : "",
             uri->host, host_six ? "]" : "", port, transports[uri->transport], target_six ? "[" : "", uri->target,
             target_six ? "]" : "");
    assert(mw_uri_decode(text, &again) == 0);
    assert(memcmp(uri, &again, sizeof again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct mw_uri uri;
    char *text = malloc(length + 1);
    assert(text);
    memcpy(text, bytes, length);
    text[length] = '\0';
    int result = mw_uri_decode(text, &uri);
    assert(result == 0 || result == ERR_MALFORMED || result == ERR_NOT_FOUND);
    if (result == 0 && !uri.telephone) {
        check_host(uri.host);
        check_host(uri.target);
        check_written_anew(&uri);
    }
    free(text);
    return 0;
}
