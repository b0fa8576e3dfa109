/* SPDX-License-Identifier: ISC */
/* net/join as odmr-provider has it: the customer under TLS, Postfix in the
 * clear. The test has both far ends. */
#include "net/join.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/deadline.h"
#include "base/mem.h"
#include "net/identity.h"
#include "net/stream.h"
#include "net/tls.h"
#include "net/tls_server.h"

enum {
	LONG_MS = 120 * 1000, /* more than any of this takes */
	MUCH = 300 * 1000, /* more than the buffers hold */
	CUSTOMER = 0,
	POSTFIX = 1,
};

static char folder[] = "/tmp/join_tls_test.XXXXXX";
static char cert[64], key[64], pin[TLS_PIN_SIZE];
static const char *const pins[] = {pin};

struct joined {
	struct stream *ends[JOIN_SIDES];
	struct tls_context *context;
	int result; /* of a struct join_result */
	pid_t pid;
};

static _Noreturn void
be_joiner(const int *fds, int result)
{
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct join_options options = {.silence = LONG_MS, .interrupt = -1};
	struct join_result end;
	struct error err;
	struct tls_server *server = tls_server_new(cert, key, false, &err);

	for (int i = 0; i < JOIN_SIDES; i++)
		options.sides[i] = stream_new(fds[i]);
	if (server == NULL ||
	    !tls_server_start(server, options.sides[CUSTOMER], &deadline, &err))
		_exit(1);
	join_run(&options, &end);
	for (int i = 0; i < JOIN_SIDES; i++) {
		stream_finish(options.sides[i], &deadline);
		stream_free(options.sides[i]);
	}
	_exit(write(result, &end, sizeof end) != sizeof end);
}

static void
start(struct joined *joined)
{
	const struct tls_options tls = {
	    .server_name = "mx.example.net", .pins = pins, .pins_len = 1};
	struct deadline deadline = deadline_in(LONG_MS, 0);
	int near[JOIN_SIDES], far[JOIN_SIDES], result[2];
	struct error err = {.text = ""};

	for (int i = 0; i < JOIN_SIDES; i++) {
		int ends[2];
		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
		    0);
		near[i] = ends[0];
		far[i] = ends[1];
	}
	assert_int_equal(pipe(result), 0);
	joined->pid = fork();
	if (joined->pid == 0) {
		close(far[CUSTOMER]);
		close(far[POSTFIX]);
		be_joiner(near, result[1]);
	}
	close(result[1]);
	joined->result = result[0];
	for (int i = 0; i < JOIN_SIDES; i++) {
		close(near[i]);
		joined->ends[i] = stream_new(far[i]);
	}
	joined->context = tls_context_new(&tls, &err);
	if (joined->context == NULL ||
	    !tls_start(
		joined->context, joined->ends[CUSTOMER], &deadline, &err))
		fail_msg("%s", err.text);
}

static void
hang_up(struct joined *joined, int side)
{
	stream_free(joined->ends[side]);
	joined->ends[side] = NULL;
}

static struct join_result
finish(struct joined *joined)
{
	struct join_result result;
	int status;

	/* It waits for the ends of both. */
	for (int i = 0; i < JOIN_SIDES; i++)
		hang_up(joined, i);
	assert_int_equal(
	    read(joined->result, &result, sizeof result), sizeof result);
	assert_int_equal(waitpid(joined->pid, &status, 0), joined->pid);
	assert_int_equal(status, 0);
	tls_context_free(joined->context);
	close(joined->result);
	return result;
}

static char
octet(size_t at, int side)
{
	return (char)(at * 31 + at / 251 + (size_t)side);
}

/* One side's part of talk(). */
static void
say_and_hear(struct joined *joined, int side, size_t len, size_t piece,
    size_t *said, size_t *heard, short *events)
{
	size_t now = len - *said < piece ? len - *said : piece;
	char *out = xmalloc(now + 1), *in = xmalloc(piece);
	struct stream_exchange exchange = {
	    .out = out, .out_len = now, .in = in, .in_size = piece};
	struct error err = {.text = ""};

	for (size_t i = 0; i < now; i++)
		out[i] = octet(*said + i, side);
	if (!stream_try(joined->ends[side], &exchange, events, &err))
		fail_msg("%d: %s", side, err.text);
	for (size_t i = 0; i < exchange.read; i++)
		assert_true(in[i] == octet(*heard + i, 1 - side));
	*said += exchange.written;
	*heard += exchange.read;
	if (exchange.written > 0 || exchange.read > 0)
		*events = 0;
	free(out);
	free(in);
}

