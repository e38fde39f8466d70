/* SPDX-License-Identifier: BSD-3-Clause */
#include <osipparser2/osip_port.h>
#include <osipparser2/osip_uri.h>

#include "base/error.h"
#include "base/memory.h"
#include "sip/grammar.h"
#include "sip/message.h"
#include "sip/value.h"

static bool is_unreserved(char c)
{
    return sip_is_alphanumeric(c) || (c != '\0' && strchr("-_.!~*'()", c));
}

/* These take '%' too: escapes are judged by unescape(). */
static bool is_user_byte(char c)
{
    return is_unreserved(c) || (c != '\0' && strchr("%&=+$,;?/", c));
}

static bool is_password_byte(char c)
{
    return is_unreserved(c) || (c != '\0' && strchr("%&=+$,", c));
}

static bool is_parameter_byte(char c)
{
    return is_unreserved(c) || (c != '\0' && strchr("%[]/:&+$", c));
}

static bool is_header_byte(char c)
{
    return is_unreserved(c) || (c != '\0' && strchr("%[]/?:+$", c));
}

/* RFC 3986 §2: what a URI of another scheme is made of. */
static bool is_opaque_byte(char c)
{
    return is_unreserved(c) || (c != '\0' && strchr("%;/?:@&=+$,[]", c));
}

static bool is_scheme_byte(char c)
{
    return sip_is_alphanumeric(c) || c == '+' || c == '-' || c == '.';
}

/* The underscore is no host name's, but stands in names that people give their machines. */
static bool is_host_byte(char c)
{
    return sip_is_alphanumeric(c) || c == '-' || c == '.' || c == '_';
}

static bool is_ipv6_byte(char c)
{
    return sip_is_alphanumeric(c) || c == ':' || c == '.';
}

