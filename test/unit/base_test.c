/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/deadline.h"
#include "base/error.h"
#include "base/escape.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/stop.h"
#include "base/transcript.h"

enum {
	LONG_MS = 120000, /* more than any of this takes */
	SHORT_MS = 40, /* for waits that are meant to end */
};

#define TEXT(text) (text), sizeof(text) - 1

/* Under AddressSanitizer too much memory is to be NULL, as malloc(3) says. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* mem */

static void
mem_allocates_nothing(void **state)
{
	(void)state;
	char *text = xstrndup("abcdef", 3);
	assert_string_equal(text, "abc");
	text = xreallocarray(text, 2, 8);
	assert_string_equal(text, "abc");
	free(text);
	text = xasprintf("%d-%s", 7, "x");
	assert_string_equal(text, "7-x");
	free(text);
	free(xmalloc(0));
	free(xcalloc(0, 0));
	free(xreallocarray(NULL, 0, 4));
}

static void
mem_dies_of_too_much(void **state)
{
	int status = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		close(STDERR_FILENO);
		free(xreallocarray(NULL, SIZE_MAX / 2, 4));
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EX_OSERR);
}

/* buf */

static void
buf_stops_at_its_maximum(void **state)
{
	struct buf buf;
	size_t room;

	(void)state;
	buf_init(&buf, 10);
	assert_int_equal(buf_len(&buf), 0);
	assert_non_null(buf_data(&buf));
	assert_true(buf_append(&buf, "", 0));
	assert_true(buf_append(&buf, "abcdef", 6));
	assert_false(buf_append(&buf, "ghijk", 5));
	assert_false(buf_printf(&buf, "%s", "ghijk"));
	assert_int_equal(buf_len(&buf), 6);
	assert_true(buf_printf(&buf, "%d", 1234));
	assert_memory_equal(buf_data(&buf), "abcdef1234", 10);
	assert_null(buf_room(&buf, 1, &room));
	assert_int_equal(room, 0);
	assert_false(buf_append(&buf, "x", 1));
	buf_consume(&buf, 4);
	assert_non_null(buf_room(&buf, 100, &room));
	assert_int_equal(room, 4);
	assert_memory_equal(buf_data(&buf), "ef1234", 6);
	buf_clear(&buf);
	assert_true(buf_append(&buf, "0123456789", 10));
	buf_clear(&buf);
}

/* What was taken off the front as well; and one that never held anything. */
static void
buf_that_is_wiped_has_no_secret(void **state)
{
	static const char nothing[10];
	struct buf buf;

	(void)state;
	buf_init(&buf, 10);
	buf_wipe(&buf);
	assert_true(buf_append(&buf, "0123456789", 10));
	buf_consume(&buf, 4);
	buf_wipe(&buf);
	assert_int_equal(buf_len(&buf), 0);
	assert_memory_equal(buf.data, nothing, sizeof nothing);
	assert_true(buf_append(&buf, "abc", 3));
	assert_memory_equal(buf_data(&buf), "abc", 3);
	buf_clear(&buf);
}

/* Against a plain copy: whatever goes in comes out, in order. */
static void
buf_is_a_queue(void **state)
{
	enum { MAX = 3000, ROUNDS = 20000 };
	struct buf buf;
	unsigned long in = 0, out = 0;
	unsigned seed = 1;

	(void)state;
	buf_init(&buf, MAX);
	for (int i = 0; i < ROUNDS; i++) {
		size_t room, want;
		seed = seed * 1103515245 + 12345;
		want = seed >> 16 & 511;
		char *to = buf_room(&buf, want, &room);
		assert_true(room <= want && (to == NULL) == (room == 0));
		for (size_t k = 0; k < room; k++)
			to[k] = (char)in++;
		buf_filled(&buf, room);
		assert_int_equal(buf_len(&buf), in - out);
		seed = seed * 1103515245 + 12345;
		want = seed >> 16 & 511;
		if (want > buf_len(&buf))
			want = buf_len(&buf);
		for (size_t k = 0; k < want; k++)
			if (buf_data(&buf)[k] != (char)(out + k))
				fail();
		out += want;
		buf_consume(&buf, want);
	}
	buf_clear(&buf);
}

/* error */

