/* SPDX-License-Identifier: ISC */
/*
 * URLs that may hold a password, or are as good as one: no message repeats
 * them, nor what a library says of them.
 */
#include "config/config_loader.h"

#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/mem.h"
#include "net/proxy.h"

static const char encoding[] =
    "in user and password these must be percent-encoded: % as %25, @ as %40,"
    " / as %2F, : as %3A, # as %23, ? as %3F, \\ as %5C and a blank as %20";

static bool
is_url_address(const char *text)
{
	char *copy = xstrndup(text, strlen(text)), *host;
	unsigned long port = 0;
	bool good =
	    config_split_address(copy, &host, &port) && config_is_host(host);

	free(copy);
	return good;
}

bool
config_to_proxy(struct config_loader *loader,
    const struct config_scalar *scalar, const struct config_key *key,
    void *field)
{
	struct proxy proxy;
	enum proxy_result result = proxy_parse(&proxy, scalar->text);

	if (result == PROXY_OK && !is_url_address(proxy.address))
		result = PROXY_BAD;
	proxy_clear(&proxy);
	switch (result) {
	case PROXY_OK:
		return config_to_secret(loader, scalar, key, field);
	case PROXY_NOT_ENCODED:
		config_fault(
		    loader, scalar->mark, "%s: %s", key->name, encoding);
		return false;
	case PROXY_BAD:
		break;
	}
	config_fault(loader, scalar->mark,
	    "%s: it must be socks5h://HOST:PORT, socks5://HOST:PORT or"
	    " http://HOST:PORT, with USER:PASSWORD@ before HOST where"
	    " the proxy wants that",
	    key->name);
	return false;
}

/* Printable ASCII of RFC 3986, behind http:// or https://. */
static bool
is_url(const char *text)
{
	size_t scheme = strncmp(text, "https://", 8) == 0  ? 8
			: strncmp(text, "http://", 7) == 0 ? 7
							   : 0;

	if (scheme == 0 || text[scheme] == '\0')
		return false;
	for (; *text != '\0'; text++)
		if (!escape_is_printable(*text) || *text == ' ' ||
		    *text == '\\')
			return false;
	return true;
}

/* A '/' or '@' in a password would make its beginning a host, whose name is
 * then asked for in the DNS: what stands for the port is no number. */
static bool
has_odd_user(const char *url)
{
	const char *authority = strstr(url, "://") + 3;
	size_t len = strcspn(authority, "/?#");
	const char *at = memchr(authority, '@', len);
	const char *host = at != NULL ? at + 1 : authority;
	const char *end = authority + len;
	const char *colon = memchr(host, ':', (size_t)(end - host));

	if (memchr(host, '@', (size_t)(end - host)) != NULL)
		return true;
	return *host != '[' && colon != NULL &&
	       colon + 1 + strspn(colon + 1, "0123456789") != end;
}

/* http:// or https://, as ping services give it. */
bool
config_to_url(struct config_loader *loader, const struct config_scalar *scalar,
    const struct config_key *key, void *field)
{
	if (!is_url(scalar->text)) {
		config_fault(loader, scalar->mark,
		    "%s: it must be an http:// or https:// URL", key->name);
		return false;
	}
	if (has_odd_user(scalar->text)) {
		config_fault(
		    loader, scalar->mark, "%s: %s", key->name, encoding);
		return false;
	}
	return config_to_secret(loader, scalar, key, field);
}
