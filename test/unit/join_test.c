/* SPDX-License-Identifier: ISC */
#include "net/join.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/stop.h"
#include "net/stream.h"

enum {
	LONG_MS = 120 * 1000, /* more than any of this takes */
	MUCH = 300 * 1000, /* more than the buffers hold */
	VERY_MUCH = 8 << 20, /* more than the sockets hold as well */
};

/* A join in a process of its own; the test has both far ends. */
struct joined {
	int ends[JOIN_SIDES];
	int interrupt; /* to be written to */
	int result; /* of a struct join_result */
	pid_t pid;
};

static void
start_with(struct joined *joined, int64_t silence, int64_t stop_grace)
{
	int sides[JOIN_SIDES][2], interrupt[2], result[2];
	char word = 'x';

	for (int i = 0; i < JOIN_SIDES; i++)
		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_STREAM, 0, sides[i]), 0);
	assert_int_equal(pipe(interrupt), 0);
	assert_int_equal(pipe(result), 0);
	joined->pid = fork();
	if (joined->pid == 0) {
		struct join_result end;
		struct join_options options = {.silence = silence,
		    .stop_grace = stop_grace,
		    .interrupt = interrupt[0]};
		stop_install();
		/* Before that SIGTERM would be its end. */
		if (write(result[1], &word, 1) != 1)
			_exit(1);
		close(interrupt[1]);
		for (int i = 0; i < JOIN_SIDES; i++) {
			close(sides[i][1]);
			options.sides[i] = stream_new(sides[i][0]);
		}
		join_run(&options, &end);
		_exit(write(result[1], &end, sizeof end) != sizeof end);
	}
	for (int i = 0; i < JOIN_SIDES; i++) {
		close(sides[i][0]);
		joined->ends[i] = sides[i][1];
	}
	close(interrupt[0]);
	close(result[1]);
	joined->interrupt = interrupt[1];
	joined->result = result[0];
	assert_int_equal(read(result[0], &word, 1), 1);
}

static void
start(struct joined *joined, int64_t silence)
{
	start_with(joined, silence, 0);
}

static struct join_result
finish(struct joined *joined)
{
	struct join_result result;
	int status;

	assert_int_equal(
	    read(joined->result, &result, sizeof result), sizeof result);
	assert_int_equal(waitpid(joined->pid, &status, 0), joined->pid);
	assert_int_equal(status, 0);
	for (int i = 0; i < JOIN_SIDES; i++)
		if (joined->ends[i] >= 0)
			close(joined->ends[i]);
	if (joined->interrupt >= 0)
		close(joined->interrupt);
	close(joined->result);
	return result;
}

static char
octet(size_t at, int side)
{
	return (char)(at * 31 + at / 251 + (size_t)side);
}

/* Both sides say len octets in pieces, and hear what the other says. */
static void
talk(struct joined *joined, size_t len, size_t piece)
{
	size_t said[JOIN_SIDES] = {0}, heard[JOIN_SIDES] = {0};
	char *data = xmalloc(piece);

	while (heard[0] < len || heard[1] < len) {
		struct pollfd fds[JOIN_SIDES];
		for (int i = 0; i < JOIN_SIDES; i++)
			fds[i] = (struct pollfd){.fd = joined->ends[i],
			    .events = (short)(POLLIN |
					      (said[i] < len ? POLLOUT : 0))};
		assert_true(poll(fds, JOIN_SIDES, LONG_MS) > 0);
		for (int i = 0; i < JOIN_SIDES; i++) {
			ssize_t n = 0;
			if (fds[i].revents & POLLIN)
				n = recv(fds[i].fd, data, piece, 0);
			for (ssize_t k = 0; k < n; k++)
				assert_true(data[k] ==
					    octet(heard[i] + (size_t)k, 1 - i));
			heard[i] += (size_t)n;
			if (!(fds[i].revents & POLLOUT))
				continue;
			size_t now =
			    len - said[i] < piece ? len - said[i] : piece;
			for (size_t k = 0; k < now; k++)
				data[k] = octet(said[i] + k, i);
			n = send(
			    fds[i].fd, data, now, MSG_DONTWAIT | MSG_NOSIGNAL);
			said[i] += n > 0 ? (size_t)n : 0;
		}
	}
	free(data);
}

