/* SPDX-License-Identifier: ISC */
#include "net/dial.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/deadline.h"
#include "base/decimal.h"
#include "base/error.h"
#include "base/escape.h"
#include "base/mem.h"
#include "net/proxy.h"
#include "net/resolve.h"

enum {
	HOST_MAX = 253, /* RFC 1035 2.3.4, as text without the last dot */
	REASON_SIZE = 2 * CURL_ERROR_SIZE,
	FIRST_FREE_FD = 3, /* 0 to 2 are the standard streams */
	PROXY_PORT = 1080, /* libcurl's, where the URL has none */
};

bool
dial_host_is_valid(const char *host)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	struct in6_addr address;
	size_t len = strlen(host);

	if (inet_pton(AF_INET6, host, &address) == 1)
		return true;
	if (len == 0 || len > HOST_MAX)
		return false;
	for (;;) {
		size_t label = strspn(host, letters);
		if (label == 0 || label > 63) /* RFC 1035 2.3.4 */
			return false;
		host += label;
		if (*host == '\0')
			return true;
		if (*host++ != '.')
			return false;
	}
}

/* libcurl calls it at least once a second; not 0 ends the attempt. */
static int
check_deadline(
    void *deadline, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	(void)a, (void)b, (void)c, (void)d;
	return deadline_left(deadline) == 0;
}

/* An unset proxy would let http_proxy in, and an unset NOPROXY no_proxy, which
 * bypasses the proxy that is configured. */
static void
set_proxy(CURL *curl, const struct proxy *proxy)
{
	const char *url = proxy->url != NULL ? proxy->url : "";

	curl_easy_setopt(curl, CURLOPT_PROXY, url);
	curl_easy_setopt(curl, CURLOPT_PROXYUSERNAME, proxy->user.text);
	curl_easy_setopt(curl, CURLOPT_PROXYPASSWORD, proxy->password.text);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "");
	curl_easy_setopt(curl, CURLOPT_HTTPPROXYTUNNEL, 1L);
}

/*
 * The scheme is never spoken, but every libcurl knows it. Names are looked up
 * before; should libcurl still look one up, a dead name server must not hold us
 * beyond the deadline: QUICK_EXIT.
 */
static void
set_dial_options(CURL *curl, const struct dial_options *options,
    const char *url, struct deadline *deadline)
{
	static const long families[] = {
	    [DIAL_ANY] = CURL_IPRESOLVE_WHATEVER,
	    [DIAL_IPV4] = CURL_IPRESOLVE_V4,
	    [DIAL_IPV6] = CURL_IPRESOLVE_V6,
	};
	long left = (long)deadline_left(deadline) + 1; /* 0 means no limit */

	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(curl, CURLOPT_INTERFACE, options->source_address);
	curl_easy_setopt(curl, CURLOPT_IPRESOLVE, families[options->family]);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, left);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, left);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, check_deadline);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, deadline);
}

/* Names */

/* An address, or localhost, which libcurl knows (RFC 6761 6.3). */
static bool
needs_no_look_up(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	return strcasecmp(host, "localhost") == 0 ||
	       inet_pton(AF_INET, host, address) == 1 ||
	       inet_pton(AF_INET6, host, address) == 1;
}

static bool
is_avoided(const struct dial_options *options, const char *address)
{
	for (size_t i = 0; i < options->avoid_count; i++)
		if (strcasecmp(options->avoid[i], address) == 0)
			return true;
	return false;
}

static bool
none_is_left(struct error *err)
{
	error_set(err, ERROR_AGAIN, "there is no other address");
	return false;
}

static bool
leave_out_avoided(const struct dial_options *options,
    struct resolve_addresses *addresses, struct error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < addresses->count; i++)
		if (!is_avoided(options, addresses->text[i]))
			memmove(addresses->text[kept++], addresses->text[i],
			    sizeof addresses->text[i]);
	addresses->count = kept;
	return kept > 0 || none_is_left(err);
}

/* Looks the host up, and adds "HOST:PORT:[ADDRESS],..." to what libcurl is to
 * know without looking. */
static bool
look_up_provider(const struct dial_options *options, const char *host,
    uint16_t port, const struct deadline *deadline, struct curl_slist **known,
    struct error *err)
{
	static const int families[] = {
	    [DIAL_ANY] = AF_UNSPEC,
	    [DIAL_IPV4] = AF_INET,
	    [DIAL_IPV6] = AF_INET6,
	};
	struct resolve_addresses addresses;

	if (needs_no_look_up(host))
		return options->avoid_count == 0 || none_is_left(err);
	if (!resolve_name(
		host, families[options->family], deadline, &addresses, err) ||
	    !leave_out_avoided(options, &addresses, err))
		return false;
	char *entry = xasprintf("%s:%u:", host, (unsigned)port);
	for (size_t i = 0; i < addresses.count; i++) {
		bool ipv6 = strchr(addresses.text[i], ':') != NULL;
		char *longer = xasprintf("%s%s%s%s%s", entry, i > 0 ? "," : "",
		    ipv6 ? "[" : "", addresses.text[i], ipv6 ? "]" : "");
		free(entry);
		entry = longer;
	}
	struct curl_slist *longer = curl_slist_append(*known, entry);
	free(entry);
	if (longer == NULL)
		mem_exhausted();
	*known = longer;
	return true;
}

/* HOST, HOST:PORT or [ADDRESS]:PORT, the last of which needs no look-up. */
static bool
look_up_proxy(const struct dial_options *options, const char *address,
    const struct deadline *deadline, struct curl_slist **known,
    struct error *err)
{
	const char *colon = strrchr(address, ':');
	uint64_t port = PROXY_PORT;

