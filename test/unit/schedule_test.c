/* SPDX-License-Identifier: ISC */
#include "schedule/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/timestamp.h"
#include "config/config.h"
#include "schedule/civil.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define HALF   0x80000000U /* the middle of what is random */
#define TIMES(...)                                                             \
	{                                                                      \
		(const uint16_t[]){__VA_ARGS__},                               \
		    sizeof((const uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t) \
	}

enum {
	SUN = 1,
	MON = 2,
	FRI = 32,
	SAT = 64,
	ALL = 127,
	WORK = ALL & ~(SUN | SAT),
};

/* Schedules by name; all others are of `every: 5m` alone. */
static const struct config_window office[] = {
    {WORK, {8 * 60, 18 * 60}, 5 * MINUTE, {NULL, 0}},
    {ALL, {0, 1440}, HOUR, {NULL, 0}},
};
static const struct config_window work[] = {
    {WORK, {8 * 60, 18 * 60}, 5 * MINUTE, {NULL, 0}},
};
static const struct config_window friday_night[] = {
    {FRI, {22 * 60, 6 * 60}, HOUR, {NULL, 0}},
};
static const struct config_window weekend[] = {
    {SUN | SAT, {0, 1440}, 0, TIMES(9 * 60, 17 * 60 + 30)},
};
static const struct config_window nightly[] = {
    {ALL, {0, 1440}, 0, TIMES(2 * 60 + 30)},
};
static const struct config_window midnight[] = {
    {ALL, {0, 1440}, 0, TIMES(0)},
};
static const struct config_window small_hours[] = {
    {ALL, {2 * 60, 3 * 60}, 30 * MINUTE, {NULL, 0}},
};
static const struct config_window weekly[] = {
    {MON, {8 * 60, 9 * 60}, 7 * DAY, {NULL, 0}},
};

static const struct {
	const char *name;
	const struct config_window *windows;
	size_t count;
} schedules[] = {
    {"office", office, 2},
    {"work", work, 1},
    {"friday night", friday_night, 1},
    {"weekend", weekend, 1},
    {"nightly", nightly, 1},
    {"midnight", midnight, 1},
    {"small hours", small_hours, 1},
    {"weekly", weekly, 1},
};

static struct config_account
account_of(const char *name)
{
	struct config_account account = {.every = 5 * MINUTE, .jitter = 0};

	for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++) {
		if (strcmp(schedules[i].name, name) == 0) {
			account.schedule.windows = schedules[i].windows;
			account.schedule.count = schedules[i].count;
		}
	}
	return account;
}

static int64_t
utc(const char *text)
{
	int64_t ms;

	if (text == NULL)
		return 0;
	assert_true(timestamp_parse_utc(text, &ms));
	return ms;
}

/* Berlin: an hour ahead of UTC, two from 2026-03-29T01:00Z to
 * 2026-10-25T01:00Z. 2026-11-23 is a Monday. */
static int
set_zone(void **state)
{
	(void)state;
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	return 0;
}

struct row {
	const char *name, *schedule;
	const char *begun; /* the last session, a second long; NULL: none */
	const char *now;
	const char *expected; /* NULL: never */
	enum error_class failed;
	unsigned failures;
	const char *hold_until;
	bool more;
	bool starting;
};

