/* SPDX-License-Identifier: ISC */
/*
 * The property test of the whole serve loop:
 *
 *	property [--seconds N] [--seed N]
 *
 * Worlds by chance, each from its seed, until the time is over. --seed tells
 * the story of one. Its last line is "property: N passed, N failed, 0 skipped".
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "record/history.h"
#include "world.h"

enum {
	TROUBLED_SESSIONS = 12,
	/* Groups are let in by chance, so that some worlds take long. */
	CALM_SESSIONS = 250,
	FAILURES_MAX = 5,
	/* A world takes some ms: after so many seconds it turns in a circle. */
	WORLD_TIME = 300,
};

struct world *the_world;
/* In memory where that can be: fsync(2) of a disk takes most of the time. */
static char shared[] = "/dev/shm/odmr.XXXXXX", temporary[] = "/tmp/odmr.XXXXXX";
static char *top = shared;

static void
give_up(int number)
{
	(void)number;
	printf("FAIL seed %llu does not end\n"
	       "property: 0 passed, 1 failed, 0 skipped\n",
	    (unsigned long long)the_world->seed);
	fflush(stdout);
	_exit(1);
}

enum telling { SILENTLY, ALOUD };

/* true: nothing was wrong. */
static bool
run(struct world *w, uint64_t seed, enum telling telling, int only)
{
	struct history history;

	alarm(WORLD_TIME);
	world_init(w, top, seed);
	w->verbose = telling == ALOUD;
	w->only = only;
	history_init(&history);
	for (int i = 0; i < TROUBLED_SESSIONS && w->fault[0] == '\0'; i++) {
		w->now += MINUTE * (5 + (int64_t)chance(w, 240));
		session_run(w, &history);
	}
	w->calm = true;
	for (int i = 0; i < CALM_SESSIONS && w->fault[0] == '\0' &&
			!model_is_done(w, false);
	     i++) {
		w->now += MINUTE * (90 + (int64_t)chance(w, 200));
		session_run(w, &history);
	}
	(void)model_is_done(w, true);
	history_clear(&history);
	world_clear(w);
	return w->fault[0] == '\0';
}

/* What happened to that message; all of it is told by --seed. */
static void
report(struct world *w)
{
	uint64_t seed = w->seed;
	int guilty = w->guilty;

	printf("FAIL seed %llu, message %d: %s\n", (unsigned long long)seed,
	    guilty, w->fault);
	if (guilty != NO_MESSAGE)
		(void)run(w, seed, ALOUD, guilty);
	fflush(stdout);
}

static int64_t
real_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int
run_until(struct world *w, int64_t end)
{
	unsigned long long passed = 0, failed = 0, sessions = 0, mails = 0;
	int64_t begun = real_ms();

	for (uint64_t seed = 1;
	     failed < FAILURES_MAX && (seed == 1 || real_ms() < end); seed++) {
		if (run(w, seed, SILENTLY, NO_MESSAGE)) {
			passed++;
		} else {
			failed++;
			report(w);
		}
		sessions += w->sessions;
		mails += w->transactions;
	}
	printf("%llu sessions, %llu transactions, %lld ms\n", sessions, mails,
	    (long long)(real_ms() - begun));
	printf(
	    "property: %llu passed, %llu failed, 0 skipped\n", passed, failed);
	return failed > 0;
}

int
main(int argc, char **argv)
{
	static struct world world;
	long seconds = 60, seed = 0;
	int status;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seconds") == 0)
			seconds = strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			seed = strtol(argv[i + 1], NULL, 10);
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGALRM, give_up);
	if (mkdtemp(top) == NULL && mkdtemp(top = temporary) == NULL) {
		perror(top);
		return 1;
	}
	if (seed > 0) {
		status = !run(&world, (uint64_t)seed, ALOUD, ALL_MESSAGES);
		printf("property: %d passed, %d failed, 0 skipped\n", !status,
		    status);
	} else {
		status = run_until(&world, real_ms() + seconds * 1000);
	}
	remove_tree(top);
	return status;
}
