/* SPDX-License-Identifier: BSD-3-Clause */
#include "mw/dns.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/siphash.h"
#include "crypto/digest.h"
#include "mw/dns_ttl.h"
#include "net/socket.h"

/* The second try waits twice as long. A client gives up after 32 s (Timer F), and a next hop can take three questions
 * in a row. */
#define TIMEOUT_MS 1000
#define TRIES      2

#define SERVERS_TEXT_MAX 1024

/* What is known, or being asked, about one name and type. */
struct record {
    struct hash_entry entry;
    struct list in_dns; /* least lately used first */
    struct dns *dns;
    struct dns_answer answer;
    uint8_t type;
    bool pending;
    char name[];
};

/* One of c-ares' sockets. */
struct socket {
    struct list in_dns;
    struct loop_source source;
    struct dns *dns;
    int fd;
    uint32_t watched;
};

struct dns {
    struct loop *loop;
    ares_channel channel;
    struct timer timeout;
    struct list sockets, records;
    struct hash table;
    struct siphash_key key;
    struct loop_task announce;
    void (*answered)(void *context, struct now now);
    void *context;
    bool ending;
};

static void timeout_rearm(struct dns *dns)
{
    struct timeval left;
    uint64_t deadline = TIME_NEVER;
    if (ares_timeout(dns->channel, NULL, &left))
        deadline =
            loop_now(dns->loop).monotonic_ns + (uint64_t)left.tv_sec * NS_PER_S + (uint64_t)left.tv_usec * NS_PER_US;
    /* Without memory for it, the next answer, or the next question, looks at the time-outs. */
    (void)timers_update(loop_timers(dns->loop), &dns->timeout, deadline);
}

static void timed_out(struct timer *timer, struct now now)
{
    (void)now;
    struct dns *dns = container_of(timer, struct dns, timeout);
    ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    timeout_rearm(dns);
}

static void socket_ready(struct loop_source *source, uint32_t events, struct now now)
{
    (void)now;
    struct socket *socket = container_of(source, struct socket, source);
    struct dns *dns = socket->dns;
    int fd = socket->fd; /* |socket| may be gone after this */
    bool failed = (events & (EPOLLERR | EPOLLHUP)) != 0;
    ares_process_fd(dns->channel, failed || (events & EPOLLIN) ? fd : ARES_SOCKET_BAD,
                    events & EPOLLOUT ? fd : ARES_SOCKET_BAD);
    timeout_rearm(dns);
}

static struct socket *socket_find(struct dns *dns, int fd)
{
    struct list *link;
    list_each (link, &dns->sockets) {
        struct socket *socket = container_of(link, struct socket, in_dns);
        if (socket->fd == fd)
            return socket;
    }
    return NULL;
}

static void socket_destroy(struct socket *socket)
{
    loop_remove(socket->dns->loop, &socket->source);
    list_remove(&socket->in_dns);
    memory_free(socket);
}

/* What cannot be watched for want of memory is a question that times out. */
static void socket_changed(void *context, ares_socket_t fd, int readable, int writable)
{
    struct dns *dns = context;
    struct socket *socket = socket_find(dns, fd);
    uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
    if (events == 0) {
        if (socket)
            socket_destroy(socket);
        return;
    }
    if (!socket) {
        socket = memory_zeroed(1, sizeof *socket);
        if (!socket)
            return;
        *socket = (struct socket){.source = {.ready = socket_ready, .fd = -1}, .dns = dns, .fd = fd};
        list_append(&dns->sockets, &socket->in_dns);
        if (loop_add(dns->loop, &socket->source, fd, events) != 0)
            socket_destroy(socket);
    } else if (events != socket->watched) {
        loop_modify(dns->loop, &socket->source, events);
    }
    if (socket)
        socket->watched = events;
}

static void answer_clear(struct dns_answer *answer)
{
    memory_free(answer->addresses);
    memory_free(answer->services);
    memory_free(answer->pointers);
    *answer = (struct dns_answer){0};
}

static void record_destroy(struct record *record)
{
    hash_remove(&record->dns->table, &record->entry);
    list_remove(&record->in_dns);
    answer_clear(&record->answer);
    memory_free(record);
}

static uint32_t lifetime(int status, unsigned count, uint32_t ttl)
{
    bool answered = status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;
    if (!answered)
        return DNS_TTL_FAILED_S;
    if (count == 0)
        return DNS_TTL_NEGATIVE_S;
    return ttl < DNS_TTL_MIN_S ? DNS_TTL_MIN_S : ttl > DNS_TTL_MAX_S ? DNS_TTL_MAX_S : ttl;
}

static void record_settle(struct record *record, int status, uint32_t ttl)
{
    struct dns *dns = record->dns;
    struct dns_answer *answer = &record->answer;
    record->pending = false;
    answer->answered_ns = loop_now(dns->loop).monotonic_ns;
    answer->expires_ns = answer->answered_ns + lifetime(status, answer->count, ttl) * NS_PER_S;
    loop_defer(dns->loop, &dns->announce);
}

