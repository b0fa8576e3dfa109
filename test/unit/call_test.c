/* SPDX-License-Identifier: ISC */
#include "session/call.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "base/secret.h"
#include "base/stop.h"
#include "base/transcript.h"
#include "config/config.h"
#include "net/stream.h"

enum { PATIENCE_MS = 120 * 1000, SHORT_MS = 1000, DRIP_MS = 150 };

/* The provider's part: what must come, then what it says. */
struct line {
	const char *expects; /* NULL: nothing */
	const char *says; /* NULL: the end of the script */
};

#define EHLO "250-odmr.example.net\r\n250-ATRN\r\n250 AUTH CRAM-MD5\r\n"
#define LOGIN                                                                  \
	{NULL, "220 odmr.example.net\r\n"}, {"EHLO me.example\r\n", EHLO},     \
	    {"AUTH CRAM-MD5\r\n", "334 PGFAYj4=\r\n"},                         \
	{                                                                      \
		"dGltIDkxYjFlMzQyYzg0NjM4MmYyN2JkNDFlNzZiNjM3ZGM3\r\n",        \
		    "235 ok\r\n"                                               \
	}

static const struct line turning[] = {
    LOGIN, {"ATRN example.org\r\n", "250 turning\r\nQUIT\r\n"}, {NULL, NULL}};
static const struct line no_mail[] = {LOGIN,
    {"ATRN example.org\r\n", "453 no mail\r\n"}, {"QUIT\r\n", "221 bye\r\n"},
    {NULL, NULL}};
static const struct line silent[] = {{NULL, "220 hello\r\n"},
    {"EHLO me.example\r\n", ""}, {"never", ""}, {NULL, NULL}};
static const struct line by_address[] = {{NULL, "220 hello\r\n"},
    {"EHLO [127.0.0.1]\r\n", "550 no\r\n"}, {"QUIT\r\n", "221 bye\r\n"},
    {NULL, NULL}};

static const struct line busy[] = {{NULL, "421 not now\r\n"}, {NULL, NULL}};

static unsigned asked; /* whether another address may be tried */

static bool
refuse_another(void *context)
{
	(void)context;
	asked++;
	return false;
}

struct provider {
	pid_t pid;
	uint16_t port;
};

