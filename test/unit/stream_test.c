/* SPDX-License-Identifier: ISC */
#include "net/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "base/error.h"
#include "base/stop.h"

enum {
	LONG_MS = 120000, /* more than any of this takes */
	SHORT_MS = 50, /* for waits that are meant to end */
	MUCH = 4 << 20, /* more than socket buffers hold */
};

static struct stream *
pair(int *peer)
{
	int fds[2];

	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	*peer = fds[1];
	return stream_new(fds[0]);
}

static void
read_gives_what_is_there(void **state)
{
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct error err;
	char in[16];
	int peer;
	struct stream *stream = pair(&peer);

	(void)state;
	assert_false(stream_pending(stream));
	assert_int_equal(write(peer, "220 ", 4), 4);
	assert_true(stream_pending(stream));
	assert_int_equal(
	    stream_read(stream, in, sizeof in, &deadline, &err), 4);
	assert_memory_equal(in, "220 ", 4);
	assert_int_equal(write(peer, "abcdef", 6), 6);
	assert_int_equal(stream_read(stream, in, 4, &deadline, &err), 4);
	assert_int_equal(stream_read(stream, in, 4, &deadline, &err), 2);
	close(peer);
	assert_true(stream_pending(stream));
	assert_int_equal(stream_read(stream, in, 4, &deadline, &err), 0);
	assert_int_equal(stream_read(stream, in, 4, &deadline, &err), 0);
	stream_free(stream);
}

static void
read_ends_with_the_deadline(void **state)
{
	struct deadline deadline = deadline_in(SHORT_MS, 0);
	struct error err;
	char in[4];
	int peer;
	struct stream *stream = pair(&peer);

	(void)state;
	assert_int_equal(stream_read(stream, in, 4, &deadline, &err), -1);
	assert_int_equal(err.class, ERROR_AGAIN);
	assert_string_equal(err.text, "timed out");
	/* Over is over, whatever waits to be read. */
	assert_int_equal(write(peer, "x", 1), 1);
	assert_int_equal(stream_read(stream, in, 4, &deadline, &err), -1);
	deadline = deadline_in(LONG_MS, 0);
	assert_int_equal(stream_read(stream, in, 4, &deadline, &err), 1);
	close(peer);
	stream_free(stream);
}

static void
read_ends_with_a_stop(void **state)
{
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct error err;
	char in[4];
	int peer;
	struct stream *stream = pair(&peer);

	(void)state;
	stop_install();
	raise(SIGTERM);
	assert_int_equal(stream_read(stream, in, 4, &deadline, &err), -1);
	assert_int_equal(err.class, ERROR_STOPPED);
	stop_install();
	close(peer);
	stream_free(stream);
}

static void
a_reset_is_a_failure(void **state)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof address;
	struct linger reset = {.l_onoff = 1};
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct error err;
	char in[4];
	int value = 0;
	socklen_t value_len = sizeof value;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_int_equal(
	    bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(listener, 1), 0);
	getsockname(listener, (struct sockaddr *)&address, &len);
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	int peer = accept(listener, NULL, NULL);
	struct stream *stream = stream_new(fd);

	getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &value_len);
	assert_int_equal(value, 1);
	getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &value_len);
	assert_int_equal(value, 1);
	setsockopt(peer, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(peer);
	assert_int_equal(stream_read(stream, in, 4, &deadline, &err), -1);
	assert_int_equal(err.class, ERROR_AGAIN);
	assert_string_equal(
	    err.text, "the connection was lost: Connection reset by peer");
	stream_free(stream);
	close(listener);
}

static void
write_after_the_peer_left(void **state)
{
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct error err;
	int peer;
	struct stream *stream = pair(&peer);

	(void)state;
	close(peer);
	/* No SIGPIPE, though nothing here ignores it. */
	assert_false(stream_write(stream, "QUIT\r\n", 6, &deadline, &err));
	assert_int_equal(err.class, ERROR_AGAIN);
	stream_free(stream);
}