static void addresses_take(struct dns_answer *answer, const struct ares_addrinfo_node *node, uint32_t *ttl)
{
    answer->addresses = memory_zeroed(DNS_RECORDS_MAX, sizeof *answer->addresses);
    for (; answer->addresses && node && answer->count < DNS_RECORDS_MAX; node = node->ai_next) {
        struct sockaddr_storage storage = {0};
        if (node->ai_addrlen > sizeof storage)
            continue;
        memcpy(&storage, node->ai_addr, node->ai_addrlen);
        answer->addresses[answer->count++] = net_address(&storage);
        if (node->ai_ttl >= 0 && (uint32_t)node->ai_ttl < *ttl)
            *ttl = (uint32_t)node->ai_ttl;
    }
}

static void addresses_answered(void *context, int status, int timeouts, struct ares_addrinfo *found)
{
    (void)timeouts;
    struct record *record = context;
    if (!record->dns->ending) {
        uint32_t ttl = DNS_TTL_MAX_S;
        answer_clear(&record->answer);
        if (status == ARES_SUCCESS)
            addresses_take(&record->answer, found->nodes, &ttl);
        record_settle(record, status, ttl);
    }
    if (found)
        ares_freeaddrinfo(found);
}

/* A name that does not fit is none. */
static bool name_copy(char out[MW_HOST_SIZE], const char *name)
{
    size_t length = strlen(name);
    if (length >= MW_HOST_SIZE)
        return false;
    for (size_t i = 0; i <= length; i++)
        out[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + ('a' - 'A')) : name[i];
    return true;
}

static int services_take(struct dns_answer *answer, const unsigned char *message, int length)
{
    struct ares_srv_reply *first = NULL;
    int status = ares_parse_srv_reply(message, length, &first);
    answer->services = memory_zeroed(DNS_RECORDS_MAX, sizeof *answer->services);
    for (struct ares_srv_reply *reply = first; answer->services && reply && answer->count < DNS_RECORDS_MAX;
         reply = reply->next) {
        struct dns_service *service = &answer->services[answer->count];
        *service = (struct dns_service){.priority = reply->priority, .weight = reply->weight, .port = reply->port};
        if (name_copy(service->target, strcmp(reply->host, ".") == 0 ? "" : reply->host))
            answer->count++;
    }
    if (first)
        ares_free_data(first);
    return status;
}

static int pointers_take(struct dns_answer *answer, const unsigned char *message, int length)
{
    struct ares_naptr_reply *first = NULL;
    int status = ares_parse_naptr_reply(message, length, &first);
    answer->pointers = memory_zeroed(DNS_RECORDS_MAX, sizeof *answer->pointers);
    for (struct ares_naptr_reply *reply = first; answer->pointers && reply && answer->count < DNS_RECORDS_MAX;
         reply = reply->next) {
        struct dns_pointer *pointer = &answer->pointers[answer->count];
        *pointer = (struct dns_pointer){.order = reply->order, .preference = reply->preference};
        const char *service = (const char *)reply->service;
        /* RFC 3263 §4.1 uses the flag "s" only: the next question is for services. */
        if (strcasecmp((const char *)reply->flags, "s") != 0 || strlen(service) >= sizeof pointer->service ||
            !name_copy(pointer->replacement, reply->replacement))
            continue;
        memcpy(pointer->service, service, strlen(service) + 1);
        answer->count++;
    }
    if (first)
        ares_free_data(first);
    return status;
}

static void records_answered(void *context, int status, int timeouts, unsigned char *message, int length)
{
    (void)timeouts;
    struct record *record = context;
    if (record->dns->ending)
        return;
    uint32_t ttl = DNS_TTL_MAX_S;
    answer_clear(&record->answer);
    if (status == ARES_SUCCESS && length > 0)
        status = record->type == DNS_SERVICES ? services_take(&record->answer, message, length)
                                              : pointers_take(&record->answer, message, length);
    if (record->answer.count > 0)
        (void)dns_ttl_decode(message, (size_t)length, &ttl); /* what c-ares has parsed has one */
    record_settle(record, status, ttl);
}

static void ask(struct record *record)
{
    struct dns *dns = record->dns;
    /* Sorting by RFC 6724 would open sockets of its own; dead ones are asked last anyway. */
    static const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_flags = ARES_AI_NOSORT};
    record->pending = true;
    if (record->type == DNS_ADDRESSES)
        ares_getaddrinfo(dns->channel, record->name, NULL, &hints, addresses_answered, record);
    else
        ares_query(dns->channel, record->name, ns_c_in, record->type == DNS_SERVICES ? ns_t_srv : ns_t_naptr,
                   records_answered, record);
    timeout_rearm(dns);
}

/* Makes room for one more; what is being asked stays. */
static int make_room(struct dns *dns)
{
    if (dns->table.count < DNS_NAMES_MAX)
        return 0;
    struct list *link;
    list_each (link, &dns->records) {
        struct record *record = container_of(link, struct record, in_dns);
        if (!record->pending) {
            record_destroy(record);
            return 0;
        }
    }
    return ERR_FULL;
}

