/* SPDX-License-Identifier: ISC */
#include "net/resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/stop.h"

enum {
	LONG_MS = 20000, /* more than any of this takes */
	SHORT_MS = 200, /* for waits that are meant to end */
	SILENT = 1, /* in place of EAI_*, which are negative */
};

/* What is answered: an address, an error, or nothing for a long time. */
struct answer {
	int error;
	const char *address;
};

/* For both families in one go, for IPv6, for IPv4. */
struct answers {
	struct answer both, ipv6, ipv4;
};

static struct answers script;

static struct addrinfo *
make_info(const char *text)
{
	struct addrinfo *info = xcalloc(1, sizeof *info);
	struct sockaddr_in *v4 = xcalloc(1, sizeof *v4);
	struct sockaddr_in6 *v6 = xcalloc(1, sizeof *v6);

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		info->ai_addr = (struct sockaddr *)v4;
		info->ai_addrlen = sizeof *v4;
		free(v6);
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
		v6->sin6_family = AF_INET6;
		info->ai_addr = (struct sockaddr *)v6;
		info->ai_addrlen = sizeof *v6;
		free(v4);
	}
	info->ai_family = info->ai_addr->sa_family;
	return info;
}

/* In place of the system's. */
int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
    struct addrinfo **infos)
{
	struct answer answer = hints->ai_family == AF_INET    ? script.ipv4
			       : hints->ai_family == AF_INET6 ? script.ipv6
							      : script.both;

	assert_string_equal(node, "odmr.example.net");
	assert_null(service);
	if (answer.error == SILENT) {
		poll(NULL, 0, 2 * LONG_MS);
		return EAI_AGAIN;
	}
	if (answer.error == 0)
		*infos = make_info(answer.address);
	return answer.error;
}

void
freeaddrinfo(struct addrinfo *info)
{
	free(info->ai_addr);
	free(info);
}

#define V4 "192.0.2.1"
#define V6 "2001:db8::1"
#define SILENCE                                                                \
	{                                                                      \
		SILENT, NULL                                                   \
	}

/* An address family that has answered is used, whatever the other does. */
static void
half_an_answer_is_one(void **state)
{
	static const struct {
		const char *name;
		int family;
		struct answers answers;
		const char *expected;
	} cases[] = {
	    {"as the system sorts them", AF_UNSPEC, {{0, V4}, SILENCE, SILENCE},
		V4},
	    {"no answer about IPv6", AF_UNSPEC, {SILENCE, SILENCE, {0, V4}},
		V4},
	    {"no answer about IPv4", AF_UNSPEC, {SILENCE, {0, V6}, SILENCE},
		V6},
	    {"no IPv6 address, slowly", AF_UNSPEC,
		{SILENCE, {EAI_NONAME, NULL}, {0, V4}}, V4},
	    {"the server fails at IPv6", AF_UNSPEC,
		{{EAI_AGAIN, NULL}, {EAI_AGAIN, NULL}, {0, V4}}, V4},
	    {"the server fails at IPv6, and at both", AF_UNSPEC,
		{{EAI_FAIL, NULL}, SILENCE, {0, V4}}, V4},
	    {"IPv4 alone", AF_INET, {SILENCE, SILENCE, {0, V4}}, V4},
	    {"IPv6 alone", AF_INET6, {SILENCE, {0, V6}, SILENCE}, V6},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct deadline deadline = deadline_in(LONG_MS, 0);
		struct resolve_addresses addresses;
		struct error err = {.text = ""};

		print_message("%s\n", cases[i].name);
		script = cases[i].answers;
		if (!resolve_name("odmr.example.net", cases[i].family,
			&deadline, &addresses, &err))
			fail_msg("%s", err.text);
		assert_int_equal(addresses.count, 1);
		assert_string_equal(addresses.text[0], cases[i].expected);
	}
}

static void
no_address(void **state)
{
	static const struct {
		const char *name;
		int family;
		int64_t time;
		struct answers answers;
		const char *why;
	} cases[] = {
	    {"no such name", AF_UNSPEC, LONG_MS,
		{{EAI_NONAME, NULL}, SILENCE, SILENCE}, "cannot be resolved: "},
	    {"no such name, said late", AF_UNSPEC, LONG_MS,
		{SILENCE, {EAI_NONAME, NULL}, {EAI_NONAME, NULL}},
		"cannot be resolved: "},
	    {"no server", AF_UNSPEC, LONG_MS,
		{{EAI_AGAIN, NULL}, {EAI_AGAIN, NULL}, {EAI_AGAIN, NULL}},
		"cannot be resolved: "},
	    {"an address without interface", AF_UNSPEC, LONG_MS,
		{{0, "fe80::1"}, SILENCE, SILENCE}, "cannot be resolved"},
	    {"silence", AF_UNSPEC, SHORT_MS, {SILENCE, SILENCE, SILENCE},
		"timed out: the name servers do not answer"},
	    {"silence for the only family", AF_INET, SHORT_MS,
		{{0, V6}, {0, V6}, SILENCE}, "timed out"},
	    {"no IPv4 address, and silence", AF_UNSPEC, SHORT_MS,
		{SILENCE, SILENCE, {EAI_NONAME, NULL}}, "timed out"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct deadline deadline = deadline_in(cases[i].time, 0);
		struct resolve_addresses addresses;
		struct error err = {.text = ""};

		script = cases[i].answers;
		assert_false(resolve_name("odmr.example.net", cases[i].family,
		    &deadline, &addresses, &err));
		print_message("%s: %s\n", cases[i].name, err.text);
		assert_int_equal(err.class, ERROR_AGAIN);
		assert_non_null(strstr(err.text, cases[i].why));
		assert_non_null(strstr(err.text, "odmr.example.net"));
	}
}

static void
stop_ends_a_look_up(void **state)
{
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct resolve_addresses addresses;
	struct error err;

	(void)state;
	script = (struct answers){SILENCE, SILENCE, SILENCE};
	stop_install();
	raise(SIGTERM);
	assert_false(resolve_name(
	    "odmr.example.net", AF_UNSPEC, &deadline, &addresses, &err));
	assert_int_equal(err.class, ERROR_STOPPED);
	stop_install();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(half_an_answer_is_one),
	    cmocka_unit_test(no_address),
	    cmocka_unit_test(stop_ends_a_look_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