static void
half_a_write_is_the_last(void **state)
{
	struct deadline deadline = deadline_in(SHORT_MS, 0);
	struct error err;
	int peer;
	struct stream *stream = pair(&peer);
	char *much = calloc(1, MUCH);
	char in[1];

	(void)state;
	assert_non_null(much);
	assert_false(stream_write(stream, much, MUCH, &deadline, &err));
	assert_string_equal(err.text, "timed out");
	/* Even when there is room again: the peer is inside of something. */
	while (recv(peer, much, MUCH, MSG_DONTWAIT) > 0)
		continue;
	deadline = deadline_in(LONG_MS, 0);
	assert_false(stream_write(stream, "421 ", 4, &deadline, &err));
	assert_string_equal(err.text, "an earlier write failed");
	/* Reading is not touched by it. */
	assert_int_equal(write(peer, "x", 1), 1);
	assert_int_equal(stream_read(stream, in, 1, &deadline, &err), 1);
	free(much);
	close(peer);
	stream_free(stream);
}

/* Gives every octet back before it takes another: an echo that can deadlock. */
static _Noreturn void
echo(int fd)
{
	static char data[MUCH / 4];
	ssize_t n;

	while ((n = read(fd, data, sizeof data)) > 0)
		for (ssize_t sent = 0, more = 1; sent < n && more > 0;
		     sent += more)
			more = write(fd, data + sent, (size_t)(n - sent));
	_exit(0);
}

static void
exchange_never_deadlocks(void **state)
{
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct error err;
	int peer;
	struct stream *stream = pair(&peer);
	char *out = malloc(MUCH), *in = malloc(MUCH);
	size_t sent = 0, got = 0;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		close(stream_fd(stream));
		echo(peer);
	}
	close(peer);
	assert_true(out != NULL && in != NULL);
	for (size_t i = 0; i < MUCH; i++)
		out[i] = (char)(i * 7 + i / 251);
	while (got < MUCH) {
		struct stream_exchange exchange = {.out = out + sent,
		    .out_len = MUCH - sent,
		    .in = in + got,
		    .in_size = MUCH - got};
		assert_true(
		    stream_exchange(stream, &exchange, &deadline, &err));
		assert_false(exchange.ended);
		sent += exchange.written;
		got += exchange.read;
	}
	assert_memory_equal(in, out, MUCH);
	stream_finish(stream, &deadline);
	stream_free(stream);
	waitpid(pid, NULL, 0);
	free(out);
	free(in);
}

static void
exchange_reads_last_words(void **state)
{
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct error err;
	char in[16];
	int peer;
	struct stream *stream = pair(&peer);
	struct stream_exchange exchange = {
	    .out = "RCPT", .out_len = 4, .in = in, .in_size = sizeof in};

	(void)state;
	assert_int_equal(write(peer, "421 bye", 7), 7);
	close(peer);
	assert_true(stream_exchange(stream, &exchange, &deadline, &err));
	assert_int_equal(exchange.read, 7);
	/* What they were decides whether there is still something to say. */
	assert_int_equal(exchange.written, 0);
	exchange.out_len = 0;
	assert_true(stream_exchange(stream, &exchange, &deadline, &err));
	assert_true(exchange.ended);
	stream_free(stream);
}

/* It would keep the process busy until the deadline. */
static void
who_does_not_stop_is_not_heard_to_the_end(void **state)
{
	static const char said[MUCH / 4];
	struct deadline deadline = deadline_in(LONG_MS, 0);
	int peer;
	struct stream *stream = pair(&peer);
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		stream_free(stream);
		while (write(peer, said, sizeof said) > 0)
			continue;
		_exit(0);
	}
	close(peer);
	stream_finish(stream, &deadline);
	assert_true(deadline_left(&deadline) > 0);
	stream_free(stream);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Waits for an octet of the peer, as after a reply. */
