/*
 * session - one session of one account: lock, calls, deliveries, status.
 *
 * Runs in a process of its own (run/workers), blocks, and always comes back
 * with a result; the process ends afterwards.
 */
#ifndef ODMR_SESSION_SESSION_H
#define ODMR_SESSION_SESSION_H

#include <stdbool.h>

struct config;
struct config_account;
struct session_result;

struct session_options {
	bool trace;
	bool named; /* the account was named by the user: holds do not count */
	/* Called as messages arrive, and often in between, with the result so
	 * far; may be NULL. */
	void (*progress)(void *context, const struct session_result *so_far);
	void *progress_context;
};

/* What each session would else compute anew in its process, for a process that
 * starts more than one. */
void session_prepare(const struct config *config);
/* Reads the secrets, fetches, writes the status file. Never fails otherwise
 * than in the result. */
void session_run(const struct config *config,
    const struct config_account *account, const struct session_options *options,
    struct session_result *result);

#endif