static bool
take(int fd, const char *expected)
{
	char said[512];
	size_t len = strlen(expected), got = 0;

	while (got < len) {
		ssize_t n = read(fd, said + got, len - got);
		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	return memcmp(said, expected, len) == 0;
}

/* One octet at a time with a pause, where drip is set. */
static void
speak(int fd, const char *text, bool drip)
{
	size_t len = strlen(text);

	for (size_t at = 0; at < len;) {
		struct deadline pause = deadline_in(DRIP_MS, 0);
		ssize_t n =
		    send(fd, text + at, drip ? 1 : len - at, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += (size_t)n;
		if (drip)
			(void)deadline_wait(&pause, -1, 0);
	}
}

static void
play(int listener, const struct line *script, bool drip)
{
	alarm(PATIENCE_MS / 1000);
	int fd = accept(listener, NULL, NULL);

	for (; script->says != NULL; script++) {
		if (script->expects != NULL && !take(fd, script->expects))
			_exit(1);
		speak(fd, script->says, drip);
	}
	_exit(0);
}

static struct provider
start_provider(const struct line *script, bool drip)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t len = sizeof addr;
	struct provider provider;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	provider.port = ntohs(addr.sin_port);
	provider.pid = fork();
	assert_true(provider.pid >= 0);
	if (provider.pid == 0)
		play(fd, script, drip);
	close(fd);
	return provider;
}

/* It heard and said all of its script. */
static bool
end_provider(const struct provider *provider)
{
	int status;

	assert_int_equal(waitpid(provider->pid, &status, 0), provider->pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void
call_port(uint16_t port, int64_t timeout, const char *hostname_fault,
    struct call_result *result)
{
	struct config config = {
	    .hostname = "me.example", .hostname_fault = hostname_fault};
	struct config_account account = {
	    .provider = {"127.0.0.1", port},
	    .tls = CONFIG_TLS_OFF,
	    .user = "tim",
	    .connect_timeout = PATIENCE_MS,
	    .provider_timeout = timeout,
	};
	struct secret password = {.text = NULL};
	struct transcript transcript;
	struct call_options options = {
	    .config = &config,
	    .account = &account,
	    .password = &password,
	    .try_another = refuse_another,
	    .transcript = &transcript,
	};
	struct error err;

	asked = 0;
	secret_set(&password, "pencil", 6);
	transcript_init(&transcript, "provider", false);
	struct call *call = call_new(&options, &err);
	assert_non_null(call);
	call_run(call, "example.org", result);
	call_free(call);
	transcript_clear(&transcript);
	secret_clear(&password);
}

static void
test_turned(void **state)
{
	struct provider provider = start_provider(turning, false);
	struct call_result result;

	(void)state;
	call_port(provider.port, PATIENCE_MS, NULL, &result);
	assert_int_equal(result.outcome.result, CUSTOMER_TURNED);
	assert_non_null(result.stream);
	assert_string_equal(result.address, "127.0.0.1");
	assert_false(result.secured);
	/* What came with the 250 is there, wherever the line was cut. */
	size_t early = buf_len(&result.early);
	char text[] = "QUIT\r\n";
	struct deadline deadline = deadline_in(PATIENCE_MS, 0);
	struct error err;
	assert_memory_equal(buf_data(&result.early), text, early);
	while (early < 6) {
		char rest[6];
		ssize_t n = stream_read(
		    result.stream, rest, sizeof rest, &deadline, &err);
		assert_true(n > 0);
		assert_memory_equal(rest, text + early, (size_t)n);
		early += (size_t)n;
	}
	call_result_clear(&result);
	assert_null(result.stream);
	assert_true(end_provider(&provider));
}

static void
test_no_mail(void **state)
{
	struct provider provider = start_provider(no_mail, false);
	struct call_result result;

	(void)state;
	call_port(provider.port, PATIENCE_MS, NULL, &result);
	assert_int_equal(result.outcome.result, CUSTOMER_NO_MAIL);
	call_result_clear(&result);
	assert_true(end_provider(&provider));
}

static void
call_silent(bool drip, int64_t timeout, struct error *err)
{
	struct provider provider = start_provider(silent, drip);
	struct call_result result;

	call_port(provider.port, timeout, NULL, &result);
	assert_int_equal(result.outcome.result, CUSTOMER_FAILED);
	*err = result.outcome.error;
	call_result_clear(&result);
	assert_false(end_provider(&provider));
}

/* A time-out is for the whole reply: dripping octets do not put it off. A busy
 * machine may need more than a short one for the greeting: then it has ten times
 * as long. */
static void
test_reply_times_out(void **state)
{
	static const struct {
		bool drip;
		const char *error;
	} cases[] = {
	    {false, "waiting for the reply to EHLO: timed out"},
	    {true, "waiting for the greeting: timed out"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t timeout = SHORT_MS;
		struct error err;
		do
			call_silent(cases[i].drip, timeout, &err);
		while (strcmp(err.text, cases[i].error) != 0 &&
		       (timeout *= 10) < PATIENCE_MS);
		assert_int_equal(err.class, ERROR_AGAIN);
		assert_string_equal(err.text, cases[i].error);
	}
}

/* Whoever calls has other limits, and a parent that waits for a word. */
static void
test_another_address_is_asked_for(void **state)
{
	struct provider provider = start_provider(busy, false);
	struct call_result result;

	(void)state;
	call_port(provider.port, PATIENCE_MS, NULL, &result);
	assert_int_equal(asked, 1);
	assert_int_equal(result.outcome.error.class, ERROR_AGAIN);
	assert_non_null(strstr(result.outcome.error.text, "421 not now"));
	call_result_clear(&result);
	assert_true(end_provider(&provider));
	provider = start_provider(no_mail, false);
	call_port(provider.port, PATIENCE_MS, NULL, &result);
	assert_int_equal(asked, 0);
	assert_int_equal(result.outcome.result, CUSTOMER_NO_MAIL);
	call_result_clear(&result);
	assert_true(end_provider(&provider));
}

static void
test_short_hostname(void **state)
{
	struct provider provider = start_provider(by_address, false);
	struct call_result result;

	(void)state;
	call_port(provider.port, PATIENCE_MS, "has no dot", &result);
	assert_int_equal(result.outcome.result, CUSTOMER_FAILED);
	assert_int_equal(result.outcome.error.class, ERROR_UNABLE);
	call_result_clear(&result);
	assert_true(end_provider(&provider));
}

static void
test_nobody_there(void **state)
{
	/* Its listener is closed once it has been called. */
	struct provider provider = start_provider(no_mail, false);
	struct call_result result;

	(void)state;
	kill(provider.pid, SIGKILL);
	assert_false(end_provider(&provider));
	call_port(provider.port, PATIENCE_MS, NULL, &result);
	assert_int_equal(result.outcome.result, CUSTOMER_FAILED);
	assert_int_equal(result.outcome.error.class, ERROR_AGAIN);
	assert_null(result.stream);
	call_result_clear(&result);
}

/* The last one: a request cannot be taken back. */
static void
test_stop(void **state)
{
	struct provider provider = start_provider(silent, false);
	struct call_result result;

	(void)state;
	stop_install();
	stop_request();
	call_port(provider.port, PATIENCE_MS, NULL, &result);
	assert_int_equal(result.outcome.result, CUSTOMER_FAILED);
	assert_int_equal(result.outcome.error.class, ERROR_STOPPED);
	call_result_clear(&result);
	kill(provider.pid, SIGKILL);
	assert_false(end_provider(&provider));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_turned),
	    cmocka_unit_test(test_no_mail),
	    cmocka_unit_test(test_reply_times_out),
	    cmocka_unit_test(test_another_address_is_asked_for),
	    cmocka_unit_test(test_short_hostname),
	    cmocka_unit_test(test_nobody_there),
	    cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
