/*
 * scheduler - `run`: fetches each account when it is due, until SIGTERM.
 *
 * Sleeps until something is due, a signal comes, a session tells something or
 * the wall clock is set. SIGHUP reads the configuration again, SIGUSR1 fetches
 * everything now. systemd is told how it stands.
 */
#ifndef ODMR_RUN_SCHEDULER_H
#define ODMR_RUN_SCHEDULER_H

#include <stdbool.h>

#include "run/worker.h"

struct config;

struct scheduler_options {
	/* Replaced when the file is read again; the caller frees the last. */
	struct config **config;
	const char *config_path;
	bool trace;
	worker_function *run; /* session_run(), but in tests */
};

/* The exit status. */
int scheduler_run(const struct scheduler_options *options);

#endif
