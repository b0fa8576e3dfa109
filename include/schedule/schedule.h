/*
 * schedule - when an account is fetched next: a pure function.
 *
 * History, configuration and now go in, a time comes out. All times are on the
 * wall clock as it is set now, in ms of Unix time: what a clock that was never
 * set measured (an interval, a hold) is laid onto it with schedule_moment(),
 * so that setting the clock moves windows and `at` times, and no interval.
 */
#ifndef ODMR_SCHEDULE_SCHEDULE_H
#define ODMR_SCHEDULE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct config_account;

/* No time at all: no window ever holds. */
#define SCHEDULE_NEVER INT64_MAX

/* One moment on both clocks, in ms. */
struct schedule_clock {
	int64_t unix; /* CLOCK_REALTIME */
	int64_t boot; /* CLOCK_BOOTTIME, which counts suspended time as well */
};

struct schedule_input {
	bool starting; /* fetch at once where a window holds */
	int64_t begun; /* of the last session; 0: never */
	int64_t ended;
	enum error_class failed; /* why the last one failed, or ERROR_NONE */
	unsigned failures_in_a_row;
	int64_t not_before; /* 0 or in the past: the provider has no limit */
	int64_t hold_until; /* 0 or in the past: no hold */
	bool more; /* the last one left something behind */
	bool listens; /* the provider holds its reply: called again at once, */
	/* or, where the last session deferred mail or was cut off, soon */
	bool pauses;
	uint32_t random; /* over all 32 bits; the same for the same session */
};

struct schedule_clock schedule_clock_now(void);
/* A moment of CLOCK_BOOTTIME on the wall clock as it is set now. */
int64_t schedule_moment(const struct schedule_clock *now, int64_t boot);

/* Not before now, or SCHEDULE_NEVER. */
int64_t schedule_next(const struct config_account *account,
    const struct schedule_input *input, int64_t now);
/* A window holds at that time, or there are none. */
bool schedule_holds(const struct config_account *account, int64_t at);
/*
 * ms between from and to in which mail should have been fetched: time in a
 * window, once the first session after from was due. Not more than enough.
 */
int64_t schedule_due_time(const struct config_account *account, int64_t from,
    int64_t to, int64_t enough);

#endif
