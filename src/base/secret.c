/* SPDX-License-Identifier: ISC */
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void
secret_set(struct secret *secret, const char *text, size_t len)
{
	secret_clear(secret);
	secret->text = xmalloc(len + 1);
	memcpy(secret->text, text, len);
	secret->text[len] = '\0';
	secret->len = len;
}

void
secret_clear(struct secret *secret)
{
	if (secret->text != NULL)
		explicit_bzero(secret->text, secret->len);
	free(secret->text);
	*secret = (struct secret){.text = NULL};
}
