/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/shared.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "crypto/certificate.h"
#include "net/host.h"
#include "net/socket.h"
#include "relay/relay.h"

static int fail_memory(struct shared *shared, struct settings_error *error)
{
    settings_fail(shared->settings, 0, error, "out of memory while starting");
    return ERR_MEMORY;
}

/* The line of the pair that |cause| speaks of. */
static unsigned line_of_certificate(const struct settings *settings, const struct tls_error *cause)
{
    for (size_t i = 0; i < settings->tls.count; i++) {
        const struct settings_certificate *pair = &settings->tls.items[i];
        if (strstr(cause->text, pair->certificate_file) || strstr(cause->text, pair->key_file))
            return pair->line;
    }
    return settings_line(settings, "tls");
}

static int tls_init(struct shared *shared, struct settings_error *error)
{
    const struct settings *settings = shared->settings;
    if (settings->tls.count == 0)
        return 0;
    struct tls_certificate *pairs = memory_zeroed(settings->tls.count, sizeof *pairs);
    if (!pairs)
        return fail_memory(shared, error);
    for (size_t i = 0; i < settings->tls.count; i++)
        pairs[i] = (struct tls_certificate){settings->tls.items[i].certificate_file, settings->tls.items[i].key_file};
    struct tls_error cause;
    int result = tls_context_create_server(pairs, settings->tls.count, &shared->tls, &cause);
    memory_free(pairs);
    if (result != 0)
        return settings_fail(settings, line_of_certificate(settings, &cause), error, "tls: %s", cause.text);
    return 0;
}

static int credentials_init(struct shared *shared, struct settings_error *error)
{
    const struct settings *settings = shared->settings;
    int result = credentials_create(settings->realm, &shared->credentials);
    for (size_t i = 0; result == 0 && i < settings->users.count; i++)
        result = credentials_add_account(shared->credentials, settings->users.items[i].name,
                                         settings->users.items[i].password);
    for (size_t i = 0; result == 0 && i < settings->shared_secrets.count; i++)
        result = credentials_add_secret(shared->credentials, settings->shared_secrets.items[i]);
    if (result == 0)
        return issuing_add_secret(settings, shared->keep, shared->credentials, error);
    if (result == ERR_MEMORY)
        return fail_memory(shared, error);
    return settings_fail(settings, settings_line(settings, "users"), error, "users, credentials: %s",
                         error_text(result));
}

static int ledger_init(struct shared *shared, struct settings_error *error)
{
    const struct settings *settings = shared->settings;
    struct ledger_limits limits = {
        .allocations = settings->allocations,
        .allocations_per_user = settings->allocations_per_user,
        .allocations_per_source = settings->allocations_per_source,
        .half_open = settings->half_open,
        .half_open_per_source = settings->half_open_per_source,
        .websockets_per_source = settings->websockets_per_source,
        .bandwidth_bps = settings->bandwidth_bps,
        .bandwidth_per_user_bps = settings->bandwidth_per_user_bps,
        .answers_per_network = settings->answers_per_network,
        .requests_per_source = settings->requests_per_source,
    };
    return ledger_create(&limits, &shared->ledger) == 0 ? 0 : fail_memory(shared, error);
}

size_t shared_relay_addresses(const struct settings *settings, struct settings_relay_address *out)
{
    size_t count = settings->relay_addresses.count;
    if (count > RELAY_ADDRESSES_MAX)
        count = RELAY_ADDRESSES_MAX;
    for (size_t i = 0; i < count; i++)
        out[i] = settings->relay_addresses.items[i];
    if (count > 0)
        return count;
    static const uint8_t families[] = {ADDRESS_IPV4, ADDRESS_IPV6};
    for (size_t i = 0; i < sizeof families; i++) {
        struct address found;
        if (net_host_default_address(families[i], &found))
            out[count++] = (struct settings_relay_address){.public_address = found, .private_address = found};
    }
    return count;
}

/* Finds out by binding, not by asking for the host's addresses: what may be bound is what counts. */
static int relay_address_check(const struct settings *settings, const struct settings_relay_address *address,
                               struct settings_error *error)
{
    char text[ADDRESS_TEXT_MAX];
    int fd = net_udp_relay(&address->private_address);
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    return settings_fail(settings, address->line, error,
                         "relay.addresses: %s cannot be bound: %s; name an address of this host, or PUBLIC=PRIVATE "
                         "behind a 1:1 NAT",
                         address_format(&address->private_address, text), strerror(errno));
}

