/* SPDX-License-Identifier: ISC */
#include "net/proxy.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "base/mem.h"

/* The octets of the scheme and its "://"; 0: it is none of ours. */
static size_t
scheme_len(const char *text)
{
	static const char *const schemes[] = {
	    "socks5h://", "socks5://", "http://"};

	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		size_t len = strlen(schemes[i]);
		if (strncasecmp(text, schemes[i], len) == 0)
			return len;
	}
	return 0;
}

/* In place; false: not percent-encoded as it must be, or with a NUL. */
static bool
decode_percent(struct secret *secret)
{
	char *out = secret->text;
	uint64_t octet;

	for (const char *at = secret->text; *at != '\0'; at++) {
		if (*at != '%') {
			*out++ = *at;
			continue;
		}
		if (!digest_hex_number(at + 1, 2, &octet) || octet == 0)
			return false;
		*out++ = (char)octet;
		at += 2;
	}
	explicit_bzero(out, secret->len - (size_t)(out - secret->text));
	secret->len = (size_t)(out - secret->text);
	return true;
}

/* USER or USER:PASSWORD. */
static bool
parse_user(struct proxy *proxy, const char *text, size_t len)
{
	const char *colon = memchr(text, ':', len);
	size_t user = colon != NULL ? (size_t)(colon - text) : len;

	if (strcspn(text, "/?#\\@ ") < len)
		return false;
	secret_set(&proxy->user, text, user);
	if (colon != NULL)
		secret_set(&proxy->password, colon + 1, len - user - 1);
	return decode_percent(&proxy->user) &&
	       (colon == NULL || decode_percent(&proxy->password));
}

enum proxy_result
proxy_parse(struct proxy *proxy, const char *text)
{
	size_t scheme = scheme_len(text);
	const char *at = strrchr(text, '@');
	const char *address = at != NULL ? at + 1 : text + scheme;
	size_t len = strcspn(address, "/?#\\ ");
	bool rest = address[len] == '\0' || strcmp(address + len, "/") == 0;

	*proxy = (struct proxy){.url = NULL};
	if (scheme == 0 || len == 0 || !rest)
		return PROXY_BAD;
	if (at != NULL &&
	    !parse_user(proxy, text + scheme, (size_t)(at - text) - scheme)) {
		proxy_clear(proxy);
		return PROXY_NOT_ENCODED;
	}
	proxy->url =
	    xasprintf("%.*s%.*s", (int)scheme, text, (int)len, address);
	proxy->address = proxy->url + scheme;
	return PROXY_OK;
}

void
proxy_clear(struct proxy *proxy)
{
	secret_clear(&proxy->user);
	secret_clear(&proxy->password);
	free(proxy->url);
	*proxy = (struct proxy){.url = NULL};
}
