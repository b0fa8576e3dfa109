/*
 * session - one session of one account: lock, calls, deliveries, status.
 *
 * Runs in a process of its own (agent/process), blocks, and always comes back
 * with a result; the process ends afterwards.
 */
#ifndef ODMR_AGENT_SESSION_H
#define ODMR_AGENT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct config;
struct config_account;

enum session_outcome {
	SESSION_MAIL,
	SESSION_NO_MAIL,
	SESSION_DEFERRED, /* mail came, and some recipient got a 4xx */
	SESSION_REFUSED, /* mail came, and every recipient was refused */
	SESSION_FAILED,
};

struct session_result {
	enum session_outcome outcome;
	int exit_status; /* sysexits.h, as in odmr-agent(8) */
	struct error error; /* class ERROR_NONE when nothing failed */
	int64_t started; /* Unix time in ms */
	int64_t ended; /* Unix time in ms */
	int64_t elapsed; /* ms of monotonic time */
	unsigned calls;
	uint64_t messages; /* transactions with a taken recipient */
	uint64_t recipients; /* outcomes told with 2xx */
	uint64_t bytes; /* octets of the text of those messages */
	uint64_t deferred; /* recipients told 4xx */
	uint64_t refused; /* recipients told 5xx */
	bool more; /* the provider may have more: go on after jitter */
	bool untidy; /* the line ended before the first MAIL, no QUIT */
	bool reached; /* the provider could be reached and logged in */
};

struct session_options {
	bool trace;
	bool named; /* the account was named by the user: holds do not count */
	/* Called as messages arrive, and often in between, with the result so
	 * far; may be NULL. */
	void (*progress)(void *context, const struct session_result *so_far);
	void *progress_context;
};

/* Reads the secrets, fetches, writes the status file. Never fails otherwise
 * than in the result. */
void session_run(const struct config *config,
    const struct config_account *account, const struct session_options *options,
    struct session_result *result);

#endif
