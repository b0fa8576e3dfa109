/*
 * task - one account as `run` sees it: when it is fetched next, and why.
 *
 * Intervals, back-off and holds go by the clock that nobody sets; what came
 * before this process began is known from the status file by wall time alone.
 */
#ifndef ODMR_RUN_TASK_H
#define ODMR_RUN_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/result.h"
#include "schedule/schedule.h"

struct config;
struct config_account;

struct task {
	char *name;
	const struct config_account *account; /* NULL: it is gone */
	bool running;
	bool forced; /* whoever asked for it wants it on hold as well */
	bool starting; /* no session of this process yet */

	struct schedule_clock begun; /* boot < 0: before this process */
	struct schedule_clock ended;
	enum error_class failed;
	unsigned failures_in_a_row;
	bool more;
	bool pauses; /* the last session deferred mail, or was cut off */
	bool listens; /* the provider holds its reply to ATRN */
	int64_t listening; /* of the session under way, as in its result */
	int64_t hold_until; /* as in the status file */
	int64_t hold_boot; /* the same on CLOCK_BOOTTIME; 0: no hold */
	int64_t spaced_boot; /* CLOCK_BOOTTIME before which the provider would
				refuse to be asked; 0: no limit is known */
	uint32_t random;

	int64_t wake; /* CLOCK_BOOTTIME: to start it, or to see if its hold
			 is over; INT64_MAX: never */
	int64_t next; /* the session, on the wall clock, or SCHEDULE_NEVER */
	int64_t look; /* CLOCK_BOOTTIME: not started before, since another
		       * process had the provider's lock */
	int64_t locked; /* CLOCK_BOOTTIME since when it was so at each look;
			 * 0: it was not */
};

/* With what the status file has; to be planned next. */
struct task *task_new(const struct config *config,
    const struct config_account *account, const struct schedule_clock *now);
void task_free(struct task *task);

/* Fills in wake and next. */
void task_plan(struct task *task, const struct schedule_clock *now);
/* Looks into the status file: true when the account is on hold still, and the
 * task was planned anew. A status file that cannot be read holds nothing. */
bool task_is_held(struct task *task, const struct config *config,
    const struct schedule_clock *now);
void task_begin(struct task *task, const struct schedule_clock *now);
/* The session ended; the task is planned, and the status file has next. */
void task_end(struct task *task, const struct config *config,
    const struct session_result *result, const struct schedule_clock *now);
/* Puts next into the status file, unless a session has it now. */
void task_publish(const struct task *task, const struct config *config,
    const struct schedule_clock *now);
/* What runs, and what comes next, in words. */
enum { TASK_DESCRIPTION_SIZE = 400 };
void task_describe(struct task *const *tasks, size_t tasks_count,
    char out[static TASK_DESCRIPTION_SIZE]);

#endif