static void
await_octet(struct stream *stream, int peer)
{
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct error err;
	char octet;

	assert_true(stream_write(stream, "250", 3, &deadline, &err));
	assert_int_equal(write(peer, "x", 1), 1);
	assert_int_equal(stream_read(stream, &octet, 1, &deadline, &err), 1);
}

/* The exchange that reads before it writes does so for what came before the
 * last wait for the other, and for what came since a wait only where somebody
 * waited again. */
static void
a_wait_for_one_of_a_pair_looks_at_the_other(void **state)
{
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct error err;
	char in[16];
	int peer, other_peer;
	struct stream *stream = pair(&peer), *other = pair(&other_peer);
	struct stream_exchange exchange = {
	    .out = "RCPT", .out_len = 4, .in = in, .in_size = sizeof in};

	(void)state;
	stream_pair(stream, other);
	assert_int_equal(write(peer, "421", 3), 3);
	await_octet(other, other_peer);
	assert_true(stream_pending(stream));
	assert_true(stream_exchange(stream, &exchange, &deadline, &err));
	assert_int_equal(exchange.read, 3);
	assert_int_equal(exchange.written, 0);

	await_octet(other, other_peer);
	assert_int_equal(write(peer, "421", 3), 3);
	assert_false(stream_pending(stream));
	assert_true(stream_exchange(stream, &exchange, &deadline, &err));
	assert_int_equal(exchange.read, 0);
	assert_int_equal(exchange.written, 4);
	/* After a write nothing is known of it. */
	assert_true(stream_pending(stream));
	assert_true(stream_exchange(stream, &exchange, &deadline, &err));
	assert_int_equal(exchange.read, 3);
	/* It got all that was there: less than it had room for. */
	assert_int_equal(write(peer, "421", 3), 3);
	assert_false(stream_pending(stream));
	stream_pair(stream, NULL);
	assert_true(stream_pending(stream));

	/* Whichever goes first. */
	stream_pair(stream, other);
	stream_free(other);
	assert_true(stream_pending(stream));
	stream_free(stream);
	close(peer);
	close(other_peer);
}

static void
finish_waits_for_the_peer(void **state)
{
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct error err;
	int peer;
	struct stream *stream = pair(&peer);
	char in[8];
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		/* A peer that talks on until it sees our end. */
		close(stream_fd(stream));
		ssize_t n = write(peer, "NOOP\r\n", 6);
		while (n > 0)
			n = read(peer, in, sizeof in);
		n = write(peer, "late", 4);
		_exit(n == 4 ? 0 : 1);
	}
	int status = 1;
	close(peer);
	assert_true(stream_write(stream, "221 bye\r\n", 9, &deadline, &err));
	stream_finish(stream, &deadline);
	assert_true(deadline_left(&deadline) > LONG_MS / 2);
	assert_int_equal(stream_read(stream, in, 1, &deadline, &err), 0);
	assert_false(stream_write(stream, "x", 1, &deadline, &err));
	stream_free(stream);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static void
finish_ends_with_the_deadline(void **state)
{
	struct deadline deadline = deadline_in(SHORT_MS, 0);
	int peer;
	struct stream *stream = pair(&peer);

	(void)state;
	stream_finish(stream, &deadline);
	assert_int_equal(deadline_left(&deadline), 0);
	close(peer);
	stream_free(stream);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(read_gives_what_is_there),
	    cmocka_unit_test(read_ends_with_the_deadline),
	    cmocka_unit_test(read_ends_with_a_stop),
	    cmocka_unit_test(a_reset_is_a_failure),
	    cmocka_unit_test(write_after_the_peer_left),
	    cmocka_unit_test(half_a_write_is_the_last),
	    cmocka_unit_test(exchange_never_deadlocks),
	    cmocka_unit_test(exchange_reads_last_words),
	    cmocka_unit_test(who_does_not_stop_is_not_heard_to_the_end),
	    cmocka_unit_test(a_wait_for_one_of_a_pair_looks_at_the_other),
	    cmocka_unit_test(finish_waits_for_the_peer),
	    cmocka_unit_test(finish_ends_with_the_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