static int ports_init(struct shared *shared, struct settings_error *error)
{
    const struct settings *settings = shared->settings;
    struct settings_relay_address addresses[RELAY_ADDRESSES_MAX];
    size_t count = shared_relay_addresses(settings, addresses);
    if (count == 0)
        return settings_fail(settings, 0, error,
                             "relay.addresses: this host has no default route to take an address from; name one");
    if (relay_ports_create(settings->relay_ports.first, settings->relay_ports.last, &shared->ports) != 0)
        return fail_memory(shared, error);
    for (size_t i = 0; i < count; i++) {
        const struct settings_relay_address *address = &addresses[i];
        if (relay_address_check(settings, address, error) != 0)
            return ERR_MALFORMED;
        if (relay_ports_add_address(shared->ports, &address->public_address, &address->private_address) != 0 ||
            peer_policy_relay(shared->policy, &address->public_address, &address->private_address, settings->hairpin) !=
                0)
            return fail_memory(shared, error);
    }
    return reservations_create(shared->ports, relay_socket_close, &shared->reservations) == 0
               ? 0
               : fail_memory(shared, error);
}

struct local_visit {
    struct peer_policy *policy;
    int result;
};

static void local_add(void *context, const struct address *address)
{
    struct local_visit *visit = context;
    if (visit->result == 0)
        visit->result = peer_policy_local(visit->policy, address);
}

static int policy_init(struct shared *shared, struct settings_error *error)
{
    const struct settings *settings = shared->settings;
    int result = peer_policy_create(&shared->policy);
    for (size_t i = 0; result == 0 && i < settings->allow_peers.count; i++)
        result = peer_policy_allow(shared->policy, &settings->allow_peers.items[i]);
    for (size_t i = 0; result == 0 && i < settings->deny_peers.count; i++)
        result = peer_policy_deny(shared->policy, &settings->deny_peers.items[i]);
    for (size_t i = 0; result == 0 && i < settings->listen.count; i++)
        result = peer_policy_listener(shared->policy, &settings->listen.items[i].address);
    if (result != 0)
        return fail_memory(shared, error);
    struct local_visit visit = {.policy = shared->policy};
    if (net_host_addresses(local_add, &visit) != 0)
        return settings_fail(settings, 0, error, "cannot list this host's addresses");
    return visit.result == 0 ? 0 : fail_memory(shared, error);
}

void shared_ways_in(const struct settings *settings, struct shared_ways_in *out)
{
    struct tls_error ignored; /* without a name, the addresses will do */
    out->ways = (struct ways_in){
        .settings = settings,
        .addresses = out->addresses,
        .address_count = shared_relay_addresses(settings, out->addresses),
    };
    /* A certificate that this server made for itself names a host that other hosts may not know. */
    if (settings->file[0] && settings->tls.count > 0 &&
        certificate_host_name(settings->tls.items[0].certificate_file, out->name, sizeof out->name, &ignored) == 0)
        out->ways.tls_name = out->name;
}

static int issuing_parts_init(struct shared *shared, struct settings_error *error)
{
    struct shared_ways_in ways;
    struct ways_in_url own[WAYS_IN_MAX];
    shared_ways_in(shared->settings, &ways);
    const struct issuing_parts parts = {
        .settings = shared->settings,
        .keep = shared->keep,
        .credentials = shared->credentials,
        .nonce_key = &shared->turn.nonce_key,
        .own_uris = own,
        .own_uri_count = ways_in_urls(&ways.ways, own),
    };
    int result = issuing_init(&shared->issuing, &parts, error);
    shared->turn.revocations = shared->issuing.revocations;
    return result;
}

static void turn_settings_init(struct shared *shared)
{
    const struct settings *settings = shared->settings;
    shared->turn = (struct turn_settings){
        .realm = settings->realm,
        .credentials = shared->credentials,
        .ledger = shared->ledger,
        .ports = shared->ports,
        .reservations = shared->reservations,
        .policy = shared->policy,
        .end_revoked = settings->edge_end_revoked,
        .lifetime_max_s = settings->lifetime_s,
        .permissions_max = settings->permissions,
        .channels_max = settings->channels,
        .tcp_relay = settings->tcp_relay,
        .alternate_server = settings->alternate_server,
        .alternate_domain = settings->alternate_domain[0] ? settings->alternate_domain : NULL,
    };
    nonce_key_init(&shared->turn.nonce_key, settings->nonce_key);
}

int shared_init(struct shared *shared, const struct settings *settings, bool keep, struct settings_error *error)
{
    *shared = (struct shared){.settings = settings, .keep = keep};
    static int (*const steps[])(struct shared *, struct settings_error *) = {
        tls_init, credentials_init, ledger_init, policy_init, ports_init,
    };
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int result = steps[i](shared, error);
        if (result != 0)
            return result;
    }
    turn_settings_init(shared);
    return issuing_parts_init(shared, error);
}

void shared_fini(struct shared *shared)
{
    issuing_fini(&shared->issuing);
    reservations_destroy(&shared->reservations);
    relay_ports_destroy(&shared->ports);
    peer_policy_destroy(&shared->policy);
    ledger_destroy(&shared->ledger);
    credentials_destroy(&shared->credentials);
    tls_context_destroy(&shared->tls);
    crypto_erase(&shared->turn.nonce_key, sizeof shared->turn.nonce_key);
}
