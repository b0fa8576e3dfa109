/*
 * fetch_row - which of the accounts of a `fetch` may be started.
 *
 * A provider lets in one session of a login at a time. So the accounts of one
 * login stand behind each other, and only the first of them is in the row:
 * with a thousand of them, the end of each session is no reason to look at all
 * that wait. The row is in the order of the fetch. Cannot fail.
 */
#ifndef ODMR_COMMAND_FETCH_ROW_H
#define ODMR_COMMAND_FETCH_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/result.h"

struct config_account;

struct fetch_job {
	const struct config_account *account;
	bool running;
	int64_t begun; /* clock_ms(), where it runs */
	struct session_result so_far;
	struct fetch_job *next; /* in the row; NULL: the last one */
	struct fetch_job *behind; /* of the same login; enters when we end */
	bool follows; /* behind another one, at first */
};

/* The row of all jobs, count of them in the order of the fetch. They stay where
 * they are, since that is how their order is known. */
struct fetch_job *fetch_row_make(struct fetch_job *jobs, size_t count);
/* A job, or NULL, enters the row, or the rest of it that begins at place, none
 * of which may be before it: it goes to its place in the order. */
void fetch_row_enter(struct fetch_job **place, struct fetch_job *job);

#endif
