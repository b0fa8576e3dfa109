/* SPDX-License-Identifier: ISC */
#include "protocol/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "base/escape.h"
#include "base/text.h"

/* Octets of text as a textstring of RFC 5321 4.2, and no terminal escapes. */
static void
copy_textstring(char *to, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = text[i] == '\t'                ? ' '
			: escape_is_printable(text[i]) ? text[i]
						       : '?';
	to[len] = '\0';
}

void
status_set_text(
    struct status *status, int code, const char *enhanced, const char *text)
{
	size_t len = strnlen(enhanced, sizeof status->enhanced - 1);

	status->code = code;
	memmove(status->enhanced, enhanced, len);
	status->enhanced[len] = '\0';
	copy_textstring(
	    status->text, text, strnlen(text, sizeof status->text - 1));
	status->cause = CAUSE_NONE;
	status->until = 0;
}

void
status_add_text(struct status *status, const char *text)
{
	size_t len = strlen(status->text);

	copy_textstring(status->text + len, text,
	    strnlen(text, sizeof status->text - 1 - len));
}

void
status_set(struct status *status, int code, const char *enhanced,
    const char *format, ...)
{
	if (strchr(format, '%') == NULL) { /* most have nothing to fill in */
		status_set_text(status, code, enhanced, format);
		return;
	}
	char text[STATUS_TEXT_MAX + 1]; /* an argument may be in *status */
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	status_set_text(status, code, enhanced, text);
}

int
status_class(const struct status *status)
{
	return status->code / 100;
}

void
status_soften(struct status *status)
{
	if (status_class(status) != 5)
		return;
	status_set(status, 450, status->enhanced, "(soft bounce of %d) %s",
	    status->code, status->text);
	if (status->enhanced[0] == '5')
		status->enhanced[0] = '4';
	status->cause = CAUSE_SOFT_BOUNCE;
}

char *
status_format(const struct status *status, char *out, size_t size)
{
	char code[DECIMAL_SIZE];

	text_join(out, size,
	    TEXTS(decimal_write(code, (uint64_t)status->code), " ",
		status->enhanced, status->enhanced[0] != '\0' ? " " : "",
		status->text));
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
