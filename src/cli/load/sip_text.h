/* SPDX-License-Identifier: BSD-3-Clause
 * As much of SIP's grammar as a load generator reads in answers to its own requests: fields found by name in a text. */
#ifndef CLI_LOAD_SIP_TEXT_H
#define CLI_LOAD_SIP_TEXT_H

#include "base/span.h"

/* 100..699 of a response's first line, 0 for anything else. */
unsigned sip_text_status(struct span message);
/* The method of a request's first line, or an empty span. */
struct span sip_text_method(struct span message);
/* The value of the |index|-th field of that name, which stands in its long form, one value a line. Empty behind the
 * last. */
struct span sip_text_field(struct span message, const char *name, unsigned index);
/* The value of a parameter |name| in |value|, without quotes; empty where there is none. */
struct span sip_text_parameter(struct span value, const char *name);
/* What stands between < and >; |value| itself where there are none. */
struct span sip_text_uri(struct span value);

#endif
