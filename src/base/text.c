/* SPDX-License-Identifier: ISC */
#include "base/text.h"

#include <string.h>

size_t
text_join(char *out, size_t size, const char *const *texts)
{
	size_t len = 0;

	for (; *texts != NULL; texts++) {
		size_t more = strnlen(*texts, size - 1 - len);
		memcpy(out + len, *texts, more);
		len += more;
	}
	out[len] = '\0';
	return len;
}
