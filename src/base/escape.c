/* SPDX-License-Identifier: ISC */
#include "base/escape.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char dots[] = "...";
enum { ESCAPE_LONGEST = 4 }; /* \xHH */

bool
escape_is_printable(char octet)
{
	return octet >= ' ' && octet <= '~';
}

static char *
escape(
    char *out, size_t size, const char *text, size_t len, const char *backslash)
{
	size_t used = 0;
	size_t cut = 0; /* where the dots still fit behind */

	assert(size >= sizeof dots + ESCAPE_LONGEST);
	for (size_t i = 0; i < len; i++) {
		char one[ESCAPE_LONGEST + 1] = {text[i]};

		if (text[i] == '\\')
			snprintf(one, sizeof one, "%s", backslash);
		else if (!escape_is_printable(text[i]))
			snprintf(
			    one, sizeof one, "\\x%02x", (unsigned char)text[i]);
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