static void
error_sentences(void **state)
{
	struct error err;
	char many[2 * ERROR_TEXT_MAX];

	(void)state;
	error_set(&err, ERROR_AGAIN, "%s %d", "line", 1);
	assert_string_equal(err.text, "line 1");
	error_prefix(&err, "to %s", "x");
	assert_string_equal(err.text, "to x: line 1");
	assert_int_equal(err.class, ERROR_AGAIN);
	error_set(&err, ERROR_LOCAL, "<%s>", err.text);
	assert_string_equal(err.text, "<to x: line 1>");
	assert_int_equal(err.class, ERROR_LOCAL);
	error_set_errno(&err, ERROR_SYSTEM, ENOENT, "open %s", "f");
	assert_string_equal(err.text, "open f: No such file or directory");
	memset(many, 'x', sizeof many);
	many[sizeof many - 1] = '\0';
	error_set(&err, ERROR_AGAIN, "%s", many);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	error_prefix(&err, "%s", many);
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
}

static void
error_statuses(void **state)
{
	static const struct {
		enum error_class class;
		int status;
	} cases[] = {
	    {ERROR_NONE, 0},
	    {ERROR_USAGE, 64},
	    {ERROR_UNABLE, 69},
	    {ERROR_INTERNAL, 70},
	    {ERROR_SYSTEM, 71},
	    {ERROR_AGAIN, 75},
	    {ERROR_LOCAL, 75},
	    {ERROR_BUSY, 75},
	    {ERROR_STOPPED, 75},
	    {ERROR_PROTOCOL, 76},
	    {ERROR_CERTIFICATE, 77},
	    {ERROR_REFUSED, 77},
	    {ERROR_AUTH, 77},
	    {ERROR_SECRET, 77},
	    {ERROR_CONFIG, 78},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(
		    error_exit_status(cases[i].class), cases[i].status);
}

/* deadline and stop */

static void
deadline_runs_out(void **state)
{
	struct deadline deadline = deadline_in(SHORT_MS, 0);
	int64_t begin = clock_ms();
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_in_range(deadline_left(&deadline), 1, SHORT_MS);
	assert_int_equal(
	    deadline_wait(&deadline, fds[0], POLLIN), DEADLINE_OVER);
	assert_true(clock_ms() - begin >= SHORT_MS);
	assert_int_equal(deadline_left(&deadline), 0);
	assert_int_equal(deadline_wait(&deadline, -1, 0), DEADLINE_OVER);
	/* Ready is ready, however late. */
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(
	    deadline_wait(&deadline, fds[0], POLLIN), DEADLINE_READY);
	deadline = deadline_in(LONG_MS, 0);
	close(fds[1]);
	assert_int_equal(
	    deadline_wait(&deadline, fds[0], POLLIN), DEADLINE_READY);
	close(fds[0]);
	/* Not one that poll(2) knows: the read will say so. */
	assert_int_equal(
	    deadline_wait(&deadline, fds[0], POLLIN), DEADLINE_READY);
}

static void
deadline_of_two(void **state)
{
	struct deadline a = {.at = 5, .grace = 3};
	struct deadline b = {.at = 7, .grace = 2};
	struct deadline both = deadline_min(a, b);

	(void)state;
	assert_int_equal(both.at, 5);
	assert_int_equal(both.grace, 2);
	both = deadline_min(b, a);
	assert_int_equal(both.at, 5);
	assert_int_equal(both.grace, 2);
}

/* A signal that comes while something waits, from a child. */
static pid_t
signal_parent(int number)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		struct deadline moment = deadline_in(SHORT_MS, 0);
		deadline_wait(&moment, -1, 0);
		kill(parent, number);
		_exit(0);
	}
	return pid;
}

static void
stop_shortens_every_wait(void **state)
{
	static const int numbers[] = {SIGTERM, SIGINT};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		stop_install();
		assert_false(stop_requested());
		struct deadline deadline = deadline_in(LONG_MS, 2 * SHORT_MS);
		pid_t pid = signal_parent(numbers[i]);
		assert_int_equal(
		    deadline_wait(&deadline, -1, 0), DEADLINE_STOPPED);
		assert_true(stop_requested());
		assert_in_range(
		    clock_ms() - stop_since(), 2 * SHORT_MS, LONG_MS / 2);
		assert_int_equal(deadline_left(&deadline), 0);
		/* One that is over by itself was not stopped. */
		deadline = deadline_in(0, 0);
		assert_int_equal(
		    deadline_wait(&deadline, -1, 0), DEADLINE_OVER);
		/* The grace counts from the request, for later waits too. */
		deadline = deadline_in(LONG_MS, 0);
		assert_int_equal(
		    deadline_wait(&deadline, -1, 0), DEADLINE_STOPPED);
		deadline = deadline_in(LONG_MS, LONG_MS);
		assert_true(deadline_left(&deadline) > LONG_MS / 2);
		waitpid(pid, NULL, 0);
	}
	stop_install();
	assert_false(stop_requested());
	stop_request();
	assert_true(stop_requested());
	struct deadline deadline = deadline_in(LONG_MS, 0);
	assert_int_equal(
	    deadline_wait(&deadline, stop_fd(), POLLIN), DEADLINE_READY);
	stop_install();
}