/* Both sides say len octets in pieces, and hear what the other says. */
static void
talk(struct joined *joined, size_t len, size_t piece)
{
	size_t said[JOIN_SIDES] = {0}, heard[JOIN_SIDES] = {0};

	while (heard[0] < len || heard[1] < len) {
		struct pollfd fds[JOIN_SIDES];
		bool moved = false;
		for (int i = 0; i < JOIN_SIDES; i++) {
			fds[i] =
			    (struct pollfd){.fd = stream_fd(joined->ends[i])};
			say_and_hear(joined, i, len, piece, &said[i], &heard[i],
			    &fds[i].events);
			moved = moved || fds[i].events == 0;
		}
		if (!moved)
			assert_true(poll(fds, JOIN_SIDES, LONG_MS) > 0);
	}
}

/* Octets that OpenSSL has already are no event of poll(2). */
static void
every_size_of_pieces(void **state)
{
	static const size_t pieces[] = {1, 7, 511, 4096, 16384, 32768, MUCH};

	(void)state;
	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
		struct joined joined;
		size_t len = pieces[i] < 100 ? 20000 : MUCH;
		start(&joined);
		talk(&joined, len, pieces[i]);
		struct join_result result = finish(&joined);
		assert_int_equal(result.octets[CUSTOMER], len);
		assert_int_equal(result.octets[POSTFIX], len);
	}
}

static void
say(struct joined *joined, int side, const char *text)
{
	struct deadline deadline = deadline_in(LONG_MS, 0);
	struct error err;

	assert_true(stream_write(
	    joined->ends[side], text, strlen(text), &deadline, &err));
}

/* Up to the end, which came in order. */
static void
hears_to_the_end(struct joined *joined, int side, const char *text)
{
	struct deadline deadline = deadline_in(LONG_MS, 0);
	char heard[32] = "";
	struct error err;
	size_t len = 0;
	ssize_t n;

	while ((n = stream_read(joined->ends[side], heard + len,
		    sizeof heard - 1 - len, &deadline, &err)) > 0)
		len += (size_t)n;
	assert_int_equal(n, 0);
	assert_string_equal(heard, text);
}

/* Each side sees an end in order; under TLS that is more than a FIN. */
static void
last_words_are_passed_on(void **state)
{
	(void)state;
	for (int side = 0; side < JOIN_SIDES; side++) {
		struct deadline deadline = deadline_in(0, 0);
		struct joined joined;
		start(&joined);
		say(&joined, side, "221 bye");
		stream_finish(joined.ends[side], &deadline);
		hears_to_the_end(&joined, 1 - side, "221 bye");
		assert_int_equal(finish(&joined).end,
		    side == CUSTOMER ? JOIN_FIRST_ENDED : JOIN_SECOND_ENDED);
	}
}

/* Cut by anyone on the way, it is no end of the customer's. */
static void
a_customer_that_is_cut(void **state)
{
	struct joined joined;

	(void)state;
	start(&joined);
	say(&joined, CUSTOMER, "250 2.0");
	shutdown(stream_fd(joined.ends[CUSTOMER]), SHUT_RDWR);
	hears_to_the_end(&joined, POSTFIX, "250 2.0");
	struct join_result result = finish(&joined);
	assert_int_equal(result.end, JOIN_FAILED);
	assert_int_equal(result.failed_side, CUSTOMER);
	assert_true(result.error.text[0] != '\0');
}

static int
make_files(void **state)
{
	struct error err;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(cert, sizeof cert, "%s/cert", folder);
	snprintf(key, sizeof key, "%s/key", folder);
	return identity_make("mx.example.net", cert, key, &err) &&
		       identity_pin(cert, pin, &err)
		   ? 0
		   : -1;
}

static int
remove_files(void **state)
{
	(void)state;
	unlink(cert);
	unlink(key);
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_size_of_pieces),
	    cmocka_unit_test(last_words_are_passed_on),
	    cmocka_unit_test(a_customer_that_is_cut),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_files, remove_files);
}
