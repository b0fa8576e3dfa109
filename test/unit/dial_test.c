/* SPDX-License-Identifier: ISC */
#include "net/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/stop.h"

enum {
	LONG_MS = 120000, /* more than any of this takes */
	SHORT_MS = 100, /* for waits that are meant to end */
};

#define GREETING "220 odmr.example.net ESMTP\r\n"
static const char greeting[] = GREETING;

/* A socket that listens on address, with a port that the kernel chooses. */
static int
listen_on(const char *address, int backlog, uint16_t *port)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} name = {.any.sa_family = AF_INET6};
	socklen_t len = sizeof name;

	if (inet_pton(AF_INET, address, &name.v4.sin_addr) == 1)
		name.any.sa_family = AF_INET;
	else
		inet_pton(AF_INET6, address, &name.v6.sin6_addr);
	int fd = socket(name.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, &name.any, sizeof name) != 0 ||
	    listen(fd, backlog) != 0) {
		close(fd);
		return -1;
	}
	getsockname(fd, &name.any, &len);
	*port = ntohs(name.any.sa_family == AF_INET ? name.v4.sin_port
						    : name.v6.sin6_port);
	return fd;
}

/* One step of a peer: what it reads must begin so, then it writes. */
struct step {
	const char *expect;
	size_t expect_len;
	const char *answer;
	size_t answer_len;
};

/* Serves one connection in a process of its own; exit status 0: as expected. */
static pid_t
serve(int listener, const struct step *steps, size_t count)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	int fd = accept(listener, NULL, NULL);
	for (size_t i = 0; i < count; i++) {
		char in[1024];
		ssize_t n =
		    steps[i].expect_len == 0 ? 0 : read(fd, in, sizeof in);
		if (n < (ssize_t)steps[i].expect_len ||
		    memcmp(in, steps[i].expect, steps[i].expect_len) != 0)
			_exit(1);
		if (write(fd, steps[i].answer, steps[i].answer_len) !=
		    (ssize_t)steps[i].answer_len)
			_exit(1);
	}
	char rest[64];
	while (read(fd, rest, sizeof rest) > 0)
		continue;
	_exit(0);
}

static int
exit_status(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return status;
}

/* The greeting came through whole, and the descriptor is as promised. */
static void
assert_greeted(int fd)
{
	char in[sizeof greeting - 1];
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	size_t used = 0;

	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	while (used < sizeof in && poll(&ready, 1, LONG_MS) == 1) {
		ssize_t n = read(fd, in + used, sizeof in - used);
		assert_true(n > 0);
		used += (size_t)n;
	}
	assert_memory_equal(in, greeting, sizeof in);
}

/* Dials with the environment set to mislead it. */
static int
dial(const struct dial_options *options, int64_t ms, char *peer,
    struct error *err)
{
	struct deadline deadline = deadline_in(ms, 0);

	*err = (struct error){.text = ""};
	int fd = dial_open(options, &deadline, peer, err);
	if (fd < 0)
		print_message("%s\n", err->text);
	return fd;
}

static void
direct(void **state)
{
	static const struct {
		const char *address, *host;
		enum dial_family family;
	} cases[] = {
	    {"127.0.0.1", "127.0.0.1", DIAL_ANY},
	    {"127.0.0.1", "127.0.0.1", DIAL_IPV4},
	    {"127.0.0.1", "localhost", DIAL_ANY},
	    {"127.0.0.1", "localhost", DIAL_IPV4},
	    {"::1", "::1", DIAL_ANY},
	    {"::1", "localhost", DIAL_IPV6},
	    {"::1", "localhost", DIAL_ANY},
	};
	const struct step steps[] = {{"", 0, greeting, sizeof greeting - 1}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct dial_options options = {
		    .host = cases[i].host, .family = cases[i].family};
		char peer[DIAL_PEER_SIZE];
		struct error err;
		int listener = listen_on(cases[i].address, 4, &options.port);
		if (listener < 0)
			continue; /* no IPv6 here */
		pid_t pid = serve(listener, steps, 1);
		int fd = dial(&options, LONG_MS, peer, &err);
		assert_true(fd >= 0);
		assert_string_equal(peer, cases[i].address);
		assert_greeted(fd);
		close(fd);
		assert_int_equal(exit_status(pid), 0);
		close(listener);
	}
}

#define TEXT(text) (text), sizeof(text) - 1

