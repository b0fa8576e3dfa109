/* SPDX-License-Identifier: ISC */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

void
error_set(struct error *err, enum error_class class, const char *format, ...)
{
	char text[ERROR_TEXT_MAX]; /* an argument may be err->text itself */
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	err->class = class;
	memcpy(err->text, text, sizeof text);
}

void
error_set_errno(struct error *err, enum error_class class, int errnum,
    const char *format, ...)
{
	char context[ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(context, sizeof context, format, args);
	va_end(args);
	/* Of these the reader's next step is always the same. */
	bool full = errnum == ENOSPC || errnum == EDQUOT;
	error_set(err, class, "%s: %s%s", context, strerror(errnum),
	    full ? "; free space on that disk, or raise the quota" : "");
}

void
error_prefix(struct error *err, const char *format, ...)
{
	char context[ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(context, sizeof context, format, args);
	va_end(args);
	error_set(err, err->class, "%s: %s", context, err->text);
}

int error_exit_status(enum error_class class)
{
	switch (class) {
	case ERROR_NONE:
		return EX_OK;
	case ERROR_USAGE:
		return EX_USAGE;
	case ERROR_UNABLE:
		return EX_UNAVAILABLE;
	case ERROR_INTERNAL:
		return EX_SOFTWARE;
	case ERROR_SYSTEM:
		return EX_OSERR;
	case ERROR_AGAIN:
	case ERROR_LOCAL:
	case ERROR_BUSY:
	case ERROR_STOPPED:
		return EX_TEMPFAIL;
	case ERROR_PROTOCOL:
		return EX_PROTOCOL;
	case ERROR_CERTIFICATE:
	case ERROR_REFUSED:
	case ERROR_AUTH:
	case ERROR_SECRET:
		return EX_NOPERM;
	case ERROR_CONFIG:
		return EX_CONFIG;
	}
	return EX_SOFTWARE;
}

int
error_worse_status(int a, int b)
{
	static const int worst_first[] = {EX_USAGE, EX_SOFTWARE, EX_OSERR,
	    EX_CONFIG, EX_NOPERM, EX_PROTOCOL, EX_UNAVAILABLE, EX_NOUSER,
	    EX_TEMPFAIL, EX_OK};

	for (size_t i = 0; i < sizeof worst_first / sizeof *worst_first; i++)
		if (a == worst_first[i] || b == worst_first[i])
			return worst_first[i];
	return a;
}