static int hexadecimal(char c)
{
    if (sip_is_digit(c))
        return c - '0';
    char letter = (char)(c | 0x20);
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* Undoes the escapes in |text|. An escaped NUL would end the string early, and make of one user another. */
static int unescape(struct span text, char **out)
{
    *out = sip_text_of(text);
    if (!*out)
        return ERR_MEMORY;
    char *to = *out;
    for (const char *from = *out; *from; from++) {
        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        int high = hexadecimal(from[1]), low = high < 0 ? -1 : hexadecimal(from[2]);
        if (low < 0 || (high == 0 && low == 0)) {
            memory_free(*out);
            *out = NULL;
            return ERR_MALFORMED;
        }
        *to++ = (char)(high << 4 | low);
        from += 2;
    }
    *to = '\0';
    return 0;
}

/* Adds |name| and |value| (NULL bytes: none) to |list|, unescaped. */
static int add_pair(osip_list_t *list, struct span name, struct span value)
{
    char *name_text = NULL, *value_text = NULL;
    int result = unescape(name, &name_text);
    if (result == 0 && value.bytes)
        result = unescape(value, &value_text);
    if (result == 0)
        result = sip_parameter_add(list, name_text, value_text);
    if (result != 0) {
        memory_free(name_text);
        memory_free(value_text);
    }
    return result;
}

static int read_parameters(struct sip_cursor *cursor, osip_uri_t *uri)
{
    while (!sip_cursor_done(cursor) && *cursor->at == ';') {
        cursor->at++;
        struct span name = sip_take_while(cursor, is_parameter_byte), value = {NULL, 0};
        if (!sip_cursor_done(cursor) && *cursor->at == '=') {
            cursor->at++;
            value = sip_take_while(cursor, is_parameter_byte);
            if (value.length == 0)
                return ERR_MALFORMED;
        }
        if (name.length == 0)
            return ERR_MALFORMED;
        int result = add_pair(&uri->url_params, name, value);
        if (result < 0)
            return result;
    }
    return 0;
}

static int read_headers(struct sip_cursor *cursor, osip_uri_t *uri)
{
    for (char mark = '?'; !sip_cursor_done(cursor) && *cursor->at == mark; mark = '&') {
        cursor->at++;
        struct span name = sip_take_while(cursor, is_header_byte);
        if (name.length == 0 || sip_cursor_done(cursor) || *cursor->at++ != '=')
            return ERR_MALFORMED;
        int result = add_pair(&uri->url_headers, name, sip_take_while(cursor, is_header_byte));
        if (result < 0)
            return result;
    }
    return 0;
}

static int read_user(struct sip_cursor *cursor, osip_uri_t *uri)
{
    struct sip_cursor ahead = *cursor;
    struct span user = sip_take_while(&ahead, is_user_byte), password = {NULL, 0};
    if (!sip_cursor_done(&ahead) && *ahead.at == ':') {
        ahead.at++;
        password = sip_take_while(&ahead, is_password_byte);
    }
    if (sip_cursor_done(&ahead) || *ahead.at != '@')
        return 0; /* it was the host */
    if (user.length == 0)
        return ERR_MALFORMED;
    cursor->at = ahead.at + 1;
    int result = unescape(user, &uri->username);
    if (result == 0 && password.length > 0)
        result = unescape(password, &uri->password);
    return result;
}

int sip_value_read_host(struct sip_cursor *cursor, bool blanks, char **host_out, char **port_out)
{
    struct span host;
    if (!sip_cursor_done(cursor) && *cursor->at == '[') {
        cursor->at++;
        host = sip_take_while(cursor, is_ipv6_byte);
        if (!memchr(host.bytes, ':', host.length) || sip_cursor_done(cursor) || *cursor->at++ != ']')
            return ERR_MALFORMED;
    } else {
        host = sip_take_while(cursor, is_host_byte);
    }
    if (host.length == 0)
        return ERR_MALFORMED;
    *host_out = sip_text_of(host);
    if (!*host_out)
        return ERR_MEMORY;
    if (blanks ? !sip_take_separator(cursor, ':') : sip_cursor_done(cursor) || *cursor->at != ':')
        return 0;
    cursor->at += !blanks;
    struct span port = sip_take_while(cursor, sip_is_digit);
    uint32_t number;
    if (port.length > 5 || !sip_read_number(port, UINT32_MAX, &number) || number == 0 || number > UINT16_MAX)
        return ERR_MALFORMED;
    *port_out = sip_text_of(port);
    return *port_out ? 0 : ERR_MEMORY;
}

static int read_sip(struct sip_cursor *cursor, osip_uri_t *uri)
{
    int result = read_user(cursor, uri);
    if (result == 0)
        result = sip_value_read_host(cursor, false, &uri->host, &uri->port);
    if (result == 0)
        result = read_parameters(cursor, uri);
    if (result == 0)
        result = read_headers(cursor, uri);
    return result;
}

/* Others are kept as they stand: nothing here looks into them. */
static int read_opaque(struct sip_cursor *cursor, osip_uri_t *uri)
{
    char *unescaped;
    struct span rest = sip_take_while(cursor, is_opaque_byte);
    if (rest.length == 0)
        return ERR_MALFORMED;
    int result = unescape(rest, &unescaped);
    if (result < 0)
        return result;
    memory_free(unescaped);
    uri->string = sip_text_of(rest);
    return uri->string ? 0 : ERR_MEMORY;
}

int sip_value_read_uri(struct span text, osip_uri_t **out)
{
    struct sip_cursor cursor = sip_cursor_over(text);
    struct span scheme = sip_take_while(&cursor, is_scheme_byte);
    *out = NULL;
    if (scheme.length == 0 || sip_is_digit(*(const char *)scheme.bytes) || sip_cursor_done(&cursor) ||
        *cursor.at++ != ':')
        return ERR_MALFORMED;
    osip_uri_t *uri;
    if (osip_uri_init(&uri) != OSIP_SUCCESS)
        return ERR_MEMORY;
    int result = ERR_MEMORY;
    uri->scheme = sip_text_of(scheme);
    if (uri->scheme) {
        bool sip = sip_same_name(scheme, "sip") || sip_same_name(scheme, "sips");
        result = sip ? read_sip(&cursor, uri) : read_opaque(&cursor, uri);
    }
    if (result == 0 && !sip_cursor_done(&cursor))
        result = ERR_MALFORMED;
    if (result < 0) {
        osip_uri_free(uri);
        return result;
    }
    *out = uri;
    return 0;
}