/* A wait goes on within its grace, asleep, and still sees its descriptor. */
static void
stop_leaves_the_grace(void **state)
{
	struct deadline deadline = deadline_in(LONG_MS, LONG_MS);
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	stop_install();
	stop_request();
	pid_t pid = fork();
	if (pid == 0) {
		struct deadline moment = deadline_in(SHORT_MS, LONG_MS);
		deadline_wait(&moment, -1, 0);
		_exit(write(fds[1], "x", 1) != 1);
	}
	clock_t before = clock();
	assert_int_equal(
	    deadline_wait(&deadline, fds[0], POLLIN), DEADLINE_READY);
	assert_true(clock() - before < CLOCKS_PER_SEC / 50);
	waitpid(pid, NULL, 0);
	stop_install();
	close(fds[0]);
	close(fds[1]);
}

/* base64 */

static void
base64_both_ways(void **state)
{
	/* RFC 4648 10, and the last two digits */
	static const struct {
		const char *data;
		size_t len;
		const char *text;
	} cases[] = {
	    {TEXT(""), ""},
	    {TEXT("f"), "Zg=="},
	    {TEXT("fo"), "Zm8="},
	    {TEXT("foo"), "Zm9v"},
	    {TEXT("foob"), "Zm9vYg=="},
	    {TEXT("fooba"), "Zm9vYmE="},
	    {TEXT("foobar"), "Zm9vYmFy"},
	    {TEXT("\xff\xef\xbe\0"), "/+++AA=="},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[BASE64_SIZE(6)], data[6];
		size_t len = strlen(cases[i].text);
		assert_int_equal(
		    base64_encode(text, cases[i].data, cases[i].len), len);
		assert_string_equal(text, cases[i].text);
		assert_true(BASE64_SIZE(cases[i].len) == len + 1);
		assert_int_equal(base64_decode(data, text, len), cases[i].len);
		assert_memory_equal(data, cases[i].data, cases[i].len);
	}
}

static void
base64_refuses(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} cases[] = {
	    {TEXT("=")},
	    {TEXT("A")},
	    {TEXT("AA")},
	    {TEXT("AAA")},
	    {TEXT("A===")},
	    {TEXT("====")},
	    {TEXT("AA=A")},
	    {TEXT("=AAA")},
	    {TEXT("AA==AAAA")},
	    {TEXT("AAA=AAAA")},
	    {TEXT("AB==")}, /* left-over bits */
	    {TEXT("AAB=")},
	    {TEXT("AA A")},
	    {TEXT("AAA\n")},
	    {TEXT("AAA\0")},
	    {TEXT("AA-_")}, /* RFC 4648 5 is another alphabet */
	    {TEXT("AAA\xc3")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char data[6];
		assert_int_equal(
		    base64_decode(data, cases[i].text, cases[i].len), -1);
	}
}

/* secret */

struct hide_case {
	const char *secret, *text, *shown;
};

static const struct hide_case hide_cases[] = {
    {"password", "Not password!", "Not ********!"},
    {"password", "passwordpassword", "****************"},
    {"password", "passwor passwo passw", "******* ****** passw"},
    {"ab", "abc ab a", "**c ** a"},
    {"", "anything", "anything"},
    {"password", "", ""},
};

static void
secret_is_hidden(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof hide_cases / sizeof *hide_cases; i++) {
		const struct hide_case *c = &hide_cases[i];
		struct secret secret = {.text = NULL};
		char text[32];

		secret_hide(&secret, text, 0);
		secret_set(&secret, c->secret, strlen(c->secret));
		snprintf(text, sizeof text, "%s", c->text);
		secret_hide(&secret, text, strlen(text));
		assert_string_equal(text, c->shown);
		secret_clear(&secret);
	}
}

static void
secret_is_replaced(void **state)
{
	struct secret secret = {.text = NULL};

	(void)state;
	secret_clear(&secret);
	secret_set(&secret, "first", 5);
	secret_set(&secret, "two\0x", 5);
	assert_int_equal(secret.len, 5);
	assert_memory_equal(secret.text, "two\0x", 6);
	secret_clear(&secret);
	assert_null(secret.text);
	assert_int_equal(secret.len, 0);
}

/* escape */

