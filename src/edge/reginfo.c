/* SPDX-License-Identifier: BSD-3-Clause */
#include "edge/reginfo.h"

#include <expat.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "edge/raw.h"

#define NAMESPACE "urn:ietf:params:xml:ns:reginfo"
#define SEPARATOR '\n'
#define DEPTH_MAX 8

struct reader {
    struct reginfo *reginfo;
    XML_Parser parser;
    struct reginfo_contact contact;
    unsigned depth;
    bool registration_terminated, in_contact, in_uri, seen;
    size_t uri_length;
};

static void *resize(void *memory, size_t size)
{
    return memory_resize(memory, size);
}

static void *take(size_t size)
{
    return memory_resize(NULL, size);
}

static const char *attribute(const char *const *attributes, const char *name)
{
    for (; attributes[0]; attributes += 2)
        if (strcmp(attributes[0], name) == 0)
            return attributes[1];
    return "";
}

static void copy(const char *text, char out[REGINFO_URI_MAX + 1])
{
    size_t length = strlen(text);
    if (length > REGINFO_URI_MAX)
        length = 0; /* names nobody */
    memcpy(out, text, length);
    out[length] = '\0';
}

static void stop(struct reader *reader)
{
    XML_StopParser(reader->parser, XML_FALSE);
}

static void element_begins(void *context, const char *name, const char **attributes)
{
    struct reader *reader = context;
    struct reginfo *reginfo = reader->reginfo;
    const char *colon = strrchr(name, SEPARATOR);
    const char *local = colon ? colon + 1 : name;
    if (++reader->depth > DEPTH_MAX)
        return stop(reader);
    if (colon && strncmp(name, NAMESPACE, strlen(NAMESPACE)) != 0)
        return;
    if (strcmp(local, "reginfo") == 0) {
        reader->seen = span_number(span_of_text(attribute(attributes, "version")), &reginfo->version);
        reginfo->full = strcmp(attribute(attributes, "state"), "full") == 0;
    } else if (strcmp(local, "registration") == 0) {
        copy(attribute(attributes, "aor"), reader->contact.aor);
        reader->registration_terminated = strcmp(attribute(attributes, "state"), "terminated") == 0;
    } else if (strcmp(local, "contact") == 0) {
        reader->in_contact = true;
        reader->uri_length = 0;
        reader->contact.terminated = strcmp(attribute(attributes, "state"), "terminated") == 0;
    } else if (strcmp(local, "uri") == 0 && reader->in_contact) {
        reader->in_uri = true;
    }
    if (!reader->seen)
        stop(reader);
}

static void characters(void *context, const char *text, int length)
{
    struct reader *reader = context;
    if (!reader->in_uri || length < 0)
        return;
    if (reader->uri_length + (size_t)length > REGINFO_URI_MAX)
        return stop(reader);
    memcpy(reader->contact.uri + reader->uri_length, text, (size_t)length);
    reader->uri_length += (size_t)length;
}

static void element_ends(void *context, const char *name)
{
    struct reader *reader = context;
    struct reginfo *reginfo = reader->reginfo;
    const char *colon = strrchr(name, SEPARATOR);
    const char *local = colon ? colon + 1 : name;
    reader->depth--;
    if (strcmp(local, "uri") == 0) {
        reader->in_uri = false;
    } else if (strcmp(local, "contact") == 0 && reader->in_contact) {
        reader->in_contact = false;
        reader->contact.uri[reader->uri_length] = '\0';
        if (reader->uri_length > 0)
            reginfo->contact(reginfo->context, &reader->contact);
    } else if (strcmp(local, "registration") == 0 && reader->registration_terminated) {
        reader->contact.uri[0] = '\0';
        reader->contact.terminated = true;
        reginfo->contact(reginfo->context, &reader->contact);
        reader->registration_terminated = false;
    }
}

static void document_type(void *context, const char *name, const char *system, const char *public, int internal)
{
    (void)name, (void)system, (void)public, (void)internal;
    stop(context);
}

int reginfo_read(struct span body, struct reginfo *reginfo)
{
    static const XML_Memory_Handling_Suite memory = {take, resize, memory_free};
    struct reader reader = {.reginfo = reginfo};
    reader.parser = XML_ParserCreate_MM(NULL, &memory, (const char[]){SEPARATOR, '\0'});
    if (!reader.parser)
        return ERR_MEMORY;
    XML_SetUserData(reader.parser, &reader);
    XML_SetElementHandler(reader.parser, element_begins, element_ends);
    XML_SetCharacterDataHandler(reader.parser, characters);
    XML_SetStartDoctypeDeclHandler(reader.parser, document_type);
    enum XML_Status status = XML_Parse(reader.parser, body.bytes, (int)body.length, 1);
    int result = status == XML_STATUS_OK && reader.seen ? 0 : ERR_MALFORMED;
    if (XML_GetErrorCode(reader.parser) == XML_ERROR_NO_MEMORY)
        result = ERR_MEMORY;
    XML_ParserFree(reader.parser);
    return result;
}