static const struct row rows[] = {
    {"at the start, at once", "5m", NULL, "2026-11-23T10:00:00Z",
	"2026-11-23T10:00:00Z"},
    {"from begin to begin", "5m", "2026-11-23T10:00:00Z",
	"2026-11-23T10:00:01Z", "2026-11-23T10:05:00Z"},
    {"late: now", "5m", "2026-11-23T10:00:00Z", "2026-11-23T12:00:00Z",
	"2026-11-23T12:00:00Z"},
    {"over midnight", "5m", "2026-11-23T22:58:00Z", "2026-11-23T22:58:01Z",
	"2026-11-23T23:03:00Z"},
    {"over the year's end", "5m", "2026-12-31T22:58:00Z",
	"2026-12-31T22:58:01Z", "2026-12-31T23:03:00Z"},
    {"into a leap day", "5m", "2028-02-28T22:58:00Z", "2028-02-28T22:58:01Z",
	"2028-02-28T23:03:00Z"},

    {"start in a window", "work", NULL, "2026-11-23T10:00:00Z",
	"2026-11-23T10:00:00Z"},
    {"start before a window", "work", NULL, "2026-11-23T05:00:00Z",
	"2026-11-23T07:00:00Z"},
    {"last session of the day", "work", "2026-11-23T16:55:00Z",
	"2026-11-23T16:55:01Z", "2026-11-24T07:00:00Z"},
    {"one before it", "work", "2026-11-23T16:54:59Z", "2026-11-23T16:55:00Z",
	"2026-11-23T16:59:59Z"},
    {"Friday to Monday", "work", "2026-11-27T16:58:00Z", "2026-11-27T16:58:01Z",
	"2026-11-30T07:00:00Z"},
    {"the first that holds", "office", "2026-11-23T10:00:00Z",
	"2026-11-23T10:00:01Z", "2026-11-23T10:05:00Z"},
    {"else the second", "office", "2026-11-22T10:00:00Z",
	"2026-11-22T10:00:01Z", "2026-11-22T11:00:00Z"},
    {"the shorter one opens earlier", "office", "2026-11-23T06:30:00Z",
	"2026-11-23T06:30:01Z", "2026-11-23T07:00:00Z"},
    {"the longer one opens later", "office", "2026-11-23T16:57:00Z",
	"2026-11-23T16:57:01Z", "2026-11-23T17:57:00Z"},

    {"a night of Friday on Saturday", "friday night", "2026-11-28T04:00:00Z",
	"2026-11-28T04:00:01Z", "2026-12-04T21:00:00Z"},
    {"over its midnight", "friday night", "2026-11-27T22:30:00Z",
	"2026-11-27T22:30:01Z", "2026-11-27T23:30:00Z"},
    {"Thursday's night is none", "friday night", NULL, "2026-11-27T02:00:00Z",
	"2026-11-27T21:00:00Z"},
    {"a week's interval in an hour a week", "weekly", "2026-11-23T07:30:00Z",
	"2026-11-23T07:30:01Z", "2026-11-30T07:30:00Z"},

    {"at: the first", "weekend", "2026-11-27T10:00:00Z", "2026-11-27T10:00:01Z",
	"2026-11-28T08:00:00Z"},
    {"at: the second", "weekend", "2026-11-28T08:00:00Z",
	"2026-11-28T08:00:05Z", "2026-11-28T16:30:00Z"},
    {"at: the next week", "weekend", "2026-11-29T16:30:00Z",
	"2026-11-29T16:30:05Z", "2026-12-05T08:00:00Z"},
    {"at: missed one is done once", "weekend", "2026-11-28T08:00:00Z",
	"2026-11-28T20:00:00Z", "2026-11-28T20:00:00Z"},
    {"at: three missed are done once", "weekend", "2026-11-28T08:00:00Z",
	"2026-11-30T10:00:00Z", "2026-11-30T10:00:00Z"},
    {"at: then as ever", "weekend", "2026-11-30T10:00:00Z",
	"2026-11-30T10:00:05Z", "2026-12-05T08:00:00Z"},
    {"at: the start of a day that is none", "weekend", NULL,
	"2026-11-27T10:00:00Z", "2026-11-28T08:00:00Z"},
    {"at: the start of a day that is one", "weekend", NULL,
	"2026-11-28T10:00:00Z", "2026-11-28T10:00:00Z"},
    {"at midnight", "midnight", "2026-12-30T23:00:00Z", "2026-12-30T23:00:05Z",
	"2026-12-31T23:00:00Z"},
    {"at midnight, leap day", "midnight", "2028-02-27T23:00:00Z",
	"2028-02-27T23:00:05Z", "2028-02-28T23:00:00Z"},
    {"at midnight, after the leap day", "midnight", "2028-02-28T23:00:00Z",
	"2028-02-28T23:00:05Z", "2028-02-29T23:00:00Z"},

    {"spring: intervals stay", "5m", "2026-03-29T00:58:00Z",
	"2026-03-29T00:58:01Z", "2026-03-29T01:03:00Z"},
    {"autumn: intervals stay", "5m", "2026-10-25T00:58:00Z",
	"2026-10-25T00:58:01Z", "2026-10-25T01:03:00Z"},
    {"spring: a time left out comes at the change", "nightly",
	"2026-03-28T01:30:00Z", "2026-03-28T01:30:05Z", "2026-03-29T01:00:00Z"},
    {"spring: and once", "nightly", "2026-03-29T01:00:00Z",
	"2026-03-29T01:00:05Z", "2026-03-30T00:30:00Z"},
    {"autumn: the first of two", "nightly", "2026-10-24T00:30:00Z",
	"2026-10-24T00:30:05Z", "2026-10-25T00:30:00Z"},
    {"autumn: and not the second", "nightly", "2026-10-25T00:30:00Z",
	"2026-10-25T00:30:05Z", "2026-10-26T01:30:00Z"},
    {"spring: a window left out", "small hours", "2026-03-28T01:30:00Z",
	"2026-03-28T01:30:01Z", "2026-03-30T00:00:00Z"},
    {"autumn: a window twice as long", "small hours", "2026-10-25T00:30:00Z",
	"2026-10-25T00:30:01Z", "2026-10-25T01:00:00Z"},
    {"autumn: to its end", "small hours", "2026-10-25T01:30:00Z",
	"2026-10-25T01:30:01Z", "2026-10-26T01:00:00Z"},
    {"spring: the office opens by its clock", "work", "2026-03-27T16:58:00Z",
	"2026-03-27T16:58:01Z", "2026-03-30T06:00:00Z"},
    {"autumn: the office opens by its clock", "work", "2026-10-23T15:58:00Z",
	"2026-10-23T15:58:01Z", "2026-10-26T07:00:00Z"},

    {"no connection: a minute", "5m", "2026-11-23T10:00:00Z",
	"2026-11-23T10:00:01Z", "2026-11-23T10:01:01Z", ERROR_AGAIN, 1},
    {"then two", "5m", "2026-11-23T10:00:00Z", "2026-11-23T10:00:01Z",
	"2026-11-23T10:02:01Z", ERROR_CERTIFICATE, 2},
    {"then four", "5m", "2026-11-23T10:00:00Z", "2026-11-23T10:00:01Z",
	"2026-11-23T10:04:01Z", ERROR_LOCAL, 3},
    {"never later than the schedule", "5m", "2026-11-23T10:00:00Z",
	"2026-11-23T10:00:01Z", "2026-11-23T10:05:00Z", ERROR_AGAIN, 4},
    {"nor after many", "5m", "2026-11-23T10:00:00Z", "2026-11-23T10:00:01Z",
	"2026-11-23T10:05:00Z", ERROR_AGAIN, 4000000000U},
    {"at: tried again the same day", "weekend", "2026-11-28T08:00:00Z",
	"2026-11-28T08:00:01Z", "2026-11-28T08:08:01Z", ERROR_AGAIN, 4},
    {"at: until the next one", "weekend", "2026-11-28T08:00:00Z",
	"2026-11-28T08:00:01Z", "2026-11-28T16:30:00Z", ERROR_AGAIN, 10},
    {"not outside of the windows", "work", "2026-11-23T16:58:00Z",
	"2026-11-23T16:58:01Z", "2026-11-24T07:00:00Z", ERROR_AGAIN, 3},

    {"hold", "5m", "2026-11-23T10:00:00Z", "2026-11-23T10:00:01Z",
	"2026-11-23T11:00:01Z", ERROR_AUTH, 1, "2026-11-23T11:00:01Z"},
    {"hold to when a window opens", "work", "2026-11-23T16:30:00Z",
	"2026-11-23T16:30:01Z", "2026-11-24T07:00:00Z", ERROR_AUTH, 1,
	"2026-11-23T17:30:01Z"},
    {"hold over an at time", "weekend", "2026-11-28T07:30:00Z",
	"2026-11-28T07:30:01Z", "2026-11-28T08:30:01Z", ERROR_AUTH, 1,
	"2026-11-28T08:30:01Z"},
    {"hold at the start", "5m", NULL, "2026-11-23T10:00:01Z",
	"2026-11-23T11:00:01Z", ERROR_AUTH, 1, "2026-11-23T11:00:01Z"},
    {"a hold that is over", "5m", "2026-11-23T10:00:00Z",
	"2026-11-23T11:00:02Z", "2026-11-23T11:00:02Z", ERROR_AUTH, 1,
	"2026-11-23T11:00:01Z"},

    {"more goes on", "5m", "2026-11-23T10:00:00Z", "2026-11-23T10:00:01Z",
	"2026-11-23T10:00:01Z", ERROR_NONE, 0, NULL, true},
    {"more waits for the window", "work", "2026-11-23T16:59:59Z",
	"2026-11-23T17:10:00Z", "2026-11-24T07:00:00Z", ERROR_NONE, 0, NULL,
	true},

    {"a restart fetches at once", "5m", "2026-11-23T10:00:00Z",
	"2026-11-23T10:00:30Z", "2026-11-23T10:00:30Z", .starting = true},
    {"a restart outside of the windows", "work", "2026-11-23T16:00:00Z",
	"2026-11-23T18:00:00Z", "2026-11-24T07:00:00Z", .starting = true},
    {"a restart after a missed at time", "weekend", "2026-11-28T08:00:00Z",
	"2026-11-30T10:00:00Z", "2026-11-30T10:00:00Z", .starting = true},
    {"a restart honours a hold", "5m", "2026-11-23T10:00:00Z",
	"2026-11-23T10:00:30Z", "2026-11-23T11:00:01Z", ERROR_AUTH, 1,
	"2026-11-23T11:00:01Z", .starting = true},
};

