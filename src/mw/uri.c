/* SPDX-License-Identifier: BSD-3-Clause */
#include "mw/uri.h"

#include <string.h>
#include <strings.h>

#include "base/address.h"
#include "base/error.h"
#include "base/span.h"

#define URI_LENGTH_MAX 2048

static bool is_name_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_';
}

/* A domain name or an address of either family, without brackets, to |out|. */
static int host_take(struct span text, char out[MW_HOST_SIZE])
{
    const char *bytes = text.bytes;
    size_t length = text.length;
    bool bracketed = length > 2 && bytes[0] == '[' && bytes[length - 1] == ']';
    if (bracketed) {
        bytes++;
        length -= 2;
    } else if (length > 1 && bytes[length - 1] == '.') {
        length--; /* fully qualified as it is: names are never completed here */
    }
    if (length == 0 || length >= MW_HOST_SIZE)
        return ERR_MALFORMED;
    for (size_t i = 0; i < length; i++) {
        char c = bytes[i] >= 'A' && bytes[i] <= 'Z' ? (char)(bytes[i] + ('a' - 'A')) : bytes[i];
        if (!is_name_byte(c) && !(bracketed && c == ':'))
            return ERR_MALFORMED;
        out[i] = c;
    }
    out[length] = '\0';
    if (out[0] == '.' || out[length - 1] == '.' || strstr(out, ".."))
        return ERR_MALFORMED; /* an empty label */
    struct address literal;
    if (bracketed && (address_parse(out, &literal) != 0 || literal.family != ADDRESS_IPV6))
        return ERR_MALFORMED;
    return 0;
}

static int port_take(struct span text, uint16_t *out)
{
    const char *bytes = text.bytes;
    unsigned value = 0;
    if (text.length == 0 || text.length > 5)
        return ERR_MALFORMED;
    for (size_t i = 0; i < text.length; i++) {
        if (bytes[i] < '0' || bytes[i] > '9')
            return ERR_MALFORMED;
        value = value * 10 + (unsigned)(bytes[i] - '0');
    }
    if (value == 0 || value > UINT16_MAX)
        return ERR_MALFORMED;
    *out = (uint16_t)value;
    return 0;
}

static int host_port_take(struct span text, struct mw_uri *out)
{
    const char *bytes = text.bytes;
    size_t host = 0;
    if (text.length > 0 && bytes[0] == '[') {
        while (host < text.length && bytes[host] != ']')
            host++;
        host += host < text.length;
    } else {
        while (host < text.length && bytes[host] != ':')
            host++;
    }
    int result = host_take((struct span){bytes, host}, out->host);
    if (result == 0 && host < text.length)
        result = bytes[host] == ':' ? port_take((struct span){bytes + host + 1, text.length - host - 1}, &out->port)
                                    : ERR_MALFORMED;
    return result;
}

static bool named(struct span text, const char *name)
{
    return text.length == strlen(name) && strncasecmp(text.bytes, name, text.length) == 0;
}

static int transport_take(struct span value, struct mw_uri *out)
{
    static const struct {
        const char *name;
        enum mw_uri_transport transport;
    } transports[] = {{"udp", MW_URI_UDP}, {"tcp", MW_URI_TCP}, {"tls", MW_URI_TLS}};
    for (size_t i = 0; i < sizeof transports / sizeof *transports; i++)
        if (named(value, transports[i].name)) {
            out->transport = (uint8_t)transports[i].transport;
            return 0;
        }
    return ERR_NOT_FOUND;
}

static int parameter_take(struct span text, struct mw_uri *out)
{
    const char *equals = text.length > 0 ? memchr(text.bytes, '=', text.length) : NULL;
    if (!equals)
        return 0;
    struct span name = {text.bytes, (size_t)(equals - (const char *)text.bytes)};
    struct span value = {equals + 1, text.length - name.length - 1};
    /* No parameter may stand twice (RFC 3261 §19.1.1): others could read the other one. */
    if (named(name, "transport"))
        return out->transport == MW_URI_ANY ? transport_take(value, out) : ERR_MALFORMED;
    if (named(name, "maddr"))
        return out->target[0] == '\0' ? host_take(value, out->target) : ERR_MALFORMED;
    return 0;
}

/* Takes the next part of |*at|, up to one of |stops| or the end; |*at| then stands on the stop. */
static struct span part(const char **at, const char *stops)
{
    struct span text = {*at, strcspn(*at, stops)};
    *at += text.length;
    return text;
}

static int scheme_take(const char **at, struct mw_uri *out)
{
    struct span scheme = part(at, ":");
    if (**at != ':')
        return ERR_MALFORMED;
    ++*at;
    out->secure = named(scheme, "sips");
    out->telephone = named(scheme, "tel");
    return out->secure || out->telephone || named(scheme, "sip") ? 0 : ERR_NOT_FOUND;
}

int mw_uri_decode(const char *text, struct mw_uri *out)
{
    memset(out, 0, sizeof *out);
    if (strnlen(text, URI_LENGTH_MAX) == URI_LENGTH_MAX)
        return ERR_MALFORMED;
    const char *at = text;
    int result = scheme_take(&at, out);
    if (result != 0 || out->telephone)
        return result;
    /* The user part may hold every other mark of a URI, but '@' stands nowhere else. */
    const char *user_end = strchr(at, '@');
    if (user_end && (user_end == at || strchr(user_end + 1, '@')))
        return ERR_MALFORMED;
    if (user_end)
        at = user_end + 1;
    result = host_port_take(part(&at, ";?"), out);
    while (result == 0 && *at == ';') {
        at++;
        result = parameter_take(part(&at, ";?"), out);
    }
    if (result == 0 && out->secure && out->transport == MW_URI_UDP)
        return ERR_NOT_FOUND;
    if (result == 0 && out->target[0] == '\0')
        memcpy(out->target, out->host, sizeof out->target);
    return result;
}
