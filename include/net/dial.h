/*
 * dial - connect to the provider by name, through libcurl.
 *
 * net/resolve looks the name up; libcurl races IPv6 with IPv4 and speaks to
 * proxies; it never speaks SMTP or TLS here. The environment (http_proxy,
 * no_proxy, ...) has no say.
 */
#ifndef ODMR_NET_DIAL_H
#define ODMR_NET_DIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deadline;
struct error;

enum { DIAL_PEER_SIZE = 46 }; /* INET6_ADDRSTRLEN */

enum dial_family {
	DIAL_ANY,
	DIAL_IPV4,
	DIAL_IPV6,
};

struct dial_options {
	const char *host; /* a name, or an address without brackets */
	uint16_t port;
	const char *proxy; /* a URL as net/proxy takes it, or NULL */
	const char *source_address; /* as CURLOPT_INTERFACE takes it, or NULL */
	enum dial_family family;
	/* Addresses of the host that are not to be used, as peer gave them. */
	const char (*avoid)[DIAL_PEER_SIZE];
	size_t avoid_count;
};

/*
 * A connected, non-blocking descriptor that the caller closes, or -1. peer,
 * unless NULL, gets the address of the other end as text; through a proxy
 * nobody knows it and it is empty. Errors: ERROR_AGAIN with host, port and
 * reason, also where no address is left that need not be avoided; ERROR_CONFIG,
 * a host or proxy that cannot be one; ERROR_STOPPED, ERROR_SYSTEM.
 */
int dial_open(const struct dial_options *options,
    const struct deadline *deadline, char peer[DIAL_PEER_SIZE],
    struct error *err) __attribute__((warn_unused_result));

/* A name of letters, digits, '-', '_' and dots, no dot last; or an address. */
bool dial_host_is_valid(const char *host);

#endif
