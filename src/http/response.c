/* SPDX-License-Identifier: BSD-3-Clause */
#include "http/response.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"

const char *http_status_reason(unsigned status)
{
    switch (status) {
#define X(number, reason) \
    case number:          \
        return reason;
        HTTP_STATUS_TABLE(X)
#undef X
    default:
        return "Unknown";
    }
}

static void write_text(struct http_response *response, const char *text)
{
    writer_bytes(&response->writer, text, strlen(text));
}

/* RFC 9110 §5.6.7. Not by strftime(3): the names are English in any locale. */
static void add_date(struct http_response *response, uint64_t wall_s)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)wall_s;
    struct tm t;
    char text[64];
    if (!gmtime_r(&seconds, &t))
        return;
    snprintf(text, sizeof text, "%s, %02d %s %d %02d:%02d:%02d GMT", days[t.tm_wday], t.tm_mday, months[t.tm_mon],
             t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
    http_response_add(response, "Date", text);
}

void http_response_init(struct http_response *response, void *memory, size_t size, unsigned status, uint64_t wall_s,
                        bool keep_alive)
{
    assert(status >= 100 && status <= 599);
    char number[8];
    response->writer = writer_over(memory, size);
    response->status = status;
    snprintf(number, sizeof number, "%u ", status);
    write_text(response, "HTTP/1.1 ");
    write_text(response, number);
    write_text(response, http_status_reason(status));
    write_text(response, "\r\n");
    add_date(response, wall_s);
    if (!keep_alive)
        http_response_add(response, "Connection", "close");
}

void http_response_add(struct http_response *response, const char *name, const char *value)
{
    for (const char *at = value; *at; at++) {
        if (((unsigned char)*at < ' ' && *at != '\t') || *at == 0x7f)
            response->writer.failed = true;
    }
    write_text(response, name);
    write_text(response, ": ");
    write_text(response, value);
    write_text(response, "\r\n");
}

/* RFC 9110 §8.6: these statuses have neither body nor Content-Length here. */
static bool status_has_body(unsigned status)
{
    return status >= 200 && status != 204 && status != 304;
}

int http_response_finish(struct http_response *response, const void *body, size_t length, bool with_body)
{
    if (status_has_body(response->status)) {
        char number[24];
        snprintf(number, sizeof number, "%zu", length);
        http_response_add(response, "Content-Length", number);
    } else {
        assert(length == 0);
    }
    write_text(response, "\r\n");
    if (with_body)
        writer_bytes(&response->writer, body, length);
    return response->writer.failed ? ERR_FULL : (int)writer_length(&response->writer);
}
