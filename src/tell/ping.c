/* SPDX-License-Identifier: ISC */
#include "tell/ping.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/privilege.h"
#include "base/stop.h"
#include "config/config.h"
#include "tell/log.h"

enum { PING_MS = 10 * 1000, HTTP_REDIRECTS = 300, HTTP_ERRORS = 400 };

char *
ping_url(const char *url, enum ping ping)
{
	static const char *const suffixes[] = {[PING_START] = "/start",
	    [PING_SUCCESS] = "",
	    [PING_FAIL] = "/fail"};
	const char *suffix = suffixes[ping];
	size_t path = strcspn(url, "?#");
	size_t end = path;

	if (suffix[0] != '\0' && end > 0 && url[end - 1] == '/')
		end--;
	return xasprintf("%.*s%s%s", (int)end, url, suffix,
	    suffix[0] != '\0' ? url + path : url + end);
}

static size_t
drop_body(char *data, size_t size, size_t count, void *context)
{
	(void)data;
	(void)context;
	return size * count;
}

static int
check_stop(void *context, curl_off_t down_total, curl_off_t down,
    curl_off_t up_total, curl_off_t up)
{
	(void)context;
	(void)down_total;
	(void)down;
	(void)up_total;
	(void)up;
	return stop_requested();
}

static bool
set_ping_options(CURL *curl, const char *url)
{
	return curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)PING_MS) ==
		   CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_USERAGENT, "odmr-agent") ==
		   CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop_body) ==
		   CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, check_stop) ==
		   CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
}

static void
perform(CURL *curl, const char *url, const char *account)
{
	long status = 0;
	CURLcode code = CURLE_FAILED_INIT;

	if (set_ping_options(curl, url))
		code = curl_easy_perform(curl);
	if (code == CURLE_OK)
		(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK)
		log_say(CONFIG_LOG_WARNING, account, "ping",
		    "ping_url cannot be reached: %s", curl_easy_strerror(code));
	/* The address is a secret, and must not go wherever a server likes. */
	else if (status >= HTTP_REDIRECTS && status < HTTP_ERRORS)
		log_say(CONFIG_LOG_WARNING, account, "ping",
		    "ping_url answers with status %ld: it has moved, and nobody"
		    " was pinged; set ping_url to the new address",
		    status);
	else if (status >= HTTP_ERRORS)
		log_say(CONFIG_LOG_WARNING, account, "ping",
		    "ping_url answers with status %ld", status);
}

void
ping_send(const struct config_account *account, enum ping ping)
{
	if (account->ping_url.len == 0 || stop_requested())
		return;
	char *url = ping_url(account->ping_url.text, ping);
	CURL *curl = curl_easy_init();
	if (curl != NULL)
		perform(curl, url, account->name);
	curl_easy_cleanup(curl);
	explicit_bzero(url, strlen(url));
	free(url);
}

pid_t
ping_send_aside(
    const struct config_account *account, enum ping ping, int private)
{
	struct error err;

	if (account->ping_url.len == 0)
		return -1;
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	close(private);
	/* Nothing of root where a stranger is listened to. */
	if (privilege_drop(&err))
		ping_send(account, ping);
	_exit(EX_OK);
}

void
ping_wait(pid_t aside)
{
	if (aside < 0)
		return;
	if (stop_requested())
		kill(aside, SIGKILL);
	while (waitpid(aside, NULL, 0) < 0 && errno == EINTR)
		if (stop_requested())
			kill(aside, SIGKILL);
}
