/* SPDX-License-Identifier: BSD-3-Clause */
#include "fake_dns.h"

#include <arpa/nameser.h>
#include <assert.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cursor.h"
#include "net/socket.h"

#define RECORDS_MAX   64
#define QUESTIONS_MAX 4096
#define MESSAGE_MAX   4096

struct zone_record {
    char name[256];
    uint16_t type;
    uint32_t ttl;
    uint8_t data[512];
    size_t length;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t thread;
static int server;
static bool hushed;
static struct zone_record zone[RECORDS_MAX];
static unsigned zone_count;
static char asked[QUESTIONS_MAX][256];
static unsigned asked_count;

static void write_name(struct writer *writer, const char *name)
{
    while (*name) {
        size_t length = strcspn(name, ".");
        writer_u8(writer, (uint8_t)length);
        writer_bytes(writer, name, length);
        name += length + (name[length] == '.');
    }
    writer_u8(writer, 0);
}

static void read_name(struct reader *reader, char out[256])
{
    size_t at = 0;
    for (uint8_t length; (length = reader_u8(reader)) != 0;) {
        const uint8_t *label = reader_take(reader, length);
        assert(label && at + length + 2 < 256);
        memcpy(out + at, label, length);
        at += length;
        out[at++] = '.';
    }
    out[at > 0 ? at - 1 : 0] = '\0';
}

static struct zone_record *record_add(const char *name, uint16_t type, uint32_t ttl)
{
    assert(zone_count < RECORDS_MAX);
    struct zone_record *record = &zone[zone_count++];
    *record = (struct zone_record){.type = type, .ttl = ttl};
    assert(strlen(name) < sizeof record->name);
    memcpy(record->name, name, strlen(name) + 1);
    return record;
}

void fake_dns_address(const char *name, const char *text, uint32_t ttl)
{
    struct address address;
    int result = address_parse(text, &address);
    assert(result == 0);
    (void)result;
    pthread_mutex_lock(&lock);
    struct zone_record *record = record_add(name, address.family == ADDRESS_IPV6 ? ns_t_aaaa : ns_t_a, ttl);
    record->length = address_ip_length(address.family);
    memcpy(record->data, address.ip, record->length);
    pthread_mutex_unlock(&lock);
}

void fake_dns_service(const char *name, uint16_t priority, uint16_t weight, uint16_t port, const char *target,
                      uint32_t ttl)
{
    pthread_mutex_lock(&lock);
    struct zone_record *record = record_add(name, ns_t_srv, ttl);
    struct writer writer = writer_over(record->data, sizeof record->data);
    writer_u16(&writer, priority);
    writer_u16(&writer, weight);
    writer_u16(&writer, port);
    write_name(&writer, target);
    record->length = writer_length(&writer);
    pthread_mutex_unlock(&lock);
}

static void write_text(struct writer *writer, const char *text)
{
    writer_u8(writer, (uint8_t)strlen(text));
    writer_bytes(writer, text, strlen(text));
}

void fake_dns_pointer(const char *name, uint16_t order, uint16_t preference, const char *service,
                      const char *replacement, uint32_t ttl)
{
    pthread_mutex_lock(&lock);
    struct zone_record *record = record_add(name, ns_t_naptr, ttl);
    struct writer writer = writer_over(record->data, sizeof record->data);
    writer_u16(&writer, order);
    writer_u16(&writer, preference);
    write_text(&writer, "s");
    write_text(&writer, service);
    write_text(&writer, "");
    write_name(&writer, replacement);
    record->length = writer_length(&writer);
    pthread_mutex_unlock(&lock);
}

void fake_dns_remove(const char *name)
{
    pthread_mutex_lock(&lock);
    unsigned kept = 0;
    for (unsigned i = 0; i < zone_count; i++)
        if (strcmp(zone[i].name, name) != 0)
            zone[kept++] = zone[i];
    zone_count = kept;
    pthread_mutex_unlock(&lock);
}

void fake_dns_hush(bool silent)
{
    pthread_mutex_lock(&lock);
    hushed = silent;
    pthread_mutex_unlock(&lock);
}

unsigned fake_dns_asked(const char *name)
{
    unsigned count = 0;
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < asked_count; i++)
        count += strcmp(asked[i], name) == 0;
    pthread_mutex_unlock(&lock);
    return count;
}

/* Returns the answer's length. */
static size_t answer(const uint8_t *question, size_t length, uint8_t out[MESSAGE_MAX])
{
    struct reader reader = reader_over(question, length);
    struct writer writer = writer_over(out, MESSAGE_MAX);
    char name[256];
    uint16_t id = reader_u16(&reader);
    reader_take(&reader, 10);
    read_name(&reader, name);
    uint16_t type = reader_u16(&reader);
    uint16_t found = 0;
    bool exists = false;
    memcpy(asked[asked_count++ % QUESTIONS_MAX], name, sizeof name);
    for (unsigned i = 0; i < zone_count; i++)
        if (strcasecmp(zone[i].name, name) == 0) {
            exists = true;
            found = (uint16_t)(found + (zone[i].type == type));
        }
    writer_u16(&writer, id);
    writer_u16(&writer, (uint16_t)(0x8580 | (exists ? ns_r_noerror : ns_r_nxdomain)));
    writer_u16(&writer, 1);
    writer_u16(&writer, found);
    writer_u32(&writer, 0);
    write_name(&writer, name);
    writer_u16(&writer, type);
    writer_u16(&writer, ns_c_in);
    for (unsigned i = 0; i < zone_count; i++) {
        if (zone[i].type != type || strcasecmp(zone[i].name, name) != 0)
            continue;
        writer_u16(&writer, 0xc00c);
        writer_u16(&writer, type);
        writer_u16(&writer, ns_c_in);
        writer_u32(&writer, zone[i].ttl);
        writer_u16(&writer, (uint16_t)zone[i].length);
        writer_bytes(&writer, zone[i].data, zone[i].length);
    }
    assert(!writer.failed && !reader.failed);
    return writer_length(&writer);
}

static void *serve(void *argument)
{
    (void)argument;
    for (;;) {
        uint8_t question[512], message[MESSAGE_MAX];
        struct sockaddr_storage from;
        socklen_t size = sizeof from;
        ssize_t got = recvfrom(server, question, sizeof question, 0, (struct sockaddr *)&from, &size);
        if (got <= 0)
            return NULL; /* fake_dns_stop() */
        pthread_mutex_lock(&lock);
        size_t length = answer(question, (size_t)got, message);
        if (!hushed)
            sendto(server, message, length, 0, (struct sockaddr *)&from, size);
        pthread_mutex_unlock(&lock);
    }
}

struct address fake_dns_start(void)
{
    struct sockaddr_storage storage;
    struct address address;
    zone_count = asked_count = 0;
    hushed = false;
    address_parse("127.0.0.1", &address);
    socklen_t size = net_sockaddr(&address, &storage);
    server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int result = bind(server, (struct sockaddr *)&storage, size);
    if (result == 0)
        result = pthread_create(&thread, NULL, serve, NULL);
    assert(result == 0);
    return net_local_address(server);
}

void fake_dns_stop(void)
{
    shutdown(server, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(server);
}
