/* SPDX-License-Identifier: ISC */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { QUOTED_MIN = 6 }; /* a quotation may be cut */

void
secret_set(struct secret *secret, const char *text, size_t len)
{
	secret_clear(secret);
	secret->text = xmalloc(len + 1);
	memcpy(secret->text, text, len);
	secret->text[len] = '\0';
	secret->len = len;
}

/* Octets that both begin with. */
static size_t
common(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t len = 0;

	while (len < a_len && len < b_len && a[len] == b[len])
		len++;
	return len;
}

void
secret_hide(const struct secret *secret, char *text, size_t len)
{
	size_t least = secret->len < QUOTED_MIN ? secret->len : QUOTED_MIN;

	for (size_t at = 0; least > 0 && at < len; at++) {
		size_t same =
		    common(text + at, len - at, secret->text, secret->len);

		if (same < least)
			continue;
		memset(text + at, '*', same);
		at += same - 1;
	}
}

void
secret_clear(struct secret *secret)
{
	if (secret->text != NULL)
		explicit_bzero(secret->text, secret->len);
	free(secret->text);
	*secret = (struct secret){.text = NULL};
}
