/* SPDX-License-Identifier: ISC */
#include "schedule/schedule.h"

#include <stddef.h>
#include <time.h>

#include "base/clock.h"
#include "config/config.h"
#include "schedule/civil.h"
#include "schedule/retry.h"

enum {
	/* The longest interval and a window that opens once a week after it. */
	HORIZON_DAYS = 16,
	/* An `at` time comes again within a week. */
	WEEK_DAYS = 8,
	/* Alarms come after days; older time decides nothing. */
	DUE_DAYS = 400,
};
#define JITTER_MAX INT64_C(60000)
/* A provider may send what was deferred at each call, or cut each call off: not
 * without a pause. */
#define LISTEN_PAUSE INT64_C(60000)

static int64_t
max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t
min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

struct schedule_clock
schedule_clock_now(void)
{
	return (struct schedule_clock){
	    .unix = clock_unix_ms(),
	    .boot = clock_boot_ms(),
	};
}

int64_t
schedule_moment(const struct schedule_clock *now, int64_t boot)
{
	return now->unix - (now->boot - boot);
}

static int64_t
spread(int64_t jitter, uint32_t random)
{
	return (int64_t)(((uint64_t)jitter * random) >> 32);
}

static int64_t
jitter_of_interval(const struct config_account *account, int64_t every)
{
	return account->jitter >= 0 ? account->jitter
				    : min(every / 10, JITTER_MAX);
}

static int64_t
jitter_of_at(const struct config_account *account)
{
	return account->jitter >= 0 ? min(account->jitter, JITTER_MAX)
				    : JITTER_MAX;
}

static bool
names_day(const struct config_window *window, int weekday)
{
	return (window->days >> weekday & 1) != 0;
}

/* A window over midnight belongs to the day on which it begins. */
static bool
window_holds(const struct config_window *window, int64_t civil)
{
	int weekday = civil_weekday(civil);
	int64_t minute = (civil - civil_midnight(civil)) / CIVIL_MINUTE;
	bool today = names_day(window, weekday);
	bool yesterday = names_day(window, (weekday + 6) % 7);

	if (window->hours.from < window->hours.to)
		return today && minute >= window->hours.from &&
		       minute < window->hours.to;
	return (today && minute >= window->hours.from) ||
	       (yesterday && minute < window->hours.to);
}

bool
schedule_holds(const struct config_account *account, int64_t at)
{
	const struct config_schedule *schedule = &account->schedule;
	int64_t civil = civil_of(at);

	for (size_t i = 0; i < schedule->count; i++)
		if (window_holds(&schedule->windows[i], civil))
			return true;
	return schedule->count == 0;
}

/* The interval that counts at that time, 0 where none does. */
static int64_t
interval_at(const struct config_account *account, int64_t at)
{
	const struct config_schedule *schedule = &account->schedule;
	int64_t civil = civil_of(at);

	if (schedule->count == 0)
		return account->every;
	for (size_t i = 0; i < schedule->count; i++) {
		const struct config_window *window = &schedule->windows[i];
		if (window->every > 0 && window_holds(window, civil))
			return window->every;
	}
	return 0;
}

/* The first time after at when a window may open or close, at latest
 * midnight, or the clock is set forward or back. */
static int64_t
next_edge(const struct config_account *account, int64_t at)
{
	const struct config_schedule *schedule = &account->schedule;
	int64_t civil = civil_of(at), midnight = civil_midnight(civil);
	int64_t edge = midnight + CIVIL_DAY;

	for (size_t i = 0; i < schedule->count; i++) {
		const uint16_t minutes[2] = {schedule->windows[i].hours.from,
		    schedule->windows[i].hours.to};
		for (size_t k = 0; k < 2; k++) {
			int64_t one = midnight + minutes[k] * CIVIL_MINUTE;
			if (one > civil && one < edge)
				edge = one;
		}
	}
	return civil_change(at, at + (edge - civil));
}

/* A delay must not lead out of the windows. */
static int64_t
delayed(const struct config_account *account, int64_t at, int64_t delay)
{
	return schedule_holds(account, at + delay) ? at + delay : at;
}