static void
the_next_session_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *row = &rows[i];
		struct config_account account = account_of(row->schedule);
		struct schedule_input input = {
		    .begun = utc(row->begun),
		    .failed = row->failed,
		    .failures_in_a_row = row->failures,
		    .hold_until = utc(row->hold_until),
		    .more = row->more,
		    .starting = row->starting,
		    .random = HALF,
		};
		char text[TIMESTAMP_UTC_SIZE];

		if (input.begun != 0)
			input.ended = input.begun + 1000;
		int64_t next = schedule_next(&account, &input, utc(row->now));
		print_message("%s\n", row->name);
		assert_string_equal(
		    timestamp_format_utc(text, next), row->expected);
	}
}

static void
sessions_of_a_year_are_all_in_their_windows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++) {
		struct config_account account = account_of(schedules[i].name);
		int64_t end = utc("2027-04-10T00:00:00Z");
		int64_t now = utc("2026-03-20T00:00:00Z");
		account.jitter = -1;
		for (uint32_t n = 0; now < end && n < 30000; n++) {
			struct schedule_input input = {.begun = now,
			    .ended = now + 1,
			    .random = n * 2654435761U};
			int64_t next = schedule_next(&account, &input, now + 1);
			assert_true(next > now);
			assert_true(next - now <= 15 * DAY);
			assert_true(schedule_holds(&account, next));
			now = next;
		}
	}
}