static void
every_size_of_pieces(void **state)
{
	static const size_t pieces[] = {1, 7, 511, 4096, 32768, MUCH};

	(void)state;
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		struct joined joined;
		size_t len = pieces[i] < 100 ? 20000 : MUCH;
		start(&joined, LONG_MS);
		talk(&joined, len, pieces[i]);
		close(joined.ends[0]);
		joined.ends[0] = -1;
		struct join_result result = finish(&joined);
		assert_int_equal(result.end, JOIN_FIRST_ENDED);
		assert_int_equal(result.octets[0], len);
		assert_int_equal(result.octets[1], len);
	}
}

static void
last_words_are_passed_on(void **state)
{
	(void)state;
	for (int side = 0; side < JOIN_SIDES; side++) {
		struct joined joined;
		char text[16] = "";
		start(&joined, LONG_MS);
		assert_int_equal(send(joined.ends[side], "221 bye", 7, 0), 7);
		shutdown(joined.ends[side], SHUT_WR);
		assert_int_equal(
		    recv(joined.ends[1 - side], text, 7, MSG_WAITALL), 7);
		assert_string_equal(text, "221 bye");
		assert_int_equal(finish(&joined).end,
		    side == 0 ? JOIN_FIRST_ENDED : JOIN_SECOND_ENDED);
	}
}

static void
silence_ends_it(void **state)
{
	struct joined joined;

	(void)state;
	start(&joined, 50);
	assert_int_equal(finish(&joined).end, JOIN_SILENT);
}

static void
an_interrupt_ends_it(void **state)
{
	struct joined joined;

	(void)state;
	start(&joined, LONG_MS);
	talk(&joined, 100, 10);
	assert_int_equal(write(joined.interrupt, "x", 1), 1);
	assert_int_equal(finish(&joined).end, JOIN_INTERRUPTED);
}

/* Closed with something unread: the kernel says so to the other end. */
static void
a_side_that_fails_is_named(void **state)
{
	(void)state;
	for (int side = 0; side < JOIN_SIDES; side++) {
		struct joined joined;
		char text[8];
		start(&joined, LONG_MS);
		assert_int_equal(send(joined.ends[1 - side], "250", 3, 0), 3);
		assert_int_equal(recv(joined.ends[side], text, 1, MSG_PEEK), 1);
		close(joined.ends[side]);
		joined.ends[side] = -1;
		struct join_result result = finish(&joined);
		assert_int_equal(result.end, JOIN_FAILED);
		assert_int_equal(result.failed_side, side);
		assert_true(result.error.text[0] != '\0');
	}
}

/* The second side says as much of data as has room on its way; the first one does
 * not read. Returns the octets. */
static size_t
say_all_it_can(const struct joined *joined, const char *data)
{
	struct pollfd fd = {.fd = joined->ends[1], .events = POLLOUT};
	size_t said = 0;

	/* A pause of the joiner's is none of the socket's. */
	while (poll(&fd, 1, 500) > 0) {
		ssize_t n = send(
		    fd.fd, data, VERY_MUCH - said, MSG_DONTWAIT | MSG_NOSIGNAL);
		said += n > 0 ? (size_t)n : 0;
		assert_true(said < VERY_MUCH);
	}
	return said;
}

/* The first side says so much, which the other one hears. */
static void
reply_with(const struct joined *joined, size_t len)
{
	char *data = xcalloc(1, MUCH);

	while (len > 0) {
		size_t now = len < MUCH / 10 ? len : MUCH / 10;
		assert_int_equal(
		    send(joined->ends[0], data, now, MSG_NOSIGNAL), now);
		assert_int_equal(
		    recv(joined->ends[1], data, now, MSG_WAITALL), now);
		len -= now;
	}
	free(data);
}