	if (address[0] == '[' ||
	    (colon != NULL && !decimal_read(colon + 1, UINT16_MAX, &port)) ||
	    port == 0)
		return true;
	char *host = colon == NULL
			 ? xstrdup(address)
			 : xstrndup(address, (size_t)(colon - address));
	bool found = look_up_provider(
	    options, host, (uint16_t)port, deadline, known, err);
	free(host);
	return found;
}

/* All names that this end has to know: of the proxy, or of the provider, or of
 * both where the proxy takes addresses only. */
static bool
look_up_all(const struct dial_options *options, const struct proxy *proxy,
    const struct deadline *deadline, struct curl_slist **known,
    struct error *err)
{
	static const char by_address[] = "socks5://";

	if (proxy->url != NULL &&
	    !look_up_proxy(options, proxy->address, deadline, known, err))
		return false;
	if (proxy->url != NULL &&
	    strncasecmp(proxy->url, by_address, sizeof by_address - 1) != 0)
		return true;
	return look_up_provider(
	    options, options->host, options->port, deadline, known, err);
}

static const char *
advise_of_dial(int errnum)
{
	switch (errnum) {
	case ECONNREFUSED:
		return "; nothing listens there: correct host or port, or start"
		       " the server";
	case ETIMEDOUT:
		return "; nothing answers there: look for a wrong host or port,"
		       " or a firewall";
	case ENETUNREACH:
	case EHOSTUNREACH:
		return "; look at the network of this host";
	default:
		return "";
	}
}

static void
explain_dial(CURL *curl, CURLcode code, const char *text,
    const struct deadline *deadline, struct error *err)
{
	char reason[REASON_SIZE];
	long errnum = 0;

	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &errnum);
	if (deadline_left(deadline) == 0) {
		if (deadline_wait(deadline, -1, 0) == DEADLINE_STOPPED)
			error_set(err, ERROR_STOPPED, "stopped by a signal");
		else
			error_set(err, ERROR_AGAIN, "timed out%s",
			    advise_of_dial(ETIMEDOUT));
	} else if (code == CURLE_COULDNT_CONNECT && errnum > 0 &&
		   errnum != EINPROGRESS) {
		error_set(err, ERROR_AGAIN, "%s%s", strerror((int)errnum),
		    advise_of_dial((int)errnum));
	} else {
		if (text[0] == '\0')
			text = curl_easy_strerror(code);
		escape_text(reason, sizeof reason, text, strlen(text));
		error_set(err, ERROR_AGAIN, "%s", reason);
	}
}

/* The socket is libcurl's and goes with its handle: ours is a duplicate. */
static int
take_socket(CURL *curl, bool proxied, char *peer, struct error *err)
{
	curl_socket_t own = CURL_SOCKET_BAD;
	char *address = NULL;

	curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &own);
	curl_easy_getinfo(curl, CURLINFO_PRIMARY_IP, &address);
	int fd = fcntl(own, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
	if (fd < 0)
		error_set_errno(
		    err, ERROR_SYSTEM, errno, "the connection cannot be used");
	if (peer != NULL)
		snprintf(peer, DIAL_PEER_SIZE, "%s",
		    address == NULL || proxied ? "" : address);
	return fd;
}

static int
dial_once(const struct dial_options *options, const struct proxy *proxy,
    const char *place, struct deadline deadline, char *peer, struct error *err)
{
	char text[CURL_ERROR_SIZE] = "";
	struct curl_slist *known = NULL;
	CURL *curl = curl_easy_init();
	char *url = xasprintf("http://%s/", place);
	int fd = -1;

	if (curl == NULL) {
		error_set(err, ERROR_SYSTEM, "libcurl cannot be set up");
		goto out;
	}
	if (!look_up_all(options, proxy, &deadline, &known, err))
		goto out;
	set_dial_options(curl, options, url, &deadline);
	set_proxy(curl, proxy);
	curl_easy_setopt(curl, CURLOPT_RESOLVE, known);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
	CURLcode code = curl_easy_perform(curl);
	if (code == CURLE_OK)
		fd = take_socket(curl, proxy->url != NULL, peer, err);
	else
		explain_dial(curl, code, text, &deadline, err);
out:
	/* It closes its socket without a word: it does so to connections that
	 * were CONNECT_ONLY, since it cannot know what became of them. */
	curl_easy_cleanup(curl);
	curl_slist_free_all(known);
	free(url);
	return fd;
}

int
dial_open(const struct dial_options *options, const struct deadline *deadline,
    char peer[DIAL_PEER_SIZE], struct error *err)
{
	bool brackets = strchr(options->host, ':') != NULL;
	struct proxy proxy = {.url = NULL};

	if (!dial_host_is_valid(options->host)) {
		error_set(err, ERROR_CONFIG,
		    "the host to connect to is neither a name nor an address");
		return -1;
	}
	if (options->proxy != NULL &&
	    proxy_parse(&proxy, options->proxy) != PROXY_OK) {
		error_set(err, ERROR_CONFIG,
		    "the proxy is not a URL of socks5h, socks5 or http");
		return -1;
	}
	char *place = xasprintf("%s%s%s:%u", brackets ? "[" : "", options->host,
	    brackets ? "]" : "", (unsigned)options->port);
	int fd = dial_once(options, &proxy, place, *deadline, peer, err);
	if (fd < 0)
		error_prefix(err, "cannot connect to %s%s", place,
		    options->proxy != NULL ? " through the proxy" : "");
	proxy_clear(&proxy);
	free(place);
	return fd;
}
