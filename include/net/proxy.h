/*
 * proxy - the URL of a proxy, taken apart once for whoever needs a piece.
 *
 * User and password leave the URL here and are given to libcurl by themselves:
 * what it says of a proxy cannot hold them then, and no two parsers can differ
 * on where a password ends.
 */
#ifndef ODMR_NET_PROXY_H
#define ODMR_NET_PROXY_H

#include "base/secret.h"

struct proxy {
	char *url; /* SCHEME://HOST[:PORT], nothing secret */
	const char *address; /* in it: HOST[:PORT], not judged further */
	struct secret user, password; /* decoded; text NULL: none */
};

enum proxy_result {
	PROXY_OK,
	PROXY_BAD, /* another scheme, or more than an address */
	/* User or password hold what ends them in a URL (RFC 3986 3.2.1). */
	PROXY_NOT_ENCODED,
};

/* text is socks5h://, socks5:// or http:// with [USER[:PASSWORD]@]HOST[:PORT]
 * and at most one slash. Where it is not PROXY_OK, proxy is empty. */
enum proxy_result proxy_parse(struct proxy *proxy, const char *text)
    __attribute__((warn_unused_result));
/* Wipes and frees. */
void proxy_clear(struct proxy *proxy);

#endif
