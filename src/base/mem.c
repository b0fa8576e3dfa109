/* SPDX-License-Identifier: ISC */
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* write(2), not stdio: stdio itself may need memory. */
void
mem_exhausted(void)
{
	static const char sentence[] = "odmr-agent: out of memory\n";
	ssize_t ignored = write(STDERR_FILENO, sentence, sizeof sentence - 1);

	(void)ignored;
	_exit(EX_OSERR);
}

static void *
alive(void *block)
{
	if (block == NULL)
		mem_exhausted();
	return block;
}

void *
xmalloc(size_t size)
{
	return alive(malloc(size > 0 ? size : 1));
}

void *
xcalloc(size_t count, size_t size)
{
	return alive(calloc(count > 0 ? count : 1, size > 0 ? size : 1));
}

void *
xreallocarray(void *old, size_t count, size_t size)
{
	if (count == 0 || size == 0)
		count = size = 1;
	return alive(reallocarray(old, count, size));
}

char *
xstrdup(const char *text)
{
	return alive(strdup(text));
}

char *
xstrndup(const char *text, size_t len)
{
	return alive(strndup(text, len));
}

char *
xasprintf(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	int len = vasprintf(&text, format, args);
	va_end(args);
	return alive(len < 0 ? NULL : text);
}
