/*
 * result - what one session of an account came to.
 *
 * Plain data: the session fills it in, a child hands it to its parent, and
 * history, summary and all that follows a session read it.
 */
#ifndef ODMR_RECORD_RESULT_H
#define ODMR_RECORD_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

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
	bool mail_seen; /* the provider sent a MAIL, even if in vain */
	bool untidy; /* the line ended before the first MAIL, no QUIT */
	/* A signal ended the wait for a reply to ATRN: nobody failed, and
	 * nobody knows whether one would have come. */
	bool unanswered;
	bool reached; /* the provider could be reached and logged in */
	/* So far: since when the reply to ATRN is waited for, Unix time in ms;
	 * 0: it is not. */
	int64_t listening;
};

#endif
