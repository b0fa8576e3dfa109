/* SPDX-License-Identifier: ISC */
#include "base/deadline.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/stop.h"

enum {
	LONG_MS = 120000, /* more than any of this takes */
	SHORT_MS = 40, /* for waits that are meant to end */
};

static void
deadline_runs_out(void **state)
{
	struct deadline deadline = deadline_in(LONG_MS, 0);
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_in_range(deadline_left(&deadline), 1, LONG_MS);
	int64_t begin = clock_ms();
	deadline = deadline_in(SHORT_MS, 0);
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

/* What is there beside is told, and neither ends the wait nor keeps it busy. */
static void
what_is_beside_ends_no_wait(void **state)
{
	struct deadline deadline = deadline_in(SHORT_MS, 0);
	int fds[2], beside[2];
	bool spoke;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pipe(beside), 0);
	assert_int_equal(write(beside[1], "x", 1), 1);
	clock_t before = clock();
	assert_int_equal(
	    deadline_wait_beside(&deadline, fds[0], POLLIN, beside[0], &spoke),
	    DEADLINE_OVER);
	assert_true(spoke);
	assert_true(clock() - before < CLOCKS_PER_SEC / 50);

	deadline = deadline_in(LONG_MS, 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(
	    deadline_wait_beside(&deadline, fds[0], POLLIN, beside[0], &spoke),
	    DEADLINE_READY);
	assert_true(spoke);
	assert_int_equal(
	    deadline_wait_beside(&deadline, fds[0], POLLIN, -1, &spoke),
	    DEADLINE_READY);
	assert_false(spoke);
	/* An end is something to read, too. */
	close(beside[1]);
	assert_int_equal(
	    deadline_wait_beside(&deadline, fds[0], POLLIN, beside[0], &spoke),
	    DEADLINE_READY);
	assert_true(spoke);
	close(beside[0]);
	close(fds[0]);
	close(fds[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(deadline_runs_out),
	    cmocka_unit_test(deadline_of_two),
	    cmocka_unit_test(stop_shortens_every_wait),
	    cmocka_unit_test(stop_leaves_the_grace),
	    cmocka_unit_test(what_is_beside_ends_no_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
