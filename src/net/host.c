/* SPDX-License-Identifier: BSD-3-Clause */
#include "net/host.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "net/socket.h"

int net_host_addresses(void (*visit)(void *context, const struct address *address), void *context)
{
    struct ifaddrs *all;
    if (getifaddrs(&all) != 0)
        return ERR_SYSTEM;
    for (const struct ifaddrs *each = all; each; each = each->ifa_next) {
        if (!each->ifa_addr || !(each->ifa_flags & IFF_UP))
            continue;
        int family = each->ifa_addr->sa_family;
        if (family != AF_INET && family != AF_INET6)
            continue;
        struct sockaddr_storage storage = {0};
        memcpy(&storage, each->ifa_addr, family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        struct address address = net_address(&storage);
        address.port = 0;
        visit(context, &address);
    }
    freeifaddrs(all);
    return 0;
}

bool net_host_default_address(uint8_t family, struct address *out)
{
    /* Connecting a UDP socket only asks the routing table. The targets are root name servers' addresses: surely global.
     */
    struct address target;
    address_parse(family == ADDRESS_IPV6 ? "[2001:7fd::1]:53" : "193.0.14.129:53", &target);
    int fd = socket(family == ADDRESS_IPV6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    struct sockaddr_storage storage;
    socklen_t length = net_sockaddr(&target, &storage);
    bool routed = connect(fd, (struct sockaddr *)&storage, length) == 0;
    if (routed) {
        *out = net_local_address(fd);
        out->port = 0;
    }
    close(fd);
    return routed && out->family == family;
}