static struct record *record_find(const struct dns *dns, const char *name, enum dns_type type, uint64_t hash)
{
    for (struct hash_entry *entry = hash_first(&dns->table, hash); entry; entry = hash_next(entry)) {
        struct record *record = container_of(entry, struct record, entry);
        if (record->type == type && strcmp(record->name, name) == 0)
            return record;
    }
    return NULL;
}

static int record_create(struct dns *dns, const char *name, enum dns_type type, uint64_t hash, struct record **out)
{
    size_t length = strlen(name);
    int result = make_room(dns);
    if (result != 0)
        return result;
    struct record *record = memory_zeroed(1, sizeof *record + length + 1);
    if (!record)
        return ERR_MEMORY;
    record->dns = dns;
    record->type = (uint8_t)type;
    memcpy(record->name, name, length + 1);
    hash_insert(&dns->table, &record->entry, hash);
    list_append(&dns->records, &record->in_dns);
    *out = record;
    return 0;
}

int dns_find(struct dns *dns, const char *name, enum dns_type type, uint64_t since_ns, struct now now,
             const struct dns_answer **out)
{
    uint64_t hash = siphash(&dns->key, name, strlen(name)) + (uint64_t)type;
    struct record *record = record_find(dns, name, type, hash);
    int result = record ? 0 : record_create(dns, name, type, hash, &record);
    if (result != 0)
        return result;
    list_remove(&record->in_dns);
    list_append(&dns->records, &record->in_dns);
    const struct dns_answer *answer = &record->answer;
    bool known = answer->expires_ns > now.monotonic_ns || (answer->answered_ns > 0 && answer->answered_ns >= since_ns);
    if (!known && !record->pending)
        ask(record);
    if (!known && (record->pending || answer->answered_ns == 0))
        return ERR_WOULD_BLOCK;
    *out = answer;
    return 0;
}

static void announce(struct loop_task *task, struct now now)
{
    struct dns *dns = container_of(task, struct dns, announce);
    dns->answered(dns->context, now);
}

static int servers_set(struct dns *dns, const struct address *servers, size_t count)
{
    char list[SERVERS_TEXT_MAX] = "";
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        char text[ADDRESS_TEXT_MAX];
        struct address server = servers[i];
        if (server.port == 0)
            server.port = NS_DEFAULTPORT;
        int written =
            snprintf(list + length, sizeof list - length, "%s%s", i > 0 ? "," : "", address_format(&server, text));
        if (written < 0 || (size_t)written >= sizeof list - length)
            break;
        length += (size_t)written;
    }
    return count == 0 || ares_set_servers_ports_csv(dns->channel, list) == ARES_SUCCESS ? 0 : ERR_SYSTEM;
}

static int channel_create(struct dns *dns)
{
    /* Names are taken as they stand: no search list. */
    struct ares_options options = {.timeout = TIMEOUT_MS,
                                   .tries = TRIES,
                                   .ndomains = 0,
                                   .sock_state_cb = socket_changed,
                                   .sock_state_cb_data = dns};
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_DOMAINS | ARES_OPT_SOCK_STATE_CB;
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        return ERR_SYSTEM;
    int status = ares_init_options(&dns->channel, &options, mask);
    if (status == ARES_SUCCESS)
        return 0;
    ares_library_cleanup();
    dns->channel = NULL;
    return status == ARES_ENOMEM ? ERR_MEMORY : ERR_SYSTEM;
}

int dns_create(struct loop *loop, const struct address *servers, size_t server_count,
               void (*answered)(void *context, struct now now), void *context, struct dns **out)
{
    struct dns *dns = memory_zeroed(1, sizeof *dns);
    if (!dns)
        return ERR_MEMORY;
    *dns = (struct dns){.loop = loop, .timeout = {.callback = timed_out}, .answered = answered, .context = context};
    list_init(&dns->sockets);
    list_init(&dns->records);
    loop_task_init(&dns->announce, announce);
    crypto_random(&dns->key, sizeof dns->key);
    int result = hash_init(&dns->table);
    if (result == 0)
        result = channel_create(dns);
    if (result == 0)
        result = servers_set(dns, servers, server_count);
    if (result != 0) {
        dns_destroy(&dns);
        return result;
    }
    *out = dns;
    return 0;
}

void dns_destroy(struct dns **slot)
{
    struct dns *dns = *slot;
    *slot = NULL;
    if (!dns)
        return;
    dns->ending = true;
    if (dns->channel) {
        ares_destroy(dns->channel);
        ares_library_cleanup();
    }
    assert(list_empty(&dns->sockets));
    timers_cancel(loop_timers(dns->loop), &dns->timeout);
    loop_task_cancel(&dns->announce);
    while (!list_empty(&dns->records))
        record_destroy(container_of(dns->records.next, struct record, in_dns));
    hash_fini(&dns->table);
    memory_free(dns);
}
