/* SPDX-License-Identifier: ISC */
#include "protocol/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"

void
status_set(struct status *status, int code, const char *enhanced,
    const char *format, ...)
{
	struct status made = {.code = code}; /* an argument may be *status */
	va_list args;

	snprintf(made.enhanced, sizeof made.enhanced, "%s", enhanced);
	va_start(args, format);
	vsnprintf(made.text, sizeof made.text, format, args);
	va_end(args);
	/* textstring of RFC 5321 4.2, and no terminal escapes. */
	for (char *c = made.text; *c != '\0'; c++)
		if (*c == '\t')
			*c = ' ';
		else if (!escape_is_printable(*c))
			*c = '?';
	*status = made;
}

int
status_class(const struct status *status)
{
	return status->code / 100;
}

void
status_soften(struct status *status)
{
	char enhanced[STATUS_ENHANCED_MAX];

	if (status_class(status) != 5)
		return;
	memcpy(enhanced, status->enhanced, sizeof enhanced);
	if (enhanced[0] == '5')
		enhanced[0] = '4';
	status_set(status, 450, enhanced, "(soft bounce of %d) %s",
	    status->code, status->text);
	status->cause = CAUSE_SOFT_BOUNCE;
}

char *
status_format(const struct status *status, char *out, size_t size)
{
	const char *gap = status->enhanced[0] != '\0' ? " " : "";

	snprintf(out, size, "%d %s%s%s", status->code, status->enhanced, gap,
	    status->text);
	return out;
}

/* The first status of the classes in their order; each has one of them. */
static const struct status *
first_by_order(const struct status *each, size_t count, const int order[3])
{
	for (int i = 0; i < 3; i++)
		for (size_t k = 0; k < count; k++)
			if (status_class(&each[k]) == order[i])
				return &each[k];
	return each;
}

const struct status *
status_reduce(const struct status *each, size_t count)
{
	return first_by_order(each, count, (const int[]){4, 5, 2});
}

const struct status *
status_overall(const struct status *each, size_t count)
{
	return first_by_order(each, count, (const int[]){2, 4, 5});
}
