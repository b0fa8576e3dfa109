/*
 * worker - the process of one session, from the fork to its end.
 *
 * Own signal handlers, no core file, no secret of another account; reports to
 * the parent (run/workers) in records over a pipe, each of one atomic write. One
 * that publishes has no session, no secret, and only its exit status to tell.
 */
#ifndef ODMR_RUN_WORKER_H
#define ODMR_RUN_WORKER_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdnoreturn.h>
#include <sys/types.h>

#include "record/result.h"
#include "session/session.h"

struct config;
struct config_account;

/* What a child runs; session_run() but in tests. */
typedef void worker_function(const struct config *config,
    const struct config_account *account, const struct session_options *options,
    struct session_result *result);

struct worker_record {
	bool ended; /* else what there is so far */
	struct session_result result;
};
/* POSIX: a write of this many octets to a pipe is never split. */
_Static_assert(sizeof(struct worker_record) <= PIPE_BUF, "atomic write");

/* What it holds is what a session can write: the child may be in a stranger's
 * hands. */
bool worker_record_is_sound(const struct worker_record *record);

struct worker_job {
	worker_function *run;
	struct config *config;
	const struct config_account *account;
	bool trace, named;
	bool watched; /* whoever started us sees what fails */
	bool live; /* somebody looks on: each message is reported at once */
	/* A session that told no result; only what follows it is done. */
	const struct session_result *lost;
	/* No session at all: the files about all accounts are written, and of
	 * what fails nothing is logged where quiet is set. */
	bool publish, quiet;
	pid_t parent;
	int pipe; /* the end to write to, not blocking */
};

/* Exit statuses of a process that publishes. */
enum { WORKER_PUBLISHED = 0, WORKER_NOT_PUBLISHED = 1 };

/* The signals that a program with children handles; blocked over a fork. */
void worker_block_signals(sigset_t *before);
/* In the new process, with those signals blocked. */
noreturn void worker_main(const struct worker_job *job);

#endif