static int64_t
next_interval(const struct config_account *account,
    const struct schedule_input *input, int64_t from)
{
	int64_t horizon = from + HORIZON_DAYS * (int64_t)CIVIL_DAY;

	for (int64_t at = from; at < horizon;) {
		int64_t edge = account->schedule.count == 0
				   ? horizon
				   : next_edge(account, at);
		int64_t every = interval_at(account, at);
		int64_t due = input->starting || input->begun == 0
				  ? at
				  : max(at, input->begun + every);
		if (every > 0 && due < edge)
			return delayed(account, due,
			    spread(jitter_of_interval(account, every),
				input->random));
		at = edge;
	}
	return SCHEDULE_NEVER;
}

/* The earlier of best and the window's first `at` time of that day which is
 * due at from, or later. Those before the last session are done. */
static int64_t
at_of_day(const struct config_window *window, int64_t midnight, int64_t begun,
    int64_t from, int64_t best)
{
	for (size_t i = 0; i < window->at.count; i++) {
		int64_t at = civil_to_unix(
		    midnight + window->at.minutes[i] * CIVIL_MINUTE);
		bool missed = at <= from && begun > 0 && at > begun;
		if (missed || at > from)
			return min(best, max(at, from));
	}
	return best;
}

/* All that were missed are done in one session, at once. */
static int64_t
next_at(const struct config_account *account,
    const struct schedule_input *input, int64_t from)
{
	const struct config_schedule *schedule = &account->schedule;
	int64_t today = civil_midnight(civil_of(from));
	int64_t best = SCHEDULE_NEVER;

	for (int day = -WEEK_DAYS; day <= WEEK_DAYS; day++) {
		int64_t midnight = today + day * (int64_t)CIVIL_DAY;
		if (midnight + 3 * (int64_t)CIVIL_DAY < input->begun)
			continue;
		for (size_t i = 0; i < schedule->count; i++)
			if (names_day(
				&schedule->windows[i], civil_weekday(midnight)))
				best = at_of_day(&schedule->windows[i],
				    midnight, input->begun, from, best);
		if (best != SCHEDULE_NEVER)
			return best +
			       spread(jitter_of_at(account), input->random);
	}
	return SCHEDULE_NEVER;
}

/* As the schedule says, not before from. */
static int64_t
next_regular(const struct config_account *account,
    const struct schedule_input *input, int64_t from)
{
	int64_t next = min(
	    next_interval(account, input, from), next_at(account, input, from));

	/* At the start every window that holds counts, so that an account of
	 * `at` times alone shows as well that it works. */
	if ((input->starting || input->begun == 0) &&
	    schedule_holds(account, from))
		next = min(
		    next, delayed(account, from,
			      spread(jitter_of_at(account), input->random)));
	return next;
}

int64_t
schedule_next(const struct config_account *account,
    const struct schedule_input *input, int64_t now)
{
	int64_t soonest = max(now, input->not_before);
	int64_t from = max(soonest, input->hold_until);
	int64_t next = next_regular(account, input, from);
	int64_t early = SCHEDULE_NEVER;

	if (input->hold_until > now)
		return next;
	if (input->failed != ERROR_NONE && input->failures_in_a_row > 0)
		early = input->ended +
			retry_backoff(input->failures_in_a_row, input->random);
	else if (input->listens && input->ended > 0)
		early = input->ended + (input->pauses ? LISTEN_PAUSE : 0);
	else if (input->more)
		early = input->ended +
			spread(jitter_of_interval(account, account->every),
			    input->random);
	early = max(early, soonest);
	if (early < next && schedule_holds(account, early))
		return early;
	return next;
}

int64_t
schedule_due_time(const struct config_account *account, int64_t from,
    int64_t to, int64_t enough)
{
	struct schedule_input after = {.begun = from, .ended = from};
	int64_t at, due = 0;

	from = max(from, to - DUE_DAYS * (int64_t)CIVIL_DAY);
	at = next_regular(account, &after, from);
	while (at < to && due < enough) {
		int64_t edge = min(next_edge(account, at), to);
		if (schedule_holds(account, at))
			due += edge - at;
		at = edge;
	}
	return min(due, enough);
}