static void
jitter_spreads_and_stays_small(void **state)
{
	static const struct {
		const char *schedule;
		int64_t jitter, every, longest;
	} cases[] = {
	    {"5m", -1, 5 * MINUTE, 30000},
	    {"5m", -1, DAY, MINUTE},
	    {"5m", 10 * MINUTE, HOUR, 10 * MINUTE},
	    {"5m", 0, HOUR, 0},
	    {"weekend", -1, 0, MINUTE},
	    {"weekend", 10 * MINUTE, 0, MINUTE},
	    {"weekend", 1000, 0, 1000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct config_account account = account_of(cases[i].schedule);
		struct schedule_input input = {
		    .begun = utc("2026-11-28T07:30:00Z"), .random = 0};
		int64_t now = input.begun + 1000;
		account.jitter = cases[i].jitter;
		account.every = cases[i].every;
		int64_t least = schedule_next(&account, &input, now);
		input.random = UINT32_MAX;
		int64_t most = schedule_next(&account, &input, now);
		assert_in_range(most - least,
		    cases[i].longest > 0 ? cases[i].longest - 1 : 0,
		    cases[i].longest);
	}
}

static void
a_start_is_spread(void **state)
{
	struct config_account account = account_of("5m");
	struct schedule_input input = {.random = HALF};
	int64_t now = utc("2026-11-28T07:30:00Z");

	(void)state;
	account.jitter = -1;
	assert_int_equal(schedule_next(&account, &input, now), now + 15000);
}

static void
a_delay_does_not_lead_out_of_a_window(void **state)
{
	struct config_account account = account_of("work");
	struct schedule_input input = {
	    .begun = utc("2026-11-23T16:54:50Z"), .random = UINT32_MAX};
	char text[TIMESTAMP_UTC_SIZE];

	(void)state;
	account.jitter = MINUTE;
	assert_string_equal(
	    timestamp_format_utc(
		text, schedule_next(&account, &input, input.begun + 1000)),
	    "2026-11-23T16:59:50Z");
}

static void
no_window_is_never(void **state)
{
	static const struct config_window none[] = {
	    {.days = 0, .hours = {0, 1440}, .every = MINUTE}};
	struct config_account account = {
	    .every = MINUTE, .schedule = {none, 1}};
	struct schedule_input input = {.begun = 0};

	(void)state;
	assert_int_equal(
	    schedule_next(&account, &input, utc("2026-11-23T16:54:50Z")),
	    SCHEDULE_NEVER);
}

/*
 * The wall clock is set by hours or days, or the machine sleeps: intervals go
 * by the clock that nobody sets, windows and `at` times by the one on the wall.
 */
static void
a_clock_that_is_set_moves_no_interval(void **state)
{
	static const struct {
		const char *name, *schedule;
		const char *begun; /* on the wall clock of then */
		int64_t passed; /* ms of CLOCK_BOOTTIME since */
		const char *now, *expected;
	} cases[] = {
	    {"set back by 3 h", "5m", "2026-11-23T10:00:00Z", MINUTE,
		"2026-11-23T07:01:00Z", "2026-11-23T07:05:00Z"},
	    {"set forward by 3 days", "5m", "2026-11-23T10:00:00Z", MINUTE,
		"2026-11-26T10:01:00Z", "2026-11-26T10:05:00Z"},
	    {"from 1970 to now", "5m", "1970-01-01T00:01:00Z", MINUTE,
		"2026-11-23T10:01:00Z", "2026-11-23T10:05:00Z"},
	    {"back to 1970", "5m", "2026-11-23T10:01:00Z", MINUTE,
		"1970-01-01T00:02:00Z", "1970-01-01T00:06:00Z"},
	    {"slept for 8 h", "5m", "2026-11-23T10:00:00Z", 8 * HOUR,
		"2026-11-23T18:00:00Z", "2026-11-23T18:00:00Z"},
	    {"slept for 2 min", "5m", "2026-11-23T10:00:00Z", 2 * MINUTE,
		"2026-11-23T10:02:00Z", "2026-11-23T10:05:00Z"},
	    {"set back out of a window", "work", "2026-11-23T10:00:00Z", MINUTE,
		"2026-11-23T05:01:00Z", "2026-11-23T07:00:00Z"},
	    {"set back before an at time that was done", "weekend",
		"2026-11-28T08:00:00Z", MINUTE, "2026-11-28T07:01:00Z",
		"2026-11-28T08:00:00Z"},
	    /* Whoever sets the clock over an `at` time did not mean to wait
	     * for it: the time came while the clock was wrong. */
	    {"set forward over an at time", "weekend", "2026-11-27T20:00:00Z",
		2 * DAY, "2026-11-29T20:00:00Z", "2026-11-29T20:00:00Z"},
	    {"slept over two at times", "weekend", "2026-11-28T07:30:00Z",
		14 * HOUR, "2026-11-28T21:30:00Z", "2026-11-28T21:30:00Z"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct config_account account = account_of(cases[i].schedule);
		struct schedule_clock now = {
		    .unix = utc(cases[i].now), .boot = 7 * DAY};
		int64_t begun =
		    schedule_moment(&now, now.boot - cases[i].passed);
		struct schedule_input input = {
		    .begun = begun, .ended = begun, .random = HALF};
		char text[TIMESTAMP_UTC_SIZE];

		print_message("%s\n", cases[i].name);
		assert_string_equal(
		    timestamp_format_utc(
			text, schedule_next(&account, &input, now.unix)),
		    cases[i].expected);
	}
}

static void
only_due_time_counts(void **state)
{
	static const struct {
		const char *schedule, *from, *to;
		int64_t expected;
	} cases[] = {
	    {"5m", "2026-11-23T10:00:00Z", "2026-11-23T10:04:00Z", 0},
	    {"5m", "2026-11-23T10:00:00Z", "2026-11-23T11:05:00Z", HOUR},
	    /* A quiet weekend: Friday 17:00 to Monday 9:00. */
	    {"work", "2026-11-27T16:00:00Z", "2026-11-30T08:05:00Z", 2 * HOUR},
	    {"weekend", "2026-11-29T16:30:00Z", "2026-12-05T08:00:00Z", 0},
	    {"weekend", "2026-11-29T16:30:00Z", "2026-12-05T09:00:00Z", HOUR},
	    {"weekend", "2026-11-29T16:30:00Z", "2026-12-12T09:00:00Z",
		49 * HOUR},
	    {"5m", "1970-01-01T00:00:00Z", "2026-12-12T09:00:00Z", 10 * DAY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct config_account account = account_of(cases[i].schedule);
		print_message("%s %s\n", cases[i].schedule, cases[i].from);
		assert_int_equal(schedule_due_time(&account, utc(cases[i].from),
				     utc(cases[i].to), 10 * DAY),
		    cases[i].expected);
	}
}

static void
wall_time_is_found(void **state)
{
	static const struct {
		const char *wall, *expected;
	} cases[] = {
	    {"2026-11-23T11:00:00Z", "2026-11-23T10:00:00Z"},
	    {"2026-07-01T12:00:00Z", "2026-07-01T10:00:00Z"},
	    {"2026-03-29T01:59:59Z", "2026-03-29T00:59:59Z"},
	    {"2026-03-29T02:00:00Z", "2026-03-29T01:00:00Z"},
	    {"2026-03-29T02:59:59Z", "2026-03-29T01:00:00Z"},
	    {"2026-03-29T03:00:00Z", "2026-03-29T01:00:00Z"},
	    {"2026-10-25T01:59:59Z", "2026-10-24T23:59:59Z"},
	    {"2026-10-25T02:00:00Z", "2026-10-25T00:00:00Z"},
	    {"2026-10-25T02:59:59Z", "2026-10-25T00:59:59Z"},
	    {"2026-10-25T03:00:00Z", "2026-10-25T02:00:00Z"},
	    {"1969-12-31T23:00:00Z", "1969-12-31T22:00:00Z"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[TIMESTAMP_UTC_SIZE];
		assert_string_equal(timestamp_format_utc(text,
					civil_to_unix(utc(cases[i].wall))),
		    cases[i].expected);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_next_session_is_told),
	    cmocka_unit_test(sessions_of_a_year_are_all_in_their_windows),
	    cmocka_unit_test(jitter_spreads_and_stays_small),
	    cmocka_unit_test(a_start_is_spread),
	    cmocka_unit_test(a_delay_does_not_lead_out_of_a_window),
	    cmocka_unit_test(no_window_is_never),
	    cmocka_unit_test(a_clock_that_is_set_moves_no_interval),
	    cmocka_unit_test(only_due_time_counts),
	    cmocka_unit_test(wall_time_is_found),
	};

	return cmocka_run_group_tests(tests, set_zone, NULL);
}
