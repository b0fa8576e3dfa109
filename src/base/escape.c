/* SPDX-License-Identifier: ISC */
#include "base/escape.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char dots[] = "...";
enum { ESCAPE_LONGEST = 4 }; /* \xHH */

static char *
escape(
    char *out, size_t size, const char *text, size_t len, const char *backslash)
{
	size_t used = 0;
	size_t cut = 0; /* where the dots still fit behind */

	assert(size >= sizeof dots + ESCAPE_LONGEST);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		char one[ESCAPE_LONGEST + 1] = {(char)c};

		if (c == '\\')
			snprintf(one, sizeof one, "%s", backslash);
		else if (c < 0x20 || c > 0x7e)
			snprintf(one, sizeof one, "\\x%02x", c);
		size_t more = strlen(one);
		if (used + more + 1 > size) {
			memcpy(out + cut, dots, sizeof dots);
			return out;
		}
		memcpy(out + used, one, more);
		used += more;
		if (used + sizeof dots <= size)
			cut = used;
	}
	out[used] = '\0';
	return out;
}

char *
escape_text(char *out, size_t size, const char *text, size_t len)
{
	return escape(out, size, text, len, "\\\\");
}

char *
escape_sentence(char *out, size_t size, const char *text)
{
	return escape(out, size, text, strlen(text), "\\");
}