/* It is never silent, and would keep both programs busy for ever. What it says with
 * words of the client's between counts anew. */
static void
a_reply_without_an_end(void **state)
{
	struct joined joined;
	char text[8];

	(void)state;
	start(&joined, LONG_MS);
	for (int i = 0; i < 2; i++) {
		reply_with(&joined, VERY_MUCH);
		assert_int_equal(send(joined.ends[1], "QUIT", 4, 0), 4);
		assert_int_equal(recv(joined.ends[0], text, 4, MSG_WAITALL), 4);
	}
	reply_with(&joined, VERY_MUCH);
	assert_int_equal(send(joined.ends[0], "x", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(finish(&joined).end, JOIN_ENDLESS);
}

/* Nothing is lost while one side does not read, and not all is taken in. */
static void
a_slow_reader_holds_the_other_side_back(void **state)
{
	struct joined joined;
	char *data = xcalloc(1, VERY_MUCH);
	size_t heard = 0;

	(void)state;
	start(&joined, LONG_MS);
	size_t said = say_all_it_can(&joined, data);
	shutdown(joined.ends[1], SHUT_WR);
	for (ssize_t n; heard < said; heard += (size_t)n) {
		n = recv(joined.ends[0], data, VERY_MUCH, 0);
		assert_true(n > 0);
	}
	struct join_result result = finish(&joined);
	assert_int_equal(result.end, JOIN_SECOND_ENDED);
	assert_int_equal(result.octets[1], said);
	free(data);
}

/* One side says it, and the other one has heard it. */
static void
pass(struct joined *joined, int side, const char *text)
{
	char heard[64];
	size_t len = strlen(text);

	assert_int_equal(send(joined->ends[side], text, len, 0), len);
	assert_int_equal(
	    recv(joined->ends[1 - side], heard, len, MSG_WAITALL), len);
	assert_memory_equal(heard, text, len);
}

static void
ask_to_stop(const struct joined *joined)
{
	assert_int_equal(kill(joined->pid, SIGTERM), 0);
}

/* For as long as anybody can see. */
static void
assert_goes_on(const struct joined *joined)
{
	struct pollfd result = {.fd = joined->result, .events = POLLIN};

	assert_int_equal(poll(&result, 1, 20), 0);
}

static void
a_stop_where_no_reply_is_owed(void **state)
{
	static const char *const server[] = {
	    "220 mail.example.org\r\n",
	    "250-mail.example.org\r\n250-SIZE 1000\r\n250 PIPELINING\r\n",
	    "250 2.0.0 a 250-like text\r\n",
	    "250\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof server / sizeof server[0]; i++) {
		struct joined joined;
		start_with(&joined, LONG_MS, LONG_MS);
		pass(&joined, 1, "QUIT\r\n");
		pass(&joined, 0, server[i]);
		ask_to_stop(&joined);
		assert_int_equal(finish(&joined).end, JOIN_STOPPED);
	}
}

/* The reply gets through, however it comes; then no more commands do. */
static void
a_stop_waits_for_the_reply(void **state)
{
	static const struct {
		const char *before[2]; /* what the server has said of it */
		const char *rest;
	} cases[] = {
	    {{NULL}, "250 2.0.0 queued\r\n"},
	    {{"25", NULL}, "0 2.0.0 queued\r\n"},
	    {{"250 2.0.0 queued\r", NULL}, "\n"},
	    {{"250-2.0.0 queued\r\n", NULL}, "250 2.0.0 at last\r\n"},
	    {{"250-2.0.0 queued\r\n", "250"}, " 2.0.0\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct joined joined;
		start_with(&joined, LONG_MS, LONG_MS);
		pass(&joined, 0, "354 go on\r\n");
		pass(&joined, 1, "text\r\n.\r\n");
		for (int k = 0; k < 2 && cases[i].before[k] != NULL; k++)
			pass(&joined, 0, cases[i].before[k]);
		ask_to_stop(&joined);
		assert_goes_on(&joined);
		pass(&joined, 0, cases[i].rest);
		struct join_result end = finish(&joined);
		assert_int_equal(end.end, JOIN_STOPPED);
	}
}

static void
a_reply_that_does_not_come(void **state)
{
	struct joined joined;

	(void)state;
	start_with(&joined, LONG_MS, 50);
	pass(&joined, 1, ".\r\n");
	ask_to_stop(&joined);
	assert_int_equal(finish(&joined).end, JOIN_CUT);
}

/* A server that reads no more must not have the end of a message when nobody
 * waits for its reply any more. */
static void
what_is_cut_off_is_not_made_whole(void **state)
{
	struct joined joined;
	char *data = xcalloc(1, VERY_MUCH);
	size_t heard = 0;
	int status;

	(void)state;
	start_with(&joined, LONG_MS, 0);
	(void)say_all_it_can(&joined, data);
	/* Asleep: there is room for all of it again when it hears of the stop,
	 * and no sooner. */
	assert_int_equal(kill(joined.pid, SIGSTOP), 0);
	assert_int_equal(waitpid(joined.pid, &status, WUNTRACED), joined.pid);
	ask_to_stop(&joined);
	for (ssize_t n = 0; n >= 0;
	     n = recv(joined.ends[0], data, VERY_MUCH, MSG_DONTWAIT))
		heard += (size_t)n;
	assert_int_equal(kill(joined.pid, SIGCONT), 0);
	for (ssize_t n = 1; n > 0; heard += (size_t)n) {
		n = recv(joined.ends[0], data, VERY_MUCH, 0);
		assert_true(n >= 0);
	}
	struct join_result end = finish(&joined);
	assert_int_equal(end.end, JOIN_STOPPED);
	assert_true(heard < end.octets[1]);
	free(data);
}

/* A client that never pauses meets the end of the time, too. */
static void
a_stop_in_endless_text(void **state)
{
	struct joined joined;
	char data[4096];
	bool stopped = false;

	(void)state;
	memset(data, 'x', sizeof data);
	start_with(&joined, LONG_MS, 50);
	for (;;) {
		ssize_t n =
		    send(joined.ends[1], data, sizeof data, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		for (ssize_t left = n; left > 0; left -= n) {
			n = recv(joined.ends[0], data, (size_t)left, 0);
			if (n <= 0)
				break;
		}
		if (!stopped)
			ask_to_stop(&joined);
		stopped = true;
	}
	assert_int_equal(finish(&joined).end, JOIN_CUT);
}

/* The program that it belongs to has gone: as if it were told to stop. */
static void
an_interrupt_that_is_closed(void **state)
{
	struct joined joined;

	(void)state;
	start_with(&joined, LONG_MS, LONG_MS);
	pass(&joined, 1, ".\r\n");
	close(joined.interrupt);
	joined.interrupt = -1;
	assert_goes_on(&joined);
	pass(&joined, 0, "250 2.0.0\r\n");
	assert_int_equal(finish(&joined).end, JOIN_STOPPED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_size_of_pieces),
	    cmocka_unit_test(last_words_are_passed_on),
	    cmocka_unit_test(silence_ends_it),
	    cmocka_unit_test(an_interrupt_ends_it),
	    cmocka_unit_test(a_side_that_fails_is_named),
	    cmocka_unit_test(a_reply_without_an_end),
	    cmocka_unit_test(a_slow_reader_holds_the_other_side_back),
	    cmocka_unit_test(a_stop_where_no_reply_is_owed),
	    cmocka_unit_test(a_stop_waits_for_the_reply),
	    cmocka_unit_test(a_reply_that_does_not_come),
	    cmocka_unit_test(what_is_cut_off_is_not_made_whole),
	    cmocka_unit_test(a_stop_in_endless_text),
	    cmocka_unit_test(an_interrupt_that_is_closed),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