static void
escape_texts(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} cases[] = {
	    {TEXT(""), ""},
	    {TEXT("250 ok"), "250 ok"},
	    {TEXT("a\\b"), "a\\\\b"},
	    {TEXT("\r\n"), "\\x0d\\x0a"},
	    {TEXT("a\0b"), "a\\x00b"},
	    {TEXT("\x1b[2J"), "\\x1b[2J"},
	    {TEXT("\x7f\xc3\xa4"), "\\x7f\\xc3\\xa4"},
	    {TEXT("fifteen octets!"), "fifteen octets!"}, /* just fits */
	    {TEXT("sixteen octets!!"), "sixteen octe..."},
	    {TEXT("twelve octet\n"), "twelve octet..."},
	    {TEXT("elevn octet\n"), "elevn octet\\x0a"},
	    {TEXT("elevn octet\n?"), "elevn octet..."},
	    {TEXT("\n\n\n\n"), "\\x0a\\x0a\\x0a..."},
	    {TEXT("fourteen octet\\"), "fourteen oct..."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char out[16];
		assert_ptr_equal(
		    escape_text(out, sizeof out, cases[i].in, cases[i].len),
		    out);
		assert_string_equal(out, cases[i].out);
	}
}

/* Whatever was escaped stays as it is, and it stays safe. */
static void
an_escaped_text_is_not_escaped_again(void **state)
{
	char once[64], twice[64];
	static const char raw[] = "a\\b\n\x1b[2J\xc3\xa4";

	(void)state;
	escape_text(once, sizeof once, raw, sizeof raw - 1);
	escape_sentence(twice, sizeof twice, once);
	assert_string_equal(once, "a\\\\b\\x0a\\x1b[2J\\xc3\\xa4");
	assert_string_equal(twice, once);
	escape_sentence(twice, sizeof twice, "\x1b[2J\n");
	assert_string_equal(twice, "\\x1b[2J\\x0a");
	char small[16];
	escape_sentence(small, sizeof small, "seventeen octets.");
	assert_string_equal(small, "seventeen oc...");
}

/* transcript */

static void
transcript_lines(void **state)
{
	struct transcript transcript;
	char out[256];
	int fds[2], saved = dup(STDERR_FILENO);

	(void)state;
	assert_int_equal(pipe(fds), 0);
	transcript_init(&transcript, "provider", false);
	transcript_line(&transcript, '<', TEXT("220 hi"));
	assert_int_equal(buf_len(&transcript.lines), 0);
	transcript_clear(&transcript);

	transcript_init(&transcript, "provider", true);
	transcript_line(&transcript, '<', TEXT("220 \x1b hi"));
	transcript_line(&transcript, '>', TEXT("AUTH PLAIN ***"));
	transcript_octets(&transcript, '<', 12345678901ull);
	dup2(fds[1], STDERR_FILENO);
	transcript_flush(&transcript);
	transcript_flush(&transcript);
	dup2(saved, STDERR_FILENO);
	ssize_t n = read(fds[0], out, sizeof out - 1);
	assert_true(n > 0);
	out[n] = '\0';
	assert_string_equal(out, "provider < 220 \\x1b hi\n"
				 "provider > AUTH PLAIN ***\n"
				 "provider < [12345678901 octets]\n");
	transcript_clear(&transcript);
	close(saved);
	close(fds[0]);
	close(fds[1]);
}

static void
transcript_bears_a_flood(void **state)
{
	struct transcript transcript;

	(void)state;
	transcript_init(&transcript, "p", true);
	for (int i = 0; i < 1000000; i++)
		transcript_line(&transcript, '<', TEXT("x"));
	assert_true(buf_len(&transcript.lines) <= 1 << 20);
	transcript_clear(&transcript);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mem_allocates_nothing),
	    cmocka_unit_test(mem_dies_of_too_much),
	    cmocka_unit_test(buf_stops_at_its_maximum),
	    cmocka_unit_test(buf_that_is_wiped_has_no_secret),
	    cmocka_unit_test(buf_is_a_queue),
	    cmocka_unit_test(error_sentences),
	    cmocka_unit_test(error_statuses),
	    cmocka_unit_test(deadline_runs_out),
	    cmocka_unit_test(deadline_of_two),
	    cmocka_unit_test(stop_shortens_every_wait),
	    cmocka_unit_test(stop_leaves_the_grace),
	    cmocka_unit_test(base64_both_ways),
	    cmocka_unit_test(base64_refuses),
	    cmocka_unit_test(secret_is_replaced),
	    cmocka_unit_test(secret_is_hidden),
	    cmocka_unit_test(escape_texts),
	    cmocka_unit_test(an_escaped_text_is_not_escaped_again),
	    cmocka_unit_test(transcript_lines),
	    cmocka_unit_test(transcript_bears_a_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