/* The greeting comes in one piece with the proxy's answer: nothing is lost. */
static void
through_a_proxy(void **state)
{
	static const struct {
		const char *url; /* the port comes behind it */
		const char *host;
		size_t count;
		struct step steps[3];
	} cases[] = {
	    {"http://127.0.0.1:", "odmr.example.net", 1,
		{{TEXT("CONNECT odmr.example.net:366 HTTP/1.1\r\n"),
		    TEXT("HTTP/1.1 200 OK\r\nX: y\r\n\r\n" GREETING)}}},
	    {"HTTP://127.0.0.1:", "2001:db8::1", 1,
		{{TEXT("CONNECT [2001:db8::1]:366 HTTP/1.1\r\n"),
		    TEXT("HTTP/1.0 200 Connected\r\n\r\n" GREETING)}}},
	    {"socks5h://127.0.0.1:", "odmr.example.net", 2,
		{{TEXT("\5"), TEXT("\5\0")},
		    {TEXT("\5\1\0\3\20odmr.example.net\1\156"),
			TEXT("\5\0\0\1\0\0\0\0\0\0" GREETING)}}},
	    {"socks5://127.0.0.1:", "192.0.2.1", 2,
		{{TEXT("\5"), TEXT("\5\0")},
		    {TEXT("\5\1\0\1\300\0\2\1\1\156"),
			TEXT("\5\0\0\1\0\0\0\0\0\0" GREETING)}}},
	    {"socks5h://u:p%40%2F@127.0.0.1:", "192.0.2.1", 3,
		{{TEXT("\5"), TEXT("\5\2")}, {TEXT("\1\1u\3p@/"), TEXT("\1\0")},
		    {TEXT("\5\1\0\1\300\0\2\1\1\156"),
			TEXT("\5\0\0\1\0\0\0\0\0\0" GREETING)}}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct dial_options options = {
		    .host = cases[i].host, .port = 366};
		char peer[DIAL_PEER_SIZE], proxy[64];
		struct error err;
		uint16_t port;
		int listener = listen_on("127.0.0.1", 4, &port);

		snprintf(
		    proxy, sizeof proxy, "%s%u", cases[i].url, (unsigned)port);
		options.proxy = proxy;
		pid_t pid = serve(listener, cases[i].steps, cases[i].count);
		int fd = dial(&options, LONG_MS, peer, &err);
		assert_true(fd >= 0);
		assert_string_equal(peer, "");
		assert_greeted(fd);
		close(fd);
		assert_int_equal(exit_status(pid), 0);
		close(listener);
	}
}

static void
proxy_says_no(void **state)
{
	static const struct {
		const char *url;
		size_t count;
		struct step steps[3];
		const char *why;
	} cases[] = {
	    {"http://me:secret@127.0.0.1:", 1,
		{{TEXT("CONNECT odmr.example.net:366 HTTP/1.1\r\n"),
		    TEXT("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")}},
		"403"},
	    {"socks5h://127.0.0.1:", 2,
		{{TEXT("\5"), TEXT("\5\0")},
		    {TEXT("\5\1\0\3\20odmr.example.net\1\156"),
			TEXT("\5\5\0\1\0\0\0\0\0\0")}},
		"SOCKS5"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct dial_options options = {
		    .host = "odmr.example.net", .port = 366};
		char proxy[64];
		struct error err;
		uint16_t port;
		int listener = listen_on("127.0.0.1", 4, &port);

		snprintf(
		    proxy, sizeof proxy, "%s%u", cases[i].url, (unsigned)port);
		options.proxy = proxy;
		pid_t pid = serve(listener, cases[i].steps, cases[i].count);
		assert_int_equal(dial(&options, LONG_MS, NULL, &err), -1);
		assert_int_equal(err.class, ERROR_AGAIN);
		assert_non_null(strstr(err.text,
		    "cannot connect to odmr.example.net:366 through the "
		    "proxy: "));
		assert_non_null(strstr(err.text, cases[i].why));
		assert_null(strstr(err.text, "secret"));
		assert_int_equal(exit_status(pid), 0);
		close(listener);
	}
}

static void
refused(void **state)
{
	struct dial_options options = {.host = "127.0.0.1"};
	struct error err;
	char expected[160];

	(void)state;
	close(listen_on("127.0.0.1", 1, &options.port));
	assert_int_equal(dial(&options, LONG_MS, NULL, &err), -1);
	assert_int_equal(err.class, ERROR_AGAIN);
	snprintf(expected, sizeof expected,
	    "cannot connect to 127.0.0.1:%u: Connection refused; nothing"
	    " listens there: correct host or port, or start the server",
	    (unsigned)options.port);
	assert_string_equal(err.text, expected);
}

/* A listener whose queue is full lets a SYN go unanswered. */
static void
no_answer(void **state)
{
	struct dial_options options = {.host = "127.0.0.1"};
	struct error err;
	int first = -1, second = -1;
	int listener = listen_on("127.0.0.1", 0, &options.port);

	(void)state;
	first = dial(&options, LONG_MS, NULL, &err);
	assert_true(first >= 0);
	int64_t begin = clock_ms();
	second = dial(&options, SHORT_MS, NULL, &err);
	if (second >= 0) {
		close(second);
		begin = clock_ms();
		second = dial(&options, SHORT_MS, NULL, &err);
	}
	assert_int_equal(second, -1);
	assert_int_equal(err.class, ERROR_AGAIN);
	assert_non_null(strstr(err.text, ": timed out"));
	assert_in_range(clock_ms() - begin, SHORT_MS, LONG_MS / 4);

	stop_install();
	raise(SIGTERM);
	begin = clock_ms();
	assert_int_equal(dial(&options, LONG_MS, NULL, &err), -1);
	assert_int_equal(err.class, ERROR_STOPPED);
	assert_true(clock_ms() - begin < LONG_MS / 4);
	stop_install();
	close(first);
	close(listener);
}

static void
unknown_name(void **state)
{
	struct dial_options options = {
	    .host = "no-such-host.invalid", .port = 366};
	struct error err;

	(void)state;
	assert_int_equal(dial(&options, LONG_MS / 4, NULL, &err), -1);
	assert_int_equal(err.class, ERROR_AGAIN);
	assert_non_null(
	    strstr(err.text, "cannot connect to no-such-host.invalid:366: "));
}

static void
source_address(void **state)
{
	struct dial_options options = {
	    .host = "127.0.0.1", .source_address = "127.0.0.2"};
	struct sockaddr_in from;
	socklen_t len = sizeof from;
	struct error err;
	int listener = listen_on("127.0.0.1", 1, &options.port);

	(void)state;
	int fd = dial(&options, LONG_MS, NULL, &err);
	assert_true(fd >= 0);
	int accepted = accept(listener, (struct sockaddr *)&from, &len);
	assert_int_equal(ntohl(from.sin_addr.s_addr), INADDR_LOOPBACK + 1);
	close(fd);
	close(accepted);
	options.source_address = "192.0.2.77";
	assert_int_equal(dial(&options, LONG_MS, NULL, &err), -1);
	assert_int_equal(err.class, ERROR_AGAIN);
	close(listener);
}

static void
hosts(void **state)
{
	static const struct {
		const char *host;
		bool valid;
	} cases[] = {
	    {"odmr.example.net", true},
	    {"localhost", true},
	    {"a_b.example", true},
	    {"192.0.2.1", true},
	    {"2001:db8::1", true},
	    {"", false},
	    {".", false},
	    {".example.net", false},
	    {"example.net.", false},
	    {"a..b", false},
	    {"a b", false},
	    {"user@example.net", false},
	    {"example.net/x", false},
	    {"example.net?x", false},
	    {"example.net#x", false},
	    {"example.net:25", false},
	    {"[2001:db8::1]", false},
	    {"a%2e.example", false},
	    {"b\xc3\xbc"
	     "ro.example",
		false},
	};
	char label[70];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(
		    dial_host_is_valid(cases[i].host), cases[i].valid);
	memset(label, 'a', sizeof label);
	label[63] = '\0';
	assert_true(dial_host_is_valid(label));
	label[63] = 'a';
	label[64] = '\0';
	assert_false(dial_host_is_valid(label));
}

static void
no_host_no_call(void **state)
{
	struct dial_options options = {.host = "a@127.0.0.1", .port = 1};
	struct error err;

	(void)state;
	assert_int_equal(dial(&options, LONG_MS, NULL, &err), -1);
	assert_int_equal(err.class, ERROR_CONFIG);
	options.host = "127.0.0.1";
	options.proxy = "https://127.0.0.1";
	assert_int_equal(dial(&options, LONG_MS, NULL, &err), -1);
	assert_int_equal(err.class, ERROR_CONFIG);
}

/* Every way in which the environment tells libcurl of proxies. */
static int
mislead(void **state)
{
	(void)state;
	setenv("http_proxy", "http://127.0.0.1:9", 1);
	setenv("all_proxy", "http://127.0.0.1:9", 1);
	setenv("ALL_PROXY", "socks5://127.0.0.1:9", 1);
	setenv("no_proxy", "*", 1);
	setenv("NO_PROXY", "*", 1);
	return 0;
}

static int
mislead_more(void **state)
{
	mislead(state);
	unsetenv("no_proxy");
	unsetenv("NO_PROXY");
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(direct, mislead_more),
	    cmocka_unit_test_setup(through_a_proxy, mislead),
	    cmocka_unit_test_setup(proxy_says_no, mislead),
	    cmocka_unit_test_setup(refused, mislead_more),
	    cmocka_unit_test_setup(no_answer, mislead_more),
	    cmocka_unit_test(unknown_name),
	    cmocka_unit_test(source_address),
	    cmocka_unit_test(hosts),
	    cmocka_unit_test(no_host_no_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
