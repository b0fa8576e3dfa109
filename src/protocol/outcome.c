/* SPDX-License-Identifier: ISC */
#include "protocol/outcome.h"

#include <stdarg.h>
#include <stdio.h>

static enum error_class
class_of_refusal(const struct status *status, enum error_class permanent)
{
	switch (status_class(status)) {
	case 4:
		return ERROR_AGAIN;
	case 5:
		return permanent;
	default:
		return ERROR_PROTOCOL;
	}
}

void
outcome_refused(struct customer_outcome *outcome, const struct status *status,
    enum error_class permanent, const char *what)
{
	char reply[sizeof *status];

	outcome->reply = *status;
	status_format(status, reply, sizeof reply);
	outcome_failed(outcome, class_of_refusal(status, permanent), "%s: %s",
	    what, reply);
}

void
outcome_failed(struct customer_outcome *outcome, enum error_class class,
    const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	outcome->result = CUSTOMER_FAILED;
	error_set(&outcome->error, class, "%s", text);
}

bool
outcome_is_about_domains(const struct customer_outcome *outcome)
{
	/* Once logged in nothing but ATRN is asked. */
	if (!outcome->logged_in || status_class(&outcome->reply) != 5)
		return false;
	switch (outcome->reply.code) {
	case 502:
	case 503:
	case 521:
	case 530:
		return false;
	default:
		return true;
	}
}
