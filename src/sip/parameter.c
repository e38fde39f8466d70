/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/memory.h"
#include "sip/grammar.h"
#include "sip/message.h"
#include "sip/value.h"

static osip_generic_param_t *find(const osip_list_t *parameters, const char *name)
{
    osip_list_iterator_t iterator;
    osip_generic_param_t *parameter = osip_list_get_first(parameters, &iterator);
    while (parameter && strcasecmp(parameter->gname, name) != 0)
        parameter = osip_list_get_next(&iterator);
    return parameter;
}

const char *sip_parameter_find(const osip_list_t *parameters, const char *name)
{
    const osip_generic_param_t *parameter = find(parameters, name);
    if (!parameter)
        return NULL;
    return parameter->gvalue ? parameter->gvalue : "";
}

int sip_parameter_set(osip_list_t *parameters, const char *name, const char *value)
{
    char *value_text = value ? sip_text_of(span_of_text(value)) : NULL;
    if (value && !value_text)
        return ERR_MEMORY;
    osip_generic_param_t *parameter = find(parameters, name);
    if (parameter) {
        memory_free(parameter->gvalue);
        parameter->gvalue = value_text;
        return 0;
    }
    char *name_text = sip_text_of(span_of_text(name));
    int result = name_text ? sip_parameter_add(parameters, name_text, value_text) : ERR_MEMORY;
    if (result < 0) {
        memory_free(name_text);
        memory_free(value_text);
    }
    return result;
}

uint32_t sip_contact_expires(const osip_message_t *message, const osip_contact_t *contact, uint32_t otherwise)
{
    const char *expires = contact ? sip_parameter_find(&contact->gen_params, "expires") : NULL;
    uint32_t seconds;
    if (expires && sip_read_number(span_of_text(expires), UINT32_MAX, &seconds))
        return seconds;
    return sip_field_number(message, "Expires", &seconds) == 0 ? seconds : otherwise;
}

bool sip_contact_is_star(const osip_contact_t *contact)
{
    return !contact->url && contact->displayname && strcmp(contact->displayname, "*") == 0;
}
