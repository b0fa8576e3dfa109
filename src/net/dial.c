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
#include "base/error.h"
#include "base/escape.h"
#include "base/mem.h"
#include "net/proxy.h"

enum {
	HOST_MAX = 253, /* RFC 1035 2.3.4, as text without the last dot */
	REASON_SIZE = 2 * CURL_ERROR_SIZE,
	FIRST_FREE_FD = 3, /* 0 to 2 are the standard streams */
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
 * The scheme is never spoken, but every libcurl knows it. A dead name server
 * must not hold us beyond the deadline: QUICK_EXIT.
 */
static void
set_options(CURL *curl, const struct dial_options *options, const char *url,
    struct deadline *deadline)
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

static void
explain(CURL *curl, CURLcode code, const char *text,
    const struct deadline *deadline, struct error *err)
{
	char reason[REASON_SIZE];
	long errnum = 0;

	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &errnum);
	if (deadline_left(deadline) == 0) {
		if (deadline_wait(deadline, -1, 0) == DEADLINE_STOPPED)
			error_set(err, ERROR_STOPPED, "stopped by a signal");
		else
			error_set(err, ERROR_AGAIN, "timed out");
	} else if (code == CURLE_COULDNT_CONNECT && errnum > 0 &&
		   errnum != EINPROGRESS) {
		error_set(err, ERROR_AGAIN, "%s", strerror((int)errnum));
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
		error_set_errno(err, ERROR_SYSTEM, errno,
		    "the connection cannot be taken over");
	if (peer != NULL)
		snprintf(peer, DIAL_PEER_SIZE, "%s",
		    address == NULL || proxied ? "" : address);
	return fd;
}

static int
dial(const struct dial_options *options, const struct proxy *proxy,
    const char *place, struct deadline deadline, char *peer, struct error *err)
{
	char text[CURL_ERROR_SIZE] = "";
	CURL *curl = curl_easy_init();
	char *url = xasprintf("http://%s/", place);
	int fd = -1;

	if (curl == NULL) {
		error_set(err, ERROR_SYSTEM, "libcurl cannot be set up");
		goto out;
	}
	set_options(curl, options, url, &deadline);
	set_proxy(curl, proxy);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
	CURLcode code = curl_easy_perform(curl);
	if (code == CURLE_OK)
		fd = take_socket(curl, proxy->url != NULL, peer, err);
	else
		explain(curl, code, text, &deadline, err);
out:
	/* It closes its socket without a word: it does so to connections that
	 * were CONNECT_ONLY, since it cannot know what became of them. */
	curl_easy_cleanup(curl);
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
	int fd = dial(options, &proxy, place, *deadline, peer, err);
	if (fd < 0)
		error_prefix(err, "cannot connect to %s%s", place,
		    options->proxy != NULL ? " through the proxy" : "");
	proxy_clear(&proxy);
	free(place);
	return fd;
}
