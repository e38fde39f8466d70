/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

struct address address_ipv4(const uint8_t ip[4], uint16_t port)
{
    struct address address = {.family = ADDRESS_IPV4, .port = port};
    memcpy(address.ip, ip, 4);
    return address;
}

struct address address_ipv6(const uint8_t ip[16], uint16_t port)
{
    struct address address = {.family = ADDRESS_IPV6, .port = port};
    memcpy(address.ip, ip, 16);
    return address;
}

/* Digits only, at most |max|; strtoul alone would take signs and spaces. */
static int number_parse(const char *text, unsigned long max, unsigned long *out)
{
    size_t length = strlen(text);
    if (length == 0 || length > 5 || strspn(text, "0123456789") != length)
        return ERR_MALFORMED;
    unsigned long value = strtoul(text, NULL, 10);
    if (value > max)
        return ERR_MALFORMED;
    *out = value;
    return 0;
}

static int ip_parse(const char *text, struct address *out)
{
    struct address address = {0};
    if (inet_pton(AF_INET, text, address.ip) == 1)
        address.family = ADDRESS_IPV4;
    else if (inet_pton(AF_INET6, text, address.ip) == 1)
        address.family = ADDRESS_IPV6;
    else
        return ERR_MALFORMED;
    *out = address;
    return 0;
}

/* A copy to be taken apart. Returns 0, or ERR_MALFORMED for what is longer than any address. */
static int text_copy(const char *text, char copy[ADDRESS_TEXT_MAX])
{
    size_t length = strlen(text);
    if (length >= ADDRESS_TEXT_MAX)
        return ERR_MALFORMED;
    memcpy(copy, text, length + 1);
    return 0;
}

int address_parse(const char *text, struct address *out)
{
    char copy[ADDRESS_TEXT_MAX];
    if (text_copy(text, copy) != 0)
        return ERR_MALFORMED;

    char *ip = copy;
    char *port_text = NULL;
    if (copy[0] == '[') {
        char *end = strchr(copy, ']');
        if (!end || (end[1] != '\0' && end[1] != ':'))
            return ERR_MALFORMED;
        port_text = end[1] == ':' ? end + 2 : NULL;
        *end = '\0';
        ip++;
    } else {
        char *colon = strchr(copy, ':');
        if (colon && !strchr(colon + 1, ':')) {
            *colon = '\0';
            port_text = colon + 1;
        }
    }

    struct address address;
    unsigned long port = 0;
    if (ip_parse(ip, &address) != 0 || (copy[0] == '[' && address.family != ADDRESS_IPV6) ||
        (port_text && number_parse(port_text, 65535, &port) != 0))
        return ERR_MALFORMED;
    address.port = (uint16_t)port;
    *out = address;
    return 0;
}

const char *address_format(const struct address *address, char text[ADDRESS_TEXT_MAX])
{
    char ip[INET6_ADDRSTRLEN] = "none";
    bool six = address->family == ADDRESS_IPV6;
    if (address->family != ADDRESS_NONE)
        inet_ntop(six ? AF_INET6 : AF_INET, address->ip, ip, sizeof ip);
    if (address->port == 0)
        snprintf(text, ADDRESS_TEXT_MAX, "%s", ip);
    else
        snprintf(text, ADDRESS_TEXT_MAX, six ? "[%s]:%u" : "%s:%u", ip, address->port);
    return text;
}

struct address address_masked(const struct address *address, unsigned bits)
{
    struct address masked = {.family = address->family};
    unsigned whole = bits / 8;
    if (whole >= sizeof masked.ip) {
        memcpy(masked.ip, address->ip, sizeof masked.ip);
        return masked;
    }
    memcpy(masked.ip, address->ip, whole);
    masked.ip[whole] = (uint8_t)(address->ip[whole] & (0xFF00u >> (bits % 8)));
    return masked;
}

int address_prefix_parse(const char *text, struct address_prefix *out)
{
    char copy[ADDRESS_TEXT_MAX];
    if (text_copy(text, copy) != 0)
        return ERR_MALFORMED;
    char *slash = strchr(copy, '/');
    if (slash)
        *slash = '\0';

    struct address base;
    if (ip_parse(copy, &base) != 0)
        return ERR_MALFORMED;
    unsigned long bits = 8 * address_ip_length(base.family);
    if (slash && number_parse(slash + 1, bits, &bits) != 0)
        return ERR_MALFORMED;
    struct address masked = address_masked(&base, (unsigned)bits);
    if (!address_equal(&masked, &base))
        return ERR_MALFORMED;
    *out = (struct address_prefix){.base = base, .bits = (uint8_t)bits};
    return 0;
}

bool address_prefix_contains(const struct address_prefix *prefix, const struct address *address)
{
    if (address->family != prefix->base.family)
        return false;
    struct address masked = address_masked(address, prefix->bits);
    return address_same_ip(&masked, &prefix->base);
}
